/** What the panel shows: runs, endpoints and device slots, as the server extension tells them. */

import type { RunSummary } from '../protocol';

export interface EndpointSummary {
  name: string;
  url: string;
  state: string;
  version: number;
  run_id?: string | null;
  requests?: number | null;
  p95_ms?: number | null;
  message?: string | null;
}

export interface BoardState {
  /** Newest first. */
  runs: RunSummary[];
  endpoints: EndpointSummary[];
  /** Which run holds each slot (`cpu:0`, `cuda:1`); null for a free one. */
  devices: Record<string, string | null>;
}

export const EMPTY_BOARD: BoardState = { runs: [], endpoints: [], devices: {} };

/** What the board's socket says: all of it first, then the runs that have changed and those that are gone. */
interface BoardMessage extends Partial<BoardState> {
  type?: string;
  gone?: string[];
}

/** The board after a message of its socket, or null for a message that is something else. */
export function boardMessage(text: string, before: BoardState = EMPTY_BOARD): BoardState | null {
  const message = JSON.parse(text) as BoardMessage;
  if (message.type !== 'state' && message.type !== 'change') {
    return null;
  }
  const runs = message.runs ?? [];
  return {
    runs: message.type === 'state' ? runs : changedRuns(before.runs, runs, message.gone ?? []),
    endpoints: message.endpoints ?? [],
    devices: message.devices ?? {}
  };
}

/** The runs with some of them changed, added or gone; the newest first. */
function changedRuns(before: RunSummary[], changed: RunSummary[], gone: string[]): RunSummary[] {
  const runs = new Map(before.map(run => [run.run_id, run]));
  const isNew = changed.some(run => !runs.has(run.run_id));
  gone.forEach(run_id => runs.delete(run_id));
  changed.forEach(run => runs.set(run.run_id, run));
  const found = [...runs.values()];
  return isNew ? found.sort(newestFirst) : found;
}

function newestFirst(a: RunSummary, b: RunSummary): number {
  return (b.created ?? 0) - (a.created ?? 0) || (a.run_id < b.run_id ? 1 : a.run_id > b.run_id ? -1 : 0);
}
