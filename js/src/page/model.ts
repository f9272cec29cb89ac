import { same } from './same';

type Callback = (...values: unknown[]) => void;

/** How a model speaks to its half in the kernel; the result is the message's id. */
export type Send = (data: unknown, buffers?: DataView[]) => string;

/** The page's half of a widget: its traits, and events as the widgets' own libraries name them. */
export class PageModel {
  private _state: Record<string, unknown>;
  private readonly _send: Send;
  private readonly _listeners = new Map<string, Set<Callback>>();
  private readonly _unsaved = new Set<string>();
  /** For each trait that was sent: the message whose echo has not come yet. Until then the kernel's value is older. */
  private readonly _awaited = new Map<string, string>();

  constructor(state: Record<string, unknown>, send: Send) {
    this._state = state;
    this._send = send;
  }

  get(name: string): unknown {
    return this._state[name];
  }

  set(name: string, value: unknown): void {
    this._unsaved.add(name);
    this._take({ [name]: value });
  }

  save_changes(): void {
    const names = [...this._unsaved];
    this._unsaved.clear();
    if (names.length > 0) {
      const state = Object.fromEntries(names.map(name => [name, this._state[name]]));
      const sent = this._send({ method: 'update', state, buffer_paths: [] });
      names.forEach(name => this._awaited.set(name, sent));
    }
  }

  send(content: unknown, _callbacks?: unknown, buffers: ArrayBuffer[] = []): void {
    this._send(
      { method: 'custom', content },
      buffers.map(buffer => new DataView(buffer))
    );
  }

  on(name: string, callback: Callback): void {
    const listeners = this._listeners.get(name) ?? new Set();
    this._listeners.set(name, listeners.add(callback));
  }

  off(name: string, callback?: Callback): void {
    if (callback) {
      this._listeners.get(name)?.delete(callback);
    } else {
      this._listeners.delete(name);
    }
  }

  /** Takes in a message of the kernel's half; `answers` is the id of the page's message that it belongs to. */
  receive(data: Record<string, unknown>, buffers: DataView[], answers?: string): void {
    if (data.method === 'custom') {
      this._emit('msg:custom', data.content, buffers);
    } else if (data.method === 'echo_update') {
      for (const name of Object.keys(data.state as object)) {
        if (this._awaited.get(name) === answers) {
          this._awaited.delete(name);
        }
      }
    } else if (data.method === 'update') {
      const state = Object.entries(data.state as Record<string, unknown>);
      this._take(Object.fromEntries(state.filter(([name]) => !this._awaited.has(name))));
    }
  }

  /** Takes the kernel's whole state: on a new connection nothing that was sent on the old one is awaited. */
  renew(state: Record<string, unknown>): void {
    this._awaited.clear();
    this._take(state);
  }

  private _take(state: Record<string, unknown>): void {
    const changed = Object.keys(state).filter(name => !same(this._state[name], state[name]));
    this._state = { ...this._state, ...state };
    changed.forEach(name => this._emit(`change:${name}`, this, state[name]));
    if (changed.length > 0) {
      this._emit('change', this);
    }
  }

  private _emit(name: string, ...values: unknown[]): void {
    for (const listener of [...(this._listeners.get(name) ?? [])]) {
      listener(...values);
    }
  }
}
