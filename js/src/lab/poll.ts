import { type Clock, SYSTEM_CLOCK } from '../client';

/** Does something again and again while it is wanted; an error is left for the next time. */
export class Poll {
  private readonly _work: () => Promise<void>;
  private readonly _every_ms: number;
  private readonly _clock: Clock;
  private _cancel: (() => void) | null = null;
  private _wanted = false;

  constructor(work: () => Promise<void>, every_ms: number, clock: Clock = SYSTEM_CLOCK) {
    this._work = work;
    this._every_ms = every_ms;
    this._clock = clock;
  }

  /** Begins at once, or ends. */
  want(wanted: boolean): void {
    if (wanted === this._wanted) {
      return;
    }
    this._wanted = wanted;
    this._cancel?.();
    this._cancel = null;
    if (wanted) {
      this._turn();
    }
  }

  private _turn(): void {
    this._cancel = null;
    void this._work()
      .catch(() => undefined)
      .then(() => {
        if (this._wanted && !this._cancel) {
          this._cancel = this._clock.after(this._every_ms, () => this._turn());
        }
      });
  }
}
