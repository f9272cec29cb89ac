import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { DEFAULT_OPTIONS, FigureMaker } from '../src/charts/figure';
import type { Chart } from '../src/charts/host';
import { steerByKeys } from '../src/charts/keys';
import { RunHistory } from '../src/history';
import { frameFixture, summaryFixture } from './frames';

const x = Array.from({ length: 50_000 }, (_, index) => index / 100);
const history = new RunHistory(summaryFixture());
history.apply(frameFixture({ series: [{ name: 'train_accuracy', start: 0, x, y: x.map(at => Math.sin(at)) }] }));

describe('a zoomed curve', () => {
  it('is drawn with all points in sight and one to each side', () => {
    const whole = new FigureMaker().make(history, DEFAULT_OPTIONS).lines[0]?.x ?? [];
    expect(whole.length).toBeLessThanOrEqual(DEFAULT_OPTIONS.max_points);
    const figure = new FigureMaker().make(history, { ...DEFAULT_OPTIONS, within: [100.005, 101.005] });
    const near = [...(figure.lines[0]?.x ?? [])];
    expect(near.slice(0, 2)).toEqual([100, 100.01]);
    expect(near.slice(-2)).toEqual([101, 101.01]);
    expect(near).toHaveLength(102);
  });

  it('is steered by keys, which go no further', () => {
    const done: unknown[] = [];
    const chart: Chart = {
      draw: () => undefined,
      recolour: () => undefined,
      destroy: () => undefined,
      zoom: factor => done.push(factor),
      move: share => done.push(share),
      showWhole: () => done.push('whole')
    };
    const press = (key: string, init: KeyboardEventInit = {}): boolean => {
      const event = new KeyboardEvent('keydown', { key, cancelable: true, ...init });
      steerByKeys(event, chart);
      return event.defaultPrevented;
    };
    expect(['+', '-', 'ArrowLeft', 'ArrowRight', 'Home'].map(key => press(key))).toEqual(Array(5).fill(true));
    expect(done).toEqual([0.5, 2, -0.2, 0.2, 'whole']);
    expect([press('a'), press('+', { ctrlKey: true }), press('Escape')]).toEqual([false, false, false]);
  });
});

it('moves nothing of its own accord: no style has an animation or a transition', () => {
  for (const file of readdirSync('style').filter(name => name.endsWith('.css'))) {
    expect(readFileSync(`style/${file}`, 'utf8'), file).not.toMatch(/\b(animation|transition)(-name)?\s*:/);
  }
});
