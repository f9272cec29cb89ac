import { describe, expect, it } from 'vitest';

import { alignLines, nearestAtOrBefore } from '../src/charts/align';
import { decimate } from '../src/charts/decimate';
import { bestPoint, DEFAULT_OPTIONS, FigureMaker } from '../src/charts/figure';
import { freeLevel, linesUnder } from '../src/charts/labels';
import { escapeXml, figureSvg } from '../src/charts/picture';
import { Smoother } from '../src/charts/smooth';
import { sparklinePath } from '../src/charts/sparkline';
import { tableCsv, tableRows } from '../src/charts/table';
import { LIGHT_PALETTE } from '../src/charts/theme';
import { logTicks, tickDigits, ticks } from '../src/charts/ticks';
import { Points, RunHistory } from '../src/history';
import type { RunSummary } from '../src/protocol';
import { summaryFixture } from './frames';

function pointsOf(x: number[], y: number[]): Points {
  const points = new Points();
  points.append(Float64Array.from(x), Float64Array.from(y));
  return points;
}

function historyOf(series: Record<string, [number[], number[]]>, summary: Partial<RunSummary> = {}): RunHistory {
  const history = new RunHistory(summaryFixture(summary));
  for (const [name, [x, y]] of Object.entries(series)) {
    history.points(name).append(Float64Array.from(x), Float64Array.from(y));
  }
  return history;
}

describe('decimate', () => {
  it('keeps a short series whole', () => {
    expect([...decimate([3, 1, 2], 4)]).toEqual([0, 1, 2]);
  });

  it('keeps the ends, every spike and the order, within the limit', () => {
    const y = Float64Array.from({ length: 100_000 }, (_, index) => Math.sin(index / 50));
    y[54_321] = 99;
    y[12_345] = -99;
    const kept = [...decimate(y, 1000)];
    expect(kept.length).toBeLessThanOrEqual(1000);
    expect(kept).toEqual([...kept].sort((a, b) => a - b));
    expect(kept).toEqual(expect.arrayContaining([0, 12_345, 54_321, 99_999]));
  });

  it('takes a million points in a moment', () => {
    const y = Float64Array.from({ length: 1_000_000 }, (_, index) => index % 7);
    const began = performance.now();
    decimate(y, 4000);
    expect(performance.now() - began).toBeLessThan(200);
  });
});

describe('Smoother', () => {
  it('gives the same values for a series that grows as for the whole of it', () => {
    const y = Array.from({ length: 700 }, (_, index) => Math.cos(index));
    const x = y.map((_, index) => index);
    const growing = new Points();
    const smoother = new Smoother();
    for (let start = 0; start < y.length; start += 70) {
      growing.append(Float64Array.from(x.slice(start, start + 70)), Float64Array.from(y.slice(start, start + 70)));
      smoother.values(growing);
    }
    expect([...smoother.values(growing)]).toEqual([...new Smoother().values(pointsOf(x, y))]);
  });

  it('starts at the first value and starts anew after a truncation', () => {
    const points = pointsOf([1, 2, 3], [4, 8, 8]);
    const smoother = new Smoother();
    expect(smoother.values(points)[0]).toBeCloseTo(4);
    points.truncate(1);
    points.append(Float64Array.of(2), Float64Array.of(0));
    expect([...smoother.values(points)]).toEqual([...new Smoother().values(pointsOf([1, 2], [4, 0]))]);
  });

  it('passes a value that is not finite on and forgets it', () => {
    const values = new Smoother().values(pointsOf([1, 2, 3], [1, Number.NaN, 1]));
    expect([Number.isNaN(values[1]), values[2]]).toEqual([true, 1]);
  });
});

describe('bestPoint', () => {
  it('is the first highest accuracy, or the lowest loss, and nothing for no points', () => {
    expect(bestPoint(pointsOf([1, 2, 3], [0.5, 0.9, 0.9]), true)).toEqual({ epoch: 2, value: 0.9 });
    expect(bestPoint(pointsOf([1, 2, 3], [0.5, Number.NaN, 0.2]), false)).toEqual({ epoch: 3, value: 0.2 });
    expect(bestPoint(new Points(), false)).toBeNull();
  });
});

