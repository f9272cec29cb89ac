import { describe, expect, it } from 'vitest';

import { Locale } from '../src/i18n';
import { type BoardState, EMPTY_BOARD } from '../src/panel/board';
import type { EndpointChange } from '../src/panel/endpoint-details';
import { EndpointView } from '../src/panel/endpoint-view';
import { grouped, isGroup, type Item } from '../src/panel/groups';
import { PanelView } from '../src/panel/panel';
import type { PanelActions } from '../src/panel/rows';
import { deviceText, endpointText, progressOf, runText } from '../src/panel/texts';
import type { RunSummary } from '../src/protocol';
import { summaryFixture } from './frames';
import { PAYLOADS, smuggled } from './payloads';

const en = new Locale('en');
const zh = new Locale('zh');

function open() {
  const done: unknown[] = [];
  const note = (name: string) => (value?: string) => {
    done.push([name, value]);
  };
  const names = [
    'openCurve',
    'openEndpoint',
    'stopRun',
    'resumeRun',
    'stopEndpoint',
    'copyUrl',
    'newRun',
    'retry',
    'more',
    'compare'
  ];
  const actions = Object.fromEntries(names.map(name => [name, note(name)])) as unknown as PanelActions;
  const view = new PanelView(en, actions);
  const press = (label: string): void => {
    view.element.querySelector<HTMLButtonElement>(`button[aria-label="${label}"]:not([hidden])`)?.click();
  };
  const names_shown = (): string[] =>
    [...view.element.querySelectorAll('.lp-row b')].map(each => each.textContent ?? '');
  return { view, done, press, names_shown };
}

const run = (run_id: string, values: Partial<RunSummary> = {}): RunSummary => summaryFixture({ run_id, ...values });
const board = (runs: RunSummary[], rest: Partial<BoardState> = {}): BoardState => ({
  runs,
  endpoints: [],
  devices: {},
  ...rest
});

describe('runText', () => {
  it('says what matters in each state', () => {
    const say = (values: Partial<RunSummary>) => runText(run('a', values), en);
    expect(say({ state: 'running', epoch: 8.2, epochs: 16, seconds_left: 41 })).toBe('epoch 9 of 16 · 41 s left');
    expect(say({ state: 'queued', queue_position: 1 })).toBe('queued, next');
    expect(say({ state: 'queued', queue_position: 3 })).toBe('queued, 2 before it');
    expect(say({ state: 'finished', best_val_accuracy: 0.9, test_accuracy: 0.78 })).toBe('finished · 0.7800');
    expect(say({ state: 'failed', message: 'the loss became NaN' })).toBe('failed: the loss became NaN');
    expect(say({ state: 'starting' })).toBe('starting');
    const failed = run('a', { state: 'failed', reason: 'nan_loss', message: 'It became NaN.' });
    expect(runText(failed, zh)).toBe('失败：损失不再是有限的数。 It became NaN.');
    expect(runText({ ...failed, said: { zh: '它变成了 NaN。' } }, zh)).toBe('失败：它变成了 NaN。');
    expect(runText({ ...failed, said: { zh: '它变成了 NaN。' } }, en)).toBe('failed: It became NaN.');
  });

  it('knows how far a run is', () => {
    expect(progressOf(run('a', { step: 25, steps_total: 100 }))).toBe(0.25);
    expect(progressOf(run('a', { epoch: 5, epochs: 20 }))).toBe(0.25);
    expect(progressOf(run('a', { epoch: 0 }))).toBe(0);
  });
});

describe('EndpointView', () => {
  it('says what was done in the reader’s language', () => {
    const noop = (): void => undefined;
    const view = new EndpointView(zh, {
      copyUrl: noop,
      stop: noop,
      start: noop,
      switchTo: noop,
      revoke: noop,
      openRun: noop
    });
    const change = (what: string, detail = ''): EndpointChange => ({ time: 1.7e9, what, version: 2, detail });
    view.update({
      summary: { name: 'd', url: '', state: 'failed', version: 2, message: 'No port.', said: { zh: '没有端口。' } },
      desired: 'running',
      active_version: 2,
      canary_version: 0,
      canary_share: 0,
      shadow_version: 0,
      versions: [],
      keys: [],
      history: [
        change('key', 'k1 revoked'),
        change('trial', '10% of the requests'),
        change('trial', 'shadow'),
        change('deploy')
      ],
      processes: 1,
      tls: false,
      log: ''
    });
    const text = view.element.textContent;
    for (const said of ['没有端口。', '密钥：已撤销 k1', '试用：10% 的请求', '试用：影子', '已部署', '2023年11月']) {
      expect(text).toContain(said);
    }
    expect(text).not.toMatch(/No port|revoked|requests|shadow/);
    view.dispose();
  });
});

