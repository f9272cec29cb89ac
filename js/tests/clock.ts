import type { Clock } from '../src/client';

/** A clock that moves when the test says so. */
export class FakeClock implements Clock {
  private _now = 0;
  private _timers: { at: number; callback: () => void }[] = [];

  now(): number {
    return this._now;
  }

  after(delay_ms: number, callback: () => void): () => void {
    const timer = { at: this._now + delay_ms, callback };
    this._timers.push(timer);
    return () => {
      this._timers = this._timers.filter(other => other !== timer);
    };
  }

  advance(by_ms: number): void {
    const end = this._now + by_ms;
    for (;;) {
      const next = this._timers.filter(timer => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) {
        break;
      }
      this._now = next.at;
      this._timers = this._timers.filter(timer => timer !== next);
      next.callback();
    }
    this._now = end;
  }
}
