import type { Frame, Mark, RunSummary, SamplePrediction } from './protocol';

const FIRST_CAPACITY = 256;

/** One series of a curve: points in the order of the epochs, kept in arrays that grow by doubling. */
export class Points {
  private _x = new Float64Array(FIRST_CAPACITY);
  private _y = new Float64Array(FIRST_CAPACITY);
  private _length = 0;

  /** How often points were dropped from the end; whoever caches derived values starts anew when it moves. */
  truncations = 0;

  get length(): number {
    return this._length;
  }

  /** The epochs, as a view that is valid until the next append. */
  get x(): Float64Array {
    return this._x.subarray(0, this._length);
  }

  /** The values, as a view that is valid until the next append. */
  get y(): Float64Array {
    return this._y.subarray(0, this._length);
  }

  truncate(length: number): void {
    if (length < this._length) {
      this._length = length;
      this.truncations += 1;
    }
  }

  append(x: Float64Array, y: Float64Array): void {
    const length = this._length + x.length;
    this._x = grown(this._x, length);
    this._y = grown(this._y, length);
    this._x.set(x, this._length);
    this._y.set(y, this._length);
    this._length = length;
  }
}

function grown(array: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  if (length <= array.length) {
    return array;
  }
  const larger = new Float64Array(Math.max(length, array.length * 2));
  larger.set(array);
  return larger;
}

/** Everything that frames have told about one run so far. */
export class RunHistory {
  readonly series = new Map<string, Points>();
  summary: RunSummary;
  marks: Mark[] = [];
  samples: SamplePrediction[] = [];
  seq = 0;

  constructor(summary: RunSummary) {
    this.summary = summary;
  }

  points(name: string): Points {
    let points = this.series.get(name);
    if (!points) {
      points = new Points();
      this.series.set(name, points);
    }
    return points;
  }

  /**
   * Takes a frame in.
   *
   * @returns false when points before this frame are missing; nothing is changed then, and a full frame is needed.
   */
  apply(frame: Frame): boolean {
    if (frame.series.some(({ name, start }) => this.points(name).length < start)) {
      return false;
    }
    for (const { name, start, x, y } of frame.series) {
      const points = this.points(name);
      points.truncate(start);
      points.append(x, y);
    }
    this.summary = frame.header.summary;
    this.marks = frame.header.marks ?? [];
    this.samples = frame.header.samples ?? this.samples;
    this.seq = frame.header.seq;
    return true;
  }
}
