import { afterEach, describe, expect, it } from 'vitest';

import type { Chart, ChartFactory } from '../src/charts/host';
import type { Figure } from '../src/charts/figure';
import type { Link } from '../src/client';
import { RunHistory } from '../src/history';
import { Locale } from '../src/i18n';
import type { RunSummary } from '../src/protocol';
import { RunView } from '../src/view/run-view';
import { StaticRunView } from '../src/view/static-view';
import { epochText } from '../src/view/stats';
import { curveText, markText } from '../src/view/words';
import { frameFixture, summaryFixture } from './frames';
import { PAYLOADS, smuggled } from './payloads';

const en = new Locale('en');

class FakeChart implements Chart {
  figure: Figure | null = null;
  draw(figure: Figure): void {
    this.figure = figure;
  }
  recolour(): void {
    // no colours here
  }
  showWhole(): void {
    // no zoom here
  }
  destroy(): void {
    // nothing to free
  }
}

interface Shown {
  view: RunView;
  chart: FakeChart;
  sent: unknown[];
  text(selector: string): string;
  press(name: string): void;
}

const views: RunView[] = [];
afterEach(() => views.splice(0).forEach(view => view.dispose()));

const frame = () => new Promise(resolve => requestAnimationFrame(resolve));

async function show(summary: Partial<RunSummary>, link: Link = 'live', fail = '', locale = en): Promise<Shown> {
  const chart = new FakeChart();
  const createChart: ChartFactory = () => chart;
  const sent: unknown[] = [];
  const send = async (command: string, value?: unknown): Promise<void> => {
    sent.push([command, value]);
    if (fail) {
      throw new Error(fail);
    }
  };
  const view = new RunView({ locale, send, reconnect: () => sent.push('reconnect'), createChart });
  views.push(view);
  document.body.append(view.element);
  const history = new RunHistory(summaryFixture());
  const series = [
    { name: 'train_accuracy', start: 0, x: [0.5, 1], y: [0.5, 0.8] },
    { name: 'val_accuracy', start: 0, x: [1], y: [0.75] }
  ];
  history.apply(frameFixture({ series, summary: summaryFixture(summary) }));
  view.update(history, link);
  await frame();
  const text = (selector: string): string => view.element.querySelector(selector)?.textContent ?? '';
  const press = (name: string): void => {
    const buttons = [...view.element.querySelectorAll('button')].filter(each => each.checkVisibility?.() ?? true);
    buttons.find(each => each.textContent === name && !each.closest('[hidden]'))?.click();
  };
  return { view, chart, sent, text, press };
}

