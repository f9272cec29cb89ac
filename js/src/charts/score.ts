import type { RunSummary } from '../protocol';

/** The figure that a run's task is judged by. */
export interface Score {
  /** The series are called `train_<name>` and `val_<name>`. */
  name: string;
  higher: boolean;
  /** Values are shares: they lie between 0 and 1. */
  share: boolean;
}

const SHARES = new Set(['accuracy', 'f1', 'map50', 'hit_rate']);

/** What the run is judged by; runs of older records name nothing and mean accuracy. */
export function scoreOf(summary: Pick<RunSummary, 'metric' | 'higher_is_better'>): Score {
  const name = summary.metric ?? 'accuracy';
  return { name, higher: summary.higher_is_better ?? true, share: SHARES.has(name) };
}

/** Decimals that a value is shown with: four for shares, else as many as make about four digits. */
export function decimals(value: number): number {
  const size = Math.abs(value);
  return size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 2 ? 3 : 4;
}

type Part = 'train' | 'val' | 'best_val' | 'test';

/** The score of one part; runs of older records carry accuracy alone. */
export function partScore(summary: RunSummary, part: Part): number | null {
  return summary[`${part}_metric`] ?? summary[`${part}_accuracy`] ?? null;
}