describe('endpointText and deviceText', () => {
  it('say version, requests and health', () => {
    const endpoint = { name: 'd', url: '', state: 'ready', version: 3, requests: 1214, p95_ms: 2.84 };
    expect(endpointText(endpoint, en)).toBe('v3 · 1,214 requests · p95 2.8\u00a0ms');
    expect(endpointText({ ...endpoint, state: 'failed', message: 'the port is taken' }, en)).toBe(
      'failed: the port is taken'
    );
    const said = { zh: '端口已被占用' };
    expect(endpointText({ ...endpoint, state: 'failed', message: 'the port is taken', said }, zh)).toBe(
      '失败：端口已被占用'
    );
    expect(['cpu:0', 'cuda:1', 'cpu:2'].map(deviceText)).toEqual(['CPU', 'GPU 1', 'CPU 2']);
  });
});

describe('groups', () => {
  const run = (run_id: string, tags: string[], dataset: string) => summaryFixture({ run_id, tags, dataset });
  const runs = [run('a', ['paper'], 'digits'), run('b', [], 'iris'), run('c', ['paper', 'x'], 'iris')];
  const names = (items: Item[]) => items.map(item => (isGroup(item) ? `${item.group}:${item.count}` : item.run_id));

  it('stand in the order of their first runs, and closed ones hold theirs back', () => {
    expect(names(grouped(runs, 'none', new Set()))).toEqual(['a', 'b', 'c']);
    expect(names(grouped(runs, 'project', new Set()))).toEqual(['paper:2', 'a', 'c', ':1', 'b']);
    expect(names(grouped(runs, 'data', new Set(['iris'])))).toEqual(['digits:1', 'a', 'iris:2']);
  });
});

describe('PanelView', () => {
  it('offers the first step where there is no run yet', () => {
    const { view, done } = open();
    view.update(board([]), true);
    [...view.element.querySelectorAll('button')].find(each => each.textContent === 'Try digits')?.click();
    expect(done).toEqual([['newRun', undefined]]);
  });

  it('does not say that there is nothing before the server has answered', () => {
    const { view } = open();
    const seen = () => [...view.element.querySelectorAll('.lp-none:not([hidden])')].map(each => each.textContent ?? '');
    view.update(EMPTY_BOARD, true);
    expect(seen()).toEqual([]);
    view.update(board([]), true);
    expect(seen().join()).toContain('No runs yet.');
  });

  it('keeps a row’s element while runs come, move and go', () => {
    const { view, names_shown } = open();
    view.update(board([run('b'), run('a')]), true);
    const row = view.element.querySelector('.lp-row');
    view.update(board([run('c'), run('b', { state: 'finished' })]), true);
    expect(names_shown()).toEqual(['c', 'b']);
    expect(view.element.querySelectorAll('.lp-row')[1]).toBe(row);
    expect(row?.getAttribute('data-state')).toBe('finished');
  });

  it('has a bounded part of many runs in the page, and reaches them all', () => {
    const { view, names_shown } = open();
    const runs = Array.from({ length: 400 }, (_, number) => run(`run-${number}`));
    view.update(board(runs), true);
    expect(names_shown()).toEqual(runs.slice(0, 50).map(each => each.run_id));
    const press = (words: string): void =>
      [...view.element.querySelectorAll<HTMLButtonElement>('.lp-more:not([hidden])')]
        .find(each => each.textContent?.includes(words))
        ?.click();
    for (let pages = 1; pages < 8; pages++) {
      press('more of');
      expect(names_shown().length).toBeLessThanOrEqual(200);
    }
    expect(names_shown()).toEqual(runs.slice(200).map(each => each.run_id));
    press('newer of 200');
    expect(names_shown()[0]).toBe('run-150');
  }, 60_000); // a simulated page is slow where the machine is busy

  it('offers what a run’s state allows', () => {
    const { view, done, press } = open();
    view.update(board([run('a')]), true);
    press('Resume run');
    press('Stop run');
    press('Open curve');
    view.update(board([run('a', { state: 'stopped' })]), true);
    press('Stop run');
    press('Resume run');
    expect(done).toEqual([
      ['stopRun', 'a'],
      ['openCurve', 'a'],
      ['resumeRun', 'a']
    ]);
  });

  it('stops endpoints and copies the address that answers', () => {
    const { view, done, press } = open();
    const endpoints = [{ name: 'digits', url: 'http://127.0.0.1:8700', state: 'ready', version: 1 }];
    view.update(board([], { endpoints }), true);
    press('Copy URL');
    press('Stop endpoint');
    expect(done).toEqual([
      ['copyUrl', 'http://127.0.0.1:8700/predict'],
      ['stopEndpoint', 'digits']
    ]);
  });

  it('says which run holds a device', () => {
    const { view } = open();
    view.update(board([], { devices: { 'cpu:0': 'a', 'cuda:0': null } }), true);
    expect(view.element.querySelector('.lp-devices')?.textContent).toBe('CPUaGPU 0free');
  });

  it.each(PAYLOADS)('shows %s as text wherever it comes from', payload => {
    const { view } = open();
    const endpoints = [{ name: payload, url: payload, state: 'failed', version: 1, message: payload }];
    view.update(
      board([run(payload, { name: payload, state: 'failed', message: payload })], {
        endpoints,
        devices: { [payload]: payload }
      }),
      true
    );
    expect(smuggled(view.element)).toEqual([]);
    expect(view.element.textContent).toContain(payload);
  });
});
