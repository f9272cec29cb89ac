import type { Locale } from '../../src/i18n';
import type { RunHistory } from '../../src/history';
import type { FrameHeader } from '../../src/protocol';
import { StudioContext } from '../../src/studio/context';
import { StudioView } from '../../src/studio/studio';
import type { DataCard, ModelSummary, Report, StudioTraits } from '../../src/studio/traits';
import { FakeModel } from '../fake-model';
import { studioTraits } from '../studio-traits';
import type { Scene } from './harness';
import { history, picture, samples } from './runs';

const NAMES = ['T-shirt', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt', 'Sneaker', 'Bag', 'Ankle boot'];

function card(): DataCard {
  return {
    name: 'fashion-mnist',
    title: 'Fashion-MNIST',
    modality: 'image',
    rows: { train: 54_000, validation: 6_000, test: 10_000 },
    input_shape: [1, 28, 28],
    classes: NAMES.map((name, index) => ({ name, rows: 7000 - index * 230, fraction: 0.1 })),
    columns: [],
    samples: NAMES.concat(NAMES.slice(0, 2)).map((label, row) => ({ row, label, image: picture(row) })),
    missing_values: 0,
    warnings: [{ kind: 'duplicates', severity: 'note', message: '43 rows occur twice; they stay in one part each.' }],
    licence: 'MIT'
  };
}

function tableCard(): DataCard {
  const values = { age: 39, education: 'Bachelors', hours_per_week: 40, capital_gain: 2174.5, country: null };
  return {
    ...card(),
    name: 'income.csv',
    title: 'income.csv',
    modality: 'table',
    input_shape: [14],
    classes: [
      { name: '<=50K', rows: 24_720, fraction: 0.76 },
      { name: '>50K', rows: 7_841, fraction: 0.24 }
    ],
    samples: [0, 1, 2, 3].map(row => ({ row, label: row === 2 ? '>50K' : '<=50K', values })),
    columns: Object.keys(values).map((name, index) => ({
      name,
      kind: index % 2 ? 'category' : 'number',
      missing: index
    })),
    warnings: [{ kind: 'balance', severity: 'warning', message: 'The smallest class has 24 % of the rows.' }],
    licence: null
  };
}

const MODEL: ModelSummary = {
  name: 'cnn',
  own: false,
  options: { channels: 32, stages: 2, dropout: 0.1 },
  dataset: 'fashion-mnist',
  input_shape: [1, 28, 28],
  num_classes: 10,
  num_parameters: 114_250
};

function report(): Report {
  const confusion = NAMES.map((_, row) =>
    NAMES.map((__, column) =>
      row === column ? 930 - row * 12 : (row * 7 + column * 5) % 11 === 0 ? 3 + ((row * column) % 40) : 0
    )
  );
  return {
    run_id: 'fashion-mnist-cnn-7',
    rows: 10_000,
    accuracy: 0.9288,
    loss: 0.2071,
    precision_macro: 0.929,
    recall_macro: 0.9288,
    f1_macro: 0.9286,
    f1_weighted: 0.9287,
    classes: NAMES.map((name, index) => ({
      name,
      precision: 0.95 - index * 0.011,
      recall: 0.94 - index * 0.009,
      f1: 0.944 - index * 0.01,
      support: 1000
    })),
    confusion,
    mistakes: Array.from({ length: 16 }, (_, row) => ({
      row: row * 61,
      truth: NAMES[row % 10] as string,
      prediction: NAMES[(row * 3 + 1) % 10] as string,
      confidence: 0.99 - row * 0.01,
      image: picture(row)
    }))
  };
}

const ENDPOINT = {
  name: 'fashion',
  url: 'http://127.0.0.1:41873',
  state: 'ready',
  version: 3,
  run_id: 'fashion-mnist-cnn-7',
  requests: 1214,
  rows: 2360,
  p95_ms: 2.8,
  clients: { curl: 'curl -s http://127.0.0.1:41873/predict -H "X-API-Key: $LEPTON_KEY" --data-binary @digit.png' },
  key_shown_once: 'lpt_4bV0cDq8Zf3mJt7wYk1xNs9hRg2uLe6aPo5iQd8v9f2c'
};

const PREDICTION = {
  label: 'Sneaker',
  confidence: 0.96,
  scores: { Sneaker: 0.96, 'Ankle boot': 0.03, Sandal: 0.01, Bag: 0.0003, Coat: 0.0001 },
  milliseconds: 2.8,
  row: 0,
  truth: 'Sneaker',
  correct: true,
  picture: picture(4)
};

function sendHistory(model: FakeModel<StudioTraits>, run: RunHistory): void {
  const series = [...run.series].map(([name, points]) => ({ name, start: 0, count: points.length }));
  const header: FrameHeader = {
    type: 'frame',
    run_id: run.summary.run_id,
    seq: run.summary.last_seq ?? 0,
    summary: run.summary,
    marks: run.marks,
    series,
    samples: samples()
  };
  const numbers = [...run.series.values()].flatMap(points => [...points.x, ...points.y]);
  model.emit('msg:custom', header, [new DataView(Float64Array.from(numbers).buffer)]);
}

function studio(host: HTMLElement, locale: Locale, values: Partial<StudioTraits>, run: RunHistory | null = null): void {
  const model = new FakeModel(studioTraits(values));
  document.documentElement.dataset.leptonLab = 'harness';
  host.append(new StudioView(new StudioContext(model, locale)).element);
  if (run) {
    sendHistory(model, run);
  }
}

const loaded: Partial<StudioTraits> = {
  card: card(),
  model_summary: MODEL,
  values: {
    data: { name: 'fashion-mnist' },
    model: { name: 'cnn', options: {} },
    train: { epochs: 16, learning_rate: 0.024 },
    tune: {},
    deploy: { name: 'fashion' }
  }
};
const run_id = 'fashion-mnist-cnn-7';

export const studioScenes: Record<string, Scene> = {
  'studio-new': (host, locale) => studio(host, locale, { busy: 'Loading the data' }),
  'studio-data': (host, locale) => studio(host, locale, loaded),
  'studio-table': (host, locale) =>
    studio(host, locale, {
      card: tableCard(),
      values: { ...studioTraits().values, data: { name: 'data/income.csv' } }
    }),
  'studio-model': (host, locale) => studio(host, locale, { ...loaded, step: 'model' }),
  'studio-train-none': (host, locale) => studio(host, locale, { ...loaded, step: 'train' }),
  'studio-train': (host, locale) =>
    studio(host, locale, { ...loaded, step: 'train', run_id }, history({ state: 'running', epoch: 9 })),
  'studio-evaluate': (host, locale) =>
    studio(
      host,
      locale,
      { ...loaded, step: 'evaluate', run_id, report: report() },
      history({ state: 'finished', epoch: 16 })
    ),
  'studio-deploy': (host, locale) =>
    studio(
      host,
      locale,
      { ...loaded, step: 'deploy', run_id, report: report(), endpoint: ENDPOINT, prediction: PREDICTION },
      history({ state: 'finished', epoch: 16 })
    ),
  'studio-error': (host, locale) =>
    studio(host, locale, {
      ...loaded,
      step: 'train',
      error: { step: 'train', message: 'train: learning_rate is -1; expected a number greater than 0.' }
    })
};
