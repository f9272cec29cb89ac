import type { Link } from '../../src/client';
import type { RunHistory } from '../../src/history';
import type { Locale } from '../../src/i18n';
import { RunView } from '../../src/view/run-view';
import { StaticRunView } from '../../src/view/static-view';
import type { Scene } from './harness';
import { history, samples } from './runs';

function view(host: HTMLElement, locale: Locale, run: RunHistory, link: Link = 'live'): RunView {
  const shown = new RunView({ locale, send: async () => undefined, reconnect: () => undefined });
  host.append(shown.element);
  shown.update(run, link);
  return shown;
}

const FAILED = {
  reason: 'nan_loss',
  message:
    'Training stopped at step 412 (epoch 5.4) because the training loss became nan. The checkpoint of step 400 is kept.',
  said: { zh: '训练在第 412 步（第 5.4 轮）停止，因为训练损失变成了 nan。第 400 步的检查点已保留。' },
  checkpoint_step: 400
};

export const runScenes: Record<string, Scene> = {
  running: (host, locale) => {
    const run = history({ state: 'running', epoch: 9 });
    run.samples = samples();
    view(host, locale, run);
  },
  finished: (host, locale) => void view(host, locale, history({ state: 'finished', epoch: 16 })),
  long: (host, locale) => void view(host, locale, history({ state: 'running', epoch: 16, points_per_epoch: 60_000 })),
  queued: (host, locale) =>
    void view(host, locale, history({ state: 'queued', epoch: 0, values: { queue_position: 1 } })),
  starting: (host, locale) => void view(host, locale, history({ state: 'starting', epoch: 0 })),
  failed: (host, locale) => void view(host, locale, history({ state: 'failed', epoch: 5.4, values: FAILED })),
  stopped: (host, locale) => void view(host, locale, history({ state: 'stopped', epoch: 6.2 })),
  gone: (host, locale) => void view(host, locale, history({ state: 'running', epoch: 7.3 }), 'lost'),
  early: (host, locale) => void view(host, locale, history({ state: 'running', epoch: 1.2, values: { epochs: 100 } })),
  static: (host, locale) => {
    const run = history({ state: 'finished', epoch: 16 });
    const drawn = view(host, locale, run);
    requestAnimationFrame(() => {
      const picture = drawn.picture();
      drawn.dispose();
      host.append(new StaticRunView(run.summary, picture, locale).element);
    });
  }
};
