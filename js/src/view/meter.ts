/** A small live chart of one quantity: its name, its value now, its last minutes as an area. */

import { h, s, setAttribute, setText } from '../dom';

const WIDTH = 120;
const HEIGHT = 26;
/** How many samples a chart shows: two minutes, at one every two seconds. */
const MOST = 60;

export interface Reading {
  name: string;
  /** As a person reads it, with its unit. */
  text: string;
  value: number;
  /** The value at the chart's upper edge; without it, the largest one shown. */
  full?: number;
  title?: string;
}

/** One quantity. */
export class Meter {
  readonly element: HTMLElement;
  private readonly _name = h('span', { class: 'lp-meter-name' });
  private readonly _text = h('b');
  private readonly _line = s('path', { class: 'lp-meter-line', fill: 'none' });
  private readonly _area = s('path', { class: 'lp-meter-area' });
  private readonly _values: number[] = [];

  constructor() {
    const chart = s(
      'svg',
      {
        class: 'lp-meter-chart',
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        preserveAspectRatio: 'none',
        'aria-hidden': 'true'
      },
      this._area,
      this._line
    );
    this.element = h('div', { class: 'lp-meter' }, h('div', {}, this._name, this._text), chart);
  }

  /** Adds readings, oldest first, and shows the last of them. */
  add(readings: Reading[]): void {
    const last = readings[readings.length - 1];
    if (!last) {
      return;
    }
    this._values.push(...readings.map(reading => reading.value));
    this._values.splice(0, Math.max(0, this._values.length - MOST));
    setText(this._name, last.name);
    setAttribute(this._name, 'title', last.name);
    setText(this._text, last.text);
    setAttribute(this.element, 'title', last.title ?? null);
    this._draw(last.full ?? Math.max(...this._values, 0));
  }

  private _draw(full: number): void {
    const path = meterPath(this._values, full, WIDTH, HEIGHT);
    setAttribute(this._line, 'd', path);
    const start = WIDTH - ((this._values.length - 1) * WIDTH) / (MOST - 1);
    setAttribute(this._area, 'd', path && `${path} L${WIDTH} ${HEIGHT} L${start.toFixed(1)} ${HEIGHT} Z`);
  }
}

/** The path of readings on a scale from 0 to `full`; the newest at the right edge. */
export function meterPath(values: readonly number[], full: number, width: number, height: number): string {
  if (values.length < 2) {
    return '';
  }
  const step = width / (MOST - 1);
  const first = width - (values.length - 1) * step;
  return values
    .map((value, index) => {
      const share = full > 0 ? Math.min(1, Math.max(0, value / full)) : 0;
      return `${index === 0 ? 'M' : 'L'}${(first + index * step).toFixed(1)} ${(height - 1 - share * (height - 2)).toFixed(1)}`;
    })
    .join(' ');
}

/** Meters by key, in the order in which they were first seen; one that has no reading any more goes. */
export class MeterGroup {
  readonly element = h('div', { class: 'lp-meters' });
  private readonly _meters = new Map<string, Meter>();

  /** Takes samples, oldest first, each as readings by key. */
  add(samples: Map<string, Reading>[]): void {
    const last = samples[samples.length - 1];
    if (!last) {
      return;
    }
    for (const [key, meter] of this._meters) {
      if (!last.has(key)) {
        meter.element.remove();
        this._meters.delete(key);
      }
    }
    for (const key of last.keys()) {
      let meter = this._meters.get(key);
      if (!meter) {
        meter = new Meter();
        this._meters.set(key, meter);
        this.element.append(meter.element);
      }
      meter.add(samples.flatMap(sample => sample.get(key) ?? []));
    }
  }
}
