import { describe, expect, it } from 'vitest';

import { CompareView } from '../src/compare/compare-view';
import {
  cellText,
  columnText,
  comparisonCsv,
  DEFAULT_TABLE,
  shownColumns,
  shownRows,
  type TableOptions
} from '../src/compare/table-model';
import { Locale } from '../src/i18n';
import type { Comparison, ComparedRow, RunDetails } from '../src/kept';
import { KeptRuns } from '../src/kept';
import { endings } from '../src/lab/notifier';
import { Poll } from '../src/lab/poll';
import { finds, NO_SEARCH } from '../src/panel/search';
import type { RunSummary } from '../src/protocol';
import { DetailsView } from '../src/view/details';
import { MeterGroup, meterPath } from '../src/view/meter';
import { failureText } from '../src/view/failure';
import { bytesText, machineReadings, runReadings } from '../src/view/readings';
import { hintText, verificationText } from '../src/view/told';
import { FakeClock } from './clock';
import { FakeServer } from './fake-server';
import { summaryFixture } from './frames';
import { PAYLOADS, smuggled } from './payloads';

const en = new Locale('en');
const zh = new Locale('zh');
const run = (run_id: string, values: Partial<RunSummary> = {}): RunSummary => summaryFixture({ run_id, ...values });

function comparison(rows: Partial<ComparedRow>[]): Comparison {
  const whole = rows.map(
    row =>
      ({
        title: null,
        tags: '',
        'train.learning_rate': 0.01,
        'train.batch_size': 64,
        state: 'finished',
        val_accuracy: null,
        best_val_accuracy: null,
        val_loss: null,
        ...row
      }) as unknown as ComparedRow
  );
  const columns = Object.keys(whole[0] ?? {}).map(name => ({
    name,
    kind: name.includes('.')
      ? ('option' as const)
      : ['run_id', 'title', 'tags'].includes(name)
        ? ('run' as const)
        : ('result' as const),
    differs: new Set(whole.map(row => row[name])).size > 1
  }));
  const points = (value: number) => ({ epoch: [1, 2], value: [value, null] });
  const curves = { val_accuracy: Object.fromEntries(whole.map((row, index) => [row.run_id, points(index)])) };
  return { columns, rows: whole, curves, differing: [], gone: [] };
}

const THREE = comparison([
  { run_id: 'a', 'train.learning_rate': 0.1, val_accuracy: 0.8 },
  { run_id: 'b', 'train.learning_rate': 0.01, val_accuracy: 0.9, tags: 'paper' },
  { run_id: 'c', 'train.learning_rate': 0.02, val_accuracy: null }
]);

describe('finds', () => {
  it('looks for every word in all that names a run', () => {
    const found = run('digits-cnn-1', { title: 'The Good One', tags: ['paper'], note: 'slow rate', user: 'ada' });
    for (const text of ['', 'good digits', 'PAPER', 'slow ada', 'running']) {
      expect(finds({ ...NO_SEARCH, text }, found)).toBe(true);
    }
    expect(finds({ ...NO_SEARCH, text: 'good bad' }, found)).toBe(false);
  });

  it('keeps to the chosen states', () => {
    expect(finds({ text: '', kind: 'active' }, run('a'))).toBe(true);
    expect(finds({ text: '', kind: 'finished' }, run('a'))).toBe(false);
    expect(finds({ text: '', kind: 'failed' }, run('a', { state: 'stopped' }))).toBe(true);
    expect(finds({ text: '', kind: 'pinned' }, run('a', { pinned: true }))).toBe(true);
  });
});

