import { SYSTEM_CLOCK } from '../client';
import { ReconnectingSocket, type SocketFactory } from '../socket';
import { decodeKernelMessage, encodeKernelMessage, type KernelMessage, SUBPROTOCOL } from './wire';

const MESSAGES_VERSION = '5.3';
/** The comm that hands out the states of all widgets, and its version. */
const CONTROL_TARGET = 'jupyter.widget.control';
const CONTROL_VERSION = '1.0.0';
/** So many messages are kept for a kernel that is out of reach; the oldest go first. */
const MOST_WAITING = 100;

export interface KernelListener {
  message(message: KernelMessage): void;
  connected(open: boolean): void;
}

/** A page's connection to its kernel; it comes back by itself after a loss. */
export class Kernel {
  private readonly _session = newId();
  private readonly _socket: ReconnectingSocket;
  private _open = false;
  private _waiting: ArrayBuffer[] = [];

  /**
   * @param base The server's address, ending in a slash.
   * @param id The kernel's.
   */
  constructor(base: string, id: string, listener: KernelListener, create: SocketFactory = openSocket) {
    const url = new URL(`api/kernels/${encodeURIComponent(id)}/channels`, base);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('session_id', this._session);
    const handlers = {
      connected: (open: boolean) => {
        this._open = open;
        this._sendWaiting();
        listener.connected(open);
      },
      message: (data: unknown) => {
        if (data instanceof ArrayBuffer) {
          listener.message(decodeKernelMessage(data));
        }
      }
    };
    this._socket = new ReconnectingSocket(url.href, handlers, SYSTEM_CLOCK, create);
    this._socket.open();
  }

  /** Asks for the states of all widgets; they come as one message of the comm whose id is given back. */
  requestStates(): string {
    const comm_id = newId();
    const opening = { comm_id, target_name: CONTROL_TARGET, data: {} };
    this._send('comm_open', opening, [], { version: CONTROL_VERSION });
    this.sendComm(comm_id, { method: 'request_states' });
    return comm_id;
  }

  /** Sends a widget's message and gives its id back. */
  sendComm(comm_id: string, data: unknown, buffers: DataView[] = []): string {
    return this._send('comm_msg', { comm_id, data }, buffers);
  }

  close(): void {
    this._socket.close();
  }

  private _send(
    msg_type: string,
    content: Record<string, unknown>,
    buffers: DataView[],
    metadata: Record<string, unknown> = {}
  ): string {
    const header = {
      msg_id: newId(),
      msg_type,
      username: '',
      session: this._session,
      date: new Date().toISOString(),
      version: MESSAGES_VERSION
    };
    const message = { channel: 'shell', header, parent_header: {}, metadata, content, buffers };
    this._waiting = [...this._waiting, encodeKernelMessage(message)].slice(-MOST_WAITING);
    this._sendWaiting();
    return header.msg_id;
  }

  private _sendWaiting(): void {
    while (this._open && this._waiting.length > 0) {
      this._socket.send(this._waiting.shift() as ArrayBuffer);
    }
  }
}

/** A name that no other message or comm has, on a page without HTTPS too. */
function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map(byte => byte.toString(16).padStart(2, '0')).join('');
}

const openSocket: SocketFactory = url => new WebSocket(url, SUBPROTOCOL);
