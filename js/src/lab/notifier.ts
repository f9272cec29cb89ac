import { ACTIVE_STATES, type RunSummary } from '../protocol';
import type { BoardModel } from './board-model';

/** What is said when a run has ended. */
export interface Ending {
  run: RunSummary;
  kind: 'finished' | 'failed';
}

/** Tells of each run that was seen at work and has finished or failed since; a run that was stopped was stopped by hand. */
export function endings(before: ReadonlyMap<string, string>, runs: readonly RunSummary[]): Ending[] {
  return runs.flatMap(run => {
    const was = before.get(run.run_id);
    const seen = was !== undefined && ACTIVE_STATES.has(was as RunSummary['state']);
    return seen && (run.state === 'finished' || run.state === 'failed') ? [{ run, kind: run.state }] : [];
  });
}

/** Follows the board and tells of endings. */
export function watchEndings(board: BoardModel, tell: (ending: Ending) => void): void {
  let before = new Map<string, string>();
  board.subscribe(() => {
    const { runs } = board.state;
    endings(before, runs).forEach(tell);
    before = new Map(runs.map(run => [run.run_id, run.state]));
  });
}