describe('FigureMaker', () => {
  const maker = new FigureMaker();
  const curve = {
    train_accuracy: [
      [0.5, 1],
      [0.6, 0.7]
    ],
    val_accuracy: [[1], [0.65]]
  } satisfies Record<string, [number[], number[]]>;

  it('ends the epoch axis at the plan for a run under way and at the last point for one that has ended', () => {
    expect(maker.make(historyOf({ val_accuracy: [[9], [0.9]] }, { epochs: 16 }), DEFAULT_OPTIONS).x_range).toEqual([
      0, 16
    ]);
    const ended = historyOf({ val_accuracy: [[9], [0.9]] }, { epochs: 16, state: 'stopped' });
    expect(maker.make(ended, DEFAULT_OPTIONS).x_range).toEqual([0, 9]);
  });

  it('shows the first epochs of a long run large', () => {
    const [, end] = maker.make(historyOf({ val_accuracy: [[2], [0.9]] }, { epochs: 1000 }), DEFAULT_OPTIONS).x_range;
    expect(end).toBeLessThan(10);
    expect(maker.make(historyOf({}, { epochs: 1000 }), DEFAULT_OPTIONS).x_range).toEqual([0, 1000]);
  });

  it('keeps accuracy between 0 and 1 and a log axis above 0', () => {
    const perfect = historyOf({
      val_accuracy: [
        [1, 2],
        [0, 1]
      ]
    });
    expect(maker.make(perfect, DEFAULT_OPTIONS).y_range).toEqual([0, 1]);
    const loss = historyOf({
      train_loss: [
        [1, 2],
        [0, 0.5]
      ]
    });
    const figure = maker.make(loss, { ...DEFAULT_OPTIONS, metric: 'loss', log: true });
    expect(figure.y_range[0]).toBeGreaterThan(0);
  });

  it('draws the raw training points faintly behind the smoothed ones', () => {
    const lines = maker.make(historyOf(curve), { ...DEFAULT_OPTIONS, smooth: true }).lines;
    expect(lines.map(line => [line.kind, line.faint])).toEqual([
      ['train', true],
      ['train', false],
      ['validation', false]
    ]);
  });
});

describe('alignLines', () => {
  it('gives lines with x values of their own one common column', () => {
    const line = (x: number[], y: number[]) => ({
      kind: 'train' as const,
      faint: false,
      x: Float64Array.from(x),
      y: Float64Array.from(y)
    });
    expect(alignLines([line([1, 3], [10, 30]), line([2, 3], [5, Number.NaN])])).toEqual([
      [1, 2, 3],
      [10, undefined, 30],
      [undefined, 5, null]
    ]);
  });

  it('finds the point that a cursor stands on', () => {
    expect([0, 1, 2.5, 9].map(epoch => nearestAtOrBefore([1, 2, 3], epoch))).toEqual([0, 0, 1, 2]);
    expect(nearestAtOrBefore([], 1)).toBe(-1);
  });
});

describe('ticks', () => {
  it('are round, and as many decimals as they need', () => {
    expect(ticks(0.68, 0.96, 6)).toEqual([0.7, 0.75, 0.8, 0.85, 0.9, 0.95]);
    expect([tickDigits([0.7, 0.75]), tickDigits([0, 5]), tickDigits([0, 0.5])]).toEqual([2, 0, 1]);
    expect(logTicks(0.05, 3)).toEqual([0.05, 0.1, 0.2, 0.5, 1, 2]);
    expect(logTicks(0.21, 0.26)).toEqual([0.22, 0.24, 0.26]);
    expect(ticks(1, 1, 5)).toEqual([1]);
  });
});

describe('freeLevel', () => {
  it('puts a text that would lie on another one a line higher', () => {
    const taken = [{ left: 0, right: 50, level: 0 }];
    expect([freeLevel(taken, 20, 60), freeLevel(taken, 60, 90)]).toEqual([1, 0]);
  });
});

