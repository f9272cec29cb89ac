import { h, on, setAttribute, setText } from '../dom';
import type { Locale } from '../i18n';
import { type Field, problemOf } from './schema';
import type { FieldValue, Values } from './traits';

interface Row {
  field: Field;
  element: HTMLElement;
  input: HTMLInputElement | HTMLSelectElement;
  problem: HTMLElement;
}

let formCount = 0;

/**
 * A form made from a spec's fields: label left, value right, the few simple ones in sight and the others behind
 * "Advanced" with a line of help each. `changed` gets the values that differ from their defaults.
 */
export class SchemaForm {
  readonly element = h('div', { class: 'lp-form' });
  private readonly _rows: Row[] = [];
  private readonly _section: string;
  private readonly _locale: Locale;
  private readonly _changed: (values: Values) => void;
  private readonly _id = `lp-form-${++formCount}`;
  private readonly _message = h('p', { class: 'lp-field-problem', role: 'alert' });
  private _explained: HTMLElement | null = null;

  constructor(section: string, fields: Field[], locale: Locale, changed: (values: Values) => void) {
    this._section = section;
    this._locale = locale;
    this._changed = changed;
    const simple = fields.filter(field => !field.advanced);
    const advanced = fields.filter(field => field.advanced);
    this.element.append(...simple.map(field => this._addRow(field)));
    if (advanced.length > 0) {
      const summary = h('summary', {}, locale.t('form.advanced'));
      const rows = h('div', { class: 'lp-advanced' }, ...advanced.map(field => this._addRow(field)));
      this.element.append(h('details', {}, summary, rows));
    }
    this.element.append(this._message);
  }

  /** Shows values; a field that a person is writing in is left alone. */
  update(values: Values): void {
    for (const { field, input } of this._rows) {
      if (document.activeElement !== input) {
        show(input, field, values[field.name]);
      }
    }
  }

  /** Shows or hides fields, by what makes sense for the rest of the form. */
  showOnly(isShown: (name: string) => boolean): void {
    for (const { field, element } of this._rows) {
      element.hidden = !isShown(field.name);
    }
  }

  /** Offers values for a field that takes any text. */
  suggest(name: string, values: string[]): void {
    const row = this._rows.find(({ field }) => field.name === name);
    if (row && !(row.input instanceof HTMLSelectElement) && values.join() !== row.element.dataset.offered) {
      const list = h('datalist', { id: `${row.input.id}-list` }, ...values.map(value => h('option', { value })));
      row.element.querySelector('datalist')?.remove();
      row.element.append(list);
      row.element.dataset.offered = values.join();
      setAttribute(row.input, 'list', list.id);
    }
  }

  /** Says a problem of the whole form. */
  say(message: string): void {
    setText(this._message, message);
  }

  private _addRow(field: Field): HTMLElement {
    const id = `${this._id}-${field.name}`;
    const input = this._input(field, id);
    const label = h('label', { for: id }, this._locale.word(`field.${this._section}`, field.name, plain(field.name)));
    const help = this._locale.word(`help.${this._section}`, field.name, this._locale.said(field.help));
    const hint = h('p', { class: 'lp-field-help', id: `${id}-help` }, help);
    const problem = h('p', { class: 'lp-field-problem', role: 'alert' });
    const value = h('span', { class: 'lp-field-value' }, input, field.unit ? h('span', {}, field.unit) : null);
    const element = h('div', { class: 'lp-field', title: help }, label, value, hint, problem);
    setAttribute(element, 'data-kind', field.kind);
    setAttribute(input, 'aria-describedby', hint.id);
    const row: Row = { field, element, input, problem };
    on(input as HTMLElement, { change: () => this._take(row), focus: () => this._explain(element) });
    this._rows.push(row);
    return element;
  }

  /**
   * Shows a field's line of help until another field is entered. It stays when a button is pressed: a line that went
   * with the focus would move the button away between press and release, and the click would be lost.
   */
  private _explain(element: HTMLElement): void {
    setAttribute(this._explained ?? element, 'data-explained', null);
    setAttribute(element, 'data-explained', true);
    this._explained = element;
  }

  private _input(field: Field, id: string): Row['input'] {
    if (field.kind === 'choice') {
      const options = field.choices.map(value =>
        h('option', { value }, this._locale.word('value', value, value.replace(/_/g, ' ')))
      );
      return h('select', { id, class: 'lp-input' }, ...options);
    }
    if (field.kind === 'switch') {
      return h('input', { id, type: 'checkbox' });
    }
    return h('input', {
      id,
      class: 'lp-input',
      type: 'text',
      inputmode: field.kind === 'integer' ? 'numeric' : field.kind === 'number' ? 'decimal' : null,
      placeholder: field.optional ? this._locale.t('form.auto') : '',
      autocomplete: 'off',
      spellcheck: 'false'
    });
  }

  private _take({ field, input, problem }: Row): void {
    const found = problemOf(field, input.value);
    const bounds = { low: field.low ?? '', high: field.high ?? '' };
    setText(problem, found ? this._locale.t(`problem.${found}`, bounds) : '');
    setAttribute(input, 'aria-invalid', found ? 'true' : null);
    if (!found) {
      this._changed(this._values());
    }
  }

  private _values(): Values {
    const values: Values = {};
    for (const { field, input, element } of this._rows) {
      const value = read(input, field);
      if (value !== null && value !== field.default && !element.hidden && problemOf(field, input.value) === null) {
        values[field.name] = value;
      }
    }
    return values;
  }
}

function show(input: Row['input'], field: Field, given: FieldValue | undefined): void {
  const value = given ?? field.default;
  if (input instanceof HTMLInputElement && input.type === 'checkbox') {
    input.checked = value === true;
  } else {
    input.value = value === null ? '' : String(value);
  }
}

function read(input: Row['input'], field: Field): FieldValue | null {
  if (input instanceof HTMLInputElement && input.type === 'checkbox') {
    return input.checked;
  }
  const text = input.value.trim();
  if (text === '') {
    return null;
  }
  return field.kind === 'integer' || field.kind === 'number' ? Number(text) : text;
}

/** "batch_size" as a person writes it: "Batch size". */
export function plain(name: string): string {
  const words = name.replace(/_/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
