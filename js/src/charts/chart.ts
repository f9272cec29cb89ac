import uPlot from 'uplot';

import { h, setText } from '../dom';
import type { Figure, Line } from './figure';
import { alignLines, nearestAtOrBefore } from './align';
import type { Chart, ChartFactory, ChartText } from './host';
import { drawOverlay } from './overlay';
import { type Palette, readPalette } from './theme';
import { PictureChart } from './picture-chart';
import { logTickText, logTicks, tickDigits } from './ticks';
import { decimals } from './score';

const EPOCH_STEPS = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000
];
const FONT_SIZE = '11px';
/** The nearest that one can zoom: this share of the whole. */
const NEAREST_SHARE = 1e-5;
/** How much farther one turn of the wheel is. */
const WHEEL_ZOOM = 1.25;
/** How long a page may take to lay itself out anew after a change of theme. */
export const SETTLE_MS = 800;

/** The live curve on a canvas: one update costs the same at the start and after a million points. */
export class CurveChart implements Chart {
  private readonly _host: HTMLElement;
  private readonly _text: ChartText;
  private readonly _onZoom: (zoomed: boolean) => void;
  private readonly _tooltip: HTMLElement;
  private readonly _resize: ResizeObserver;
  private _palette: Palette;
  private _plot: uPlot | null = null;
  private _shape = '';
  private _figure: Figure | null = null;
  private _zoomed = false;
  private _drawnInPage = false;
  private _settling: ReturnType<typeof setTimeout> | undefined;

  constructor(host: HTMLElement, text: ChartText, onZoom: (zoomed: boolean) => void) {
    this._host = host;
    this._text = text;
    this._onZoom = onZoom;
    this._palette = readPalette(host);
    this._tooltip = h('div', { class: 'lp-tooltip', hidden: true, 'aria-hidden': 'true' });
    host.append(this._tooltip);
    this._resize = new ResizeObserver(() => this._fit());
    this._resize.observe(host);
  }

  draw(figure: Figure): void {
    this._figure = figure;
    const shape = [figure.metric, figure.log, figure.lines.map(line => `${line.kind}${line.faint}`)].join();
    if (!this._plot || shape !== this._shape) {
      this._shape = shape;
      this._setZoomed(false);
      this._rebuild();
      return;
    }
    this._plot.setData(alignLines(figure.lines), false);
    if (this.range) {
      this._setScale(this.range); // the values' axis follows what is in sight
    } else {
      this._plot.setScale('x', { min: figure.x_range[0], max: figure.x_range[1] });
    }
  }

  recolour(): void {
    // A theme's style sheet may arrive after its name: what is measured now may be the page without it.
    const { width, height } = this._plot ?? this._size();
    this._rebuild({ width, height });
    clearTimeout(this._settling);
    this._settling = setTimeout(() => this._fit(), SETTLE_MS);
  }

  showWhole(): void {
    this._setZoomed(false);
    if (this._figure) {
      this._setScale(this._figure.x_range);
    }
  }

  destroy(): void {
    clearTimeout(this._settling);
    this._resize.disconnect();
    this._plot?.destroy();
    this._plot = null;
    this._tooltip.remove();
  }

  private _setZoomed(zoomed: boolean): void {
    if (this._zoomed !== zoomed) {
      this._zoomed = zoomed;
      this._onZoom(zoomed);
    }
  }

  private _size(): { width: number; height: number } {
    const width = Math.max(160, Math.floor(this._host.clientWidth));
    return { width, height: width < 480 ? 190 : 236 };
  }

  private _fit(): void {
    if (this._plot && !this._drawnInPage && this._host.isConnected) {
      this._rebuild(); // colours can only be read once the element stands in a page
      return;
    }
    const size = this._size();
    if (this._plot && (this._plot.width !== size.width || this._plot.height !== size.height)) {
      this._plot.setSize(size);
    }
  }

  private _rebuild(size = this._size()): void {
    this._plot?.destroy();
    this._plot = null;
    const figure = this._figure;
    if (figure) {
      this._palette = readPalette(this._host);
      this._drawnInPage = this._host.isConnected;
      this._plot = new uPlot({ ...size, ...this._options(figure) }, alignLines(figure.lines), this._host);
      this._plot.root.setAttribute('aria-hidden', 'true');
    }
  }

  private _options(figure: Figure): Omit<uPlot.Options, 'width' | 'height'> {
    return {
      legend: { show: false },
      padding: [8, 12, 0, 0],
      cursor: {
        points: { show: false },
        y: false,
        drag: { x: true, y: false, setScale: false }
      },
      scales: {
        x: { time: false, range: (_, min, max) => (this._zoomed ? [min, max] : this._xRange(min, max)) },
        y: { distr: figure.log ? 3 : 1, range: () => this._figure?.y_range ?? [0, 1] }
      },
      axes: [this._epochAxis(), this._valueAxis(figure.log)],
      series: [{}, ...figure.lines.map(line => this._series(line))],
      hooks: {
        draw: [plot => this._overlay(plot)],
        setCursor: [plot => this._showTooltip(plot)],
        setSelect: [plot => this._zoomTo(plot)],
        ready: [plot => this._movable(plot)]
      }
    };
  }

  private _xRange(min: number, max: number): [number, number] {
    return this._figure?.x_range ?? [min, max];
  }

  private _epochAxis(): uPlot.Axis {
    return {
      stroke: this._palette.muted,
      font: `${FONT_SIZE} ${this._palette.font}`,
      grid: { show: false },
      ticks: { show: false },
      incrs: EPOCH_STEPS,
      gap: 6,
      size: 28,
      space: 48
    };
  }

