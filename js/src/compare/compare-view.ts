import { saveFile } from '../charts/export';
import { followTheme, pageTheme } from '../charts/theme';
import { button, h, on, setAttribute, setText } from '../dom';
import type { Locale } from '../i18n';
import type { Comparison } from '../kept';
import type { RunSummary } from '../protocol';
import { icon } from '../view/icons';
import { capital } from '../view/words';
import { strokeOf } from './colours';
import { CompareTable } from './compare-table';
import { OverlayChart, type OverlayLine } from './overlay-chart';
import { RunPicker } from './picker';
import {
  columnText,
  comparisonCsv,
  curvesOf,
  DEFAULT_TABLE,
  isUpwards,
  shownColumns,
  shownRows,
  type TableOptions
} from './table-model';

export interface CompareActions {
  /** The runs that are compared have changed. */
  choose(run_ids: string[]): void;
  openCurve(run_id: string): void;
}

/** Runs side by side: which, their curves over one another, and a table with the options in which they differ. */
export class CompareView {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private readonly _actions: CompareActions;
  private readonly _picker: RunPicker;
  private readonly _chart: OverlayChart;
  private readonly _table: CompareTable;
  private readonly _toggles: HTMLElement;
  private _curves: string[] = [];
  private readonly _note = h('p', { class: 'lp-none', role: 'status' });
  private readonly _main = h('div', { class: 'lp-compare-main' });
  private readonly _unfollowTheme: () => void;
  private _options: TableOptions = DEFAULT_TABLE;
  private _curve = '';
  private _chosen: string[] = [];
  private _comparison: Comparison | null = null;

  constructor(locale: Locale, actions: CompareActions) {
    this._locale = locale;
    this._actions = actions;
    this._picker = new RunPicker(locale, (run_id, chosen) => this._choose(run_id, chosen));
    this._chart = new OverlayChart(epoch => locale.t('chart.epoch', { epoch: locale.fixed(epoch, 2) }));
    this._table = new CompareTable(locale, {
      sort: name => this._sortBy(name),
      remove: run_id => this._choose(run_id, false),
      open: run_id => actions.openCurve(run_id),
      point: run_id => this._chart.highlight(run_id)
    });
    this._toggles = h('div', { class: 'lp-toggles', role: 'group', 'aria-label': locale.t('chart.show') });
    this._main.append(this._toggles, this._chart.element, this._tools(), this._table.element);
    this.element = h(
      'section',
      { class: 'lepton lp-compare', lang: locale.tag, 'aria-label': locale.t('compare.title') },
      this._picker.element,
      h('div', { class: 'lp-compare-side' }, this._note, this._main)
    );
    this._unfollowTheme = followTheme(this.element, () => {
      this._draw();
      this._chart.recolour();
    });
    this._draw();
  }

  /** The runs to choose from, and those that are chosen. */
  offer(runs: RunSummary[], chosen: string[]): void {
    this._chosen = chosen;
    this._picker.update(runs, new Set(chosen));
    this._draw();
  }

  /** What the server says of the chosen runs. */
  show(comparison: Comparison): void {
    this._comparison = comparison;
    this._draw();
  }

  /** Draws anew, once the view has a size. */
  resize(): void {
    this._draw();
  }

  dispose(): void {
    this._unfollowTheme();
    this._chart.destroy();
    this.element.remove();
  }

  /** A button for each curve that there is, the chosen one pressed. */
  private _showCurves(comparison: Comparison): void {
    const curves = curvesOf(comparison);
    if (curves.join() !== this._curves.join()) {
      this._curves = curves;
      this._curve = curves.includes(this._curve) ? this._curve : (curves[0] ?? '');
      const toggles = curves.map(curve => {
        const choose = (): void => {
          this._curve = curve;
          this._draw();
        };
        return button(capital(columnText(curve, this._locale)), choose, { class: 'lp-toggle', 'data-curve': curve });
      });
      this._toggles.replaceChildren(...toggles);
    }
    for (const toggle of this._toggles.querySelectorAll('button')) {
      setAttribute(toggle, 'aria-pressed', String(toggle.dataset.curve === this._curve));
    }
  }

  private _tools(): HTMLElement {
    const filter = h('input', {
      class: 'lp-input',
      type: 'search',
      placeholder: this._locale.t('compare.filter'),
      'aria-label': this._locale.t('compare.filter'),
      autocomplete: 'off',
      spellcheck: 'false'
    });
    on(filter, { input: () => this._change({ filter: filter.value }) });
    const all = h('input', { type: 'checkbox' });
    on(all, { change: () => this._change({ all_options: all.checked }) });
    const help = this._locale.t('compare.csv_help');
    const csv = button('CSV', () => this._saveCsv(), { class: 'lp-toggle', title: help, 'aria-label': help });
    csv.prepend(icon('download'));
    return h(
      'div',
      { class: 'lp-compare-tools' },
      filter,
      h('label', {}, all, this._locale.t('compare.all_options')),
      csv
    );
  }

  private _choose(run_id: string, chosen: boolean): void {
    const others = this._chosen.filter(each => each !== run_id);
    this._actions.choose(chosen ? [...others, run_id] : others);
  }

  private _change(change: Partial<TableOptions>): void {
    this._options = { ...this._options, ...change };
    this._draw();
  }

  /** The first press sorts figures from the largest and words from A; the next ones turn it round. */
  private _sortBy(name: string): void {
    const same = this._options.sort === name;
    const isFigure = this._comparison?.rows.some(row => typeof row[name] === 'number') ?? false;
    const upwards = !isFigure || isUpwards(name);
    this._change({ sort: name, descending: same ? !this._options.descending : !upwards });
  }

  private _draw(): void {
    const comparison = this._comparison;
    const few = this._chosen.length === 0;
    this._main.hidden = few || comparison === null;
    setText(this._note, few ? this._locale.t('compare.none') : '');
    this._note.hidden = !few;
    if (few || comparison === null) {
      return;
    }
    const columns = shownColumns(comparison, this._options);
    const rows = shownRows(comparison, columns, this._options, this._locale);
    const dark = pageTheme() === 'dark';
    const strokes = new Map(this._chosen.map((run_id, index) => [run_id, strokeOf(index, dark)]));
    this._table.update(columns, rows, this._options, strokes);
    this._showCurves(comparison);
    const name = capital(columnText(this._curve, this._locale));
    setAttribute(
      this._chart.element,
      'aria-label',
      this._locale.t('compare.chart', { curve: name, count: rows.length })
    );
    this._chart.draw(
      rows.flatMap(row => {
        const points = comparison.curves[this._curve]?.[row.run_id];
        const stroke = strokes.get(row.run_id);
        return points && stroke ? [lineOf(row.run_id, String(row.title || row.run_id), points, stroke)] : [];
      })
    );
  }

  private _saveCsv(): void {
    if (this._comparison) {
      const columns = shownColumns(this._comparison, this._options);
      const rows = shownRows(this._comparison, columns, this._options, this._locale);
      saveFile('runs.csv', new Blob([comparisonCsv(columns, rows)], { type: 'text/csv;charset=utf-8' }));
    }
  }
}

function lineOf(
  run_id: string,
  name: string,
  points: { epoch: number[]; value: (number | null)[] },
  stroke: OverlayLine['stroke']
): OverlayLine {
  const y = Float64Array.from(points.value, value => value ?? Number.NaN);
  return { run_id, name, stroke, x: Float64Array.from(points.epoch), y };
}
