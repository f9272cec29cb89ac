import { beforeEach, describe, expect, it } from 'vitest';

import {
  ANSWER_MS,
  HELLO_INTERVAL_MS,
  RunClient,
  SILENCE_MS,
  type Transport,
  type TransportListener
} from '../src/client';
import type { ClientMessage } from '../src/protocol';
import { FakeClock } from './clock';
import { frameFixture, summaryFixture } from './frames';

class FakeTransport implements Transport {
  readonly sent: ClientMessage[] = [];
  closed = false;
  listener: TransportListener | null = null;
  readonly greets: boolean;

  constructor(greets = false) {
    this.greets = greets;
  }

  open(listener: TransportListener): void {
    this.listener = listener;
    listener.connected(true);
  }

  send(message: ClientMessage): void {
    this.sent.push(message);
  }

  close(): void {
    this.closed = true;
  }
}

const delta = (start: number, ...y: number[]) =>
  frameFixture({ series: [{ name: 'val_accuracy', start, x: y.map((_, index) => start + index + 1), y }] });

let clock: FakeClock;
let transport: FakeTransport;
let client: RunClient;

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport();
  client = new RunClient(transport, summaryFixture(), clock);
  client.connect();
});

const values = () => [...client.history.points('val_accuracy').y];

describe('RunClient', () => {
  it('says hello, then appends deltas', () => {
    expect(transport.sent).toEqual([{ type: 'hello' }]);
    transport.listener?.frame(delta(0, 0.5));
    transport.listener?.frame(delta(1, 0.6, 0.7));
    expect(values()).toEqual([0.5, 0.6, 0.7]);
    expect(client.link).toBe('live');
  });

  it('truncates where a frame starts before its end (a resume from a checkpoint)', () => {
    transport.listener?.frame(delta(0, 0.5, 0.6, 0.7));
    transport.listener?.frame(delta(1, 0.61));
    expect(values()).toEqual([0.5, 0.61]);
  });

  it('asks for all again after a gap, and leaves its points alone until then', () => {
    transport.listener?.frame(delta(0, 0.5));
    clock.advance(HELLO_INTERVAL_MS);
    transport.listener?.frame(delta(4, 0.9));
    expect(values()).toEqual([0.5]);
    expect(transport.sent).toHaveLength(2);
    transport.listener?.frame(delta(0, 0.5, 0.6, 0.7, 0.8, 0.9));
    expect(values()).toHaveLength(5);
  });

  it('never answers a storm of gaps with a storm of hellos', () => {
    for (let index = 0; index < 100; index++) {
      transport.listener?.frame(delta(7, 0.9));
      clock.advance(10);
    }
    expect(transport.sent.length).toBeLessThanOrEqual(3);
  });

  it('counts a link as lost when hello is not answered, and as live when a frame comes after all', () => {
    clock.advance(ANSWER_MS);
    expect(client.link).toBe('lost');
    transport.listener?.frame(delta(0, 0.5));
    expect(client.link).toBe('live');
  });

  it('asks after a silence while the run is active, and not after its end', () => {
    transport.listener?.frame(delta(0, 0.5));
    clock.advance(SILENCE_MS);
    expect(transport.sent).toHaveLength(2);
    const ended = summaryFixture({ state: 'finished' });
    transport.listener?.frame(frameFixture({ series: [], summary: ended }));
    clock.advance(10 * SILENCE_MS);
    expect(transport.sent).toHaveLength(2);
    expect(client.link).toBe('live');
  });

  it('ignores frames of another run', () => {
    const summary = summaryFixture({ run_id: 'other-1' });
    transport.listener?.frame(frameFixture({ series: [{ name: 'val_accuracy', start: 0, x: [1], y: [1] }], summary }));
    expect(values()).toEqual([]);
  });

  it('waits for the greeting of a transport that greets', () => {
    const greeting = new FakeTransport(true);
    client.switchTo(greeting);
    expect([transport.closed, greeting.sent.length]).toEqual([true, 0]);
    clock.advance(ANSWER_MS);
    expect(greeting.sent).toEqual([{ type: 'hello' }]);
  });

  it('lets nothing through from a transport that was replaced', () => {
    const old = transport.listener;
    client.switchTo(new FakeTransport(true));
    old?.frame(delta(0, 0.5));
    expect(values()).toEqual([]);
  });

  it('tells listeners of every change', () => {
    let calls = 0;
    client.subscribe(() => (calls += 1));
    transport.listener?.frame(delta(0, 0.5));
    transport.listener?.connected(false);
    expect(calls).toBe(2);
  });
});
