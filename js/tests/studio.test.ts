import { afterEach, describe, expect, it } from 'vitest';

import { Locale } from '../src/i18n';
import { INSERT_EVENT } from '../src/studio/code-line';
import { StudioContext } from '../src/studio/context';
import { fieldsOf, problemOf } from '../src/studio/schema';
import { StudioView } from '../src/studio/studio';
import type { DataCard, Report, StudioTraits } from '../src/studio/traits';
import { FakeModel } from './fake-model';
import { summaryFixture } from './frames';
import { PAYLOADS, smuggled } from './payloads';
import { studioTraits } from './studio-traits';

const PNG = 'data:image/png;base64,iVBORw0KGgo=';
const opened: StudioView[] = [];
afterEach(() => opened.splice(0).forEach(view => view.dispose()));

const frame = () => new Promise(resolve => requestAnimationFrame(resolve));

function open(values: Partial<StudioTraits> = {}, language: 'en' | 'zh' = 'en') {
  const model = new FakeModel(studioTraits(values));
  const view = new StudioView(new StudioContext(model, new Locale(language)));
  opened.push(view);
  document.body.append(view.element);
  const input = (label: string): HTMLInputElement => {
    const labels = [...view.element.querySelectorAll('label')];
    const found = labels.find(each => each.textContent === label) as HTMLLabelElement;
    return document.getElementById(found.htmlFor) as HTMLInputElement;
  };
  const type = (label: string, text: string): void => {
    input(label).value = text;
    input(label).dispatchEvent(new Event('change'));
  };
  const press = (name: string): void => {
    [...view.element.querySelectorAll('button')].find(each => each.textContent === name)?.click();
  };
  return { model, view, input, type, press, text: () => view.element.textContent ?? '' };
}

function card(values: Partial<DataCard> = {}): DataCard {
  return {
    name: 'digits',
    title: 'Digits',
    modality: 'image',
    rows: { train: 1294, validation: 144, test: 359 },
    input_shape: [1, 8, 8],
    classes: [{ name: '0', rows: 178, fraction: 0.1 }],
    columns: [],
    samples: [{ row: 0, label: '0', image: PNG }],
    missing_values: 0,
    warnings: [],
    ...values
  };
}

function report(values: Partial<Report> = {}): Report {
  return {
    run_id: 'digits-cnn-1',
    rows: 10,
    accuracy: 0.8,
    loss: 0.4,
    precision_macro: 0.8,
    recall_macro: 0.8,
    f1_macro: 0.8,
    classes: ['cat', 'dog'].map(name => ({ name, precision: 0.8, recall: 0.8, f1: 0.8, support: 5 })),
    confusion: [
      [4, 1],
      [1, 4]
    ],
    mistakes: [
      { row: 3, truth: 'cat', prediction: 'dog', confidence: 0.9, image: PNG },
      { row: 7, truth: 'dog', prediction: 'cat', confidence: 0.8, image: PNG }
    ],
    ...values
  };
}

describe('fieldsOf', () => {
  const fields = Object.fromEntries(fieldsOf(studioTraits().schemas.train).map(field => [field.name, field]));

  it('reads kinds, bounds, groups and what may stay empty', () => {
    expect(fields.epochs).toMatchObject({
      kind: 'integer',
      default: null,
      low: 1,
      high: 100_000,
      advanced: false,
      optional: true
    });
    expect(fields.batch_size).toMatchObject({ kind: 'integer', optional: true, default: null });
    expect(fields.learning_rate).toMatchObject({ kind: 'number', low: 0, open_low: true });
    expect(fields.optimizer).toMatchObject({ kind: 'choice', choices: ['adamw', 'adam', 'sgd', 'muon'] });
    expect(fields.checkpoint_every_seconds).toMatchObject({ unit: 's', advanced: true });
  });

  it('leaves about five options in sight', () => {
    const simple = Object.values(fields).filter(field => !field.advanced);
    expect(simple.map(field => field.name)).toEqual(['epochs', 'batch_size', 'learning_rate', 'optimizer', 'schedule']);
  });

  it('finds what is wrong with a number', () => {
    const check = (name: string, text: string) => problemOf(fields[name] as NonNullable<typeof fields.epochs>, text);
    expect([check('epochs', '0'), check('epochs', '1.5'), check('epochs', 'x'), check('epochs', '7')]).toEqual([
      'too_low',
      'not_whole',
      'not_number',
      null
    ]);
    expect([check('learning_rate', '0'), check('learning_rate', '1e-3'), check('learning_rate', '101')]).toEqual([
      'too_low',
      null,
      'too_high'
    ]);
  });
});

