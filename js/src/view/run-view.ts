import { createCurveChart } from '../charts/chart';
import { steerByKeys } from '../charts/keys';
import { saveFile, svgToPng } from '../charts/export';
import { DEFAULT_OPTIONS, type Figure, FigureMaker } from '../charts/figure';
import type { Chart, ChartFactory } from '../charts/host';
import { figureSvg } from '../charts/picture';
import { SMOOTHING } from '../charts/smooth';
import { tableCsv } from '../charts/table';
import { followTheme, LIGHT_PALETTE, type Palette, readPalette } from '../charts/theme';
import type { Link } from '../client';
import { h, setAttribute, setText } from '../dom';
import type { RunHistory } from '../history';
import type { Locale } from '../i18n';
import { StateChip } from './chip';
import { Controls, type SendCommand } from './controls';
import { NoticeBar } from './notice';
import { SamplesRow } from './samples';
import { Stats } from './stats';
import { valuesTable } from './table';
import { Toolbar, type ViewOptions } from './toolbar';
import { chartLabel, curveText, markText, metricName, originText } from './words';

export interface RunViewHost {
  locale: Locale;
  send: SendCommand;
  reconnect(): void;
  /** Name, state and controls above the curve; a host that shows them elsewhere leaves them out. */
  header?: boolean;
  /** Leaves the buttons out that change the run. */
  readOnly?: boolean;
  createChart?: ChartFactory;
}

/** The live text for screen readers speaks at most this often while the state stays the same. */
const SPEAK_INTERVAL_MS = 10_000;
/** A saved picture is small: so many points of a line at most. */
const PICTURE_POINTS = 1_200;

/** One run, drawn: the component that the widget, the MIME renderer and the studio share. */
export class RunView {
  readonly element: HTMLElement;
  private readonly _host: RunViewHost;
  private readonly _maker = new FigureMaker();
  private readonly _name = h('h3', { class: 'lp-run-name' });
  private readonly _origin = h('span', { class: 'lp-run-origin' });
  private readonly _chip: StateChip;
  private readonly _controls: Controls;
  private readonly _notice: NoticeBar;
  private readonly _stats: Stats;
  private readonly _toolbar: Toolbar;
  private readonly _samples: SamplesRow;
  private readonly _chartBox: HTMLElement;
  private readonly _chart: Chart;
  private readonly _spoken = h('p', { class: 'lp-spoken', role: 'status', 'aria-live': 'polite' });
  private readonly _table = h('div', { class: 'lp-table', hidden: true });
  private readonly _unfollowTheme: () => void;
  private _options: ViewOptions = {
    metric: 'score',
    smooth: false,
    weight: SMOOTHING,
    hidden: [],
    log: false,
    table: false
  };
  private _history: RunHistory | null = null;
  private _link: Link = 'connecting';
  private _frame = 0;
  private _spokenAt = Number.NEGATIVE_INFINITY;
  private _spokenState = '';

  constructor(host: RunViewHost) {
    const { locale } = host;
    this._host = host;
    this._chip = new StateChip(locale);
    this._controls = new Controls(locale, host.send);
    this._notice = new NoticeBar(locale, { resume: () => void this._resume(), reconnect: () => host.reconnect() });
    this._stats = new Stats(locale);
    this._samples = new SamplesRow(locale);
    this._toolbar = new Toolbar(locale, this._options, {
      change: options => this._change(options),
      showWhole: () => this._chart.showWhole(),
      savePng: () => void this._savePng().catch(() => this.refuse(locale.t('error.png'))),
      saveSvg: () => this._saveSvg(),
      saveCsv: () => this._saveCsv()
    });
    this._chartBox = h('div', {
      class: 'lp-chart',
      role: 'img',
      tabindex: 0,
      'aria-description': locale.t('chart.keys'),
      'data-lm-suppress-shortcuts': 'true' // an arrow moves the curve, not the notebook's cells
    });
    this.element = this._build();
    this._unfollowTheme = followTheme(this.element, () => this._chart.recolour());
    this._chart = (host.createChart ?? createCurveChart)(this._chartBox, this._chartText(), zoomed => {
      this._toolbar.setZoomed(zoomed);
      this._later();
    });
    this._chartBox.addEventListener('keydown', event => steerByKeys(event, this._chart));
  }

  /** Shows the run as it stands now; drawing waits for the browser's next frame. */
  update(history: RunHistory, link: Link): void {
    this._history = history;
    this._link = link;
    this._later();
  }

  private _later(): void {
    if (!this._frame) {
      this._frame = requestAnimationFrame(() => {
        this._frame = 0;
        this._draw();
      });
    }
  }

  /** The run's buttons, for hosts that show them elsewhere (`header: false`). */
  get controls(): HTMLElement {
    return this._controls.element;
  }

