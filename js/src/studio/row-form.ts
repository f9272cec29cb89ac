import { h, on } from '../dom';
import type { StudioContext } from './context';
import type { RowField, RowValue } from './traits';

type Input = HTMLInputElement | HTMLSelectElement;

/** A form with a field for each column of a table: numbers, dates and texts to write, categories to choose. */
export class RowForm {
  readonly element: HTMLFormElement;
  private readonly _context: StudioContext;
  private readonly _fields = h('div', { class: 'lp-row-fields' });
  private readonly _ask: HTMLButtonElement;
  private _inputs: { field: RowField; input: Input }[] = [];
  private _drawn = '';

  constructor(context: StudioContext) {
    this._context = context;
    const { locale } = context;
    this._ask = h('button', { type: 'submit', class: 'lp-button' }, locale.t('deploy.predict_text'));
    this.element = on(
      h(
        'form',
        { class: 'lp-ask lp-row-form' },
        h('p', { class: 'lp-hint' }, locale.t('deploy.row_help')),
        this._fields,
        this._ask
      ),
      {
        submit: event => {
          event.preventDefault();
          context.send({ type: 'predict', values: this._values() });
        }
      }
    );
  }

  update(fields: RowField[], ready: boolean): void {
    this._ask.disabled = !ready;
    this.element.hidden = fields.length === 0;
    const drawn = JSON.stringify(fields);
    if (drawn !== this._drawn) {
      this._drawn = drawn;
      this._inputs = fields.map(field => ({ field, input: this._input(field) }));
      this._fields.replaceChildren(
        ...this._inputs.map(({ field, input }) => h('label', {}, h('span', { title: field.name }, field.name), input))
      );
    }
  }

  private _input(field: RowField): Input {
    const example = field.example === null || field.example === undefined ? '' : String(field.example);
    if (field.choices.length > 0) {
      const { locale } = this._context;
      const none = h('option', { value: '' }, locale.t('data.missing'));
      const select = h(
        'select',
        { class: 'lp-input' },
        none,
        ...field.choices.map(value => h('option', { value }, value))
      );
      select.value = field.choices.includes(example) ? example : '';
      return select;
    }
    const mode = field.kind === 'number' ? 'decimal' : null;
    const placeholder = field.kind === 'date' ? '2024-05-31' : '';
    const input = h('input', { class: 'lp-input', type: 'text', inputmode: mode, placeholder, autocomplete: 'off' });
    input.value = example;
    return input;
  }

  /** A number as a number, an empty field as no value. What is no number goes as it is: the endpoint says so. */
  private _values(): Record<string, RowValue> {
    return Object.fromEntries(
      this._inputs.map(({ field, input }) => {
        const text = input.value.trim();
        const number = Number(text);
        const isNumber = field.kind === 'number' && Number.isFinite(number);
        return [field.name, text === '' ? null : isNumber ? number : text];
      })
    );
  }
}
