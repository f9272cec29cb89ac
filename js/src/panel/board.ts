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

/** A message of the board's socket, or null for one that is something else. */
export function boardMessage(text: string): BoardState | null {
  const message = JSON.parse(text) as Partial<BoardState> & { type?: string };
  if (message.type !== 'state') {
    return null;
  }
  return { runs: message.runs ?? [], endpoints: message.endpoints ?? [], devices: message.devices ?? {} };
}
