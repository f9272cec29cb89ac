import { button, h, setAttribute } from '../dom';
import type { Locale } from '../i18n';
import type { Report } from './traits';

export interface Cell {
  truth: string;
  prediction: string;
}

const MOST_CLASSES = 30;

/**
 * The confusion matrix as a table whose cells are shaded by their share of the row: rows are truths, columns are
 * predictions. A cell with mistakes is a button that chooses them.
 */
export function confusionTable(report: Report, locale: Locale, choose: (cell: Cell) => void): HTMLElement {
  const classes = report.classes ?? [];
  const names = classes.slice(0, MOST_CLASSES).map(each => each.name);
  const corner = h('th', { scope: 'col', class: 'lp-corner' }, locale.t('evaluate.corner'));
  const head = h('tr', {}, corner, ...names.map(name => h('th', { scope: 'col', title: name }, h('span', {}, name))));
  const rows = names.map((truth, row) => {
    const counts = report.confusion?.[row] ?? [];
    const total = counts.reduce((sum, count) => sum + count, 0) || 1;
    const cells = names.map((prediction, column) => {
      const count = counts[column] ?? 0;
      return row === column
        ? rightCell(count, count / total, locale)
        : mistakenCell({ truth, prediction }, count, count / total, locale, choose);
    });
    return h('tr', {}, h('th', { scope: 'row', title: truth }, truth), ...cells);
  });
  const table = h('table', { class: 'lp-confusion' }, h('thead', {}, head), h('tbody', {}, ...rows));
  const more = classes.length - names.length;
  return h(
    'div',
    {},
    h('div', { class: 'lp-scroll lp-tall', tabindex: 0 }, table),
    h('p', { class: 'lp-hint' }, locale.t('evaluate.confusion_help')),
    more > 0 && h('p', { class: 'lp-hint' }, locale.t('data.more_classes', { count: more }))
  );
}

/** The page's letters can be read on a shade up to this one, those of the full colour on the full colour alone. */
const STRONG = 0.45;

function rightCell(count: number, share: number, locale: Locale): HTMLElement {
  const cell = h('td', { class: 'lp-right' }, locale.count(count));
  const strong = share > STRONG;
  shade(cell, strong ? 0.92 + 0.08 * share : share);
  setAttribute(cell, 'data-strong', strong);
  return cell;
}

function mistakenCell(
  cell: Cell,
  count: number,
  share: number,
  locale: Locale,
  choose: (cell: Cell) => void
): HTMLElement {
  const element = h('td', { class: 'lp-mistaken' });
  if (count > 0) {
    const label = locale.t('evaluate.cell', { count, truth: cell.truth, prediction: cell.prediction });
    const press = button(locale.count(count), () => choose(cell), {
      class: 'lp-cell',
      title: label,
      'aria-label': label
    });
    element.append(press);
    // Mistakes are few: their shade grows faster, so that a rare one can be seen beside the diagonal.
    shade(element, Math.sqrt(share) * STRONG);
  }
  return element;
}

function shade(cell: HTMLElement, share: number): void {
  cell.style.setProperty('--lp-share', `${(share * 100).toFixed(0)}%`);
}
