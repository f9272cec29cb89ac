import type { Locale } from '../../src/i18n';
import type { BoardState } from '../../src/panel/board';
import { EndpointView } from '../../src/panel/endpoint-view';
import { PanelView } from '../../src/panel/panel';
import type { Scene } from './harness';
import { MACHINE } from './kept-scenes';
import { history } from './runs';

const CURVE = [0.71, 0.8, 0.84, 0.87, 0.89, 0.9, 0.905, 0.92, 0.925, 0.931];

function board(): BoardState {
  const running = history({ state: 'running', epoch: 9 }).summary;
  return {
    runs: [
      { ...running, step: 90, steps_total: 160, sparkline: CURVE, tags: ['paper', 'baseline'], pinned: true },
      { run_id: 'speech-digits-rnn-2', state: 'queued', queue_position: 1, priority: 5 },
      {
        run_id: 'sentiment-gru-4',
        title: 'Sentiment, second try',
        state: 'finished',
        test_accuracy: 0.781,
        sparkline: CURVE.slice(0, 6)
      },
      {
        run_id: 'own-net-1',
        state: 'failed',
        reason: 'nan_loss',
        message: 'Training stopped at step 412 (epoch 5.4) because the training loss became nan.',
        said: { zh: '训练在第 412 步（第 5.4 轮）停止，因为训练损失变成了 nan。' }
      },
      {
        run_id: 'digits-cnn-with-quite-a-long-name-12',
        state: 'paused',
        epoch: 3.2,
        epochs: 20,
        sparkline: CURVE.slice(0, 3)
      },
      { run_id: 'digits-cnn-3', state: 'stopped', epoch: 7, epochs: 20, sparkline: CURVE.slice(2, 8) }
    ],
    endpoints: [
      { name: 'digits', url: 'http://127.0.0.1:41873', state: 'ready', version: 3, requests: 1214, p95_ms: 2.8 },
      { name: 'fashion', url: 'http://127.0.0.1:38211', state: 'stopped', version: 1 }
    ],
    devices: { 'cuda:0': 'fashion-mnist-cnn-7', 'cpu:0': null }
  };
}

function panel(host: HTMLElement, locale: Locale, state: BoardState, online = true): void {
  const nothing = (): void => undefined;
  const view = new PanelView(locale, {
    openCurve: nothing,
    openEndpoint: nothing,
    stopRun: nothing,
    resumeRun: nothing,
    stopEndpoint: nothing,
    copyUrl: nothing,
    newRun: nothing,
    retry: nothing,
    more: nothing,
    compare: nothing
  });
  const side = document.createElement('div');
  side.style.cssText = 'width:292px;background:var(--jp-layout-color1)';
  side.append(view.element);
  host.append(side);
  view.update(state, online);
  if (online && state.runs.length > 0) {
    view.showMachine(MACHINE);
  }
}

const NOON = Date.UTC(2026, 2, 9, 12) / 1000;
const DAY = 86_400;

function endpoint(host: HTMLElement, locale: Locale): void {
  const nothing = (): void => undefined;
  const actions = { copyUrl: nothing, stop: nothing, start: nothing };
  const view = new EndpointView(locale, { ...actions, switchTo: nothing, revoke: nothing, openRun: nothing });
  const box = document.createElement('div');
  box.style.cssText = 'background:var(--jp-layout-color1)';
  box.append(view.element);
  host.append(box);
  const usage = { requests: 1180, rows: 2360, compute_seconds: 4.25 };
  view.update({
    summary: { name: 'digits', url: 'http://127.0.0.1:41873', state: 'ready', version: 3, requests: 1214, p95_ms: 2.8 },
    desired: 'running',
    active_version: 3,
    canary_version: 4,
    canary_share: 0.1,
    shadow_version: 0,
    versions: [
      { version: 4, run_id: 'digits-cnn-7', created: NOON, variant: 'prune+share' },
      { version: 3, run_id: 'digits-cnn-5', created: NOON - DAY },
      { version: 2, run_id: 'digits-cnn-with-quite-a-long-name-12', created: NOON - 9 * DAY }
    ],
    keys: [
      { id: 'k1', prefix: 'lp_3f9a', created: NOON - 9 * DAY, requests_per_minute: 600, valid: true, usage },
      {
        id: 'k2',
        prefix: 'lp_c01d',
        created: NOON - DAY,
        revoked: NOON,
        valid: false,
        usage: { requests: 34, rows: 34, compute_seconds: 0.06 }
      }
    ],
    history: [
      { time: NOON, what: 'trial', version: 4, detail: '10% of the requests' },
      { time: NOON, what: 'key', version: 3, detail: 'lp_c01d revoked' },
      { time: NOON - DAY, what: 'deploy', version: 3, detail: '' }
    ],
    drift: { rows: 1214, inputs: 0.31, warning: null },
    processes: 2,
    tls: false,
    log: 'endpoint digits version 3 answers on http://127.0.0.1:41873\n'
  });
}

export const panelScenes: Record<string, Scene> = {
  endpoint,
  panel: (host, locale) => panel(host, locale, board()),
  'panel-empty': (host, locale) => panel(host, locale, { runs: [], endpoints: [], devices: { 'cpu:0': null } }),
  'panel-offline': (host, locale) => panel(host, locale, { runs: [], endpoints: [], devices: {} }, false)
};
