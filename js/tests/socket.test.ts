import { beforeEach, describe, expect, it } from 'vitest';

import { RunClient } from '../src/client';
import { BoardModel } from '../src/lab/board-model';
import { runSocketUrl } from '../src/server';
import { ReconnectingSocket, SocketTransport } from '../src/socket';
import { FakeClock } from './clock';
import { FakeServer } from './fake-server';
import { FakeSockets } from './fake-socket';
import { messageFixture, summaryFixture } from './frames';

let clock: FakeClock;
let sockets: FakeSockets;
beforeEach(() => {
  clock = new FakeClock();
  sockets = new FakeSockets();
});

describe('ReconnectingSocket', () => {
  it('comes back after a delay that doubles up to 15 seconds, and starts small again after a success', () => {
    const socket = new ReconnectingSocket(
      'ws://x',
      { message: () => undefined, connected: () => undefined },
      clock,
      sockets.create
    );
    socket.open();
    const delays: number[] = [];
    for (let attempt = 0; attempt < 7; attempt++) {
      const before = sockets.all.length;
      sockets.last.drop();
      let waited = 0;
      while (sockets.all.length === before) {
        clock.advance(500);
        waited += 500;
      }
      delays.push(waited);
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    sockets.last.open();
    sockets.last.drop();
    clock.advance(500);
    expect(sockets.all).toHaveLength(9);
  });

  it('stays closed once it is closed', () => {
    const socket = new ReconnectingSocket(
      'ws://x',
      { message: () => undefined, connected: () => undefined },
      clock,
      sockets.create
    );
    socket.open();
    socket.close();
    clock.advance(60_000);
    expect(sockets.all).toHaveLength(1);
  });
});

describe('SocketTransport', () => {
  const url = runSocketUrl(new FakeServer(), 'digits-cnn-1');

  function followed(): RunClient {
    const client = new RunClient(new SocketTransport(url, clock, sockets.create), summaryFixture(), clock);
    client.connect();
    return client;
  }

  it('asks for the run from its beginning and follows it', () => {
    const client = followed();
    expect(sockets.last.url).toBe('ws://server/lepton-lab/api/runs/digits-cnn-1/ws?since=0');
    sockets.last.open();
    sockets.last.receive(messageFixture({ series: [{ name: 'val_loss', start: 0, x: [1], y: [0.5] }] }));
    expect([client.link, [...client.history.points('val_loss').y]]).toEqual(['live', [0.5]]);
  });

  it('says that the link is lost, and goes on without a duplicate when it is back', () => {
    const client = followed();
    const all = messageFixture({ series: [{ name: 'val_loss', start: 0, x: [1, 2], y: [0.5, 0.4] }] });
    sockets.last.open();
    sockets.last.receive(all);
    sockets.last.drop();
    expect(client.link).toBe('lost');
    clock.advance(500);
    sockets.last.open();
    sockets.last.receive(all);
    expect([client.link, client.history.points('val_loss').length]).toEqual(['live', 2]);
  });

  it('survives messages that are no frames', () => {
    const client = followed();
    sockets.last.open();
    sockets.last.receive('{"type":"accepted"}');
    sockets.last.receive(new ArrayBuffer(3));
    sockets.last.receive(messageFixture({ series: [] }));
    expect(client.link).toBe('live');
  });
});

describe('BoardModel', () => {
  const settled = () => new Promise(resolve => setTimeout(resolve));
  const state = { type: 'state', runs: [summaryFixture()], endpoints: [], devices: { 'cpu:0': null } };

  it('takes the board from the socket', () => {
    const board = new BoardModel(new FakeServer(), clock, sockets.create);
    let calls = 0;
    board.subscribe(() => (calls += 1));
    board.start();
    sockets.last.open();
    sockets.last.receive(JSON.stringify(state));
    sockets.last.receive(JSON.stringify({ type: 'else' }));
    expect([board.state.runs.length, board.online, calls]).toEqual([1, true, 1]);
    board.dispose();
  });

  it('puts together what the socket tells in parts: defaults, older runs, changes, what is gone', () => {
    const board = new BoardModel(new FakeServer(), clock, sockets.create);
    board.start();
    sockets.last.open();
    const tell = (message: object): void =>
      sockets.last.receive(JSON.stringify({ endpoints: [], devices: {}, ...message }));
    tell({ type: 'state', defaults: { state: 'queued', epoch: 0 }, runs: [{ run_id: 'c', created: 3, epoch: 1 }] });
    tell({ type: 'change', gone: [], runs: [{ run_id: 'a', created: 1, state: 'finished' }] });
    tell({ type: 'change', gone: [], runs: [{ run_id: 'b', created: 2 }] });
    const shown = () => board.state.runs.map(run => `${run.run_id} ${run.state} ${run.epoch}`);
    expect(shown()).toEqual(['c queued 1', 'b queued 0', 'a finished 0']);
    const untouched = board.state.runs[2];
    tell({ type: 'change', gone: ['b'], runs: [{ run_id: 'c', epoch: 2 }] });
    expect(shown()).toEqual(['c queued 2', 'a finished 0']);
    expect(board.state.runs[1]).toBe(untouched);
    board.dispose();
  });

  it('asks over REST while the socket is down, and stops when it is back', async () => {
    const runs = { runs: [summaryFixture()] };
    const server = new FakeServer({ 'runs?limit=2000': runs, endpoints: { endpoints: [] } });
    const board = new BoardModel(server, clock, sockets.create);
    board.start();
    sockets.last.drop();
    await settled();
    expect([board.online, board.state.runs.length, server.asked.length]).toEqual([true, 1, 2]);
    clock.advance(500);
    sockets.last.open();
    clock.advance(60_000);
    await settled();
    expect(server.asked).toHaveLength(2);
    board.dispose();
  });

  it('says that nothing answers, keeps what it knew, and tries on', async () => {
    const server = new FakeServer();
    const board = new BoardModel(server, clock, sockets.create);
    board.start();
    sockets.last.receive(JSON.stringify(state));
    sockets.last.drop();
    await settled();
    expect([board.online, board.state.runs.length]).toEqual([false, 1]);
    clock.advance(5_000);
    await settled();
    expect(server.asked.length).toBe(4);
    board.dispose();
  });
});
