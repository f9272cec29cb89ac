import { sparkline } from '../charts/sparkline';
import { type Child, h, isEmbeddedPicture } from '../dom';
import type { Locale } from '../i18n';
import type { CardSample } from './traits';

/** A titled block. */
export function block(title: string, ...children: Child[]): HTMLElement {
  return h('section', { class: 'lp-block' }, h('h4', {}, title), ...children);
}

/** Numbers in a row, each with its name above; the first is the largest. */
export function figures(pairs: [string, string][]): HTMLElement {
  const cells = pairs.map(([name, value]) =>
    h('div', { class: 'lp-stat' }, h('dt', {}, name), h('dd', {}, h('b', {}, value)))
  );
  return h('dl', { class: 'lp-stats lp-figures' }, ...cells);
}

/** Names and values below each other; those without a value are left out. */
export function facts(pairs: [string, string | null | undefined][]): HTMLElement {
  const rows = pairs.filter(([, value]) => value).flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]);
  return h('dl', { class: 'lp-facts' }, ...rows);
}

/** A sentence in a coloured field. */
export function note(text: string, tone: 'quiet' | 'warning' | 'error' = 'quiet'): HTMLElement {
  return h('div', { class: 'lp-notice', 'data-tone': tone }, h('p', { class: 'lp-notice-text' }, text));
}

/** A view with nothing in it yet: what is missing, and the one thing to do. */
export function empty(text: string, ...actions: Child[]): HTMLElement {
  return h('div', { class: 'lp-empty' }, h('p', {}, text), ...actions);
}

/** A table in a box that scrolls; `head` are the columns' names. */
export function table(head: string[], rows: Child[][]): HTMLElement {
  const heads = h('tr', {}, ...head.map(name => h('th', { scope: 'col' }, name)));
  const body = rows.map(cells => h('tr', {}, ...cells.map(cell => h('td', {}, cell))));
  return h('div', { class: 'lp-scroll', tabindex: 0 }, h('table', {}, h('thead', {}, heads), h('tbody', {}, ...body)));
}

/** Name, bar and number; `share` is between 0 and 1. */
export function bar(name: string, share: number, value: string, first = false): HTMLElement {
  const fill = h('i');
  fill.style.width = `${(Math.max(0, Math.min(1, share)) * 100).toFixed(1)}%`;
  const track = h('div', { class: first ? 'lp-bar lp-first' : 'lp-bar', 'aria-hidden': 'true' }, fill);
  return h(
    'li',
    { class: 'lp-bar-row' },
    h('span', { class: 'lp-bar-name', title: name }, name),
    track,
    h('span', {}, value)
  );
}

/** "1 × 28 × 28" */
export function shapeText(shape: readonly number[] | null | undefined): string {
  return shape ? shape.join(' × ') : '';
}

/** Sample rows as a person sees them: pictures, small lines, or a table of values. */
export function sampleGallery(samples: CardSample[], locale: Locale): HTMLElement {
  if (samples.some(sample => sample.values)) {
    return sampleTable(samples, locale);
  }
  if (samples.some(sample => sample.text !== undefined)) {
    return h('ul', { class: 'lp-texts' }, ...samples.map(sampleSentence));
  }
  const wide = samples.some(sample => sample.audio || sample.ahead || sample.boxes);
  return h('ul', { class: wide ? 'lp-samples lp-wide' : 'lp-samples' }, ...samples.map(sampleFigure));
}

const LONGEST_TEXT = 280;

function sampleSentence(sample: CardSample): HTMLElement {
  const text = sample.text ?? '';
  const shown = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)} …` : text;
  const label = sample.label ? h('span', { class: 'lp-chip' }, sample.label) : null;
  return h('li', {}, label, h('span', { title: text.slice(0, 2000) }, shown));
}

function sampleFigure(sample: CardSample): HTMLElement {
  const series = [...(sample.series ?? []), ...(sample.ahead ?? [])].map(step =>
    Array.isArray(step) ? (step[0] as number) : step
  );
  const drawing = isEmbeddedPicture(sample.image)
    ? h('img', { src: sample.image, alt: '' })
    : series.length > 1
      ? sparkline(series, sample.ahead ? 180 : 64, 52)
      : null;
  const player = sample.audio?.startsWith('data:audio/wav;base64,')
    ? h('audio', { src: sample.audio, controls: true, preload: 'none', 'aria-label': sample.label })
    : null;
  return h('li', { class: 'lp-sample' }, drawing, player, h('span', { title: sample.label }, sample.label));
}

const MOST_COLUMNS = 8;

function sampleTable(samples: CardSample[], locale: Locale): HTMLElement {
  const columns = Object.keys(samples[0]?.values ?? {});
  const shown = columns.slice(0, MOST_COLUMNS);
  const rows = samples.map(sample => [sample.label, ...shown.map(column => cellText(sample.values?.[column], locale))]);
  const more = columns.length - shown.length;
  return h(
    'div',
    {},
    table([locale.t('data.label'), ...shown], rows),
    more > 0 && h('p', { class: 'lp-hint' }, locale.t('data.more_columns', { count: more }))
  );
}

function cellText(value: string | number | null | undefined, locale: Locale): string {
  if (value === null || value === undefined) {
    return locale.t('data.missing');
  }
  return typeof value === 'number' ? locale.figure(value, 6) : value.slice(0, 40);
}
