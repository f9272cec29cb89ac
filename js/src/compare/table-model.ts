/** The rows and columns that the comparison shows: chosen, filtered, sorted, as text and as CSV. */

import type { Locale } from '../i18n';
import { scoreText } from '../view/words';
import type { Cell, Column, ComparedRow, Comparison } from '../kept';

export interface TableOptions {
  sort: string | null;
  descending: boolean;
  /** Words that a row must have in its cells. */
  filter: string;
  /** Whether options that are the same for all runs are shown too. */
  all_options: boolean;
}

export const DEFAULT_TABLE: TableOptions = { sort: null, descending: false, filter: '', all_options: false };

/** Results that say little beside the others; the CSV file of the verbs has them. */
const LEFT_OUT = new Set(['step', 'restarts', 'train_loss']);
const SCORE = /^(best_val|val|train|test)_(.+)$/;

/** The columns worth a look: tags where there are some, the options that differ (or all), the results that are there. */
export function shownColumns(comparison: Comparison, options: TableOptions): Column[] {
  const has = (name: string): boolean => comparison.rows.some(row => row[name] !== null && row[name] !== '');
  const by = new Map(comparison.columns.map(column => [column.name, column]));
  const labels = ['tags', 'parent'].filter(has);
  const chosen = comparison.columns
    .filter(column => column.kind === 'option' && (options.all_options || column.differs))
    .map(column => column.name);
  const results = comparison.columns
    .filter(column => column.kind === 'result' && !LEFT_OUT.has(column.name))
    .map(column => column.name)
    .filter(has);
  return [...labels, ...chosen, ...results].flatMap(name => by.get(name) ?? []);
}

/** The rows that have all words of the filter, in the chosen order; those without a value come last. */
export function shownRows(
  comparison: Comparison,
  columns: Column[],
  options: TableOptions,
  locale: Locale
): ComparedRow[] {
  const words = options.filter.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = comparison.rows.filter(row => {
    const said = [row.run_id, row.title, ...columns.map(column => cellText(column, row[column.name] ?? null, locale))]
      .join(' ')
      .toLowerCase();
    return words.every(word => said.includes(word));
  });
  const { sort } = options;
  if (sort === null) {
    return rows;
  }
  const sign = options.descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [a[sort] ?? null, b[sort] ?? null];
    if (left === null || right === null) {
      return Number(left === null) - Number(right === null);
    }
    return sign * compareCells(left, right);
  });
}

function compareCells(left: Cell, right: Cell): number {
  if (typeof left === 'number' && typeof right === 'number') {
    return left - right;
  }
  return String(left).localeCompare(String(right), undefined, { numeric: true });
}

/** The curves that there are to draw: the figures that the runs are judged by, then the losses. */
export function curvesOf(comparison: Comparison): string[] {
  const metrics = comparison.columns.flatMap(column => /^best_val_(.+)$/.exec(column.name)?.[1] ?? []);
  return [...metrics.flatMap(metric => [`val_${metric}`, `train_${metric}`]), 'val_loss', 'train_loss'];
}

/** Whether the smaller value of a column is the better one, or is wanted first. */
export function isUpwards(name: string): boolean {
  return /(loss|mae|mse|rmse|perplexity|seconds)$/.test(name);
}

/** A column as a person reads it: "train.learning_rate" is "learning rate". */
export function columnText(name: string, locale: Locale): string {
  const [, part, figure] = SCORE.exec(name) ?? [];
  if (part && figure) {
    const metric = figure === 'loss' ? locale.t('chart.loss') : locale.word('metric', figure, figure);
    return locale.t(`compare.part.${part as 'best_val' | 'val' | 'train' | 'test'}`, { metric });
  }
  const last = name.slice(name.lastIndexOf('.') + 1);
  return locale.word('column', name, locale.word('field', name, last.replace(/_/g, ' ')));
}

/** A cell's value as text. */
export function cellText(column: Column, value: Cell, locale: Locale): string {
  if (value === null || value === '') {
    return '–';
  }
  if (typeof value === 'boolean') {
    return locale.t(value ? 'word.yes' : 'word.no');
  }
  if (typeof value !== 'number') {
    return column.name === 'state' ? locale.word('state', String(value)) : String(value);
  }
  if (SCORE.test(column.name)) {
    return scoreText(value, locale);
  }
  switch (column.name) {
    case 'elapsed_seconds':
      return locale.duration(value);
    case 'samples_per_second':
    case 'step':
      return locale.count(value);
    case 'epoch':
      return locale.fixed(value, 1);
    default:
      return column.kind === 'result' ? locale.fixed(value, 4) : locale.figure(value, 6);
  }
}

/** The shown table as CSV, values in full. A text that a spreadsheet would take for a formula gets a quote before it. */
export function comparisonCsv(columns: Column[], rows: ComparedRow[]): string {
  const names = ['run_id', ...columns.map(column => column.name)];
  const lines = rows.map(row => names.map(name => csvCell(row[name] ?? null)).join(','));
  return [names.join(','), ...lines, ''].join('\r\n');
}

function csvCell(value: Cell): string {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') {
    return value === null ? '' : String(value);
  }
  const text = /^[=+\-@\t\r]/.test(String(value)) ? `'${String(value)}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
