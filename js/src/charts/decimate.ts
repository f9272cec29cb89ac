/**
 * The points of a series that must be drawn so that it looks as if all were: of each bucket of neighbours the lowest
 * and the highest, in their order, and the first and last point of all.
 *
 * @param y values, as long as the series.
 * @param limit the largest number of points to keep; series up to this length are kept whole.
 * @returns indices in ascending order.
 */
export function decimate(y: ArrayLike<number>, limit: number): Uint32Array {
  const length = y.length;
  if (length <= limit) {
    return Uint32Array.from({ length }, (_, index) => index);
  }
  const buckets = Math.max(1, Math.floor((limit - 2) / 2));
  const kept = new Uint32Array(buckets * 2 + 2);
  let count = 0;
  kept[count++] = 0;
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = 1 + Math.floor((bucket * (length - 2)) / buckets);
    const to = 1 + Math.floor(((bucket + 1) * (length - 2)) / buckets);
    const [low, high] = extremes(y, from, to);
    kept[count++] = Math.min(low, high);
    if (low !== high) {
      kept[count++] = Math.max(low, high);
    }
  }
  kept[count++] = length - 1;
  return kept.subarray(0, count);
}

function extremes(y: ArrayLike<number>, from: number, to: number): [number, number] {
  let low = from;
  let high = from;
  for (let index = from + 1; index < to; index++) {
    const value = y[index] as number;
    if (value < (y[low] as number)) {
      low = index;
    }
    if (value > (y[high] as number)) {
      high = index;
    }
  }
  return [low, high];
}
