import { h, on, setAttribute } from '../dom';

export interface Choice {
  value: string;
  title: string;
  note: string;
  drawing?: Node;
  /** Does not suit the data; it can be chosen all the same. */
  dim?: boolean;
}

let pickerCount = 0;

/** One of several, as cards; keys and screen readers take them as radio buttons. */
export class Picker {
  readonly element: HTMLElement;
  private readonly _name = `lp-picker-${++pickerCount}`;
  private readonly _changed: (value: string) => void;
  private readonly _inputs = new Map<string, HTMLInputElement>();

  constructor(label: string, changed: (value: string) => void) {
    this._changed = changed;
    this.element = h('div', { class: 'lp-picker', role: 'radiogroup', 'aria-label': label });
  }

  setChoices(choices: Choice[]): void {
    this._inputs.clear();
    this.element.replaceChildren(...choices.map(choice => this._card(choice)));
  }

  select(value: string): void {
    for (const [name, input] of this._inputs) {
      const card = input.parentElement as HTMLElement;
      if (name === value && !input.checked) {
        this._reveal(card);
      }
      input.checked = name === value;
      setAttribute(card, 'data-chosen', name === value);
    }
  }

  /** Scrolls the list, and nothing around it, to a choice that was made elsewhere. */
  private _reveal(card: HTMLElement): void {
    const list = this.element;
    const top = card.offsetTop - list.offsetTop;
    if (top < list.scrollTop || top + card.offsetHeight > list.scrollTop + list.clientHeight) {
      list.scrollTop = top;
    }
  }

  /** Shows the choices that have a text in their title or note, and the chosen one. */
  filter(text: string): void {
    const wanted = text.trim().toLowerCase();
    for (const input of this._inputs.values()) {
      const card = input.parentElement as HTMLElement;
      card.hidden = wanted !== '' && !input.checked && !(card.textContent ?? '').toLowerCase().includes(wanted);
    }
  }

  private _card({ value, title, note, drawing, dim }: Choice): HTMLElement {
    const input = h('input', { type: 'radio', name: this._name, value });
    on(input, {
      change: () => {
        this.select(value);
        this._changed(value);
      }
    });
    this._inputs.set(value, input);
    const text = h('span', { class: 'lp-choice-text' }, h('b', {}, title), h('small', {}, note));
    return h('label', { class: 'lp-choice', title: note, 'data-dim': dim }, input, text, drawing ?? null);
  }
}
