import { CompareView } from '../../src/compare/compare-view';
import type { Locale } from '../../src/i18n';
import type { Cell, Comparison, ComparedRow, MachineSample, RunDetails, RunSample } from '../../src/kept';
import { DetailsView } from '../../src/view/details';
import type { Scene } from './harness';
import { history } from './runs';

const EPOCHS = Array.from({ length: 20 }, (_, index) => index + 1);

function runs(count: number): ComparedRow[] {
  return Array.from({ length: count }, (_, index) => ({
    run_id: `digits-cnn-${index + 1}`,
    title: index === 1 ? 'Wide network, slower rate' : null,
    tags: index % 2 ? 'baseline paper' : '',
    parent: index === 2 ? 'digits-cnn-1' : null,
    'data.name': 'digits',
    'model.name': 'cnn',
    'train.learning_rate': 0.01 / (index + 1),
    'train.optimizer': index === 0 ? 'sgd' : 'adamw',
    'train.batch_size': 64,
    state: index === 3 ? 'running' : 'finished',
    epoch: index === 3 ? 8.4 : 20,
    val_accuracy: 0.97 + index / 500,
    best_val_accuracy: 0.975 + index / 500,
    test_accuracy: index === 3 ? null : 0.968 + index / 500,
    val_loss: 0.11 - index / 100,
    elapsed_seconds: 3.5 + index * 20,
    samples_per_second: 9200 - index * 800
  }));
}

export function comparison(count = 4): Comparison {
  const rows = runs(count);
  const columns = Object.keys(rows[0] as ComparedRow).map(name => ({
    name,
    kind: name.includes('.')
      ? ('option' as const)
      : ['run_id', 'title', 'tags', 'parent'].includes(name)
        ? ('run' as const)
        : ('result' as const),
    differs: new Set(rows.map(row => row[name] as Cell)).size > 1
  }));
  const curve = (from: number, index: number, sign: number): { epoch: number[]; value: number[] } => ({
    epoch: EPOCHS,
    value: EPOCHS.map(epoch => from + sign * (1 - Math.exp(-epoch / (2 + index))) * 0.5)
  });
  const all = (from: number, sign: number): Record<string, { epoch: number[]; value: number[] }> =>
    Object.fromEntries(rows.map((row, index) => [row.run_id, curve(from, index, sign)]));
  return {
    columns,
    rows,
    curves: {
      val_accuracy: all(0.47, 1),
      train_accuracy: all(0.45, 1),
      val_loss: all(0.6, -1),
      train_loss: all(0.55, -1)
    },
    differing: columns.filter(column => column.kind === 'option' && column.differs).map(column => column.name),
    gone: []
  };
}

function compare(host: HTMLElement, locale: Locale, count: number): void {
  const nothing = (): void => undefined;
  const view = new CompareView(locale, { choose: nothing, openCurve: nothing });
  const found = comparison(Math.max(1, count));
  const chosen = count ? found.rows.map(row => row.run_id) : [];
  const others = ['speech-rnn-1', 'own-net-with-a-rather-long-name-12'];
  const box = document.createElement('div');
  box.style.cssText = 'background:var(--jp-layout-color1)';
  host.append(box);
  box.append(view.element);
  view.offer(
    [...chosen, ...others].map(run_id => ({ run_id, state: 'finished' as const, tags: [] })),
    chosen
  );
  view.show(found);
}

function details(host: HTMLElement, locale: Locale): void {
  const nothing = (): void => undefined;
  const view = new DetailsView(locale, {
    checkpoint: nothing,
    retry: nothing,
    trainLonger: nothing,
    fork: nothing,
    verify: nothing,
    compare: nothing,
    open: nothing,
    pinCheckpoint: nothing
  });
  const summary = {
    ...history({ state: 'running', epoch: 9 }).summary,
    title: 'Wide network, slower rate',
    tags: ['baseline', 'paper'],
    note: 'Learning rate found by hand.\nCompare with the narrow one.',
    priority: 5,
    user: 'ada',
    verified: true
  };
  const found: RunDetails = {
    summary,
    options: {},
    lineage: [
      {
        run_id: 'digits-cnn-1',
        step: 440,
        kind: 'forked',
        changed: { 'train.learning_rate': [null, 0.002], 'train.epochs': [20, 40] },
        exists: true
      },
      { run_id: 'digits-cnn-0', step: 120, kind: 'continued', changed: {}, exists: false }
    ],
    labels: { pinned_checkpoints: [440] },
    checkpoints: [220, 440, 1320],
    size: { bytes: 4_210_000, checkpoints_bytes: 3_900_000 },
    asks: ['checkpoint', 'fork', 'pause']
  };
  view.update(found);
  const samples: RunSample[] = EPOCHS.map(number => ({
    time: number,
    memory_bytes: 410e6 + number * 1e6,
    cpu_cores: 1 + Math.sin(number) / 6,
    samples_per_second: 9000 + 400 * Math.cos(number),
    waiting_fraction: 0.4
  }));
  view.showUse(samples, [{ code: 'waiting_for_data', values: { waiting_fraction: 0.4 }, text: '' }]);
  host.append(view.element);
}

/** Samples of a machine with a GPU. */
export const MACHINE: MachineSample[] = EPOCHS.map(number => ({
  time: number,
  cpu_fraction: 0.5 + Math.sin(number) / 4,
  num_cores: 8,
  memory_used_bytes: 9e9 + number * 1e8,
  memory_total_bytes: 32e9,
  disk_free_bytes: 210e9,
  disk_total_bytes: 500e9,
  gpus: [
    {
      index: 0,
      name: 'NVIDIA H100',
      use_fraction: 0.7 + Math.cos(number) / 5,
      memory_used_bytes: 21e9,
      memory_total_bytes: 80e9,
      temperature_celsius: 61,
      power_watts: 412
    }
  ]
}));

export const keptScenes: Record<string, Scene> = {
  compare: (host, locale) => compare(host, locale, 4),
  'compare-many': (host, locale) => compare(host, locale, 12),
  'compare-none': (host, locale) => compare(host, locale, 0),
  details
};
