import { button, h, on, setAttribute } from '../dom';
import type { Locale } from '../i18n';
import type { Column, ComparedRow } from '../kept';
import { icon } from '../view/icons';
import type { Stroke } from './colours';
import { cellText, columnText, type TableOptions } from './table-model';

export interface TableActions {
  sort(name: string): void;
  remove(run_id: string): void;
  open(run_id: string): void;
  /** The pointer or the focus is on this run; null: on none. */
  point(run_id: string | null): void;
}

/** The table of the compared runs: a press on a column's name sorts, cells in which the runs differ stand out. */
export class CompareTable {
  readonly element = h('div', { class: 'lp-scroll lp-compare-scroll', tabindex: 0 });
  private readonly _locale: Locale;
  private readonly _actions: TableActions;
  private _drawn = '';

  constructor(locale: Locale, actions: TableActions) {
    this._locale = locale;
    this._actions = actions;
  }

  update(columns: Column[], rows: ComparedRow[], options: TableOptions, strokes: Map<string, Stroke>): void {
    const drawn = JSON.stringify([columns, rows, options, [...strokes]]);
    if (drawn === this._drawn) {
      return;
    }
    this._drawn = drawn;
    const focused = this.element.contains(document.activeElement)
      ? (document.activeElement as HTMLElement).dataset.sort
      : undefined;
    const run: Column = { name: 'run_id', kind: 'run', differs: false };
    const head = h('tr', {}, ...[run, ...columns].map(column => this._head(column, options)));
    const differing = new Set(columns.filter(column => differs(rows, column)).map(column => column.name));
    const body = rows.map(row => this._row(row, columns, differing, strokes.get(row.run_id)));
    const caption = h('caption', { class: 'lp-spoken' }, this._locale.t('compare.title'));
    this.element.replaceChildren(
      h('table', { class: 'lp-values' }, caption, h('thead', {}, head), h('tbody', {}, ...body)),
      ...(rows.length === 0 ? [h('p', { class: 'lp-hint' }, this._locale.t('panel.no_match'))] : [])
    );
    if (focused) {
      [...this.element.querySelectorAll<HTMLElement>('[data-sort]')]
        .find(each => each.dataset.sort === focused)
        ?.focus();
    }
  }

  private _head(column: Column, options: TableOptions): HTMLElement {
    const sorted = options.sort === column.name;
    const mark = sorted ? (options.descending ? ' ↓' : ' ↑') : '';
    const name = columnText(column.name, this._locale);
    const press = button(`${name}${mark}`, () => this._actions.sort(column.name), {
      class: 'lp-sort',
      title: column.kind === 'option' ? column.name : null,
      'data-sort': column.name
    });
    const cell = h('th', { scope: 'col' }, press);
    setAttribute(cell, 'aria-sort', sorted ? (options.descending ? 'descending' : 'ascending') : null);
    return cell;
  }

  private _row(row: ComparedRow, columns: Column[], differing: Set<string>, stroke?: Stroke): HTMLElement {
    const swatch = h('i', { class: 'lp-swatch', 'aria-hidden': 'true' });
    swatch.style.borderTopColor = stroke?.colour ?? 'transparent';
    swatch.style.borderTopStyle = stroke?.dash.length ? 'dashed' : 'solid';
    const open = button(String(row.title || row.run_id), () => this._actions.open(row.run_id), {
      class: 'lp-link',
      title: row.title ? row.run_id : this._locale.t('panel.open_curve')
    });
    const text = this._locale.t('compare.remove', { run: row.run_id });
    const remove = button('', () => this._actions.remove(row.run_id), {
      class: 'lp-row-action',
      title: text,
      'aria-label': text
    });
    remove.append(icon('close'));
    const cells = columns.map(column =>
      h(
        'td',
        { class: differing.has(column.name) ? 'lp-differs' : null },
        cellText(column, row[column.name] ?? null, this._locale)
      )
    );
    const point = (run_id: string | null) => (): void => this._actions.point(run_id);
    return on(h('tr', {}, h('td', {}, swatch, open, remove), ...cells), {
      mouseenter: point(row.run_id),
      mouseleave: point(null),
      focusin: point(row.run_id),
      focusout: point(null)
    });
  }
}

/** Whether the shown runs have different values of an option. */
function differs(rows: ComparedRow[], column: Column): boolean {
  const first = JSON.stringify(rows[0]?.[column.name] ?? null);
  return column.kind === 'option' && rows.some(row => JSON.stringify(row[column.name] ?? null) !== first);
}