describe('StudioView', () => {
  it('sends what differs from the defaults when a field changes, and nothing that is wrong', () => {
    const { model, type, text } = open({ step: 'train' });
    type('Epochs', '40');
    type('Learning rate', '-1');
    expect(model.sent).toEqual([{ type: 'set', section: 'train', values: { epochs: 40 } }]);
    expect(text()).toContain('Give more: the lowest is 0.');
  });

  it('shows the kernel’s values, but not over what a person is writing', async () => {
    const { model, input } = open({ step: 'train' });
    input('Epochs').focus();
    input('Epochs').value = '12';
    model.set('values', { ...model.get('values'), train: { epochs: 99, batch_size: 64 } });
    await frame();
    expect([input('Epochs').value, input('Batch size').value]).toEqual(['12', '64']);
  });

  it('asks for the steps by message', () => {
    const { model, press } = open();
    press('Load data');
    press('Train');
    expect(model.get('step')).toBe('train');
    expect(model.sent).toEqual([{ type: 'load_data' }]);
  });

  it('offers to cancel while data is loaded, and says how far it is', async () => {
    const { model, view, press } = open({ card: card() }, 'zh');
    const cancel = [...view.element.querySelectorAll('button')].find(each => each.textContent === '取消加载');
    expect(cancel?.hidden).toBe(true);
    model.set('busy', 'Decoding pictures: 12%');
    model.set('loading', true);
    await frame();
    expect(cancel?.hidden).toBe(false);
    expect(view.element.querySelector('.lp-busy')?.textContent).toBe('Decoding pictures: 12%');
    press('取消加载');
    expect(model.sent.at(-1)).toEqual({ type: 'cancel_loading' });
  });

  it('shows sentences, sounds that play, targets and roles, all as text', () => {
    for (const payload of PAYLOADS) {
      const column = { name: payload, kind: 'number', role: 'target', missing: 2, reason: payload };
      const target = { name: payload, least: 0, mean: 1, greatest: 2, histogram: [1, 2, 3] };
      const shown = { task: 'regression', task_reason: payload, classes: [], targets: [target], columns: [column] };
      const samples = [{ row: 0, label: payload, text: payload + 'long '.repeat(100) }];
      const { view } = open({ card: card({ ...shown, samples }) });
      expect(view.element.querySelectorAll('.lp-texts li')).toHaveLength(1);
      expect(view.element.textContent).toContain('What is to be foretold');
      expect(smuggled(view.element)).toEqual([]);
    }
    const sound = { row: 0, label: 'a', image: PNG, audio: 'data:audio/wav;base64,UklGRg==' };
    const { view } = open({ card: card({ samples: [sound] }) });
    expect(view.element.querySelector('.lp-wide audio')?.getAttribute('src')).toBe(sound.audio);
  });

  it('picks a dataset, and offers a path of one’s own only where paths are allowed', () => {
    const { model, view } = open();
    const radios = [...view.element.querySelectorAll<HTMLInputElement>('[type=radio]')];
    expect(radios.map(radio => radio.value)).toEqual(['digits', 'fashion-mnist', '']);
    radios[1]?.click();
    expect(model.sent).toEqual([{ type: 'set', section: 'data', values: { name: 'fashion-mnist' } }]);
    const open2 = open({ choices: { ...studioTraits().choices, paths: false } });
    expect(open2.view.element.querySelectorAll('[type=radio]')).toHaveLength(2);
  });

  it('starts a network’s options anew when another network is chosen', () => {
    const { model, view } = open({ step: 'model' });
    view.element.querySelector<HTMLInputElement>('[value=rnn]')?.click();
    expect(model.sent).toEqual([{ type: 'set', section: 'model', values: { name: 'rnn', options: {} } }]);
  });

  it('marks what is done and says in the step what is missing', async () => {
    const { model, view, text } = open({ step: 'evaluate' });
    expect(text()).toContain('There is no run to evaluate yet.');
    model.set('card', card());
    await frame();
    const done = [...view.element.querySelectorAll('[role=tab][data-done]')].map(tab => tab.textContent);
    expect(done).toEqual(['Data']);
  });

  it('moves between the steps by arrow keys', () => {
    const { model, view } = open();
    view.element
      .querySelector('[role=tablist]')
      ?.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft', bubbles: true }));
    expect(model.get('step')).toBe('deploy');
  });

  it('chooses the mistakes of a cell of the confusion matrix', () => {
    const { view, press } = open({ step: 'evaluate', report: report() });
    const mistakes = () => [...view.element.querySelectorAll('.lp-sample > span')].map(each => each.textContent);
    expect(mistakes()).toEqual(['cat → dog', 'dog → cat']);
    view.element.querySelector<HTMLButtonElement>('[aria-label="1 × dog → cat"]')?.click();
    expect(mistakes()).toEqual(['dog → cat']);
    press('Show all mistakes');
    expect(mistakes()).toHaveLength(2);
  });

  it('shows what a language model writes, as text', () => {
    const sample = { prompt: 'To be', text: ' <b>or</b> not' };
    const report: Report = { task: 'language', metric: 'perplexity', rows: 4, loss: 1.4, perplexity: 4.06, sample };
    const { view } = open({ step: 'evaluate', report });
    expect(view.element.querySelector('.lp-written')?.textContent).toBe('To be <b>or</b> not');
  });

  it('shows the report of a forecast without classes', () => {
    const forecast: Report = {
      task: 'forecasting',
      metric: 'mse',
      rows: 40,
      loss: 0.4,
      mse: 0.381,
      mae: 0.402,
      targets: [{ name: 'load', mse: 0.381, mae_units: 12.5 }],
      horizon: [1, 2, 3].map(step => ({ step, mse: 0.3 + step / 100, mae: 0.4 }))
    };
    const { view } = open({ step: 'evaluate', report: forecast });
    const text = view.element.textContent ?? '';
    expect(text).toContain('Test MSE');
    expect(text).toContain('0.3810');
    expect(text).toContain('By step ahead');
    expect(text).toContain('load');
    expect(view.element.querySelector('.lp-confusion')).toBeNull();
  });

  it('shows the key until the page is closed, though the kernel forgets it', async () => {
    const endpoint = {
      name: 'digits',
      url: 'http://127.0.0.1:8765',
      state: 'ready',
      version: 1,
      key_shown_once: 'lpt_secret'
    };
    const { model, text } = open({ step: 'deploy', summary: summaryFixture({ state: 'finished' }), endpoint });
    expect(text()).toContain('lpt_secret');
    model.set('endpoint', { ...endpoint, key_shown_once: null, requests: 3 });
    await frame();
    expect(text()).toContain('lpt_secret');
  });

  it('asks the endpoint about a row and draws the answer, likeliest first', async () => {
    const endpoint = { name: 'digits', url: 'http://127.0.0.1:8765', state: 'ready', version: 1 };
    const { model, view, press } = open({ step: 'deploy', endpoint });
    press('Predict');
    expect(model.sent).toEqual([{ type: 'predict', row: 0 }]);
    model.set('prediction', {
      label: '3',
      confidence: 0.7,
      scores: { '1': 0.3, '3': 0.7 },
      row: 0,
      truth: '3',
      correct: true
    });
    await frame();
    expect([...view.element.querySelectorAll('.lp-bar-row')].map(row => row.textContent)).toEqual(['30.70', '10.30']);
  });

  it('shows an error in the step that it belongs to', async () => {
    const { model, view } = open({ step: 'train' });
    model.set('error', { step: 'data', message: 'There is no file x.csv.' });
    await frame();
    expect(view.element.querySelector('.lp-view > [role=alert]')?.textContent).toBe('Data: There is no file x.csv.');
  });

  it('hands its line up as a cell, and says when nobody took it', () => {
    document.documentElement.dataset.leptonLab = 'test';
    const { view, press, text } = open();
    const taken: string[] = [];
    press('Insert cell');
    expect(text()).toContain('No notebook is open here');
    const take = (event: Event): void => {
      taken.push((event as CustomEvent<{ code: string }>).detail.code);
      event.preventDefault();
    };
    document.addEventListener(INSERT_EVENT, take);
    press('Python');
    press('Insert cell');
    document.removeEventListener(INSERT_EVENT, take);
    expect(taken).toEqual(['data = lepton.load_data("digits")']);
    expect(view.element.textContent).toContain('Inserted below');
  });

  it('speaks Chinese throughout', () => {
    const { view } = open({ step: 'train', card: card() }, 'zh');
    const tabs = [...view.element.querySelectorAll('[role=tab]')].map(tab => tab.textContent);
    expect(tabs).toEqual(['数据', '模型', '训练', '评估', '部署']);
    const labels = [...view.element.querySelectorAll('.lp-field label')].map(label => label.textContent ?? '');
    expect(labels.filter(label => /[A-Za-z]/.test(label.replace(/TensorBoard|GPU/, '')))).toEqual([]);
  });

  it.each(PAYLOADS)('shows %s as text wherever it comes from', async payload => {
    const { view, model } = open({
      card: card({
        title: payload,
        name: payload,
        classes: [{ name: payload, rows: 1, fraction: 1 }],
        samples: [{ row: 0, label: payload, image: payload }],
        columns: [{ name: payload, kind: payload, missing: 0, reason: payload }],
        warnings: [{ kind: 'x', severity: 'warning', message: payload }]
      }),
      model_summary: { name: payload, own: true, options: { [payload]: payload }, dataset: payload },
      lines: { data: { magic: payload, python: payload } },
      error: { step: 'data', message: payload },
      busy: payload,
      endpoint: { name: payload, url: payload, state: payload, version: 1, message: payload, key_shown_once: payload },
      prediction: { label: payload, confidence: 1, scores: { [payload]: 1 }, picture: payload },
      report: report({
        classes: [{ name: payload, precision: 1, recall: 1, f1: 1, support: 1 }],
        confusion: [[1]],
        mistakes: [{ row: 0, truth: payload, prediction: payload, confidence: 1, image: payload }]
      })
    });
    for (const step of ['data', 'model', 'train', 'evaluate', 'deploy'] as const) {
      model.set('step', step);
      await frame();
      expect(smuggled(view.element)).toEqual([]);
    }
  });

  it('keeps a line of help in place when a button is pressed, so that the button does not move away', () => {
    const { view, input } = open({ step: 'train' });
    const explained = () => [...view.element.querySelectorAll('[data-explained] label')].map(each => each.textContent);
    input('Epochs').focus();
    expect(explained()).toEqual(['Epochs']);
    input('Epochs').blur();
    expect(explained()).toEqual(['Epochs']);
    input('Batch size').focus();
    expect(explained()).toEqual(['Batch size']);
  });
});
