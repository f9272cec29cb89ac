import { type Column, columnsOf, type TableRow, tableRows } from '../charts/table';
import { h } from '../dom';
import type { RunHistory } from '../history';
import type { Locale } from '../i18n';
import type { RunSummary } from '../protocol';
import { eventText, metricName } from './words';

const MOST_ROWS = 200;

function columnName(column: Column, summary: RunSummary, locale: Locale): string {
  const training = column.part === 'train';
  return column.metric === 'loss'
    ? locale.t(training ? 'stat.train_loss' : 'stat.val_loss')
    : locale.t(training ? 'stat.train_score' : 'stat.val_score', { metric: metricName(summary, locale) });
}

/** The curve's values as a table: those with a validation value, and the newest of the others. */
export function valuesTable(history: RunHistory, locale: Locale): HTMLElement {
  const all = tableRows(history);
  const shown = chooseRows(all, history);
  const caption = h('caption', {}, locale.t('table.caption', { run: history.summary.run_id }));
  const columns = columnsOf(history);
  const names = columns.map(column => columnName(column, history.summary, locale));
  const head = h('tr', {}, th(locale.t('table.epoch')), ...names.map(th));
  const rows = shown.map(row =>
    h(
      'tr',
      {},
      h('td', {}, locale.fixed(row.epoch, 2)),
      ...columns.map(column => cell(row.values[column.series], locale))
    )
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

function chooseRows(rows: TableRow[], history: RunHistory): TableRow[] {
  if (rows.length <= MOST_ROWS) {
    return rows;
  }
  const validated = columnsOf(history).filter(column => column.part === 'val');
  const epochs = rows.filter(row => validated.some(column => row.values[column.series] !== undefined));
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
    h('li', {}, locale.t('history.line', { epoch: locale.fixed(mark.epoch, 2), text: eventText(mark, locale) }))
  );
  return h(
    'section',
    { class: 'lp-block' },
    h('h4', {}, locale.t('history.title')),
    h('ul', { class: 'lp-events' }, ...lines)
  );
}
