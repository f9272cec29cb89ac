import type { Points, RunHistory } from '../history';
import type { Mark } from '../protocol';
import { ACTIVE_STATES } from '../protocol';
import { nearestAtOrBefore } from './align';
import { decimate } from './decimate';
import { scoreOf } from './score';
import { Smoother, SMOOTHING } from './smooth';

/** What the vertical axis shows: the figure that the task is judged by (accuracy, MAE, ...), or the loss. */
export type Metric = 'score' | 'loss';
export type LineKind = 'train' | 'validation';

export interface FigureOptions {
  metric: Metric;
  smooth: boolean;
  /** How much of the mean before a point keeps, from 0 to 0.99. */
  weight: number;
  /** Lines that are left out. */
  hidden: readonly LineKind[];
  log: boolean;
  /** The largest number of points that one line is drawn with. */
  max_points: number;
  /** The epochs in sight; without them all. */
  within?: [number, number] | null;
}

export const DEFAULT_OPTIONS: FigureOptions = {
  metric: 'score',
  smooth: false,
  weight: SMOOTHING,
  hidden: [],
  log: false,
  max_points: 4000
};

export interface Line {
  kind: LineKind;
  /** `faint` lines lie behind: the raw points of a smoothed line. */
  faint: boolean;
  x: Float64Array;
  y: Float64Array;
}

/** Everything that a drawing of a curve needs, whoever draws it (canvas or SVG). */
export interface Figure {
  metric: Metric;
  /** Whether the greater value is the better one. */
  higher: boolean;
  log: boolean;
  lines: Line[];
  marks: Mark[];
  best: { epoch: number; value: number } | null;
  x_range: [number, number];
  y_range: [number, number];
}

/** Turns a run's history into figures; keeps what smoothing has computed between two figures of the same run. */
export class FigureMaker {
  private _smoothers: Record<Metric, Smoother> = { score: new Smoother(), loss: new Smoother() };
  private _weight: number = SMOOTHING;

  private _use(weight: number): void {
    if (weight !== this._weight) {
      this._weight = weight;
      this._smoothers = { score: new Smoother(weight), loss: new Smoother(weight) };
    }
  }

  make(history: RunHistory, options: FigureOptions): Figure {
    const { metric, smooth, hidden, weight } = options;
    const lineOf = (kind: LineKind, faint: boolean, x: Float64Array, y: Float64Array): Line =>
      thinned(kind, faint, x, y, options);
    this._use(weight);
    const score = scoreOf(history.summary);
    const name = metric === 'loss' ? 'loss' : score.name;
    const higher = metric === 'score' && score.higher;
    const train = history.points(`train_${name}`);
    const validation = history.points(`val_${name}`);
    const lines: Line[] = [];
    if (hidden.includes('train')) {
      // left out
    } else if (smooth && train.length > 1) {
      lines.push(lineOf('train', true, train.x, train.y));
      lines.push(lineOf('train', false, train.x, this._smoothers[metric].values(train)));
    } else {
      lines.push(lineOf('train', false, train.x, train.y));
    }
    const showsValidation = !hidden.includes('validation');
    if (showsValidation) {
      lines.push(lineOf('validation', false, validation.x, validation.y));
    }
    const log = options.log && metric === 'loss';
    return {
      metric,
      higher,
      log,
      lines,
      marks: history.marks,
      best: showsValidation ? bestPoint(validation, higher) : null,
      x_range: [0, lastEpoch(history)],
      y_range: valueRange(lines, metric === 'score' && score.share, log)
    };
  }
}

/** The points of a line in sight, and one to each side of them, as many as can be told apart. */
function thinned(kind: LineKind, faint: boolean, x: Float64Array, y: Float64Array, options: FigureOptions): Line {
  const [from, to] = options.within ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const first = Math.max(0, nearestAtOrBefore(x, from));
  const values = y.subarray(first, nearestAtOrBefore(x, to) + 2);
  const kept = decimate(values, options.max_points);
  return {
    kind,
    faint,
    x: Float64Array.from(kept, index => x[first + index] as number),
    y: Float64Array.from(kept, index => values[index] as number)
  };
}

/** The validation point with the highest (or lowest) value; the first of several equal ones. */
export function bestPoint(points: Points, higher: boolean): { epoch: number; value: number } | null {
  const sign = higher ? 1 : -1;
  const { x, y } = points;
  let best = -1;
  for (let index = 0; index < y.length; index++) {
    const value = y[index] as number;
    if (Number.isFinite(value) && (best < 0 || sign * value > sign * (y[best] as number))) {
      best = index;
    }
  }
  return best < 0 ? null : { epoch: x[best] as number, value: y[best] as number };
}

const SHORTEST_AXIS_EPOCHS = 5;

/**
 * Where the epoch axis ends: at the planned end, but halved as often as the curve still fills less than 40 % of the
 * rest, so that the first epochs of a long run can be seen; at the last point for a run that has ended.
 */
function lastEpoch(history: RunHistory): number {
  const ends = [...history.series.values()].map(points =>
    points.length ? (points.x[points.length - 1] as number) : 0
  );
  const last = Math.max(0, ...ends);
  const planned = history.summary.epochs ?? 0;
  if (last === 0) {
    return Math.max(planned, 1);
  }
  if (!ACTIVE_STATES.has(history.summary.state) || planned <= last) {
    return Math.max(last, 1);
  }
  let end = planned;
  while (end / 2 >= SHORTEST_AXIS_EPOCHS && last < 0.8 * (end / 2)) {
    end /= 2;
  }
  return Math.max(end, last, 1);
}

/** `share`: the values are shares and never leave 0 to 1. */
function valueRange(lines: Line[], share: boolean, log: boolean): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const line of lines) {
    for (const value of line.y) {
      if (Number.isFinite(value) && (!log || value > 0)) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    }
  }
  if (low > high) {
    return share ? [0, 1] : [log ? 0.01 : 0, 1];
  }
  if (log) {
    return [low / 1.3, high * 1.3];
  }
  const pad = Math.max((high - low) * 0.06, share ? 0.005 : (high - low) * 0.06 || Math.abs(high) * 0.01 || 0.001);
  const top = share ? Math.min(1, high + pad) : high + pad;
  return [Math.max(0, low - pad), top];
}
