/** The server extension's REST interface, as the page reaches it without JupyterLab's own libraries. */

import type { RunCommand, RunSummary } from './protocol';

export const API = 'lepton-lab/api';

/** How a face reaches the server extension: by the page's own fetch, or by JupyterLab's connection. */
export interface Server {
  /** Sends JSON and answers JSON; rejects with the server's sentence. */
  request(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown>;
  /** The address of a WebSocket below the API. */
  socketUrl(path: string): string;
}

/** The address of a run's own resource. */
export function runPath(run_id: string, rest = ''): string {
  return `runs/${encodeURIComponent(run_id)}${rest}`;
}

/** The address of a run's stream of frames, from the beginning. */
export function runSocketUrl(server: Server, run_id: string): string {
  return server.socketUrl(`${runPath(run_id, '/ws')}?since=0`);
}

/** Hands a command to the run's record by way of the server. */
export async function postCommand(server: Server, run_id: string, command: RunCommand, value?: unknown): Promise<void> {
  await server.request('POST', runPath(run_id, '/commands'), { command, value: value ?? null });
}

/**
 * Whether the server's store holds this very run. Names repeat from store to store (a kernel may have one of its own),
 * so the moment of the run's creation has to agree too.
 */
export async function serverHasRun(server: Server, summary: RunSummary): Promise<boolean> {
  try {
    const found = (await server.request('GET', runPath(summary.run_id))) as { summary?: Partial<RunSummary> };
    return typeof summary.created === 'number' && found.summary?.created === summary.created;
  } catch {
    return false;
  }
}

/** The server's error: its sentence, its status, and the reason's name. */
export class ServerError extends Error {
  readonly status: number;
  readonly reason: string;
  /** Whether the sentence is the server's own, in the language that it was asked in. */
  readonly isSaid: boolean;

  constructor(status: number, message: string, reason: string) {
    super(message || `The server answered ${status}.`);
    this.isSaid = message !== '';
    this.status = status;
    this.reason = reason;
  }
}

/** Reads an answer's JSON. @throws ServerError with the server's own sentence for a status that is not 2xx. */
export async function readAnswer(response: Response): Promise<unknown> {
  const text = await response.text();
  let content: unknown = null;
  try {
    content = text ? JSON.parse(text) : null;
  } catch {
    content = null;
  }
  if (!response.ok) {
    const error = (content ?? {}) as { message?: string; reason?: string };
    throw new ServerError(response.status, error.message ?? '', error.reason || 'error');
  }
  return content;
}

/** The Jupyter server that the page came from, or null when the page came from elsewhere. */
export function pageServer(): Server | null {
  if (isLoneDashboard()) {
    return null;
  }
  const config = pageConfig();
  const base = config.baseUrl ?? voilaBase();
  return base ? new PageServer(new URL(base, location.href).href, config.token ?? '') : null;
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * An endpoint's address as whoever sits before this page reaches it. Where the page came from another machine, that
 * machine's loopback is out of reach, and the way leads through its Jupyter server (jupyter-server-proxy).
 */
export function fromHere(url: string, page: Pick<Location, 'hostname' | 'href' | 'protocol'> = location): string {
  const base = pageConfig().baseUrl ?? voilaBase();
  const port = /^http:\/\/([^/]+):(\d+)$/.exec(url);
  const isRemote = page.protocol.startsWith('http') && !LOOPBACK.test(page.hostname);
  return base && port && isRemote && LOOPBACK.test(port[1] ?? '')
    ? new URL(`${base.replace(/\/$/, '')}/proxy/${port[2]}`, page.href).href
    : url;
}

function pageConfig(): { baseUrl?: string; token?: string } {
  const text = document.getElementById('jupyter-config-data')?.textContent;
  try {
    return text ? (JSON.parse(text) as { baseUrl?: string; token?: string }) : {};
  } catch {
    return {};
  }
}

/** Whether the page is a notebook that Voilà serves on its own: such a server has no extensions to ask. */
function isLoneDashboard(): boolean {
  return document.body?.dataset.voila !== undefined && !location.pathname.includes('/voila/render/');
}

function voilaBase(): string | null {
  return document.body?.dataset.baseUrl?.replace(/voila\/$/, '') ?? null;
}

class PageServer implements Server {
  private readonly _base: string;
  private readonly _token: string;

  constructor(base: string, token: string) {
    this._base = `${base.replace(/\/$/, '')}/${API}/`;
    this._token = token;
  }

  async request(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const headers: Record<string, string> = { 'Content-Type': 'application/json' };
    const xsrf = /(?:^|; )_xsrf=([^;]*)/.exec(document.cookie)?.[1];
    if (xsrf) {
      headers['X-XSRFToken'] = decodeURIComponent(xsrf);
    }
    if (this._token) {
      headers.Authorization = `token ${this._token}`;
    }
    const content = body === undefined ? null : JSON.stringify(body);
    return readAnswer(
      await fetch(this._base + path, { method, headers, credentials: 'same-origin', cache: 'no-store', body: content })
    );
  }

  socketUrl(path: string): string {
    const url = new URL(this._base + path);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    if (this._token) {
      url.searchParams.set('token', this._token);
    }
    return url.href;
  }
}
