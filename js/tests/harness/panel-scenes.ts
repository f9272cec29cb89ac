import type { Locale } from '../../src/i18n';
import type { BoardState } from '../../src/panel/board';
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

export const panelScenes: Record<string, Scene> = {
  panel: (host, locale) => panel(host, locale, board()),
  'panel-empty': (host, locale) => panel(host, locale, { runs: [], endpoints: [], devices: { 'cpu:0': null } }),
  'panel-offline': (host, locale) => panel(host, locale, { runs: [], endpoints: [], devices: {} }, false)
};
