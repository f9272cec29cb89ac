import uPlot from 'uplot';

import { alignLines, nearestAtOrBefore } from '../charts/align';
import { SETTLE_MS } from '../charts/chart';
import { readPalette } from '../charts/theme';
import { tickDigits } from '../charts/ticks';
import { h, setText } from '../dom';
import type { Stroke } from './colours';

export interface OverlayLine {
  run_id: string;
  name: string;
  stroke: Stroke;
  x: Float64Array;
  y: Float64Array;
}

const FONT_SIZE = '11px';
const HEIGHT = 280;
/** The tooltip names so many runs at most, the nearest to the pointer first. */
const MOST_NAMED = 10;

/** The curves of several runs over one another, by epoch. */
export class OverlayChart {
  readonly element = h('div', { class: 'lp-chart lp-overlay', role: 'img' });
  private readonly _tooltip = h('div', { class: 'lp-tooltip', hidden: true, 'aria-hidden': 'true' });
  private readonly _resize = new ResizeObserver(() => this._fit());
  private readonly _epochText: (epoch: number) => string;
  private _plot: uPlot | null = null;
  private _lines: OverlayLine[] = [];
  private _highlight: string | null = null;
  private _shape = '';
  private _zoomed = false;
  private _settling: ReturnType<typeof setTimeout> | undefined;

  constructor(epochText: (epoch: number) => string) {
    this._epochText = epochText;
    this.element.append(this._tooltip);
    this._resize.observe(this.element);
  }

  draw(lines: OverlayLine[]): void {
    this._lines = lines;
    const shape = JSON.stringify(lines.map(line => [line.run_id, line.stroke, line.x.length === 1]));
    if (!this._plot || shape !== this._shape) {
      this._shape = shape;
      this._rebuild();
    } else {
      this._plot.setData(alignLines(lines), !this._zoomed);
      if (this._zoomed) {
        this._plot.redraw(true);
      }
    }
  }

  /** Reads the colours anew and draws again. */
  recolour(): void {
    this._rebuild(this._plot?.width); // a theme's style sheet may arrive after its name
    clearTimeout(this._settling);
    this._settling = setTimeout(() => this._fit(), SETTLE_MS);
  }

  /** Brings one run to the front and fades the others; null shows all alike. */
  highlight(run_id: string | null): void {
    if (this._highlight !== run_id) {
      this._highlight = run_id;
      this._plot?.series.forEach((series, index) => {
        const line = this._lines[index - 1];
        series.alpha = !line || run_id === null || line.run_id === run_id ? 1 : 0.2;
      });
      this._plot?.redraw(false);
    }
  }

  destroy(): void {
    clearTimeout(this._settling);
    this._resize.disconnect();
    this._plot?.destroy();
    this._plot = null;
  }

  private _fit(): void {
    const width = this._width();
    if (this._plot && this._plot.width !== width) {
      this._plot.setSize({ width, height: HEIGHT });
    } else if (!this._plot) {
      this._rebuild();
    }
  }

  private _width(): number {
    return Math.max(160, Math.floor(this.element.clientWidth));
  }

  private _rebuild(width = this._width()): void {
    this._plot?.destroy();
    this._plot = null;
    this._zoomed = false;
    if (this.element.isConnected && this._lines.length > 0 && this.element.clientWidth > 0) {
      this._plot = new uPlot(this._options(width), alignLines(this._lines), this.element);
      this._plot.root.setAttribute('aria-hidden', 'true');
      this._plot.over.addEventListener('dblclick', () => {
        this._zoomed = false;
      });
    }
  }

  private _options(width: number): uPlot.Options {
    const palette = readPalette(this.element);
    const font = `${FONT_SIZE} ${palette.font}`;
    return {
      width,
      height: HEIGHT,
      legend: { show: false },
      padding: [8, 12, 0, 0],
      cursor: { points: { show: false }, y: false, drag: { x: true, y: false } },
      scales: { x: { time: false } },
      axes: [
        { stroke: palette.muted, font, grid: { show: false }, ticks: { show: false }, gap: 6, size: 28, space: 48 },
        {
          stroke: palette.muted,
          font,
          grid: { stroke: palette.line, width: 1 },
          ticks: { show: false },
          gap: 8,
          size: 50,
          space: 32,
          values: (_, splits) => splits.map(value => value.toFixed(tickDigits(splits)))
        }
      ],
      series: [
        {},
        ...this._lines.map(line => ({
          stroke: line.stroke.colour,
          dash: line.stroke.dash,
          width: 2,
          spanGaps: true,
          points: { show: line.x.length === 1, size: 5, fill: line.stroke.colour }
        }))
      ],
      hooks: {
        setCursor: [plot => this._showTooltip(plot)],
        setSelect: [plot => void (this._zoomed ||= plot.select.width > 0)]
      }
    };
  }

  private _showTooltip(plot: uPlot): void {
    const { left = -1, top = 0 } = plot.cursor;
    if (left < 0) {
      this._tooltip.hidden = true;
      return;
    }
    const epoch = plot.posToVal(left, 'x');
    const value = plot.posToVal(top, 'y');
    const near = this._lines
      .map(line => ({ line, value: line.y[nearestAtOrBefore(line.x, epoch)] }))
      .filter((each): each is { line: OverlayLine; value: number } => Number.isFinite(each.value))
      .sort((a, b) => Math.abs(a.value - value) - Math.abs(b.value - value))
      .slice(0, MOST_NAMED)
      .sort((a, b) => b.value - a.value);
    const head = h('div', { class: 'lp-tooltip-head' });
    setText(head, this._epochText(Math.max(0, epoch)));
    this._tooltip.replaceChildren(head, ...near.map(({ line, value: y }) => row(line, y)));
    this._tooltip.hidden = near.length === 0;
    const over = plot.over.offsetLeft + left;
    const flip = over + this._tooltip.offsetWidth + 20 > this.element.clientWidth;
    this._tooltip.style.left = `${flip ? over - this._tooltip.offsetWidth - 12 : over + 12}px`;
  }
}

function row(line: OverlayLine, value: number): HTMLElement {
  const name = h('span', {}, line.name);
  name.style.color = line.stroke.colour;
  return h('div', { class: 'lp-tooltip-row' }, name, h('b', {}, value.toFixed(4)));
}
