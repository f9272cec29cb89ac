/** Axes as uPlot draws them, on a canvas that takes everything and keeps what is written on it. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { CurveChart } from '../src/charts/chart';
import type { Figure } from '../src/charts/figure';

const written: string[] = [];
const nothing = () => undefined;
const canvas = new Proxy<Record<string, unknown>>(
  { measureText: () => ({ width: 10 }), fillText: (text: string) => written.push(text) },
  { get: (known, name) => known[String(name)] ?? nothing }
);

class AnyPath {
  moveTo = nothing;
  lineTo = nothing;
  rect = nothing;
  arc = nothing;
}

function loss(low: number, high: number): Figure {
  const line = { kind: 'train' as const, faint: false, x: Float64Array.of(1, 2), y: Float64Array.of(high, low) };
  return {
    metric: 'loss',
    higher: false,
    log: true,
    lines: [line],
    marks: [],
    best: null,
    x_range: [0, 2],
    y_range: [low, high]
  };
}

async function numbersOn(figure: Figure): Promise<string[]> {
  const host = document.createElement('div');
  document.body.append(host);
  const chart = new CurveChart(host, { epoch: String, training: '', validation: '' }, nothing);
  written.length = 0;
  chart.draw(figure);
  await Promise.resolve(); // uPlot draws when the caller is done
  chart.destroy();
  return [...written];
}

beforeEach(() => {
  vi.spyOn(HTMLCanvasElement.prototype, 'getContext').mockReturnValue(canvas as never);
  vi.stubGlobal('Path2D', AnyPath);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe('a logarithmic axis', () => {
  it.each([0.093, 0.0951, 0.11, 0.4, 0.97])('that begins at %d, between powers of ten, has numbers', async low => {
    expect(await numbersOn(loss(low, 3))).toContain('1');
  });

  it('of a narrow range has numbers, too', async () => {
    expect(await numbersOn(loss(0.21, 0.26))).toContain('0.24');
    expect(await numbersOn(loss(0.3, 0.9))).toEqual(expect.arrayContaining(['0.4', '0.6', '0.8']));
  });

  it('of very many powers of ten has no more numbers than fit', async () => {
    const numbers = await numbersOn(loss(1e-20, 1));
    expect(numbers).toContain('1e-20');
    expect(numbers.filter(text => text.includes('e')).length).toBeLessThan(9);
  });
});