  private _valueAxis(log: boolean): uPlot.Axis {
    return {
      stroke: this._palette.muted,
      font: `${FONT_SIZE} ${this._palette.font}`,
      grid: { stroke: this._palette.line, width: 1 },
      ticks: { show: false },
      gap: 8,
      size: 50,
      space: 32,
      // uPlot's own search for them does not end for some ranges that begin between powers of ten; its choice among
      // them leaves none of a range such as 0.3 to 0.9.
      ...(log && {
        splits: (_: uPlot, __: number, low: number, high: number) => logTicks(low, high),
        filter: (_: uPlot, splits: number[]) => splits
      }),
      values: (_, splits) => (log ? splits.map(logTickText) : alike(splits))
    };
  }

  private _series(line: Line): uPlot.Series {
    return {
      stroke: this._palette[line.kind],
      width: 2,
      alpha: line.faint ? 0.28 : 1,
      spanGaps: true,
      points: { show: line.x.length === 1, size: 5, fill: this._palette[line.kind] }
    };
  }

  private _overlay(plot: uPlot): void {
    if (this._figure) {
      drawOverlay(plot, this._figure, this._palette);
    }
  }

  private _zoomTo(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 8) {
      return;
    }
    this._see([plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')]);
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  get range(): [number, number] | null {
    const { min, max } = this._plot?.scales.x ?? {};
    return this._zoomed && typeof min === 'number' && typeof max === 'number' ? [min, max] : null;
  }

  zoom(factor: number, around = 0.5): void {
    const [low, high] = this._figure?.x_range ?? [0, 1];
    const [min, max] = this.range ?? [low, high];
    const width = Math.max((max - min) * factor, (high - low) * NEAREST_SHARE);
    const from = min + (max - min - width) * around;
    if (width >= high - low) {
      this.showWhole();
    } else {
      this._see([Math.max(low, Math.min(high - width, from)), Math.max(low, Math.min(high - width, from)) + width]);
    }
  }

  /** Brings a part into sight, and says so: it may have more points than are drawn of the whole. */
  private _see(range: [number, number]): void {
    this._zoomed = true;
    this._setScale(range);
    this._onZoom(true);
  }

  private _setScale([min, max]: [number, number]): void {
    this._plot?.setScale('x', { min, max });
  }

  /** The zoomed part moves with the wheel; with Ctrl, or two fingers on a touchpad, the wheel zooms where it points. */
  private _movable(plot: uPlot): void {
    plot.over.addEventListener(
      'wheel',
      event => {
        if (event.ctrlKey && event.deltaY !== 0) {
          event.preventDefault();
          const x = event.clientX - plot.over.getBoundingClientRect().left;
          this.zoom(event.deltaY > 0 ? WHEEL_ZOOM : 1 / WHEEL_ZOOM, x / plot.over.clientWidth);
        } else if (this._zoomed && (event.deltaX !== 0 || event.shiftKey)) {
          event.preventDefault();
          this._move((event.deltaX || event.deltaY) / plot.over.clientWidth);
        }
      },
      { passive: false }
    );
  }

  /** No further than the run goes. */
  move(share: number): void {
    if (this._zoomed) {
      this._move(share);
    }
  }

  private _move(share: number): void {
    const [low, high] = this._figure?.x_range ?? [0, 1];
    if (this.range) {
      const [min, max] = this.range;
      const by = Math.max(low - min, Math.min(high - max, share * (max - min)));
      this._see([min + by, max + by]);
    }
  }

  private _showTooltip(plot: uPlot): void {
    const left = plot.cursor.left ?? -1;
    const figure = this._figure;
    if (left < 0 || !figure) {
      this._tooltip.hidden = true;
      return;
    }
    const epoch = plot.posToVal(left, 'x');
    const rows = figure.lines
      .filter(line => !line.faint)
      .map(line => ({ line, index: nearestAtOrBefore(line.x, epoch) }))
      .filter(({ index }) => index >= 0);
    this._fillTooltip(rows, figure.metric === 'score' ? null : 3);
    this._tooltip.hidden = rows.length === 0;
    const over = plot.over.offsetLeft + left;
    const flip = over + this._tooltip.offsetWidth + 20 > this._host.clientWidth;
    this._tooltip.style.left = `${flip ? over - this._tooltip.offsetWidth - 12 : over + 12}px`;
  }

  private _fillTooltip(rows: { line: Line; index: number }[], digits: number | null): void {
    const epochs = rows.map(({ line, index }) => line.x[index] as number);
    const head = h('div', { class: 'lp-tooltip-head' });
    setText(head, this._text.epoch(Math.max(0, ...epochs)));
    this._tooltip.replaceChildren(
      head,
      ...rows.map(({ line, index }) =>
        h(
          'div',
          { class: `lp-tooltip-row lp-${line.kind}` },
          h('span', {}, line.kind === 'train' ? this._text.training : this._text.validation),
          h('b', {}, (line.y[index] as number).toFixed(digits ?? decimals(line.y[index] as number)))
        )
      )
    );
  }
}

/** Tick texts with as many decimals as the finest of them needs. */
function alike(splits: number[]): string[] {
  const digits = tickDigits(splits);
  return splits.map(value => value.toFixed(digits));
}

/** The chart that views use unless they are given another one; a picture where the browser gives no canvas. */
export const createCurveChart: ChartFactory = (host, text, onZoom) =>
  document.createElement('canvas').getContext('2d') ? new CurveChart(host, text, onZoom) : new PictureChart(host, text);
