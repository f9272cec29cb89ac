import { RunHistory } from './history';
import { ACTIVE_STATES, type ClientMessage, type Frame, type RunSummary, type Told } from './protocol';

/** Where frames come from and messages go to: a widget's comm, or a WebSocket of the server extension. */
export interface Transport {
  /** Whether the other side sends a full frame on its own as soon as the connection is open. */
  readonly greets: boolean;
  open(listener: TransportListener): void;
  send(message: ClientMessage): void;
  close(): void;
}

export interface TransportListener {
  frame(frame: Frame): void;
  /** The connection opened or was lost. */
  connected(open: boolean): void;
  /** A command was not taken; the sentence says why. */
  refused(told: Told): void;
}

/** Hands a frame on if it can be read; one that cannot is reported and left out (the next gap asks for all again). */
export function handOn(listener: TransportListener, read: () => Frame): void {
  let frame: Frame;
  try {
    frame = read();
  } catch (error) {
    console.warn('lepton-lab: a frame could not be read.', error);
    return;
  }
  listener.frame(frame);
}

/** Time, as a seam: tests pass a clock that they move by hand. */
export interface Clock {
  now(): number;
  /** Calls back once after so many milliseconds; the result cancels. */
  after(delay_ms: number, callback: () => void): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  after: (delay_ms, callback) => {
    const timer = setTimeout(callback, delay_ms);
    return () => clearTimeout(timer);
  }
};

/** `connecting`: no frame yet. `live`: frames arrive. `lost`: the other side does not answer; the curve stands still. */
export type Link = 'connecting' | 'live' | 'lost';

/** At most one hello in this time: a gap in every frame must not become a storm. */
export const HELLO_INTERVAL_MS = 1_000;
/** An active run that is silent for so long is asked whether it is still there. */
export const SILENCE_MS = 8_000;
/** How long an answer to hello may take before the link counts as lost. */
export const ANSWER_MS = 6_000;

/**
 * Follows one run: says hello, takes frames in, asks again after a gap, notices when nobody answers.
 *
 * Listeners are called after every change of `history` or `link`.
 */
export class RunClient {
  readonly history: RunHistory;
  link: Link = 'connecting';
  /** Called with the sentence when the other side refuses a command. */
  onRefused: (told: Told) => void = () => undefined;

  private _transport: Transport;
  private readonly _clock: Clock;
  private readonly _listeners = new Set<() => void>();
  private _lastHello = Number.NEGATIVE_INFINITY;
  private _cancelHello: (() => void) | null = null;
  private _cancelWatch: (() => void) | null = null;
  private _closed = false;

  constructor(transport: Transport, summary: RunSummary, clock: Clock = SYSTEM_CLOCK) {
    this._transport = transport;
    this._clock = clock;
    this.history = new RunHistory(summary);
  }

  subscribe(listener: () => void): () => void {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  connect(): void {
    const transport = this._transport;
    transport.open({
      frame: frame => transport === this._transport && this._receive(frame),
      connected: open => transport === this._transport && this._connected(open),
      refused: told => transport === this._transport && this.onRefused(told)
    });
  }

  /** Goes on with another transport, for example the server's WebSocket after the kernel has gone. */
  switchTo(transport: Transport): void {
    this._transport.close();
    this._transport = transport;
    this._setLink('connecting');
    this.connect();
  }

  /** Asks for a full frame; rate-limited, so that it is safe to call at any time. */
  hello(): void {
    if (this._cancelHello || this._closed) {
      return;
    }
    const wait = this._lastHello + HELLO_INTERVAL_MS - this._clock.now();
    if (wait <= 0) {
      this._sayHello();
      return;
    }
    this._cancelHello = this._clock.after(wait, () => {
      this._cancelHello = null;
      this._sayHello();
    });
  }

  send(message: ClientMessage): void {
    this._transport.send(message);
  }

  close(): void {
    this._closed = true;
    this._cancelHello?.();
    this._cancelWatch?.();
    this._transport.close();
    this._listeners.clear();
  }

  private _sayHello(): void {
    this._lastHello = this._clock.now();
    this._watch(ANSWER_MS, () => this._setLink('lost'));
    try {
      this._transport.send({ type: 'hello' });
    } catch {
      this._setLink('lost');
    }
  }

  private _receive(frame: Frame): void {
    if (frame.header.run_id !== this.history.summary.run_id) {
      return;
    }
    if (!this.history.apply(frame)) {
      this.hello();
      return;
    }
    this.link = 'live';
    this._watchSilence();
    this._notify();
  }

  private _connected(open: boolean): void {
    if (!open) {
      this._cancelWatch?.();
      this._setLink(this.link === 'connecting' ? 'connecting' : 'lost');
      return;
    }
    if (this._transport.greets) {
      this._watch(ANSWER_MS, () => this.hello());
    } else {
      this.hello();
    }
  }

  private _watchSilence(): void {
    this._cancelWatch?.();
    this._cancelWatch = null;
    if (ACTIVE_STATES.has(this.history.summary.state)) {
      this._watch(SILENCE_MS, () => this.hello());
    }
  }

  private _watch(delay_ms: number, callback: () => void): void {
    this._cancelWatch?.();
    this._cancelWatch = this._clock.after(delay_ms, callback);
  }

  private _setLink(link: Link): void {
    if (this.link !== link) {
      this.link = link;
      this._notify();
    }
  }

  private _notify(): void {
    for (const listener of this._listeners) {
      listener();
    }
  }
}
