const STEPS = [1, 2, 2.5, 5, 10];

/** Round positions inside a range, about so many. */
export function ticks(low: number, high: number, about: number): number[] {
  const span = high - low;
  if (!(span > 0)) {
    return [low];
  }
  const rough = span / about;
  const magnitude = 10 ** Math.floor(Math.log10(rough));
  const step = (STEPS.find(candidate => candidate * magnitude >= rough) ?? 10) * magnitude;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** How many decimals tell neighbouring ticks apart. */
export function tickDigits(positions: readonly number[]): number {
  if (positions.length < 2) {
    return 2;
  }
  const step = (positions[1] as number) - (positions[0] as number);
  for (let digits = 0; digits < 6; digits++) {
    if (Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) < 1e-6) {
      return digits;
    }
  }
  return 6;
}

const MOST_TICKS = 8;

/** Powers of ten inside a positive range: with 2 and 5 between them when they are few, some left out when many. */
export function logTicks(low: number, high: number): number[] {
  const from = Math.floor(Math.log10(low));
  const to = Math.ceil(Math.log10(high));
  const factors = high / low < 300 ? [1, 2, 5] : [1];
  const stride = Math.ceil((to - from) / MOST_TICKS);
  const all: number[] = [];
  for (let exponent = from; exponent <= to; exponent += stride) {
    for (const factor of factors) {
      all.push(Number((factor * 10 ** exponent).toPrecision(6)));
    }
  }
  const inside = all.filter(value => value >= low && value <= high);
  return inside.length > 1 ? inside : ticks(low, high, 4);
}

/** A tick of a logarithmic axis as text. */
export function logTickText(value: number): string {
  return value >= 1e4 || value < 1e-4 ? value.toExponential(0) : String(value);
}
