import type { FigureOptions, LineKind, Metric } from '../charts/figure';
import { button, h, on, setAttribute, setText } from '../dom';
import type { Key, Locale } from '../i18n';
import type { RunSummary } from '../protocol';
import { icon } from './icons';
import { metricName } from './words';

/** What the toolbar shows and changes. */
export interface ViewOptions extends Pick<FigureOptions, 'metric' | 'smooth' | 'weight' | 'hidden' | 'log'> {
  table: boolean;
}

export interface ToolbarActions {
  change(options: Partial<ViewOptions>): void;
  showWhole(): void;
  savePng(): void;
  saveSvg(): void;
  saveCsv(): void;
}

/** Legend and switches above the chart. */
export class Toolbar {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private readonly _actions: ToolbarActions;
  private readonly _metrics: Record<Metric, HTMLButtonElement>;
  private readonly _smooth: HTMLButtonElement;
  private readonly _weight: HTMLInputElement;
  private readonly _lines: Record<LineKind, HTMLButtonElement>;
  private readonly _log: HTMLButtonElement;
  private readonly _table: HTMLButtonElement;
  private readonly _whole: HTMLButtonElement;
  private _options: ViewOptions;

  constructor(locale: Locale, options: ViewOptions, actions: ToolbarActions) {
    this._locale = locale;
    this._actions = actions;
    this._options = options;
    this._metrics = {
      score: this._toggle('metric.accuracy', null, () => actions.change({ metric: 'score' })),
      loss: this._toggle('chart.loss', null, () => actions.change({ metric: 'loss' }))
    };
    this._smooth = this._toggle('chart.smooth', 'chart.smooth_help', () =>
      actions.change({ smooth: !this._options.smooth })
    );
    this._weight = on(
      h('input', {
        class: 'lp-weight',
        type: 'range',
        min: 0,
        max: 0.99,
        step: 0.01,
        value: options.weight,
        'aria-label': locale.t('chart.weight')
      }),
      { input: () => actions.change({ weight: Number(this._weight.value) }) }
    );
    this._lines = {
      train: this._line('train', 'chart.training'),
      validation: this._line('validation', 'chart.validation')
    };
    this._log = this._toggle('chart.log', 'chart.log_help', () => actions.change({ log: !this._options.log }));
    this._table = this._toggle('chart.table', 'chart.table_help', () =>
      actions.change({ table: !this._options.table })
    );
    this._whole = this._toggle('chart.whole', 'chart.whole_help', () => actions.showWhole());
    this._whole.hidden = true;
    this.element = h('div', { class: 'lp-legend' }, this._legend(), this._switches());
    this.update(options);
  }

  update(options: ViewOptions): void {
    this._options = options;
    press(this._metrics.score, options.metric === 'score');
    press(this._metrics.loss, options.metric === 'loss');
    press(this._smooth, options.smooth);
    press(this._log, options.log);
    this._weight.hidden = !options.smooth;
    this._weight.title = this._locale.fixed(options.weight, 2);
    for (const kind of ['train', 'validation'] as const) {
      press(this._lines[kind], !options.hidden.includes(kind));
    }
    press(this._table, options.table);
    this._log.hidden = options.metric !== 'loss';
  }

  /** Names the figure that the run is judged by. */
  name(summary: RunSummary): void {
    setText(this._metrics.score, metricName(summary, this._locale));
  }

  setZoomed(zoomed: boolean): void {
    this._whole.hidden = !zoomed;
  }

  private _legend(): HTMLElement {
    const label = this._locale.t('chart.lines');
    return h(
      'div',
      { class: 'lp-legend-lines', role: 'group', 'aria-label': label },
      this._lines.train,
      this._lines.validation
    );
  }

  /** A line's entry in the legend; pressed while the line is drawn. */
  private _line(kind: LineKind, key: Key): HTMLButtonElement {
    const toggle = (): void => {
      const { hidden } = this._options;
      const others = hidden.filter(each => each !== kind);
      this._actions.change({ hidden: others.length < hidden.length ? others : [...hidden, kind] });
    };
    const entry = button(this._locale.t(key), toggle, { class: `lp-legend-entry lp-${kind}` });
    entry.prepend(h('i', { 'aria-hidden': 'true' }));
    return entry;
  }

  private _switches(): HTMLElement {
    const show = h('div', { class: 'lp-toggles', role: 'group', 'aria-label': this._locale.t('chart.show') });
    show.append(
      this._metrics.score,
      this._metrics.loss,
      this._smooth,
      this._weight,
      this._log,
      this._table,
      this._whole
    );
    const save = h('div', { class: 'lp-toggles', role: 'group', 'aria-label': this._locale.t('chart.export') });
    save.append(
      this._saver('PNG', 'chart.png_help', () => this._actions.savePng()),
      this._saver('SVG', 'chart.svg_help', () => this._actions.saveSvg()),
      this._saver('CSV', 'chart.csv_help', () => this._actions.saveCsv())
    );
    return h('div', { class: 'lp-switches' }, show, save);
  }

  private _toggle(key: Key, help: Key | null, onClick: () => void): HTMLButtonElement {
    return button(this._locale.t(key), onClick, { class: 'lp-toggle', title: help && this._locale.t(help) });
  }

  private _saver(name: string, help: Key, onClick: () => void): HTMLButtonElement {
    const text = this._locale.t(help);
    const element = button(name, onClick, { class: 'lp-toggle', title: text, 'aria-label': text });
    element.prepend(icon('download'));
    return element;
  }
}

function press(element: HTMLElement, pressed: boolean): void {
  setAttribute(element, 'aria-pressed', String(pressed));
}