describe('RunView', () => {
  it('shows the numbers with the validation accuracy first', async () => {
    const { text, chart } = await show({ val_accuracy: 0.9312, best_val_accuracy: 0.9312, epochs: 16, epoch: 8.4 });
    expect(text('.lp-stat:first-child')).toBe('Validation accuracy0.9312 best');
    expect(text('.lp-stats')).toContain('9 / 16');
    expect(chart.figure?.best).toEqual({ epoch: 1, value: 0.75 });
  });

  it('shows what the task is judged by, and knows when less is better', async () => {
    const judged = { metric: 'mae', higher_is_better: false, val_metric: 12.3456, best_val_metric: 11.2 };
    const { text, chart } = await show({ ...judged, epochs: 16, epoch: 2 });
    expect(text('.lp-stat:first-child')).toBe('Validation MAE12.35 best 11.20');
    expect(text('.lp-legend')).toContain('MAE');
    expect(chart.figure?.higher).toBe(false);
  });

  it('says what is awaited, what went wrong and what to do', async () => {
    const queued = await show({ state: 'queued', queue_position: 1 });
    expect(queued.text('.lp-notice')).toBe('Waiting for the device: 1 run before this one.');
    const message = 'The run waits for 2 x 1 CPU on the cluster.';
    expect((await show({ state: 'starting', message })).text('.lp-notice')).toBe(message);
    const failed = await show({
      state: 'failed',
      reason: 'nan_loss',
      message: 'The loss became NaN.',
      checkpoint_step: 400
    });
    expect(failed.text('.lp-notice')).toContain('The loss became NaN.A lower learning rate');
    failed.press('Resume from the checkpoint at step 400');
    expect(failed.sent).toEqual([['resume', undefined]]);
    const lost = await show({ state: 'running' }, 'lost');
    lost.press('Reconnect');
    expect([lost.text('.lp-notice p'), lost.sent]).toEqual([
      'Live view paused; training goes on by itself.',
      ['reconnect']
    ]);
  });

  it('sends commands, and says when one did not arrive', async () => {
    const { press, sent, text } = await show({ state: 'running', learning_rate: 0.01 }, 'live', 'the run has ended');
    press('Pause');
    await frame();
    expect(sent).toEqual([['pause', undefined]]);
    expect(text('.lp-control-message')).toBe('The command did not arrive: the run has ended');
  });

  it('takes a learning rate only when it is one', async () => {
    const { view, press, sent, text } = await show({ state: 'running', learning_rate: 0.01 });
    const input = view.element.querySelector<HTMLInputElement>('.lp-rate input') as HTMLInputElement;
    expect(input.value).toBe('0.01');
    input.value = '-3';
    press('Set');
    expect([sent, text('.lp-control-message')]).toEqual([[], 'Give a learning rate above 0, at most 100.']);
    input.value = '0.002';
    press('Set');
    expect(sent).toEqual([['set_learning_rate', 0.002]]);
  });

  it('offers resume instead of pause while paused, and no button after the end', async () => {
    expect((await show({ state: 'paused' })).text('.lp-controls')).toContain('Resume');
    const ended = await show({ state: 'finished' });
    expect(ended.view.controls.hidden).toBe(true);
  });

  it('describes the chart in words and shows its values as a table', async () => {
    const { view, press, text } = await show({ state: 'running', val_accuracy: 0.75, train_accuracy: 0.8, epochs: 20 });
    const chart = view.element.querySelector('[role=img]');
    expect(chart?.getAttribute('aria-label')).toContain('Epoch 1 of 20: validation accuracy 0.7500');
    press('table');
    expect(text('.lp-values tbody')).toBe('0.500.50001.000.80000.7500');
  });

  it('speaks Chinese', async () => {
    const { text } = await show({ state: 'running' }, 'live', '', new Locale('zh'));
    expect([text('.lp-chip'), text('.lp-stat:first-child dt')]).toEqual(['运行中', '验证准确率']);
  });

  it.each(PAYLOADS)('shows %s as text wherever it comes from', async payload => {
    const { view, press } = await show({
      name: payload,
      dataset: payload,
      model: payload,
      state: 'failed',
      message: payload
    });
    const history = new RunHistory(summaryFixture({ name: payload, state: 'failed', message: payload }));
    history.marks = [{ step: 1, epoch: 1, text: payload, kind: payload }];
    history.samples = [{ row: 0, truth: payload, prediction: `${payload}!`, picture: payload }];
    view.update(history, 'live');
    await frame();
    press('table');
    expect(smuggled(view.element)).toEqual([]);
    expect(view.element.textContent).toContain(payload);
  });
});

describe('StaticRunView', () => {
  it.each(PAYLOADS)('shows a saved picture as an image that runs nothing (%s)', payload => {
    const view = new StaticRunView(summaryFixture({ name: payload }), `<svg>${payload}</svg>`, en);
    expect(smuggled(view.element)).toEqual([]);
    expect(view.element.querySelector('img')?.src).toMatch(/^data:image\/svg\+xml/);
    view.dispose();
  });
});

describe('words', () => {
  it('count the epoch that is being worked on', () => {
    const of = (epoch: number) => epochText(summaryFixture({ epoch, epochs: 16 }));
    expect([0, 0.1, 9, 9.01, 16].map(of)).toEqual(['0 / 16', '1 / 16', '9 / 16', '10 / 16', '16 / 16']);
  });

  it('say that there is nothing yet', () => {
    expect(curveText(summaryFixture(), en)).toBe('No values yet.');
  });

  it('shorten and translate marks', () => {
    const mark = { step: 1, epoch: 1, text: 'learning rate 0.0048403 → 0.002', kind: 'learning_rate' };
    expect(markText(mark, en)).toBe('learning rate 0.00484 → 0.002');
    expect(markText({ ...mark, text: 'resumed by panel', kind: 'resumed' }, new Locale('zh'))).toBe('已恢复');
  });
});
