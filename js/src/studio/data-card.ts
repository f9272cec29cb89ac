import { h } from '../dom';
import type { Locale } from '../i18n';
import { sparkline } from '../charts/sparkline';
import { bar, block, facts, figures, note, sampleGallery, shapeText, table } from './parts';
import type { DataCard } from './traits';

type Pair = [string, string];

const MOST_CLASSES = 20;
const TONES = { error: 'error', warning: 'warning', note: 'quiet' } as const;

/** A dataset at a glance: counts, what to know before training, sample rows, the balance of the classes. */
export function dataCard(card: DataCard, locale: Locale): HTMLElement[] {
  const title = h(
    'div',
    { class: 'lp-view-title' },
    h('h4', {}, locale.word('dataset', card.name, card.title)),
    h('span', { class: 'lp-chip' }, locale.word('modality', card.modality)),
    card.licence ? h('span', { class: 'lp-hint' }, locale.t('data.licence', { licence: card.licence })) : null
  );
  const numbers = figures([
    [locale.t('data.train_rows'), locale.count(card.rows.train)],
    [locale.t('data.validation_rows'), locale.count(card.rows.validation)],
    [locale.t('data.test_rows'), locale.count(card.rows.test)],
    ...(card.classes.length > 0 ? [[locale.t('data.classes'), locale.count(card.classes.length)] as Pair] : []),
    [locale.t('data.shape'), shapeText(card.input_shape)]
  ]);
  const task = [card.task && locale.word('value', card.task), card.task_reason].filter(Boolean).join(': ');
  return [
    title,
    numbers,
    facts([[locale.t('data.task'), task]]),
    ...card.warnings.map(warning => note(warning.message, TONES[warning.severity])),
    block(locale.t('data.samples'), sampleGallery(card.samples, locale)),
    ...(card.classes.length > 0 ? [block(locale.t('data.balance'), balance(card, locale))] : []),
    ...(card.targets?.length ? [block(locale.t('data.targets'), targets(card, locale))] : []),
    ...(card.columns.length > 0 ? [block(locale.t('data.columns'), columns(card, locale))] : [])
  ];
}

function balance(card: DataCard, locale: Locale): HTMLElement {
  const most = Math.max(1, ...card.classes.map(each => each.rows));
  const rows = card.classes
    .slice(0, MOST_CLASSES)
    .map(each => bar(each.name, each.rows / most, locale.count(each.rows)));
  const more = card.classes.length - rows.length;
  return h(
    'div',
    {},
    h('ul', { class: 'lp-bars lp-balance' }, ...rows),
    more > 0 && h('p', { class: 'lp-hint' }, locale.t('data.more_classes', { count: more }))
  );
}

/** The least, mean and greatest value of each target, and how often each lies between. */
function targets(card: DataCard, locale: Locale): HTMLElement {
  const head = ['data.column', 'data.least', 'data.mean', 'data.greatest', 'data.spread'] as const;
  const rows = (card.targets ?? []).map(target => [
    target.name,
    ...[target.least, target.mean, target.greatest].map(value => locale.figure(value, 5)),
    sparkline(target.histogram, 120, 28)
  ]);
  return table(
    head.map(key => locale.t(key)),
    rows
  );
}

function columns(card: DataCard, locale: Locale): HTMLElement {
  const head = [locale.t('data.column'), locale.t('data.kind'), locale.t('data.missing_cells')];
  const rows = card.columns.map(column => {
    const kind = [locale.word('kind', column.role ?? column.kind), column.reason].filter(Boolean).join(': ');
    return [column.name, kind, locale.count(column.missing)];
  });
  return table(head, rows);
}
