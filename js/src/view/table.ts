import { COLUMNS, type Column, type TableRow, tableRows } from '../charts/table';
import { h } from '../dom';
import type { RunHistory } from '../history';
import type { Key, Locale } from '../i18n';

const MOST_ROWS = 200;

const NAMES: Record<Column, Key> = {
  train_accuracy: 'stat.train_accuracy',
  val_accuracy: 'stat.val_accuracy',
  train_loss: 'stat.train_loss',
  val_loss: 'stat.val_loss'
};

/** The curve's values as a table: those with a validation value, and the newest of the others. */
export function valuesTable(history: RunHistory, locale: Locale): HTMLElement {
  const all = tableRows(history);
  const shown = chooseRows(all);
  const caption = h('caption', {}, locale.t('table.caption', { run: history.summary.run_id }));
  const head = h('tr', {}, th(locale.t('table.epoch')), ...COLUMNS.map(column => th(locale.t(NAMES[column]))));
  const rows = shown.map(row =>
    h('tr', {}, h('td', {}, locale.fixed(row.epoch, 2)), ...COLUMNS.map(column => cell(row.values[column], locale)))
  );
  const note =
    shown.length < all.length
      ? h('p', { class: 'lp-hint' }, locale.t('table.shown', { shown: shown.length, total: locale.count(all.length) }))
      : null;
  return h(
    'div',
    {},
    h(
      'div',
      { class: 'lp-scroll', tabindex: 0 },
      h('table', { class: 'lp-values' }, caption, h('thead', {}, head), h('tbody', {}, ...rows))
    ),
    note,
    history.marks.length > 0 && runEvents(history, locale)
  );
}

function chooseRows(rows: TableRow[]): TableRow[] {
  if (rows.length <= MOST_ROWS) {
    return rows;
  }
  const epochs = rows.filter(row => row.values.val_accuracy !== undefined || row.values.val_loss !== undefined);
  return epochs.slice(-MOST_ROWS);
}

function th(text: string): HTMLTableCellElement {
  return h('th', { scope: 'col' }, text);
}

function cell(value: number | undefined, locale: Locale): HTMLTableCellElement {
  return h('td', {}, value === undefined ? '' : locale.fixed(value, 4));
}

/** What happened to the run, in whole sentences. */
function runEvents(history: RunHistory, locale: Locale): HTMLElement {
  const lines = history.marks.map(mark =>
    h('li', {}, locale.t('history.line', { epoch: locale.fixed(mark.epoch, 2), text: mark.text }))
  );
  return h(
    'section',
    { class: 'lp-block' },
    h('h4', {}, locale.t('history.title')),
    h('ul', { class: 'lp-events' }, ...lines)
  );
}
