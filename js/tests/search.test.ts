import { afterEach, describe, expect, it } from 'vitest';

import { Locale } from '../src/i18n';
import { StudioContext } from '../src/studio/context';
import { readSpace, writeSpace } from '../src/studio/search-space';
import { StudioView } from '../src/studio/studio';
import type { Study, StudioTraits } from '../src/studio/traits';
import { FakeModel } from './fake-model';
import { summaryFixture } from './frames';
import { studioTraits } from './studio-traits';

const opened: StudioView[] = [];
afterEach(() => opened.splice(0).forEach(view => view.dispose()));

const frame = () => new Promise(resolve => requestAnimationFrame(resolve));

function open(values: Partial<StudioTraits>, language: 'en' | 'zh' = 'en') {
  const model = new FakeModel(studioTraits({ step: 'train', ...values }));
  const view = new StudioView(new StudioContext(model, new Locale(language)));
  opened.push(view);
  document.body.append(view.element);
  const press = (name: string): void => {
    [...view.element.querySelectorAll('button')].find(each => each.textContent === name)?.click();
  };
  const find = <E extends HTMLElement>(selector: string): E => view.element.querySelector(selector) as E;
  return { model, view, press, find };
}

const STUDY: Study = {
  study: 'digits-cnn',
  state: 'finished',
  figure: 'val_accuracy',
  wanted: 2,
  ended: 2,
  trials: [
    { number: 1, run_id: 'digits-cnn-2', state: 'finished', values: { learning_rate: 0.012345 }, value: 0.98 },
    { number: 0, run_id: 'digits-cnn-1', state: 'pruned', values: { learning_rate: 0.0003 }, value: 0.71 }
  ],
  best: 1,
  best_run: 'digits-cnn-2',
  importances: { learning_rate: 1 },
  sentence: 'digits-cnn: finished, 2 of 2 trials have ended (3.0 s).',
  message: null
};

describe('what is searched', () => {
  it('is written and read back', () => {
    const text = 'learning_rate=1e-4..1e-1 optimizer=adamw,sgd model_channels=8..64';
    expect(writeSpace(readSpace(text))).toBe(text);
    expect([readSpace('auto'), writeSpace([])]).toEqual([[], 'auto']);
    expect(writeSpace([{ name: 'learning_rate', low: '', high: '1', choices: [] }])).toBe('auto');
  });
});

describe('the search', () => {
  it('takes options of training and of the network, with a range that can be changed', () => {
    const { model, find, press } = open({});
    const add = find<HTMLSelectElement>('.lp-tune > select');
    const offered = [...add.options].map(option => option.value);
    expect(offered).toEqual(expect.arrayContaining(['learning_rate', 'optimizer', 'model_channels']));
    expect(offered).not.toContain('name');
    add.value = 'learning_rate';
    add.dispatchEvent(new Event('change'));
    const low = find<HTMLInputElement>('[aria-label="Learning rate, from"]');
    low.value = '1e-3';
    low.dispatchEvent(new Event('change'));
    expect(model.sent.at(-1)).toEqual({ type: 'set', section: 'tune', values: { search: 'learning_rate=1e-3..3e-2' } });
    const place = find<HTMLInputElement>('.lp-tune input[id$="cluster"]');
    place.value = 'auto';
    place.dispatchEvent(new Event('change'));
    expect(model.sent.at(-1)).toMatchObject({ section: 'tune', values: { cluster: 'auto' } });
    press('Start the search');
    expect(model.sent.at(-1)).toEqual({ type: 'tune' });
  });

  it('shows the trials, the best first, and goes on with its run', async () => {
    const { model, view, press } = open({ study: STUDY });
    const rows = [...view.element.querySelectorAll('.lp-study tbody tr')].map(row => row.textContent);
    expect(rows).toEqual(['2finished0.98000.0123digits-cnn-2', '1given up0.71000.0003digits-cnn-1']);
    press('Go on with the best run');
    expect(model.sent.at(-1)).toEqual({ type: 'take_best' });
    model.set('study', { ...STUDY, state: 'running' });
    await frame();
    press('Stop the search');
    expect(model.sent.at(-1)).toEqual({ type: 'stop_study' });
  });

  it('is not there where nobody may search', () => {
    const traits = studioTraits();
    const { find } = open({ choices: { ...traits.choices, search: [] } });
    expect(find<HTMLElement>('.lp-tune').hidden).toBe(true);
  });
});

describe('a row of a table', () => {
  it('is asked for column by column: numbers as numbers, no value as none', () => {
    const { model, find } = open({
      step: 'deploy',
      summary: summaryFixture({ state: 'finished' }),
      endpoint: { name: 'wine', url: 'http://127.0.0.1:8765', state: 'ready', version: 1 },
      row_fields: [
        { name: 'acid', kind: 'number', choices: [], example: 7.5 },
        { name: 'colour', kind: 'category', choices: ['red', 'white'], example: 'white' },
        { name: 'note', kind: 'text', choices: [], example: null }
      ]
    });
    const form = find<HTMLFormElement>('.lp-row-form');
    expect([...form.querySelectorAll('label')].map(label => label.firstChild?.textContent)).toEqual([
      'acid',
      'colour',
      'note'
    ]);
    (form.querySelector('select') as HTMLSelectElement).value = 'red';
    form.dispatchEvent(new Event('submit', { cancelable: true }));
    expect(model.sent.at(-1)).toEqual({ type: 'predict', values: { acid: 7.5, colour: 'red', note: null } });
  });
});
