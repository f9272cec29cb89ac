import { afterEach, describe, expect, it } from 'vitest';

import { Locale } from '../src/i18n';
import { SaidError } from '../src/said-error';
import { pageServer, readAnswer, ServerError } from '../src/server';
import { messageOf } from '../src/view/controls';

afterEach(() => {
  document.body.removeAttribute('data-voila');
  document.body.removeAttribute('data-base-url');
  history.replaceState(null, '', '/');
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
