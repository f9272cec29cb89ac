import { h, setAttribute, setText } from '../dom';
import type { Locale } from '../i18n';
import type { RunState } from '../protocol';

/** A state as a word in a coloured pill, with a dot whose shape differs too. */
export class StateChip {
  readonly element: HTMLElement;
  private readonly _word = h('span');
  private readonly _locale: Locale;

  constructor(locale: Locale) {
    this._locale = locale;
    this.element = h('span', { class: 'lp-chip' }, h('i', { class: 'lp-dot', 'aria-hidden': 'true' }), this._word);
  }

  update(state: RunState): void {
    setText(this._word, this._locale.word('state', state));
    setAttribute(this.element, 'data-state', state);
  }
}
