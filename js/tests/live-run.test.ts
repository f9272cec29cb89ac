import { afterEach, describe, expect, it } from 'vitest';

import { Locale } from '../src/i18n';
import { type Server, ServerError } from '../src/server';
import { CommTransport } from '../src/widgets/comm';

import { LiveRun } from '../src/widgets/live-run';
import { FakeClock } from './clock';
import { FakeModel } from './fake-model';
import { FakeServer } from './fake-server';
import { bufferFixture, headerFixture, summaryFixture } from './frames';

const path = 'runs/digits-cnn-1';
const series = [{ name: 'val_accuracy', start: 0, x: [1], y: [0.5] }];

const made: LiveRun[] = [];
afterEach(() => made.splice(0).forEach(live => live.dispose()));

function open(server: Server | null) {
  const model = new FakeModel({});
  const transport = new CommTransport(model);
  const live = new LiveRun({ summary: summaryFixture(), transport, locale: new Locale('en'), server });
  made.push(live);
  return { model, live };
}

describe('LiveRun', () => {
  it('takes frames from the comm, whatever kind of buffer the host hands over', () => {
    const { model, live } = open(null);
    expect(model.sent).toEqual([{ type: 'hello' }]);
    const buffer = bufferFixture(series);
    const shifted = new Uint8Array(buffer.byteLength + 3);
    shifted.set(new Uint8Array(buffer), 3);
    for (const given of [buffer, new DataView(buffer), new Uint8Array(buffer), shifted.subarray(3)]) {
      model.emit('msg:custom', headerFixture({ series }), [given]);
      expect([...live.client.history.points('val_accuracy').y]).toEqual([0.5]);
    }
    expect(live.client.link).toBe('live');
  });

  it('reports a frame that it cannot read, and goes on', () => {
    const { model, live } = open(null);
    model.emit('msg:custom', headerFixture({ series }), []);
    model.emit('msg:custom', { type: 'error', message: 'no' }, []);
    model.emit('msg:custom', headerFixture({ series }), [bufferFixture(series)]);
    expect(live.client.history.points('val_accuracy').length).toBe(1);
  });

  it('commands by the server where it has the run: the kernel may be busy', async () => {
    const server = new FakeServer({ [path]: { summary: summaryFixture() }, [`${path}/commands`]: {} });
    const { model, live } = open(server);
    await live.send('set_learning_rate', 0.1);
    expect(server.asked).toContainEqual(['POST', `${path}/commands`, { command: 'set_learning_rate', value: 0.1 }]);
    expect(model.sent).toHaveLength(1);
  });

  it.each([
    ['there is no server', null],
    ['the server does not know the run', new FakeServer()],
    ['the server has another run of that name', new FakeServer({ [path]: { summary: summaryFixture({ created: 1 }) } })]
  ])('commands by the comm where %s', async (_, server) => {
    const { model, live } = open(server);
    await live.send('pause');
    expect(model.sent).toContainEqual({ type: 'command', command: 'pause', value: undefined });
  });

  it('does not let a button wait for a server that takes long to answer', async () => {
    const clock = new FakeClock();
    const model = new FakeModel({});
    const server: Server = { request: () => new Promise(() => undefined), socketUrl: () => '' };
    const transport = new CommTransport(model);
    const live = new LiveRun({ summary: summaryFixture(), transport, locale: new Locale('en'), server, clock });
    made.push(live);
    const sent = live.send('pause');
    clock.advance(1_500);
    await sent;
    expect(model.sent).toContainEqual({ type: 'command', command: 'pause', value: undefined });
  });

  it('throws the server’s refusal, and goes by the comm where the server has gone', async () => {
    const refuse = (error: Error): Server => ({
      request: async method => {
        if (method === 'POST') {
          throw error;
        }
        return { summary: summaryFixture() };
      },
      socketUrl: () => ''
    });
    const refused = open(refuse(new ServerError(409, 'The run has finished.', 'RunError')));
    await expect(refused.live.send('pause')).rejects.toThrow('The run has finished.');
    const gone = open(refuse(new TypeError('Failed to fetch')));
    await gone.live.send('pause');
    expect(gone.model.sent).toContainEqual({ type: 'command', command: 'pause', value: undefined });
  });

  it('says that a command did not arrive when the kernel has refused it', () => {
    const { model, live } = open(null);
    model.emit('msg:custom', headerFixture({ series }), [bufferFixture(series)]);
    model.emit('msg:custom', { type: 'error', message: 'Run has finished, so it cannot pause.' }, []);
    expect(live.view.element.textContent).toContain('Run has finished, so it cannot pause.');
    model.emit('msg:custom', { type: 'error', message: 'No.', said: { zh: '不行。' } }, []);
    expect(live.view.element.textContent).toContain('No.');
  });
});
