import { sparkline } from '../charts/sparkline';
import { button, h, setAttribute, setText } from '../dom';
import type { Locale } from '../i18n';
import type { RunSummary } from '../protocol';
import { fromHere } from '../server';
import { icon, type IconName } from '../view/icons';
import type { EndpointSummary } from './board';
import { endpointText, progressOf, runText } from './texts';

/** What a person can do from the panel. Each may fail; the host shows the sentence. */
export interface PanelActions {
  openCurve(run_id: string): void;
  openEndpoint(name: string): void;
  stopRun(run_id: string): void;
  resumeRun(run_id: string): void;
  stopEndpoint(name: string): void;
  copyUrl(url: string): void;
  newRun(): void;
  retry(): void;
  /** Opens what else can be done with a run, beside the button that was pressed. */
  more(run: RunSummary, anchor: HTMLElement): void;
  compare(): void;
}

function action(name: IconName, text: string, onClick: () => void): HTMLButtonElement {
  const element = button('', onClick, { class: 'lp-row-action', title: text, 'aria-label': text });
  element.append(icon(name));
  return element;
}

const STOPPABLE = new Set(['queued', 'starting', 'running', 'paused']);
const RESUMABLE = new Set(['paused', 'stopped', 'failed']);

/** One run: state, name, where it stands, small curve, and what can be done with it. */
export class RunRow {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private readonly _name = h('b');
  private readonly _pin = h('span', { class: 'lp-row-pin' });
  private readonly _tags = h('span', { class: 'lp-row-tags' });
  private readonly _text = h('small');
  private readonly _bar = h('i');
  private readonly _progress: HTMLElement;
  private readonly _curve = h('span', { class: 'lp-row-curve' });
  private readonly _stop: HTMLButtonElement;
  private readonly _resume: HTMLButtonElement;
  private readonly _open: HTMLButtonElement;
  private _run: RunSummary;
  private _drawn = '';

  constructor(run: RunSummary, locale: Locale, actions: PanelActions) {
    this._locale = locale;
    this._run = run;
    const { run_id } = run;
    const open = button('', () => actions.openCurve(run_id), { class: 'lp-row-main' });
    this._progress = h(
      'span',
      { class: 'lp-row-bar', role: 'progressbar', 'aria-valuemin': 0, 'aria-valuemax': 100 },
      this._bar
    );
    setAttribute(this._progress, 'aria-label', locale.t('panel.progress', { name: run_id }));
    this._pin.append(icon('pin'));
    setAttribute(this._pin, 'title', locale.t('panel.pinned'));
    open.append(h('span', { class: 'lp-row-name' }, this._pin, this._name), this._text, this._tags, this._progress);
    this._stop = action('stop', locale.t('panel.stop_run'), () => actions.stopRun(run_id));
    this._resume = action('resume', locale.t('panel.resume_run'), () => actions.resumeRun(run_id));
    const curve = action('curve', locale.t('panel.open_curve'), () => actions.openCurve(run_id));
    const more = action('more', locale.t('panel.more'), () => actions.more(this._run, more));
    setAttribute(more, 'aria-haspopup', 'menu');
    const buttons = h('span', { class: 'lp-row-actions' }, this._resume, this._stop, curve, more);
    setAttribute(buttons, 'role', 'group');
    setAttribute(buttons, 'aria-label', locale.t('panel.actions', { name: run_id }));
    const dot = h('i', { class: 'lp-dot', 'aria-hidden': 'true' });
    this.element = h('li', { class: 'lp-row', 'data-run': run_id }, dot, open, this._curve, buttons);
    this._open = open;
    this.update(run);
  }

  update(run: RunSummary): void {
    const text = runText(run, this._locale);
    this._run = run;
    const labels = [run.title, run.tags, run.note, run.pinned];
    const drawn = JSON.stringify([run.name, text, run.state, progressOf(run), run.sparkline, run.reason, labels]);
    if (drawn === this._drawn) {
      return;
    }
    this._drawn = drawn;
    setAttribute(this.element, 'data-state', run.state);
    setAttribute(this._open, 'aria-keyshortcuts', run.state === 'queued' && 'Alt+ArrowUp Alt+ArrowDown');
    setText(this._name, run.title || run.name || run.run_id);
    setAttribute(this.element, 'title', [run.title ? run.run_id : '', run.note].filter(Boolean).join('\n') || null);
    this._pin.hidden = !run.pinned;
    this._tags.replaceChildren(...(run.tags ?? []).map(tag => h('span', { class: 'lp-tag' }, tag)));
    this._tags.hidden = (run.tags ?? []).length === 0;
    setText(this._text, text);
    setAttribute(this._text, 'title', run.state === 'failed' ? text : null);
    this._showProgress(run);
    this._curve.replaceChildren(...((run.sparkline?.length ?? 0) > 1 ? [sparkline(run.sparkline ?? [])] : []));
    this._stop.hidden = !STOPPABLE.has(run.state);
    this._resume.hidden = !RESUMABLE.has(run.state) || run.reason === 'unreadable';
  }

  private _showProgress(run: RunSummary): void {
    const percent = Math.round(progressOf(run) * 100);
    this._progress.hidden = !['running', 'paused', 'stopping'].includes(run.state);
    setAttribute(this._progress, 'aria-valuenow', percent);
    this._bar.style.width = `${percent}%`;
  }
}

/** One endpoint: health, version, requests, and its address to copy. */
export class EndpointRow {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private readonly _text = h('small');
  private readonly _url = h('small', { class: 'lp-row-url' });
  private readonly _stop: HTMLButtonElement;
  private _endpoint: EndpointSummary;

  constructor(endpoint: EndpointSummary, locale: Locale, actions: PanelActions) {
    this._locale = locale;
    this._endpoint = endpoint;
    const { name } = endpoint;
    const main = button('', () => actions.openEndpoint(name), { class: 'lp-row-main' });
    main.append(h('b', {}, name), this._text, this._url);
    const copy = action('copy', locale.t('panel.copy_url'), () =>
      actions.copyUrl(`${fromHere(this._endpoint.url)}/predict`)
    );
    this._stop = action('stop', locale.t('panel.stop_endpoint'), () => actions.stopEndpoint(name));
    const buttons = h('span', { class: 'lp-row-actions lp-shown' }, copy, this._stop);
    setAttribute(buttons, 'role', 'group');
    setAttribute(buttons, 'aria-label', locale.t('panel.actions', { name }));
    const dot = h('i', { class: 'lp-dot', 'aria-hidden': 'true' });
    this.element = h('li', { class: 'lp-row' }, dot, main, buttons);
    this.update(endpoint);
  }

  update(endpoint: EndpointSummary): void {
    this._endpoint = endpoint;
    setAttribute(this.element, 'data-state', endpoint.state);
    setText(this._text, endpointText(endpoint, this._locale));
    setText(this._url, fromHere(endpoint.url));
    setAttribute(this._url, 'title', fromHere(endpoint.url));
    this._stop.hidden = endpoint.state === 'stopped';
  }
}
