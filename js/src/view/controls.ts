import { button, h, on, setAttribute, setText } from '../dom';
import type { Locale } from '../i18n';
import type { RunCommand, RunSummary } from '../protocol';
import { SaidError } from '../said-error';
import { ServerError } from '../server';
import { icon, type IconName } from './icons';

/** Sends a command by whatever way is open; rejects with a sentence when none is. */
export type SendCommand = (command: RunCommand, value?: unknown) => Promise<void>;

const LARGEST_RATE = 100;

/** Pause or resume, stop, and the learning rate of a run; each says that it was sent until the run has answered. */
export class Controls {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private readonly _send: SendCommand;
  private readonly _pause: HTMLButtonElement;
  private readonly _stop: HTMLButtonElement;
  private readonly _rate: HTMLInputElement;
  private readonly _rateForm: HTMLFormElement;
  private readonly _message = h('span', { class: 'lp-control-message', role: 'status' });
  private _summary: RunSummary | null = null;
  private _sentAtSeq = -1;

  constructor(locale: Locale, send: SendCommand) {
    this._locale = locale;
    this._send = send;
    this._pause = iconButton('pause', locale.t('control.pause'), () => this._togglePause());
    this._stop = iconButton('stop', locale.t('control.stop'), () => void this._command('stop', { hard: false }));
    this._rate = h('input', {
      class: 'lp-input',
      inputmode: 'decimal',
      autocomplete: 'off',
      size: 8,
      spellcheck: 'false'
    });
    this._rateForm = this._buildRateForm();
    this.element = h(
      'div',
      { class: 'lp-controls', role: 'group' },
      this._rateForm,
      this._pause,
      this._stop,
      this._message
    );
  }

  update(summary: RunSummary): void {
    const state = summary.state;
    const first = this._summary === null;
    if (this._summary && (this._summary.state !== state || (summary.last_seq ?? 0) > this._sentAtSeq + 2)) {
      this._say('');
    }
    this._summary = summary;
    const live = state === 'running' || state === 'paused';
    this._showPause(state === 'paused');
    this._pause.hidden = !live;
    this._stop.hidden = !(live || state === 'queued' || state === 'starting');
    this._rateForm.hidden = !live;
    setAttribute(this.element, 'hidden', this._stop.hidden && !this._message.textContent);
    setAttribute(this.element, 'aria-label', this._locale.t('control.group', { run: summary.run_id }));
    if (first || document.activeElement !== this._rate) {
      this._showRate(summary.learning_rate);
    }
  }

  /** Says that a command was not taken. */
  refuse(message: string): void {
    this._say(this._locale.t('control.refused', { message }), true);
  }

  private _buildRateForm(): HTMLFormElement {
    const label = h('label', {}, h('span', {}, this._locale.t('control.learning_rate')), this._rate);
    const set = h('button', { type: 'submit', class: 'lp-button' }, this._locale.t('control.set'));
    return on(h('form', { class: 'lp-rate' }, label, set), {
      submit: event => {
        event.preventDefault();
        this._setRate();
      }
    });
  }

  private _showPause(paused: boolean): void {
    const name: IconName = paused ? 'play' : 'pause';
    if (this._pause.dataset.icon !== name) {
      this._pause.dataset.icon = name;
      this._pause.replaceChildren(icon(name), this._locale.t(paused ? 'control.resume' : 'control.pause'));
    }
  }

  private _showRate(rate: number | null | undefined): void {
    this._rate.value = rate ? String(Number(rate.toPrecision(4))) : '';
  }

  private _togglePause(): void {
    void this._command(this._summary?.state === 'paused' ? 'resume' : 'pause');
  }

  private _setRate(): void {
    const rate = Number(this._rate.value.trim());
    if (!(rate > 0 && rate <= LARGEST_RATE)) {
      this._say(this._locale.t('control.bad_rate'), true);
      return;
    }
    this._rate.blur();
    void this._command('set_learning_rate', rate);
  }

  private async _command(command: RunCommand, value?: unknown): Promise<void> {
    const words: Partial<Record<RunCommand, string>> = {
      pause: this._locale.t('control.pause'),
      resume: this._locale.t('control.resume'),
      stop: this._locale.t('control.stop'),
      set_learning_rate: `${this._locale.t('control.learning_rate')} ${String(value)}`
    };
    this._sentAtSeq = this._summary?.last_seq ?? 0;
    this._say(this._locale.t('control.pending', { command: words[command] ?? command }));
    try {
      await this._send(command, value);
    } catch (error) {
      this._say(this._locale.t('control.failed', { message: messageOf(error, this._locale) }), true);
    }
  }

  private _say(text: string, failed = false): void {
    setText(this._message, text);
    this.element.hidden &&= text === '';
    setAttribute(this._message, 'data-failed', failed);
  }
}

/** The sentence of an error: the server's own is in the reader's language already. */
export function messageOf(error: unknown, locale: Locale): string {
  if (error instanceof SaidError) {
    return locale.t(error.key);
  }
  if (error instanceof ServerError && !error.isSaid) {
    return locale.t('error.answered', { status: error.status });
  }
  if (error instanceof TypeError && /fetch|network|load failed/i.test(error.message)) {
    return locale.t('error.no_server');
  }
  return error instanceof Error ? error.message : String(error);
}

/** A button with an icon before its text. */
export function iconButton(name: IconName, text: string, onClick: () => void): HTMLButtonElement {
  const element = button(text, onClick, { 'data-icon': name });
  element.prepend(icon(name));
  return element;
}
