import { h, s } from '../dom';
import type { Locale } from '../i18n';
import { plain } from './form';
import { shapeText } from './parts';
import type { FieldValue, ModelSummary } from './traits';

/** A small drawing of a kind of network, for its card. */
export function networkDrawing(name: string): SVGSVGElement {
  const drawings: Record<string, () => SVGElement[]> = {
    cnn: () => [box(2, 4, 12, 18), box(18, 7, 9, 12), box(31, 9, 6, 8), line(41, 13, 46, 13)],
    rnn: () => [
      ...[4, 19, 34].flatMap(x => [box(x, 9, 9, 8), loop(x + 4.5)]),
      line(13, 13, 19, 13),
      line(28, 13, 34, 13)
    ],
    resnet: () => [box(2, 6, 9, 14), box(18, 6, 9, 14), box(34, 6, 9, 14), arc(6, 22), arc(22, 38)],
    quicknet: () => [box(2, 3, 16, 20), box(22, 8, 10, 10), line(36, 13, 46, 13)],
    cnn1d: () => [
      ...[4, 10, 16, 22, 28, 34, 40].map(x => line(x, 20, x, 22)),
      ...[3, 15, 27].map(x => box(x, 6, 17, 6))
    ],
    transformer: () => [
      ...[5, 17, 29, 41].map(x => dot(x, 21)),
      ...[5, 17, 29, 41].map(x => dot(x, 5)),
      ...[5, 17, 29, 41].flatMap(x => [5, 29].map(to => line(x, 18, to, 8)))
    ],
    tcn: () => [
      ...[4, 14, 24, 34, 44].flatMap(x => [dot(x, 22), dot(x, 4)]),
      ...[4, 24, 34].map(x => line(x, 20, 44, 6)),
      line(44, 20, 44, 6)
    ],
    crnn: () => [box(2, 4, 10, 18), ...[20, 34].flatMap(x => [box(x, 9, 9, 8), loop(x + 4.5)]), line(29, 13, 34, 13)],
    table_resnet: () => [...[5, 13, 21].map(y => dot(5, y)), box(14, 5, 9, 16), box(31, 5, 9, 16), arc(18, 35)],
    linear: () => [line(3, 22, 24, 12), line(24, 12, 45, 5), dot(24, 12)],
    language: () => [...[3, 13, 23].map(x => box(x, 10, 7, 7)), line(32, 13, 37, 13), box(39, 10, 7, 7)],
    factorisation: () => [box(3, 4, 5, 18), box(40, 4, 5, 18), line(10, 13, 38, 13), dot(24, 13)],
    two_tower: () => [box(5, 10, 9, 13), box(34, 10, 9, 13), line(10, 8, 22, 4), line(38, 8, 26, 4), dot(24, 4)],
    detector: () => [box(2, 2, 44, 22), box(8, 6, 13, 10), box(28, 12, 12, 8)],
    mlp: () => [4, 13, 22].flatMap(y => [...[6, 24, 42].map(x => dot(x, y)), line(9, y, 21, 13), line(27, 13, 39, y)])
  };
  const shapes = drawings[name]?.() ?? [box(6, 5, 36, 16), line(14, 13, 34, 13)];
  return s(
    'svg',
    { class: 'lp-network', viewBox: '0 0 48 26', width: 48, height: 26, 'aria-hidden': 'true' },
    ...shapes
  );
}

function box(x: number, y: number, width: number, height: number): SVGElement {
  return s('rect', { x, y, width, height, rx: 1.5 });
}

function line(x1: number, y1: number, x2: number, y2: number): SVGElement {
  return s('line', { x1, y1, x2, y2 });
}

/** A connection that skips what lies between. */
function arc(from: number, to: number): SVGElement {
  return s('path', { d: `M${from} 6 C${from} 0 ${to} 0 ${to} 6` });
}

function dot(cx: number, cy: number): SVGElement {
  return s('circle', { cx, cy, r: 2.6 });
}

function loop(x: number): SVGElement {
  return s('path', { d: `M${x - 3} 9 C${x - 5} 1 ${x + 5} 1 ${x + 3} 9` });
}

type Box = readonly [title: string, detail: string];

/** The network as a row of boxes, from a row of the dataset to its classes. */
export function networkFlow(summary: ModelSummary, locale: Locale): HTMLElement {
  const boxes: Box[] = [
    [locale.t('model.input'), shapeText(summary.input_shape)],
    ...hiddenBoxes(summary, locale),
    [
      locale.t('model.output'),
      summary.num_classes ? locale.t('model.num_classes', { count: summary.num_classes }) : locale.t('model.numbers')
    ]
  ];
  const items = boxes.map(([title, detail]) => h('li', {}, h('b', {}, title), h('small', {}, detail)));
  return h('ol', { class: 'lp-flow' }, ...items);
}

function hiddenBoxes(summary: ModelSummary, locale: Locale): Box[] {
  const number = (name: string): number => Number(summary.options[name] ?? 1);
  const repeat = (count: number, make: (index: number) => Box): Box[] =>
    Array.from({ length: count }, (_, index) => make(index));
  if (summary.own) {
    return [[summary.name, locale.t('model.own')]];
  }
  switch (summary.name) {
    case 'cnn':
      return repeat(number('stages'), stage => [
        locale.t('model.stage', { number: stage + 1 }),
        locale.t('model.maps', { count: number('channels') * 2 ** stage })
      ]);
    case 'rnn': {
      const ways = locale.t(summary.options.bidirectional === true ? 'model.both_ways' : 'model.one_way');
      const cell = String(summary.options.cell ?? 'lstm').toUpperCase();
      return repeat(number('layers'), () => [`${cell} ${number('hidden')}`, ways]);
    }
    case 'mlp':
      return repeat(number('layers'), layer => [
        locale.t('model.layer', { number: layer + 1 }),
        locale.t('model.units', { count: number('hidden') })
      ]);
    default:
      return [[locale.word('network', summary.name), locale.word('network_note', summary.name, '')]];
  }
}

/** A network's options, names and values in words. */
export function optionPairs(summary: ModelSummary, locale: Locale): [string, string][] {
  return Object.entries(summary.options).map(([name, value]) => [
    locale.word('field.model', name, plain(name)),
    optionText(value, locale)
  ]);
}

function optionText(value: FieldValue, locale: Locale): string {
  if (typeof value === 'boolean') {
    return locale.t(value ? 'word.yes' : 'word.no');
  }
  return typeof value === 'string' ? locale.word('value', value) : locale.figure(value, 6);
}
