/** What the panel shows: runs, endpoints and device slots, as the server extension tells them. */

import type { RunSummary, Said } from '../protocol';

export interface EndpointSummary {
  name: string;
  url: string;
  state: string;
  version: number;
  run_id?: string | null;
  requests?: number | null;
  p95_ms?: number | null;
  message?: string | null;
  said?: Said;
}

export interface BoardState {
  /** Newest first. */
  runs: RunSummary[];
  endpoints: EndpointSummary[];
  /** Which run holds each slot (`cpu:0`, `cuda:1`); null for a free one. */
  devices: Record<string, string | null>;
  /** What a run's fields are where the socket does not tell them. */
  defaults?: Partial<RunSummary>;
}

export const EMPTY_BOARD: BoardState = { runs: [], endpoints: [], devices: {} };

/**
 * What the board's socket says: the newest runs first, then others, those that have changed, and those that are gone.
 * A run that is new tells what is not as in `defaults`; one that is known, what has changed.
 */
interface BoardMessage extends Partial<BoardState> {
  type?: string;
  defaults?: Partial<RunSummary>;
  gone?: string[];
}

/** The board after a message of its socket, or null for a message that is something else. */
export function boardMessage(text: string, before: BoardState = EMPTY_BOARD): BoardState | null {
  const message = JSON.parse(text) as BoardMessage;
  if (message.type !== 'state' && message.type !== 'change') {
    return null;
  }
  const runs = message.runs ?? [];
  const defaults = message.type === 'state' ? (message.defaults ?? {}) : (before.defaults ?? {});
  return {
    runs:
      message.type === 'state'
        ? runs.map(run => ({ ...defaults, ...run }))
        : changedRuns(before.runs, runs, message.gone ?? [], defaults),
    endpoints: message.endpoints ?? [],
    devices: message.devices ?? {},
    defaults
  };
}

/** The runs with some of them changed, added or gone; the newest first. */
function changedRuns(
  before: RunSummary[],
  changed: RunSummary[],
  gone: string[],
  defaults: Partial<RunSummary>
): RunSummary[] {
  const patches = new Map(changed.map(run => [run.run_id, run]));
  const left = new Set(gone);
  const found: RunSummary[] = [];
  for (const run of before) {
    const patch = patches.get(run.run_id);
    if (patch) {
      patches.delete(run.run_id);
      found.push({ ...run, ...patch });
    } else if (!left.has(run.run_id)) {
      found.push(run);
    }
  }
  if (patches.size === 0) {
    return found;
  }
  patches.forEach(run => found.push({ ...defaults, ...run }));
  return found.sort(newestFirst);
}

function newestFirst(a: RunSummary, b: RunSummary): number {
  return (b.created ?? 0) - (a.created ?? 0) || (a.run_id < b.run_id ? 1 : a.run_id > b.run_id ? -1 : 0);
}