describe('the table of a comparison', () => {
  const names = (change: Partial<TableOptions> = {}) => {
    const options = { ...DEFAULT_TABLE, ...change };
    return shownRows(THREE, shownColumns(THREE, options), options, en).map(row => row.run_id);
  };

  it('shows the options that differ, or all of them', () => {
    const shown = (change: Partial<TableOptions>) =>
      shownColumns(THREE, { ...DEFAULT_TABLE, ...change }).map(column => column.name);
    expect(shown({})).toEqual(['tags', 'train.learning_rate', 'state', 'val_accuracy']);
    expect(shown({ all_options: true })).toContain('train.batch_size');
  });

  it('sorts by any column, what has no value last', () => {
    expect(names({ sort: 'val_accuracy' })).toEqual(['a', 'b', 'c']);
    expect(names({ sort: 'val_accuracy', descending: true })).toEqual(['b', 'a', 'c']);
    expect(names({ sort: 'train.learning_rate' })).toEqual(['b', 'c', 'a']);
  });

  it('filters by what stands in the cells', () => {
    expect(names({ filter: 'paper' })).toEqual(['b']);
    expect(names({ filter: '0.02' })).toEqual(['c']);
    expect(names({ filter: 'no such words' })).toEqual([]);
  });

  it('writes cells for people and for spreadsheets', () => {
    const of = (name: string) =>
      THREE.columns.find(column => column.name === name) ?? { name, kind: 'option' as const, differs: false };
    expect(cellText(of('val_accuracy'), 0.9, en)).toBe('0.9000');
    expect(cellText(of('train.learning_rate'), 1 / 300, en)).toBe('0.00333333');
    expect(cellText(of('state'), 'finished', new Locale('zh'))).toBe('已完成');
    expect(columnText('train.learning_rate', en)).toBe('learning rate');
    const rows = [{ run_id: 'a', tags: '=1+1', note: 'x, "y"' } as unknown as ComparedRow];
    expect(comparisonCsv([of('tags'), of('note')], rows)).toBe('run_id,tags,note\r\na,\'=1+1,"x, ""y"""\r\n');
  });
});

describe('CompareView', () => {
  function open() {
    const chosen: string[][] = [];
    const opened: string[] = [];
    const view = new CompareView(en, { choose: ids => chosen.push(ids), openCurve: id => opened.push(id) });
    document.body.append(view.element);
    return { view, chosen, opened };
  }

  it('asks for runs first, then shows them', () => {
    const { view, chosen } = open();
    view.offer([run('a'), run('b')], []);
    expect(view.element.querySelector<HTMLElement>('.lp-compare-side > .lp-none')?.hidden).toBe(false);
    view.element.querySelector<HTMLInputElement>('input[value="b"]')?.click();
    expect(chosen).toEqual([['b']]);
    view.offer([run('a'), run('b')], ['b', 'a']);
    view.show(THREE);
    expect(view.element.querySelectorAll('tbody tr')).toHaveLength(3);
    expect([...view.element.querySelectorAll('td.lp-differs')].map(each => each.textContent)).toEqual([
      '0.1',
      '0.01',
      '0.02'
    ]);
  });

  it('sorts figures from the largest, then turns round; takes runs out and opens them', () => {
    const { view, chosen, opened } = open();
    view.offer([], ['a', 'b', 'c']);
    view.show(THREE);
    const names = () => [...view.element.querySelectorAll('tbody .lp-link')].map(each => each.textContent);
    const head = () => view.element.querySelector<HTMLButtonElement>('[data-sort="val_accuracy"]');
    head()?.click();
    expect(names()).toEqual(['b', 'a', 'c']);
    expect(head()?.parentElement?.getAttribute('aria-sort')).toBe('descending');
    head()?.click();
    expect(names()).toEqual(['a', 'b', 'c']);
    view.element.querySelector<HTMLButtonElement>('[aria-label="Take a out of the comparison"]')?.click();
    view.element.querySelector<HTMLButtonElement>('tbody .lp-link')?.click();
    expect([chosen, opened]).toEqual([[['b', 'c']], ['a']]);
  });

  it.each(PAYLOADS)('shows %s as text', payload => {
    const { view } = open();
    view.offer([run(payload, { title: payload })], [payload]);
    view.show(comparison([{ run_id: payload, title: payload, tags: payload, state: payload }]));
    expect(smuggled(view.element)).toEqual([]);
  });
});

