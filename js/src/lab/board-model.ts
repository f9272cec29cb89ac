import { type Clock, SYSTEM_CLOCK } from '../client';
import { type BoardState, boardMessage, EMPTY_BOARD, type EndpointSummary } from '../panel/board';
import type { RunSummary } from '../protocol';
import type { Server } from '../server';
import { ReconnectingSocket, type SocketFactory } from '../socket';

/** Without the socket (a proxy that lets none through) the board is asked for this often. */
const POLL_MS = 5_000;
/** So many runs, the newest, are asked for then. */
const MOST_ASKED = 2_000;

/** The board as it stands now: pushed by the server's socket, or asked for while there is none. */
export class BoardModel {
  state: BoardState = EMPTY_BOARD;
  /** Whether the server has answered, by whatever way, last time. */
  online = true;

  private readonly _server: Server;
  private readonly _clock: Clock;
  private readonly _socket: ReconnectingSocket;
  private readonly _listeners = new Set<() => void>();
  private _cancelPoll: (() => void) | null = null;
  private _connected = false;
  private _disposed = false;

  constructor(server: Server, clock: Clock = SYSTEM_CLOCK, create?: SocketFactory) {
    this._server = server;
    this._clock = clock;
    const handlers = {
      message: (data: unknown) => this._take(data),
      connected: (open: boolean) => this._setConnected(open)
    };
    this._socket = new ReconnectingSocket(server.socketUrl('ws'), handlers, clock, create);
  }

  start(): void {
    this._socket.open();
  }

  subscribe(listener: () => void): () => void {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  /** Asks for the board over REST, once. */
  async refresh(): Promise<void> {
    try {
      const [runs, endpoints] = await Promise.all([
        this._server.request('GET', `runs?limit=${MOST_ASKED}`) as Promise<{ runs: RunSummary[] }>,
        this._server.request('GET', 'endpoints') as Promise<{ endpoints: EndpointSummary[] }>
      ]);
      this.state = { ...this.state, runs: runs.runs, endpoints: endpoints.endpoints };
      this.online = true;
    } catch {
      this.online = this._connected;
    }
    this._notify();
  }

  dispose(): void {
    this._disposed = true;
    this._cancelPoll?.();
    this._socket.close();
    this._listeners.clear();
  }

  private _take(data: unknown): void {
    const state = typeof data === 'string' ? boardMessage(data, this.state) : null;
    if (state) {
      this.state = state;
      this.online = true;
      this._notify();
    }
  }

  private _setConnected(open: boolean): void {
    this._connected = open;
    if (open) {
      this._cancelPoll?.();
      this._cancelPoll = null;
    } else if (!this._cancelPoll) {
      this._poll();
    }
  }

  private _poll(): void {
    void this.refresh().then(() => {
      if (!this._connected && !this._disposed) {
        this._cancelPoll = this._clock.after(POLL_MS, () => this._poll());
      }
    });
  }

  private _notify(): void {
    for (const listener of this._listeners) {
      listener();
    }
  }
}
