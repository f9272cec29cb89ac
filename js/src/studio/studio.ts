import { followTheme } from '../charts/theme';
import { button, h, setAttribute, setText } from '../dom';
import type { RunSummary } from '../protocol';
import { StateChip } from '../view/chip';
import { icon } from '../view/icons';
import { CodeBar } from './code-line';
import type { StepView, StudioContext } from './context';
import { DataStep } from './data-step';
import { DeployStep } from './deploy-step';
import { EvaluateStep } from './evaluate-step';
import { ModelStep } from './model-step';
import { TrainStep } from './train-step';
import { STEPS, type Step, type StudioTraits } from './traits';

const SHOWN_TRAITS: readonly (keyof StudioTraits)[] = [
  'step',
  'values',
  'lines',
  'card',
  'model_summary',
  'run_id',
  'summary',
  'report',
  'endpoint',
  'prediction',
  'row_fields',
  'study',
  'explanation',
  'compression',
  'busy',
  'loading',
  'error'
];

/** The whole studio: five steps in a row, each with its options, what came of them, and its line of code. */
export class StudioView {
  readonly element: HTMLElement;
  private readonly _context: StudioContext;
  private readonly _steps: Record<Step, StepView>;
  private readonly _train: TrainStep;
  private readonly _tabs: Record<Step, HTMLButtonElement>;
  private readonly _name = h('h3', { class: 'lp-run-name' });
  private readonly _chip: StateChip;
  private readonly _options = h('div', { class: 'lp-options' });
  private readonly _view = h('div', { class: 'lp-view', role: 'tabpanel' });
  private readonly _error = h('p', { class: 'lp-notice', 'data-tone': 'error', role: 'alert' });
  private readonly _busy = h('p', { class: 'lp-busy', role: 'status' });
  private readonly _next = button('', () => this._goOn(), { class: 'lp-button lp-next' });
  private readonly _code: CodeBar;
  private readonly _unfollowTheme: () => void;
  private _frame = 0;

  constructor(context: StudioContext) {
    this._context = context;
    const { locale } = context;
    this._chip = new StateChip(locale);
    this._code = new CodeBar(locale);
    this._train = new TrainStep(context, () => this._later());
    const runSummary = (): RunSummary | null => this._train.summary;
    this._steps = {
      data: new DataStep(context),
      model: new ModelStep(context),
      train: this._train,
      evaluate: new EvaluateStep(context, runSummary),
      deploy: new DeployStep(context, runSummary)
    };
    this._tabs = Object.fromEntries(STEPS.map(step => [step, this._tab(step)])) as Record<Step, HTMLButtonElement>;
    this.element = this._build();
    this._unfollowTheme = followTheme(this.element, () => undefined);
    for (const trait of SHOWN_TRAITS) {
      context.model.on(`change:${trait}`, this._later);
    }
    this.update();
  }

  dispose(): void {
    cancelAnimationFrame(this._frame);
    for (const trait of SHOWN_TRAITS) {
      this._context.model.off(`change:${trait}`, this._later);
    }
    for (const step of STEPS) {
      this._steps[step].dispose?.();
    }
    this._unfollowTheme();
    this.element.remove();
  }

  /** Draws all steps and shows the one in sight. */
  update(): void {
    const step = this._context.get('only') || this._context.get('step');
    for (const each of STEPS) {
      this._steps[each].update();
      setAttribute(this._tabs[each], 'aria-selected', String(each === step));
      setAttribute(this._tabs[each], 'tabindex', each === step ? 0 : -1);
      setAttribute(this._tabs[each], 'data-done', this._isDone(each));
    }
    const shown = this._steps[step];
    if (this._options.firstChild !== shown.options) {
      this._options.replaceChildren(shown.options, this._next);
      this._view.replaceChildren(this._error, this._busy, shown.view);
      setAttribute(this._view, 'aria-label', this._context.locale.t(`step.${step}`));
    }
    this._showNext(step);
    this._code.update(this._context.get('locked') ? undefined : this._context.get('lines')[step]);
    this._showRun(this._train.summary);
    this._showMessages(step);
  }

  private readonly _later = (): void => {
    this._frame ||= requestAnimationFrame(() => {
      this._frame = 0;
      this.update();
    });
  };

  private _build(): HTMLElement {
    const { locale } = this._context;
    const tabs = h('div', { class: 'lp-steps', role: 'tablist' }, ...STEPS.map(step => this._tabs[step]));
    tabs.addEventListener('keydown', event => this._moveTab(event));
    const title = h('div', { class: 'lp-run-title' }, this._name, this._chip.element);
    return h(
      'section',
      { class: 'lepton lp-studio', lang: locale.tag, 'aria-label': locale.t('studio.title') },
      h('header', { class: 'lp-studio-top' }, title, this._context.get('only') ? null : tabs),
      h('div', { class: 'lp-studio-body' }, this._options, this._view),
      this._code.element
    );
  }

  private _tab(step: Step): HTMLButtonElement {
    const text = this._context.locale.t(`step.${step}`);
    const tab = button(text, () => this._context.show(step), { class: 'lp-step', role: 'tab' });
    tab.prepend(icon('check'));
    return tab;
  }

  private _moveTab(event: KeyboardEvent): void {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by) {
      event.preventDefault();
      const index = STEPS.indexOf(this._context.get('step'));
      const next = STEPS[(index + by + STEPS.length) % STEPS.length] as Step;
      this._context.show(next);
      this._tabs[next].focus();
    }
  }

  private _goOn(): void {
    const next = STEPS[STEPS.indexOf(this._context.get('step')) + 1];
    if (next) {
      this._context.show(next);
      this._tabs[next].focus();
    }
  }

  /** Where to go from a step that is done. */
  private _showNext(step: Step): void {
    const { locale } = this._context;
    const next = STEPS[STEPS.indexOf(step) + 1];
    const leads = next && this._isDone(step) && !this._context.get('only') && !this._context.get('locked');
    setAttribute(this._next, 'hidden', !leads);
    setText(this._next, next ? locale.t('studio.next', { step: locale.t(`step.${next}`) }) : '');
  }

  private _isDone(step: Step): boolean {
    switch (step) {
      case 'data':
        return this._context.get('card') !== null;
      case 'model':
        return this._context.get('model_summary') !== null;
      case 'train':
        return this._train.summary?.state === 'finished';
      case 'evaluate':
        return this._context.get('report') !== null;
      case 'deploy':
        return this._context.get('endpoint')?.state === 'ready';
    }
  }

  private _showRun(summary: RunSummary | null): void {
    const { locale } = this._context;
    setText(this._name, summary?.name || summary?.run_id || locale.t('studio.title'));
    setAttribute(this._chip.element, 'hidden', !summary);
    if (summary) {
      this._chip.update(summary.state);
    }
  }

  private _showMessages(step: Step): void {
    const { locale } = this._context;
    const error = this._context.get('error');
    const busy = this._context.get('busy');
    const where = error && error.step !== step ? `${locale.word('step', error.step)}: ` : '';
    setText(this._error, error ? where + error.message : '');
    setAttribute(this._error, 'hidden', !error);
    setText(this._busy, busy);
    setAttribute(this._busy, 'hidden', !busy);
  }
}