describe('linesUnder', () => {
  it('names the lines of texts that another text covers, and none where it stands far above them', () => {
    const box = { left: 10, right: 40, top: 269, bottom: 280 };
    expect(linesUnder(box, 300).map(line => line.level)).toEqual([1, 2]);
    expect(linesUnder({ ...box, top: 538, bottom: 560 }, 600, 2).map(line => line.level)).toEqual([1, 2]);
    expect(linesUnder({ ...box, top: 296, bottom: 306 }, 300).map(line => line.level)).toEqual([0]);
  });
});

describe('sparklinePath', () => {
  it('fills the height, lies in the middle when flat, and is empty for one point', () => {
    expect(sparklinePath([0, 1], 74, 26)).toBe('M1.5 24.5 L72.5 1.5');
    expect(sparklinePath([2, 2], 74, 26)).toBe('M1.5 13.0 L72.5 13.0');
    expect(sparklinePath([1, Number.NaN], 74, 26)).toBe('');
  });
});

describe('table', () => {
  const history = historyOf({
    train_loss: [
      [0.5, 1],
      [2, 1]
    ],
    val_loss: [[1], [1.5]]
  });

  it('has one row for each epoch at which something was measured', () => {
    expect(tableRows(history)).toEqual([
      { epoch: 0.5, values: { train_loss: 2 } },
      { epoch: 1, values: { train_loss: 1, val_loss: 1.5 } }
    ]);
  });

  it('writes CSV', () => {
    expect(tableCsv(history)).toBe(
      'epoch,train_accuracy,val_accuracy,train_loss,val_loss\r\n0.5,,,2,\r\n1,,,1,1.5\r\n'
    );
  });
});

describe('figureSvg', () => {
  const text = {
    title: '<script>alert(1)</script> "a" & b',
    training: 'training',
    validation: 'validation',
    epoch: 'epoch'
  };

  it('is well-formed and holds no element that a name smuggled in', () => {
    const history = historyOf({
      val_accuracy: [
        [1, 2],
        [0.5, 0.7]
      ]
    });
    history.marks = [{ step: 1, epoch: 1, text: '"/><image href="x" onerror="alert(1)"/>', kind: 'warning' }];
    const svg = figureSvg(new FigureMaker().make(history, DEFAULT_OPTIONS), LIGHT_PALETTE, text);
    const parsed = new DOMParser().parseFromString(svg, 'image/svg+xml');
    expect(parsed.querySelector('parsererror')).toBeNull();
    expect(parsed.querySelectorAll('script, image, foreignObject')).toHaveLength(0);
    expect(parsed.querySelector('title')?.textContent).toBe(text.title);
  });

  it('writes no mark over the best value', () => {
    const history = historyOf({
      val_loss: [
        [1, 2, 3],
        [0.9, 0.3, 0.8]
      ],
      loss: [
        [1, 2, 3],
        [0.9, 0.25, 0.8]
      ]
    });
    history.marks = [{ step: 2, epoch: 2, text: 'resumed', kind: 'resume' }];
    const options = { ...DEFAULT_OPTIONS, metric: 'loss' as const };
    const svg = figureSvg(new FigureMaker().make(history, options), LIGHT_PALETTE, { ...text, title: 'A' });
    const parsed = new DOMParser().parseFromString(svg, 'image/svg+xml');
    const placed = (words: string): { x: number; y: number } => {
      const found = [...parsed.querySelectorAll('text')].filter(each => each.textContent === words);
      expect(found).toHaveLength(1);
      return { x: Number(found[0]?.getAttribute('x')), y: Number(found[0]?.getAttribute('y')) };
    };
    const [best, mark] = [placed('0.300'), placed('resumed')];
    expect(Math.abs(best.x - mark.x)).toBeLessThan(20);
    expect(Math.abs(best.y - mark.y)).toBeGreaterThan(10);
  });

  it('escapes what XML takes for markup', () => {
    expect(escapeXml(`<a b="c" d='e'>&`)).toBe('&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;');
  });
});
