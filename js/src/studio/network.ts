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
    [locale.t('model.output'), locale.t('model.num_classes', { count: summary.num_classes ?? 0 })]
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
      return [[summary.name, '']];
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
  return typeof value === 'string' ? locale.word('value', value) : String(value);
}