describe('DetailsView', () => {
  const DETAILS: RunDetails = {
    summary: run('child', { state: 'running', note: 'a note', tags: ['paper'] }),
    options: {},
    lineage: [
      { run_id: 'parent', step: 440, kind: 'forked', changed: { 'train.epochs': [20, 40] }, exists: true },
      { run_id: 'gone', step: 10, kind: 'continued', changed: {}, exists: false }
    ],
    labels: { pinned_checkpoints: [440] },
    checkpoints: [220, 440],
    size: { bytes: 4_200_000, checkpoints_bytes: 4_000_000 },
    asks: ['checkpoint', 'fork', 'stop']
  };

  function open(details: RunDetails) {
    const done: unknown[] = [];
    const note =
      (name: string) =>
      (...values: unknown[]) =>
        void done.push([name, ...values]);
    const view = new DetailsView(en, {
      checkpoint: note('checkpoint'),
      retry: note('retry'),
      trainLonger: note('longer'),
      fork: note('fork'),
      verify: note('verify'),
      compare: note('compare'),
      open: note('open'),
      pinCheckpoint: note('pin')
    });
    view.update(details);
    const deeds = () => [...view.element.querySelectorAll('.lp-details-deeds button')].map(each => each.textContent);
    return { view, done, deeds };
  }

  it('offers what makes sense in the run’s state', () => {
    expect(open(DETAILS).deeds()).toEqual(['Checkpoint now', 'Fork…', 'Compare']);
    const ended = { ...DETAILS, summary: run('child', { state: 'stopped' }), asks: ['retry', 'continue', 'fork'] };
    expect(open(ended).deeds()).toEqual(['Try again', 'Train longer…', 'Fork…', 'Compare']);
    expect(open({ ...ended, checkpoints: [] }).deeds()).toEqual(['Try again', 'Compare']);
  });

  it('says what a run on a cluster wants there, and what it waits for', () => {
    const place = { cluster: 'head:6379', wants: '2 x 1 CPU' };
    const waiting = { ...place, state: 'starting' as const, message: 'The run waits for 2 x 1 CPU on the cluster.' };
    const said = (summary: object) => open({ ...DETAILS, summary: run('child', summary) }).view.element.textContent;
    expect(said(waiting)).toContain('2 x 1 CPU of head:6379 · The run waits for 2 x 1 CPU on the cluster.');
    expect(said({ ...place, state: 'running' })).toContain('2 x 1 CPU of head:6379');
    expect(said({ state: 'running' })).not.toContain('Cluster');
  });

  it('says where the run comes from, and pins checkpoints', () => {
    const { view, done } = open(DETAILS);
    expect(view.element.querySelector('.lp-lineage')?.textContent).toBe(
      'parent · forked at step 440 · epochs 20 → 40gone (deleted) · continued at step 10'
    );
    view.element.querySelector<HTMLButtonElement>('.lp-lineage .lp-link')?.click();
    view.element.querySelector<HTMLButtonElement>('[aria-label="Unpin the checkpoint at step 440"]')?.click();
    expect(done).toEqual([
      ['open', 'parent'],
      ['pin', 440, false]
    ]);
  });

  it('proves a finished run, and says in words what came out', () => {
    const finished = { ...DETAILS, summary: run('child', { state: 'finished' }), asks: ['verify'] };
    const { view, done, deeds } = open(finished);
    expect(deeds()).toEqual(['Verify', 'Compare']);
    view.element.querySelector<HTMLButtonElement>('.lp-details-deeds button')?.click();
    expect(done).toEqual([['verify']]);
    view.update({ ...finished, verification: { state: 'running' } });
    expect(deeds()).toEqual(['Compare']);
    expect(view.element.textContent).toContain('being trained again');
    const verification = {
      state: 'done' as const,
      equal: false,
      from_step: 220,
      to_step: 440,
      num_tensors: 90,
      differing: ['model: a', 'model: b'],
      largest_difference: 0.00125
    };
    expect(verificationText(verification, en)).toContain(
      '2 of 90 tensors differ, by up to 0.00125 (model: a, model: b)'
    );
    view.update({ ...finished, verification: { ...verification, equal: true } });
    expect(view.element.textContent).toContain('from step 220 to step 440: all 90 tensors are the same, bit by bit.');
    expect(deeds()).toEqual(['Verify', 'Compare']);
    expect(failureText(run('a', { reason: 'disk_full', message: 'The disk is full.' }), zh)).toBe(
      '磁盘已满。 The disk is full.'
    );
  });

  it('says in words what slows the run down', () => {
    const { view } = open(DETAILS);
    const hint = { code: 'waiting_for_data', values: { waiting_fraction: 0.4 }, text: 'in English' };
    view.showUse([{ time: 1, cpu_cores: 1.5 }], [hint]);
    expect(view.element.querySelector('.lp-notice:not([hidden])')?.textContent).toContain('data 40% of the time');
    expect(hintText(hint, zh)).toContain('40% 的时间在等待数据');
    expect(hintText({ ...hint, code: 'a new one' }, zh)).toBe('in English');
    expect(view.element.querySelector('.lp-meter')?.textContent).toBe('Cores in use1.5');
    view.showUse([], []);
    expect(view.element.querySelector('.lp-notice:not([hidden])')).toBeNull();
  });
});

