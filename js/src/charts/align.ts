import type uPlot from 'uplot';

interface Line {
  x: Float64Array;
  y: Float64Array;
}

/** Lines with x values of their own, as one table with a common x column; `undefined` where a line has no point. */
export function alignLines(lines: readonly Line[]): uPlot.AlignedData {
  const all = new Float64Array(lines.reduce((sum, line) => sum + line.x.length, 0));
  let offset = 0;
  for (const line of lines) {
    all.set(line.x, offset);
    offset += line.x.length;
  }
  const x = withoutRepeats(all.sort());
  return [x, ...lines.map(line => spread(line, x))];
}

function withoutRepeats(sorted: Float64Array): number[] {
  const unique: number[] = [];
  for (const value of sorted) {
    if (value !== unique[unique.length - 1]) {
      unique.push(value);
    }
  }
  return unique;
}

function spread(line: Line, x: readonly number[]): (number | null | undefined)[] {
  const column = new Array<number | null | undefined>(x.length).fill(undefined);
  let row = 0;
  for (let index = 0; index < line.x.length; index++) {
    while (row < x.length && (x[row] as number) < (line.x[index] as number)) {
      row += 1;
    }
    const value = line.y[index] as number;
    column[row] = Number.isFinite(value) ? value : null;
  }
  return column;
}

/** The index of the last value that is not above the target, or the first one for a target before it; -1 if empty. */
export function nearestAtOrBefore(sorted: ArrayLike<number>, target: number): number {
  let low = 0;
  let high = sorted.length - 1;
  if (high < 0) {
    return -1;
  }
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((sorted[middle] as number) <= target) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}
