import { button, h, setAttribute, setText } from '../dom';
import type { Locale } from '../i18n';
import { iconButton } from '../view/controls';
import type { CodeLine } from './traits';

/** Sent up the page when a person wants a line as a cell; the JupyterLab plugin takes it (`preventDefault`). */
export const INSERT_EVENT = 'lepton-lab:insert-cell';

export type CodeStyle = 'magic' | 'python';

const SAID_MS = 1_600;

/** The line that a form stands for: as magic or as Python, to copy or to put into the notebook. */
export class CodeBar {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private readonly _code = h('code', { tabindex: 0 });
  private readonly _styles: Record<CodeStyle, HTMLButtonElement>;
  private readonly _insert: HTMLButtonElement;
  private readonly _said = h('span', { class: 'lp-said', role: 'status' });
  private _line: CodeLine | null = null;
  private _style: CodeStyle = 'magic';

  constructor(locale: Locale) {
    this._locale = locale;
    this._styles = {
      magic: button(locale.t('code.magic'), () => this._choose('magic'), { class: 'lp-toggle' }),
      python: button('Python', () => this._choose('python'), { class: 'lp-toggle' })
    };
    const copy = iconButton('copy', locale.t('code.copy'), () => void this._copyCode());
    copy.className = 'lp-toggle';
    this._insert = button(locale.t('code.insert'), () => this._insertCell(), { class: 'lp-toggle' });
    setAttribute(this._code, 'aria-label', locale.t('code.label'));
    const buttons = h('span', { class: 'lp-toggles' }, this._styles.magic, this._styles.python, copy, this._insert);
    this.element = h('div', { class: 'lp-code' }, this._code, this._said, buttons);
  }

  update(line: CodeLine | undefined): void {
    this._line = line ?? null;
    setAttribute(this.element, 'hidden', !line);
    setText(this._code, line?.[this._style] ?? '');
    setAttribute(this._styles.magic, 'aria-pressed', String(this._style === 'magic'));
    setAttribute(this._styles.python, 'aria-pressed', String(this._style === 'python'));
    this._insert.hidden = document.documentElement.dataset.leptonLab === undefined;
  }

  private _choose(style: CodeStyle): void {
    this._style = style;
    this.update(this._line ?? undefined);
  }

  private async _copyCode(): Promise<void> {
    await copyText(this._code.textContent ?? '');
    this._say(this._locale.t('code.copied'));
  }

  private _insertCell(): void {
    const detail = { code: this._code.textContent ?? '' };
    const event = new CustomEvent(INSERT_EVENT, { detail, bubbles: true, composed: true, cancelable: true });
    const taken = !this.element.dispatchEvent(event);
    this._say(this._locale.t(taken ? 'code.inserted' : 'code.not_inserted'));
  }

  private _say(text: string): void {
    setText(this._said, text);
    setTimeout(() => setText(this._said, ''), SAID_MS);
  }
}

/** Puts a text on the clipboard, in pages without the clipboard interface (plain http) too. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard && isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = h('textarea', { 'aria-hidden': 'true', class: 'lp-spoken' });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}
