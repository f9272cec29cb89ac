import { button, h, on, setText } from '../dom';
import { CodeBar } from './code-line';
import type { StudioContext } from './context';
import { plain, SchemaForm } from './form';
import { type Field, fieldsOf, inSight } from './schema';
import { canBeSearched, type Dimension, firstGuess, readSpace, writeSpace } from './search-space';
import type { Values } from './traits';

const IN_SIGHT = ['trials', 'prune'];

/** Which options to search, between what, and how many trials; folded away until somebody wants it. */
export class TuneForm {
  readonly element: HTMLDetailsElement;
  private readonly _context: StudioContext;
  private readonly _rows = h('div', { class: 'lp-search-rows' });
  private readonly _add: HTMLSelectElement;
  private readonly _form: SchemaForm;
  private readonly _start: HTMLButtonElement;
  private readonly _line: CodeBar;
  private readonly _note = h('p', { class: 'lp-hint' });
  private _space: Dimension[] = [];
  private _drawn = '';

  constructor(context: StudioContext) {
    this._context = context;
    const { locale } = context;
    this._add = on(h('select', { class: 'lp-input', 'aria-label': locale.t('tune.add') }), {
      change: () => this._addOption()
    });
    const fields = inSight(fieldsOf(context.get('schemas').tune, ['search']), IN_SIGHT);
    this._form = new SchemaForm('tune', fields, locale, values => this._send(values));
    this._start = button(locale.t('tune.start'), () => context.send({ type: 'tune' }));
    this._line = new CodeBar(locale);
    this.element = h(
      'details',
      { class: 'lp-tune', hidden: context.get('choices').search.length === 0 },
      h('summary', {}, locale.t('tune.title')),
      h('p', { class: 'lp-hint' }, locale.t('tune.how')),
      this._rows,
      this._note,
      this._add,
      this._form.element,
      h('div', { class: 'lp-actions' }, this._start),
      this._line.element
    );
  }

  update(): void {
    const values = this._context.get('values').tune;
    this._form.update(values);
    this._start.disabled = this._context.get('busy') !== '' || this._context.get('study')?.state === 'running';
    this._line.update(this._context.get('lines').tune);
    const known = this._known();
    const drawn = JSON.stringify([values.search ?? 'auto', Object.keys(known)]);
    if (drawn !== this._drawn) {
      this._drawn = drawn;
      this._space = readSpace(String(values.search ?? '')).filter(each => each.name in known);
      this._draw(known);
    }
  }

  /** The options that can be searched: of training under their names, of the network with `model_` before them. */
  private _known(): Record<string, Field> {
    const { train, model } = this._context.get('schemas');
    const allowed = this._context.get('choices').search;
    const network = model[this._context.get('values').model.name ?? ''];
    const own = network ? fieldsOf(network).map(field => [`model_${field.name}`, field] as const) : [];
    const found = [
      ...fieldsOf(train)
        .filter(field => allowed.includes(field.name))
        .map(field => [field.name, field] as const),
      ...own
    ];
    return Object.fromEntries(found.filter(([, field]) => canBeSearched(field)));
  }

  private _draw(known: Record<string, Field>): void {
    const { locale } = this._context;
    const taken = this._space.map(each => each.name);
    const free = Object.keys(known).filter(name => !taken.includes(name));
    this._rows.replaceChildren(...this._space.map(each => this._row(each, known[each.name] as Field)));
    this._add.replaceChildren(
      h('option', { value: '' }, locale.t('tune.add')),
      ...free.map(name => h('option', { value: name }, this._name(name)))
    );
    setText(this._note, this._space.length > 0 ? '' : locale.t('tune.auto'));
  }

  /** "model_channels" as the form of the network calls it. */
  private _name(name: string): string {
    const { locale } = this._context;
    const own = name.startsWith('model_');
    const bare = own ? name.slice('model_'.length) : name;
    const said = locale.word(own ? 'field.model' : 'field.train', bare, plain(bare));
    return own ? locale.t('tune.of_network', { option: said }) : said;
  }

  private _row(each: Dimension, field: Field): HTMLElement {
    const { locale } = this._context;
    const name = this._name(each.name);
    const remove = button('×', () => this._change(this._space.filter(other => other !== each)), {
      class: 'lp-toggle',
      'aria-label': locale.t('tune.remove', { option: name })
    });
    const values =
      field.kind === 'choice' || field.kind === 'switch' ? this._choices(each, field) : this._range(each, name);
    return h('fieldset', { class: 'lp-search-row' }, h('legend', {}, name), values, remove);
  }

  private _range(each: Dimension, name: string): HTMLElement {
    const { locale } = this._context;
    const end = (key: 'low' | 'high'): HTMLInputElement => {
      const label = locale.t(key === 'low' ? 'tune.from' : 'tune.to', { option: name });
      const input = h('input', { class: 'lp-input', type: 'text', inputmode: 'decimal', size: 7, 'aria-label': label });
      input.value = each[key];
      return on(input, {
        change: () => {
          each[key] = input.value.trim();
          this._change(this._space);
        }
      });
    };
    return h('span', { class: 'lp-search-values' }, end('low'), ' – ', end('high'));
  }

  private _choices(each: Dimension, field: Field): HTMLElement {
    const { locale } = this._context;
    const offered = field.kind === 'switch' ? ['true', 'false'] : field.choices;
    const boxes = offered.map(value => {
      const box = h('input', { type: 'checkbox', checked: each.choices.includes(value) });
      on(box, {
        change: () => {
          each.choices = offered.filter(other => (other === value ? box.checked : each.choices.includes(other)));
          this._change(this._space.filter(other => other.choices.length > 0 || other !== each));
        }
      });
      const said = { true: locale.t('word.yes'), false: locale.t('word.no') }[value];
      return h('label', {}, box, said ?? locale.word('value', value, value.replace(/_/g, ' ')));
    });
    return h('span', { class: 'lp-search-values' }, ...boxes);
  }

  private _addOption(): void {
    const name = this._add.value;
    const field = this._known()[name];
    if (field) {
      this._change([...this._space, firstGuess(name, field)]);
    }
  }

  private _change(space: Dimension[]): void {
    this._space = space;
    const before = Object.entries(this._context.get('values').tune);
    this._send(Object.fromEntries(before.filter(([name]) => name !== 'search')));
    this._draw(this._known());
  }

  private _send(values: Values): void {
    const search = writeSpace(this._space);
    this._context.set('tune', search === 'auto' ? values : { ...values, search });
  }
}