  /** Says that a command was not taken. */
  refuse(message: string): void {
    this._controls.refuse(message);
  }

  /** The curve as an SVG document in the light theme's colours. */
  picture(): string {
    return this._history ? this._svg(this._history, LIGHT_PALETTE) : '';
  }

  dispose(): void {
    cancelAnimationFrame(this._frame);
    this._unfollowTheme();
    this._chart.destroy();
    this.element.remove();
  }

  private _build(): HTMLElement {
    const head = h(
      'header',
      { class: 'lp-run-head' },
      h('div', { class: 'lp-run-title' }, this._name, this._chip.element, this._origin),
      this._host.readOnly ? null : this._controls.element
    );
    return h(
      'section',
      { class: 'lepton lp-run', lang: this._host.locale.tag },
      this._host.header === false ? null : head,
      this._notice.element,
      h(
        'div',
        { class: 'lp-run-body' },
        this._stats.element,
        this._toolbar.element,
        this._chartBox,
        this._spoken,
        this._table,
        this._samples.element
      )
    );
  }

  private _chartText(): { epoch(epoch: number): string; training: string; validation: string } {
    const { locale } = this._host;
    return {
      epoch: epoch => locale.t('chart.epoch', { epoch: locale.fixed(epoch, 2) }),
      training: locale.t('chart.training'),
      validation: locale.t('chart.validation')
    };
  }

  private _draw(): void {
    const history = this._history;
    if (!history) {
      return;
    }
    const { summary } = history;
    const hasPoints = [...history.series.values()].some(points => points.length > 0);
    setText(this._name, summary.name || summary.run_id);
    setText(this._origin, originText(summary));
    setAttribute(this.element, 'aria-label', summary.name || summary.run_id);
    setAttribute(this.element, 'data-link', this._link);
    this._chip.update(summary.state);
    this._controls.update(summary);
    this._notice.update(summary, this._link, hasPoints);
    this._stats.update(summary);
    this._samples.update(history.samples);
    this._chart.draw(this._figure(history));
    this._toolbar.name(history.summary);
    this._describe(history);
    if (this._options.table) {
      this._table.replaceChildren(valuesTable(history, this._host.locale));
    }
  }

  private _describe(history: RunHistory): void {
    const { locale } = this._host;
    const { summary } = history;
    const label = chartLabel(summary, this._options.metric, locale);
    const text = curveText(summary, locale);
    setAttribute(this._chartBox, 'aria-label', `${label}. ${text}`);
    const now = performance.now();
    if (summary.state !== this._spokenState || now - this._spokenAt > SPEAK_INTERVAL_MS) {
      this._spokenState = summary.state;
      this._spokenAt = now;
      setText(this._spoken, `${locale.word('state', summary.state)}. ${text}`);
    }
  }

  private _change(options: Partial<ViewOptions>): void {
    this._options = { ...this._options, ...options };
    this._toolbar.update(this._options);
    setAttribute(this._table, 'hidden', !this._options.table);
    this._draw();
  }

  private async _resume(): Promise<void> {
    await this._host.send('resume').catch(() => this._host.reconnect());
  }

  private _figure(
    history: RunHistory,
    max_points = DEFAULT_OPTIONS.max_points,
    within = this._chart.range ?? null
  ): Figure {
    const figure = this._maker.make(history, { ...this._options, max_points, within });
    const marks = figure.marks.map(mark => ({ ...mark, text: markText(mark, this._host.locale) }));
    return { ...figure, marks };
  }

  /** The whole run, for pictures. */
  private _whole(history: RunHistory): Figure {
    return this._figure(history, PICTURE_POINTS, null);
  }

  private _svg(history: RunHistory, palette: Palette): string {
    const { locale } = this._host;
    const { summary } = history;
    return figureSvg(this._whole(history), palette, {
      title: `${summary.name || summary.run_id} · ${this._options.metric === 'loss' ? locale.t('chart.loss') : metricName(summary, locale)}`,
      training: locale.t('chart.training'),
      validation: locale.t('chart.validation'),
      epoch: locale.t('table.epoch')
    });
  }

  private async _savePng(): Promise<void> {
    if (this._history) {
      saveFile(
        `${this._history.summary.run_id}.png`,
        await svgToPng(this._svg(this._history, readPalette(this.element)))
      );
    }
  }

  private _saveSvg(): void {
    if (this._history) {
      const svg = new Blob([this._svg(this._history, readPalette(this.element))], { type: 'image/svg+xml' });
      saveFile(`${this._history.summary.run_id}.svg`, svg);
    }
  }

  private _saveCsv(): void {
    if (this._history) {
      const csv = new Blob([tableCsv(this._history)], { type: 'text/csv;charset=utf-8' });
      saveFile(`${this._history.summary.run_id}.csv`, csv);
    }
  }
}
