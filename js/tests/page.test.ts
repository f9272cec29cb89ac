import { afterEach, describe, expect, it, vi } from 'vitest';

import { Kernel } from '../src/page/kernel';
import { PageModel } from '../src/page/model';
import { widgetsAlone } from '../src/page/outputs';
import { same } from '../src/page/same';
import { decodeKernelMessage, encodeKernelMessage, type KernelMessage } from '../src/page/wire';
import { FakeSockets } from './fake-socket';

afterEach(() => {
  document.body.replaceChildren();
});

function message(content: Record<string, unknown>, buffers: DataView[] = []): KernelMessage {
  const header = { msg_id: 'm', msg_type: 'comm_msg', username: '', session: 's', date: '', version: '5.3' };
  return { channel: 'iopub', header, parent_header: { msg_id: 'p' }, metadata: {}, content, buffers };
}

function output(data: Record<string, unknown>): HTMLScriptElement {
  const script = document.createElement('script');
  script.type = 'application/vnd.voila.cell-output+json';
  script.textContent = JSON.stringify({ output_type: 'display_data', data });
  return script;
}

const VIEW = 'application/vnd.jupyter.widget-view+json';

describe('messages of a kernel', () => {
  it('come back as they were, with buffers, in any alphabet', () => {
    const numbers = new Float64Array([1, 2.5, -3]);
    const sent = message({ comm_id: 'c', data: { 数据: ['é', null] } }, [new DataView(numbers.buffer)]);
    const back = decodeKernelMessage(encodeKernelMessage(sent));
    expect({ ...back, buffers: [] }).toEqual({ ...sent, buffers: [] });
    const [view] = back.buffers as [DataView];
    expect([0, 8, 16].map(at => view.getFloat64(at, true))).toEqual([1, 2.5, -3]);
  });

  it('that are cut off are refused', () => {
    const bytes = encodeKernelMessage(message({}));
    expect(() => decodeKernelMessage(bytes.slice(0, 90))).toThrow();
  });
});

describe('a connection', () => {
  it('keeps what is sent before it stands, in order, and asks for states', () => {
    const sockets = new FakeSockets();
    const opened: boolean[] = [];
    const listener = { message: () => undefined, connected: (open: boolean) => opened.push(open) };
    const kernel = new Kernel('http://x/base/', 'k 1', listener, sockets.create);
    expect(sockets.last.url).toMatch(/^ws:\/\/x\/base\/api\/kernels\/k%201\/channels\?session_id=[0-9a-f]{32}$/);
    kernel.sendComm('one', { n: 1 });
    const control = kernel.requestStates();
    expect(sockets.last.sent).toEqual([]);
    sockets.last.open();
    const sent = (sockets.last.sent as unknown as ArrayBuffer[]).map(decodeKernelMessage);
    expect(sent.map(each => [each.channel, each.header.msg_type, each.content.comm_id])).toEqual([
      ['shell', 'comm_msg', 'one'],
      ['shell', 'comm_open', control],
      ['shell', 'comm_msg', control]
    ]);
    expect(opened).toEqual([true]);
    kernel.close();
  });
});

describe("a widget's half in the page", () => {
  it('tells of what changed, and of nothing else', () => {
    const model = new PageModel({ a: 1, b: { c: [1] } }, () => 'id');
    const heard = vi.fn();
    model.on('change:a', heard);
    model.on('change:b', heard);
    model.receive({ method: 'update', state: { a: 1, b: { c: [1] } } }, []);
    expect(heard).not.toHaveBeenCalled();
    model.receive({ method: 'update', state: { a: 2, b: { c: [1] } } }, []);
    expect(heard).toHaveBeenCalledTimes(1);
    expect(model.get('a')).toBe(2);
    model.off('change:a');
    model.receive({ method: 'update', state: { a: 3 } }, []);
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it('holds to what was set here until the kernel has echoed it', () => {
    const sent: unknown[] = [];
    const model = new PageModel({ step: 'data' }, data => `m${sent.push(data)}`);
    model.set('step', 'model');
    model.save_changes();
    model.save_changes();
    expect(sent).toEqual([{ method: 'update', state: { step: 'model' }, buffer_paths: [] }]);
    model.receive({ method: 'update', state: { step: 'data' } }, [], 'other');
    expect(model.get('step')).toBe('model');
    model.receive({ method: 'echo_update', state: { step: 'model' } }, [], 'm1');
    model.receive({ method: 'update', state: { step: 'train' } }, [], 'other');
    expect(model.get('step')).toBe('train');
  });

  it('hands custom messages on with their buffers, both ways', () => {
    const send = vi.fn(() => 'id');
    const model = new PageModel({}, send);
    const heard = vi.fn();
    model.on('msg:custom', heard);
    const view = new DataView(new ArrayBuffer(2));
    model.receive({ method: 'custom', content: { type: 'frame' } }, [view]);
    expect(heard).toHaveBeenCalledWith({ type: 'frame' }, [view]);
    model.send({ type: 'hello' }, undefined, [new ArrayBuffer(3)]);
    const [data, buffers] = send.mock.calls[0] as unknown as [unknown, DataView[]];
    expect(data).toEqual({ method: 'custom', content: { type: 'hello' } });
    expect(buffers.map(each => each.byteLength)).toEqual([3]);
  });

  it('takes the whole state anew behind a lost connection', () => {
    const model = new PageModel({ step: 'data' }, () => 'id');
    model.set('step', 'model');
    model.save_changes();
    model.renew({ step: 'train' });
    expect(model.get('step')).toBe('train');
  });
});

describe('what a page holds', () => {
  it('is drawn here when it is widgets alone', () => {
    document.body.append(
      output({ [VIEW]: { model_id: 'one' }, 'text/plain': 'x' }),
      output({ [VIEW]: { model_id: 'two' } })
    );
    expect(widgetsAlone(document)?.map(each => each.model_id)).toEqual(['one', 'two']);
  });

  it.each([
    ['text', output({ 'text/plain': 'x' })],
    ["a run of JupyterLab's extension", output({ [VIEW]: { model_id: 'x' }, 'application/vnd.lepton.run+json': {} })],
    ['words', Object.assign(document.createElement('div'), { className: 'jp-MarkdownCell' })]
  ])('is left to Voilà with %s beside', (_, other) => {
    document.body.append(output({ [VIEW]: { model_id: 'one' } }), other);
    expect(widgetsAlone(document)).toBeNull();
  });

  it('is left to Voilà when there is no widget at all', () => {
    expect(widgetsAlone(document)).toBeNull();
  });
});

describe('values', () => {
  it.each([
    [1, 1, true],
    [NaN, NaN, true],
    [null, {}, false],
    [[], {}, false],
    [{ a: undefined }, {}, false],
    [{ a: [1, { b: 'c' }] }, { a: [1, { b: 'c' }] }, true],
    [{ a: [1, { b: 'c' }] }, { a: [1, { b: 'd' }] }, false]
  ])('%j and %j are the same: %s', (left, right, answer) => {
    expect(same(left, right)).toBe(answer);
  });
});
