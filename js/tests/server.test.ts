import { afterEach, describe, expect, it } from 'vitest';

import { Locale } from '../src/i18n';
import { SaidError } from '../src/said-error';
import { fromHere, pageServer, readAnswer, ServerError } from '../src/server';
import { messageOf } from '../src/view/controls';

afterEach(() => {
  document.body.removeAttribute('data-voila');
  document.body.removeAttribute('data-base-url');
  history.replaceState(null, '', '/');
});

describe('fromHere', () => {
  const page = (href: string): URL => new URL(href);

  it('leads through the Jupyter server where the page came from another machine', () => {
    document.body.dataset.baseUrl = '/user/ada/voila/';
    const hub = page('https://hub.example.org/user/ada/lab');
    expect(fromHere('http://127.0.0.1:8700', hub)).toBe('https://hub.example.org/user/ada/proxy/8700');
    expect(fromHere('http://10.0.0.7:8700', hub)).toBe('http://10.0.0.7:8700');
    expect(fromHere('https://127.0.0.1:8700', hub)).toBe('https://127.0.0.1:8700');
  });

  it('is the address itself on this machine, and where the page names no server', () => {
    expect(fromHere('http://127.0.0.1:8700', page('https://hub.example.org/lab'))).toBe('http://127.0.0.1:8700');
    document.body.dataset.baseUrl = '/';
    for (const here of ['http://localhost:8888/lab', 'http://127.0.0.1:8888/lab', 'file:///page.html']) {
      expect(fromHere('http://127.0.0.1:8700', page(here))).toBe('http://127.0.0.1:8700');
    }
    expect(fromHere('', page('https://hub.example.org/lab'))).toBe('');
  });
});

describe('pageServer', () => {
  it('is nobody where the page names no server', () => {
    expect(pageServer()).toBeNull();
  });

  it('is nobody where Voilà serves a notebook on its own: it has no extension, and a question would be an error', () => {
    document.body.dataset.voila = 'voila';
    document.body.dataset.baseUrl = '/voila/';
    expect(pageServer()).toBeNull();
  });

  it('is the Jupyter server that has Voilà as an extension', () => {
    document.body.dataset.voila = 'voila';
    document.body.dataset.baseUrl = '/base/voila/';
    history.replaceState(null, '', '/base/voila/render/studio.ipynb');
    expect(pageServer()?.socketUrl('ws')).toMatch(/^ws:.*\/base\/lepton-lab\/api\/ws/);
  });
});

describe('an error', () => {
  it('is said in the reader’s language, whoever has found it', async () => {
    const zh = new Locale('zh');
    const answered = (body: string, status: number): Promise<unknown> =>
      readAnswer(new Response(body, { status })).catch((error: unknown) => messageOf(error, zh));
    expect(await answered('{"message": "没有名为 a 的运行。"}', 404)).toBe('没有名为 a 的运行。');
    expect(await answered('<html>Bad Gateway</html>', 502)).toBe('服务器返回了 502。');
    expect(messageOf(new TypeError('Failed to fetch'), zh)).toBe('无法连接到服务器。');
    const down = new SaidError('error.connection', 'Down.');
    expect([messageOf(down, zh), down.message]).toEqual(['与 Jupyter 服务器的连接已断开。', 'Down.']);
    expect(new ServerError(500, '', 'error').message).toBe('The server answered 500.');
  });
});
