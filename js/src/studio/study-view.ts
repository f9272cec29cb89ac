import { button, h } from '../dom';
import type { Locale } from '../i18n';
import type { RunState } from '../protocol';
import { StateChip } from '../view/chip';
import { decimals } from '../charts/score';
import type { StudioContext } from './context';
import { plain } from './form';
import { bar, block, note, table } from './parts';
import type { Study, StudyTrial } from './traits';

const SHOWN_TRIALS = 12;

/** A search for options: how far it is, which options matter, its trials from the best on. */
export class StudyView {
  readonly element = h('div', { class: 'lp-study', hidden: true });
  private readonly _context: StudioContext;
  private readonly _chip: StateChip;
  private _drawn = '';
  private _all = false;

  constructor(context: StudioContext) {
    this._context = context;
    this._chip = new StateChip(context.locale);
  }

  update(): void {
    const study = this._context.get('study');
    const drawn = JSON.stringify([study, this._all, this._context.get('busy') === '']);
    if (drawn !== this._drawn) {
      this._drawn = drawn;
      this.element.hidden = !study;
      this.element.replaceChildren(...(study ? this._draw(study) : []));
    }
  }

  private _draw(study: Study): HTMLElement[] {
    const { locale } = this._context;
    const active = study.state === 'running' || study.state === 'starting';
    this._chip.update(study.state as RunState);
    const title = h('div', { class: 'lp-view-title' }, h('h4', {}, locale.t('tune.study', { name: study.study })));
    title.append(this._chip.element, h('span', { class: 'lp-study-buttons' }, ...this._buttons(study, active)));
    const progress = h('progress', {
      max: Math.max(1, study.wanted),
      value: study.ended,
      'aria-label': study.sentence
    });
    return [
      title,
      ...(study.state === 'failed' ? [note(study.message ?? '', 'error')] : []),
      h('p', { class: 'lp-busy', role: 'status' }, active ? progress : null, active ? ' ' : null, study.sentence),
      ...this._importances(study),
      block(locale.t('tune.trials'), this._trials(study))
    ];
  }

  private _buttons(study: Study, active: boolean): HTMLElement[] {
    const { locale } = this._context;
    const stop = button(locale.t('tune.stop'), () => this._context.send({ type: 'stop_study' }));
    const best = button(locale.t('tune.take_best'), () => this._context.send({ type: 'take_best' }), {
      class: 'lp-button lp-primary'
    });
    best.disabled = stop.disabled = this._context.get('busy') !== '';
    return [...(active ? [stop] : []), ...(study.best_run ? [best] : [])];
  }

  private _importances(study: Study): HTMLElement[] {
    const { locale } = this._context;
    const bars = Object.entries(study.importances).map(([name, share]) =>
      bar(this._name(name), share, `${locale.fixed(100 * share, 0)}%`)
    );
    return bars.length > 0 ? [block(locale.t('tune.importance'), h('ul', { class: 'lp-bars' }, ...bars))] : [];
  }

  private _trials(study: Study): HTMLElement {
    const { locale } = this._context;
    const options = [...new Set(study.trials.flatMap(trial => Object.keys(trial.values)))];
    const head = [
      locale.t('tune.trial'),
      locale.t('tune.state'),
      this._figure(study),
      ...options.map(name => this._name(name)),
      locale.t('train.run')
    ];
    const shown = this._all ? study.trials : study.trials.slice(0, SHOWN_TRIALS);
    const rows = shown.map(trial => this._row(study, trial, options));
    const more = button(locale.t('tune.all', { count: study.trials.length }), () => {
      this._all = true;
      this.update();
    });
    return h('div', {}, table(head, rows), shown.length < study.trials.length ? more : null);
  }

  private _row(study: Study, trial: StudyTrial, options: string[]): (HTMLElement | string)[] {
    const { locale } = this._context;
    const value = trial.value === null ? '' : locale.fixed(trial.value, decimals(trial.value));
    const cells = [
      locale.count(trial.number + 1),
      locale.word('trial', trial.state, trial.state),
      value,
      ...options.map(name => shortValue(trial.values[name], locale)),
      trial.run_id
    ];
    return trial.number === study.best ? cells.map(cell => h('b', {}, cell)) : cells;
  }

  /** "val_accuracy" as a person reads it. */
  private _figure(study: Study): string {
    const { locale } = this._context;
    const metric = study.figure.replace(/^val_/, '');
    return locale.t('tune.figure', { metric: locale.word('metric', metric, metric) });
  }

  private _name(name: string): string {
    const { locale } = this._context;
    const [section, bare] = name.startsWith('model_') ? ['field.model', name.slice(6)] : ['field.train', name];
    return locale.word(section as string, bare as string, plain(bare as string));
  }
}

/** A value of an option in a narrow cell. */
function shortValue(value: unknown, locale: Locale): string {
  return typeof value === 'number' ? locale.figure(value, 3) : value === undefined ? '' : String(value);
}
