/** Runs that are there, over the server extension: labels, branches, queue, comparison, disk space, the monitor. */

import type { Ancestor, RunSummary, Said } from './protocol';
import { runPath, type Server } from './server';

export interface Labels {
  title?: string | null;
  tags?: string[];
  note?: string;
  pinned?: boolean;
  /** With it, `pinned` is about the checkpoint of this step. */
  checkpoint?: number;
}

export interface RunDetails {
  summary: RunSummary;
  options: Record<string, unknown>;
  /** The nearest ancestor first. */
  lineage: Ancestor[];
  labels: { pinned_checkpoints: number[] };
  /** Steps, oldest first. */
  checkpoints: number[];
  size: { bytes: number; checkpoints_bytes: number };
  /** What may be asked of the run in its state. */
  asks: string[];
  /** How the replay that was asked for last stands. */
  verification?: Verification | null;
}

/** A finished run, trained again from a checkpoint and compared bit by bit. */
export interface Verification {
  state: 'running' | 'done' | 'failed';
  message?: string;
  said?: Said;
  equal?: boolean;
  from_step?: number;
  to_step?: number;
  num_tensors?: number;
  differing?: string[];
  largest_difference?: number;
  seconds?: number;
}

/** What slows a run down: a code with figures, and English for a code that is not known here. */
export interface Hint {
  code: string;
  values: Record<string, number>;
  text: string;
}

/** What a process or the machine used at one moment; what was not known is left out. */
export interface MachineSample {
  /** Unix seconds. */
  time: number;
  cpu_fraction?: number;
  num_cores?: number;
  memory_used_bytes?: number;
  memory_total_bytes?: number;
  disk_free_bytes?: number;
  disk_total_bytes?: number;
  gpus?: GpuSample[];
}

export interface GpuSample {
  index: number;
  name?: string | null;
  use_fraction?: number;
  memory_used_bytes?: number;
  memory_total_bytes?: number;
  temperature_celsius?: number;
  power_watts?: number;
  power_limit_watts?: number;
}

export interface RunSample {
  time: number;
  memory_bytes?: number;
  cpu_cores?: number;
  gpu_memory_bytes?: number;
  samples_per_second?: number | null;
  waiting_fraction?: number | null;
}

export interface Column {
  name: string;
  kind: 'run' | 'option' | 'result';
  /** Whether the runs have different values here. */
  differs: boolean;
}

export type Cell = string | number | boolean | null | unknown[];
export type ComparedRow = { run_id: string } & Record<string, Cell>;

export interface CurvePoints {
  epoch: number[];
  value: (number | null)[];
}

export interface Comparison {
  columns: Column[];
  rows: ComparedRow[];
  /** By the curve's name and the run's. */
  curves: Record<string, Record<string, CurvePoints>>;
  differing: string[];
  /** Runs that were asked for and are not there. */
  gone: string[];
}

export interface SpacePlan {
  bytes: number;
  items: { kind: string; name: string; bytes: number; why: string }[];
  free_bytes?: number | null;
}

/** The calls, each by its own route. All reject with the server's sentence. */
export class KeptRuns {
  private readonly _server: Server;

  constructor(server: Server) {
    this._server = server;
  }

  async details(run_id: string): Promise<RunDetails> {
    return (await this._server.request('GET', runPath(run_id, '/details'))) as RunDetails;
  }

  async setLabels(run_id: string, labels: Labels): Promise<void> {
    await this._server.request('POST', runPath(run_id, '/labels'), labels);
  }

  async retry(run_id: string): Promise<void> {
    await this._server.request('POST', runPath(run_id, '/retry'), {});
  }

  /** Trains longer in a new run; resolves with its name. */
  async trainLonger(run_id: string, epochs: number): Promise<string> {
    return nameOf(await this._server.request('POST', runPath(run_id, '/continue'), { epochs }));
  }

  /** Starts a new run from a checkpoint; resolves with its name. */
  async fork(run_id: string, body: { step?: number; name?: string; train?: object }): Promise<string> {
    return nameOf(await this._server.request('POST', runPath(run_id, '/fork'), body));
  }

  async queue(run_id: string, change: { priority?: number; place?: number }): Promise<void> {
    await this._server.request('POST', runPath(run_id, '/queue'), change);
  }

  async remove(run_id: string, force = false): Promise<void> {
    await this._server.request('POST', runPath(run_id, '/delete'), { force });
  }

  async compare(run_ids: readonly string[]): Promise<Comparison> {
    return (await this._server.request(
      'GET',
      `compare?runs=${run_ids.map(encodeURIComponent).join(',')}`
    )) as Comparison;
  }

  async space(): Promise<SpacePlan> {
    return (await this._server.request('GET', 'space')) as SpacePlan;
  }

  /** Frees what the plan named; resolves with the bytes. */
  async freeSpace(plan: SpacePlan): Promise<number> {
    const answer = (await this._server.request('POST', 'space', { bytes: plan.bytes })) as { freed_bytes: number };
    return answer.freed_bytes;
  }

  async machine(since: number): Promise<MachineSample[]> {
    return ((await this._server.request('GET', `monitor?since=${since}`)) as { samples: MachineSample[] }).samples;
  }

  /** Starts the proof of a finished run; its details tell how it stands. */
  async verify(run_id: string): Promise<void> {
    await this._server.request('POST', runPath(run_id, '/verify'), {});
  }

  async runMonitor(run_id: string, since: number): Promise<{ samples: RunSample[]; hints: Hint[] }> {
    const answer = await this._server.request('GET', runPath(run_id, `/monitor?since=${since}`));
    return answer as { samples: RunSample[]; hints: Hint[] };
  }
}

function nameOf(answer: unknown): string {
  return (answer as { run_id: string }).run_id;
}