describe('meters', () => {
  it('read the machine in units', () => {
    const sample = {
      time: 1,
      cpu_fraction: 0.734,
      memory_used_bytes: 9.6e9,
      memory_total_bytes: 32e9,
      disk_free_bytes: 210e9,
      disk_total_bytes: 500e9,
      gpus: [{ index: 0, use_fraction: 0.5, power_watts: 412, temperature_celsius: 61 }]
    };
    const said = Object.fromEntries([...machineReadings(sample, en)].map(([key, reading]) => [key, reading.text]));
    expect(said).toEqual({
      cpu: '73%',
      memory: '9.6 GB',
      disk: '210 GB free',
      gpu0: '50%',
      'gpu0-power': '412 W · 61 °C'
    });
    expect(runReadings({ time: 1, waiting_fraction: 0.4 }, en).get('waiting')?.text).toBe('40%');
    expect([bytesText(12, en), bytesText(1.25e6, en)]).toEqual(['12 B', '1.3 MB']);
  });

  it('draw the newest at the right edge and forget what is not measured any more', () => {
    expect(meterPath([0, 1], 1, 59, 10)).toBe('M58.0 9.0 L59.0 1.0');
    expect(meterPath([1], 1, 59, 10)).toBe('');
    const group = new MeterGroup();
    const reading = (name: string) => new Map([[name, { name, text: '1', value: 1 }]]);
    group.add([reading('a')]);
    group.add([reading('b')]);
    expect(group.element.textContent).toBe('b1');
  });
});

describe('KeptRuns', () => {
  it('asks each by its own route', async () => {
    const server = new FakeServer({
      'runs/a/labels': {},
      'runs/a/fork': { run_id: 'b' },
      'runs/a/queue': {},
      'compare?runs=a,b': { rows: [] }
    });
    const kept = new KeptRuns(server);
    await kept.setLabels('a', { pinned: true });
    expect(await kept.fork('a', { step: 3 })).toBe('b');
    await kept.queue('a', { place: 1 });
    await kept.compare(['a', 'b']);
    expect(server.asked).toEqual([
      ['POST', 'runs/a/labels', { pinned: true }],
      ['POST', 'runs/a/fork', { step: 3 }],
      ['POST', 'runs/a/queue', { place: 1 }],
      ['GET', 'compare?runs=a,b']
    ]);
    await expect(kept.remove('a')).rejects.toThrow('is not there');
  });
});

describe('endings', () => {
  it('are told of runs that were seen at work, once', () => {
    const runs = [run('a', { state: 'finished' }), run('b', { state: 'failed' }), run('c', { state: 'stopped' })];
    const before = new Map([
      ['a', 'running'],
      ['b', 'starting'],
      ['c', 'running']
    ]);
    expect(endings(before, runs).map(each => [each.run.run_id, each.kind])).toEqual([
      ['a', 'finished'],
      ['b', 'failed']
    ]);
    expect(endings(new Map(runs.map(each => [each.run_id, each.state])), runs)).toEqual([]);
    expect(endings(new Map(), runs)).toEqual([]);
  });
});

describe('Poll', () => {
  it('asks at once and again while it is wanted, an error notwithstanding', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const poll = new Poll(
      () => {
        asked += 1;
        return Promise.reject(new Error('offline'));
      },
      1000,
      clock
    );
    const settle = () => new Promise(resolve => setTimeout(resolve));
    poll.want(true);
    await settle();
    clock.advance(1000);
    await settle();
    expect(asked).toBe(2);
    poll.want(false);
    clock.advance(5000);
    await settle();
    expect(asked).toBe(2);
  });
});
