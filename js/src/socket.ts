import { type Clock, handOn, SYSTEM_CLOCK, type Transport, type TransportListener } from './client';
import { type ClientMessage, decodeMessage } from './protocol';
import { SaidError } from './said-error';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;

/** The part of a WebSocket that is used here. */
export type SocketFactory = (url: string) => WebSocket;

export interface SocketHandlers {
  message(data: unknown): void;
  connected(open: boolean): void;
}

/** A WebSocket that comes back: after a loss it is opened again, with a delay that doubles up to 15 seconds. */
export class ReconnectingSocket {
  private readonly _url: string;
  private readonly _handlers: SocketHandlers;
  private readonly _clock: Clock;
  private readonly _create: SocketFactory;
  private _socket: WebSocket | null = null;
  private _cancelRetry: (() => void) | null = null;
  private _delay = FIRST_DELAY_MS;
  private _closed = false;

  constructor(
    url: string,
    handlers: SocketHandlers,
    clock: Clock = SYSTEM_CLOCK,
    create: SocketFactory = address => new WebSocket(address)
  ) {
    this._url = url;
    this._handlers = handlers;
    this._clock = clock;
    this._create = create;
  }

  open(): void {
    const socket = this._create(this._url);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this._delay = FIRST_DELAY_MS;
      this._handlers.connected(true);
    };
    socket.onmessage = event => this._handlers.message(event.data);
    socket.onclose = () => this._lost();
    this._socket = socket;
  }

  send(message: string | ArrayBuffer): void {
    if (this._socket?.readyState !== 1) {
      throw new SaidError('error.connection', 'The connection to the Jupyter server is down.');
    }
    this._socket.send(message);
  }

  close(): void {
    this._closed = true;
    this._cancelRetry?.();
    if (this._socket) {
      this._socket.onclose = null;
      this._socket.close();
    }
  }

  private _lost(): void {
    if (this._closed) {
      return;
    }
    this._handlers.connected(false);
    this._cancelRetry = this._clock.after(this._delay, () => this.open());
    this._delay = Math.min(this._delay * 2, LONGEST_DELAY_MS);
  }
}

/** Frames of one run over the server extension's WebSocket `runs/<id>/ws`. */
export class SocketTransport implements Transport {
  readonly greets = true;
  private readonly _connect: (handlers: SocketHandlers) => ReconnectingSocket;
  private _socket: ReconnectingSocket | null = null;

  constructor(url: string, clock: Clock = SYSTEM_CLOCK, create?: SocketFactory) {
    this._connect = handlers => new ReconnectingSocket(url, handlers, clock, create);
  }

  open(listener: TransportListener): void {
    this._socket = this._connect({
      connected: open => listener.connected(open),
      message: data => {
        if (data instanceof ArrayBuffer) {
          handOn(listener, () => decodeMessage(data));
        }
      }
    });
    this._socket.open();
  }

  send(message: ClientMessage): void {
    if (!this._socket) {
      throw new SaidError('error.connection', 'The connection to the Jupyter server is down.');
    }
    this._socket.send(JSON.stringify(message));
  }

  close(): void {
    this._socket?.close();
  }
}
