import { button, h } from '../dom';
import { ACTIVE_STATES, type RunSummary } from '../protocol';
import { CommTransport } from '../widgets/comm';
import { LiveRun } from '../widgets/live-run';
import type { StepView, StudioContext } from './context';
import { SchemaForm } from './form';
import { empty, facts } from './parts';
import { fieldsOf } from './schema';
import { StudyView } from './study-view';
import { TuneForm } from './tune-form';

/** Options of the training, the run's controls, and its live curve. */
export class TrainStep implements StepView {
  readonly options: HTMLElement;
  readonly view = h('div', { class: 'lp-step-view lp-flush' });
  private readonly _context: StudioContext;
  private readonly _form: SchemaForm;
  private readonly _train: HTMLButtonElement;
  private readonly _controls = h('div', { class: 'lp-run-controls' });
  private readonly _facts = h('div');
  private readonly _thisRun: HTMLElement;
  private readonly _run = h('div');
  private readonly _tune: TuneForm;
  private readonly _study: StudyView;
  private readonly _onSummary: (summary: RunSummary) => void;
  private _live: LiveRun | null = null;
  private _factsDrawn = '';

  constructor(context: StudioContext, onSummary: (summary: RunSummary) => void) {
    this._context = context;
    this._onSummary = onSummary;
    const { locale } = context;
    const fields = fieldsOf(context.get('schemas').train);
    this._form = new SchemaForm('train', fields, locale, values => context.set('train', values));
    this._train = button(locale.t('train.start'), () => this._start());
    const actions = h('div', { class: 'lp-actions' }, this._train);
    this._tune = new TuneForm(context);
    this._study = new StudyView(context);
    const title = h('h3', {}, locale.t('train.title'));
    const runTitle = h('h3', {}, locale.t('train.this_run'));
    this._thisRun = h('div', { class: 'lp-this-run', hidden: true }, runTitle, this._controls, this._facts);
    this.options = h('div', {}, title, this._form.element, actions, this._thisRun, this._tune.element);
    this.view.append(this._run, this._study.element);
    this._showEmpty();
  }

  /** The run's newest summary, which a frame may have brought. */
  get summary(): RunSummary | null {
    return this._live?.client.history.summary ?? this._context.get('summary');
  }

  update(): void {
    this._form.update(this._context.get('values').train);
    this._follow(this._context.get('run_id'));
    this._drawButton();
    this._drawFacts();
    this._tune.update();
    this._study.update();
  }

  dispose(): void {
    this._live?.dispose();
  }

  private _start(): void {
    this._context.send({ type: 'train' });
  }

  private _showEmpty(): void {
    const { locale } = this._context;
    const start = button(locale.t('train.start'), () => this._start());
    this._run.replaceChildren(empty(locale.t('train.none'), start));
  }

  private _follow(run_id: string): void {
    if (!run_id) {
      return;
    }
    const given = this._context.get('summary');
    if (this._live?.client.history.summary.run_id !== run_id) {
      this._open({ state: 'starting', ...given, run_id });
    } else if (given?.run_id === run_id) {
      this._live.summarize(given);
    }
  }

  private _open(summary: RunSummary): void {
    const { locale, model } = this._context;
    this._live?.dispose();
    this._live = new LiveRun({ summary, transport: new CommTransport(model), locale, header: false });
    this._live.client.subscribe(() => this._changed());
    this._run.replaceChildren(this._live.view.element);
    this._controls.replaceChildren(this._live.view.controls);
  }

  private _changed(): void {
    if (this.summary) {
      this._onSummary(this.summary);
    }
    this._drawButton();
    this._drawFacts();
  }

  private _drawButton(): void {
    const state = this.summary?.state;
    const active = state !== undefined && ACTIVE_STATES.has(state);
    const { locale } = this._context;
    this._train.disabled = this._context.get('busy') !== '';
    this._train.textContent = locale.t(active ? 'train.another' : state ? 'train.again' : 'train.start');
    this._train.className = active ? 'lp-button' : 'lp-button lp-primary';
  }

  private _drawFacts(): void {
    const { locale } = this._context;
    const summary = this.summary;
    const pairs: [string, string | null | undefined][] = summary
      ? [
          [locale.t('train.run'), summary.run_id],
          [locale.t('step.data'), summary.dataset],
          [locale.t('step.model'), summary.model],
          [locale.t('train.device'), summary.device],
          [locale.t('train.checkpoint'), this._checkpointText(summary)],
          [locale.t('train.restarts'), summary.restarts ? String(summary.restarts) : null]
        ]
      : [];
    const drawn = JSON.stringify(pairs);
    if (drawn !== this._factsDrawn) {
      this._factsDrawn = drawn;
      this._thisRun.hidden = summary === null;
      this._facts.replaceChildren(facts(pairs));
    }
  }

  private _checkpointText(summary: RunSummary): string | null {
    const { locale } = this._context;
    const step = summary.checkpoint_step;
    return step ? locale.t('train.checkpoint_step', { step: locale.count(step) }) : null;
  }
}
