import type { Points } from '../history';

export const SMOOTHING = 0.6;

/** The exponential mean of a series, unbiased at its start, extended as the series grows. */
export class Smoother {
  private readonly _weight: number;
  private _values = new Float64Array(256);
  private _length = 0;
  private _truncations = 0;
  private _mean = 0;
  private _share = 0;

  constructor(weight: number = SMOOTHING) {
    this._weight = weight;
  }

  /** The smoothed values of all points, as a view that is valid until the next call. */
  values(points: Points): Float64Array {
    if (points.truncations !== this._truncations || points.length < this._length) {
      this._truncations = points.truncations;
      this._restart();
    }
    this._reserve(points.length);
    const y = points.y;
    for (let index = this._length; index < y.length; index++) {
      this._values[index] = this._next(y[index] as number);
    }
    this._length = y.length;
    return this._values.subarray(0, this._length);
  }

  private _restart(): void {
    this._length = 0;
    this._mean = 0;
    this._share = 0;
  }

  private _next(value: number): number {
    if (!Number.isFinite(value)) {
      return Number.NaN;
    }
    this._mean = this._mean * this._weight + value * (1 - this._weight);
    this._share = this._share * this._weight + (1 - this._weight);
    return this._mean / this._share;
  }

  private _reserve(length: number): void {
    if (length > this._values.length) {
      const larger = new Float64Array(Math.max(length, this._values.length * 2));
      larger.set(this._values);
      this._values = larger;
    }
  }
}
