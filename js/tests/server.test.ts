import { afterEach, describe, expect, it } from 'vitest';

import { pageServer } from '../src/server';

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
