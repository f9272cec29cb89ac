import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { afterEach, describe, expect, it } from 'vitest';

import { Locale } from '../src/i18n';
import { MIME_TYPE, rendererFactory, type RendererServices, RunRenderer, WIDGET_MIME_TYPE } from '../src/lab/renderer';
import { FakeServer } from './fake-server';
import { FakeSockets } from './fake-socket';
import { messageFixture, summaryFixture } from './frames';

type Data = Record<string, unknown>;

class FakeMimeModel {
  readonly trusted = false;
  readonly metadata = {};
  changes = 0;
  data: Data;

  constructor(data: Data) {
    this.data = data;
  }

  setData({ data }: { data?: Data }): void {
    this.changes += 1;
    this.data = data ?? this.data;
  }
}

const model = (data: Data): FakeMimeModel & IRenderMime.IMimeModel => new FakeMimeModel(data) as never;
const output = { run_id: 'digits-cnn-1', store_id: 's', summary: summaryFixture({ state: 'running' }) };
const known = { 'runs/digits-cnn-1': { summary: output.summary } };

const made: RunRenderer[] = [];
afterEach(() => made.splice(0).forEach(renderer => renderer.dispose()));

function renderer(services: Partial<RendererServices>): RunRenderer {
  const all = { server: new FakeServer(), locale: new Locale('en'), fallback: () => null, ...services };
  const created = new RunRenderer(all);
  made.push(created);
  document.body.append(created.node);
  return created;
}

describe('rendererFactory', () => {
  it('is safe for notebooks that are not trusted', () => {
    const factory = rendererFactory({ server: new FakeServer(), locale: new Locale('en'), fallback: () => null });
    expect([factory.safe, factory.mimeTypes]).toEqual([true, [MIME_TYPE]]);
  });
});

describe('RunRenderer', () => {
  const ended = summaryFixture({ state: 'finished', last_seq: 9, val_accuracy: 0.9, best_val_accuracy: 0.9 });
  const frame = messageFixture({ series: [{ name: 'val_accuracy', start: 0, x: [1], y: [0.9] }], summary: ended });

  async function live(mime = model({ [MIME_TYPE]: output, 'text/html': '<b>kept</b>' })) {
    const sockets = new FakeSockets();
    const shown = renderer({ server: new FakeServer(known), createSocket: sockets.create });
    await shown.renderModel(mime);
    sockets.last.open();
    return { sockets, mime, shown };
  }

  it('follows a run that the server has', async () => {
    const { sockets, shown } = await live();
    expect(sockets.last.url).toContain('runs/digits-cnn-1/ws?since=0');
    expect(shown.node.querySelector('.lp-run')).not.toBeNull();
  });

  it('shows the end of a run where an output cannot be written to, as on a Voilà page', async () => {
    const { sockets, shown } = await live({ data: { [MIME_TYPE]: output }, metadata: {}, trusted: true } as never);
    sockets.last.receive(frame);
    await new Promise(resolve => requestAnimationFrame(resolve));
    expect(shown.node.querySelector('.lp-chip')?.textContent).toBe('finished');
  });

  it('stores the last picture when the run has ended, once, and keeps what else the output holds', async () => {
    const { sockets, mime } = await live();
    sockets.last.receive(frame);
    sockets.last.receive(frame);
    expect(mime.changes).toBe(1);
    expect(mime.data['image/svg+xml']).toContain('<svg');
    expect(mime.data['text/plain']).toContain('digits-cnn-1: finished');
    expect(mime.data['text/html']).toBe('<b>kept</b>');
    expect((mime.data[MIME_TYPE] as { summary: unknown }).summary).toEqual(ended);
  });

  it('does not touch an output that has its last picture', async () => {
    const sockets = new FakeSockets();
    const mime = model({ [MIME_TYPE]: { ...output, summary: ended } });
    await renderer({ server: new FakeServer(known), createSocket: sockets.create }).renderModel(mime);
    sockets.last.open();
    sockets.last.receive(frame);
    expect(mime.changes).toBe(0);
  });

  it('opens one connection though the output is rendered again', async () => {
    const { sockets, mime, shown } = await live();
    await shown.renderModel(mime);
    expect(sockets.all).toHaveLength(1);
  });

  it('shows the saved picture where the server does not know the run', async () => {
    const mime = model({ [MIME_TYPE]: output, 'image/svg+xml': '<svg xmlns="http://www.w3.org/2000/svg"/>' });
    const shown = renderer({});
    await shown.renderModel(mime);
    expect(shown.node.querySelector('img')?.src).toMatch(/^data:image\/svg/);
    expect(shown.node.textContent).toContain('Saved picture');
  });

  it('does not take a run of the same name in another store for its own', async () => {
    const other = { 'runs/digits-cnn-1': { summary: summaryFixture({ created: 1 }) } };
    const shown = renderer({ server: new FakeServer(other) });
    await shown.renderModel(model({ [MIME_TYPE]: output }));
    expect(shown.node.textContent).toContain('Saved picture');
  });

  it('gives the place to the widget where a kernel has a store of its own', async () => {
    const node = document.createElement('div');
    const rendered: unknown[] = [];
    const widget = {
      node,
      renderModel: async (given: unknown) => void rendered.push(given)
    } as unknown as IRenderMime.IRenderer;
    const mime = model({ [MIME_TYPE]: output, [WIDGET_MIME_TYPE]: { model_id: 'x' } });
    const shown = renderer({ fallback: () => widget });
    await shown.renderModel(mime);
    expect([rendered, shown.node.contains(node)]).toEqual([[mime], true]);
  });
});
