import type { Said } from '../protocol';
import type { Server } from '../server';
import type { EndpointSummary } from './board';

/** Something that was done to an endpoint. */
export interface EndpointChange {
  time: number;
  what: string;
  version: number;
  detail: string;
}

export interface EndpointVersion {
  version: number;
  run_id: string;
  /** Unix seconds. */
  created: number;
  /** The recipe of a compressed one. */
  variant?: string | null;
}

/** What is told of an API key; never the key itself. Times are unix seconds. */
export interface EndpointKey {
  id: string;
  prefix: string;
  created: number;
  expires?: number | null;
  revoked?: number | null;
  requests_per_minute?: number | null;
  valid: boolean;
  usage: { requests: number; rows: number; compute_seconds: number };
}

export interface EndpointDetails {
  summary: EndpointSummary;
  desired: 'running' | 'stopped';
  active_version: number;
  /** 0 for none, as `shadow_version`. */
  canary_version: number;
  canary_share: number;
  shadow_version: number;
  /** The newest first, as `history`. */
  versions: EndpointVersion[];
  keys: EndpointKey[];
  history: EndpointChange[];
  /** How far what comes in lies from training; the distance is there from some rows on. */
  drift?: { rows: number; inputs?: number; warning?: string | null; said?: Said } | null;
  processes: number;
  tls: boolean;
  /** The end of the server's log. */
  log: string;
}

/** One endpoint over the server extension. */
export class EndpointClient {
  private readonly _server: Server;
  private readonly _path: string;

  constructor(server: Server, name: string) {
    this._server = server;
    this._path = `endpoints/${encodeURIComponent(name)}`;
  }

  async details(): Promise<EndpointDetails> {
    return (await this._server.request('GET', this._path)) as EndpointDetails;
  }

  async start(): Promise<void> {
    await this._server.request('POST', `${this._path}/start`, {});
  }

  async stop(): Promise<void> {
    await this._server.request('POST', `${this._path}/stop`, {});
  }

  async switchTo(version: number): Promise<void> {
    await this._server.request('POST', `${this._path}/version`, { version });
  }

  async revoke(key_id: string): Promise<void> {
    await this._server.request('POST', `${this._path}/revoke`, { key_id });
  }
}
