import { button, h, on, setAttribute } from '../dom';
import type { StepView, StudioContext } from './context';
import { dataCard } from './data-card';
import { SchemaForm } from './form';
import { empty } from './parts';
import { Upload } from './upload';
import { Picker } from './picker';
import { fieldsOf, inSight } from './schema';
import type { DataCard, Values } from './traits';

/** The choice that stands for a file or folder of one's own. */
const OWN = '';
/** What is asked of a person at once; the defaults of the rest are told from the data. */
const IN_SIGHT = ['target', 'task', 'validation_fraction', 'test_fraction'];
/** Fields that only make sense for a file or folder of one's own. */
const OWN_FIELDS = new Set(['target', 'missing', 'image_size']);

/** Pick a dataset, say how it is split and prepared, see what is in it. */
export class DataStep implements StepView {
  readonly options: HTMLElement;
  readonly view = h('div', { class: 'lp-step-view' });
  private readonly _context: StudioContext;
  private readonly _picker: Picker;
  private readonly _search: HTMLInputElement;
  private readonly _path: HTMLInputElement;
  private readonly _form: SchemaForm;
  private readonly _load: HTMLButtonElement;
  private readonly _cancel: HTMLButtonElement;
  private readonly _upload: Upload | null;
  private _drawn: DataCard | null | undefined;
  private _choseOwn = false;

  constructor(context: StudioContext) {
    this._context = context;
    const { locale } = context;
    this._picker = new Picker(locale.t('data.dataset'), value => this._pick(value));
    this._fillPicker();
    this._path = h('input', {
      class: 'lp-input lp-path',
      type: 'text',
      spellcheck: 'false',
      autocomplete: 'off',
      placeholder: locale.t('data.path'),
      'aria-label': locale.t('data.path')
    });
    on(this._path, { change: () => this._send({ name: this._path.value.trim() }) });
    const fields = inSight(fieldsOf(context.get('schemas').data, ['name', 'fingerprint']), IN_SIGHT);
    this._form = new SchemaForm('data', fields, locale, values => this._sendOptions(values));
    this._load = button(locale.t('data.load'), () => this._loadData(), { class: 'lp-button lp-primary' });
    this._cancel = button(locale.t('data.cancel'), () => this._context.send({ type: 'cancel_loading' }));
    this._upload = context.get('choices').paths ? new Upload(context, message => this._form.say(message)) : null;
    this._upload?.takeDrops(this.view);
    const upload = [this._upload?.button(), this._upload?.input];
    const actions = h('div', { class: 'lp-actions' }, this._load, ...upload, this._cancel);
    const title = h('h3', {}, locale.t('data.dataset'));
    this._search = on(
      h('input', {
        class: 'lp-input lp-search',
        type: 'search',
        placeholder: locale.t('data.search'),
        'aria-label': locale.t('data.search')
      }),
      { input: () => this._picker.filter(this._search.value) }
    );
    this.options = h('div', {}, title, this._search, this._picker.element, this._path, this._form.element, actions);
  }

  update(): void {
    const values = this._context.get('values').data;
    const name = values.name ?? 'digits';
    const set = this._context.get('choices').datasets.find(each => each.name === name);
    const own = this._choseOwn || !set;
    this._picker.select(own ? OWN : name);
    setAttribute(this._path, 'hidden', !own);
    if (!set && document.activeElement !== this._path) {
      this._path.value = name;
    }
    this._form.update(values);
    this._form.showOnly(field => (OWN_FIELDS.has(field) ? own : field !== 'mirror' || (!own && !set?.offline)));
    this._load.disabled = this._context.get('busy') !== '' || (own && this._path.value.trim() === '');
    setAttribute(this._cancel, 'hidden', !this._context.get('loading'));
    this._draw(this._context.get('card'));
    this._form.suggest('target', this._context.get('card')?.columns.map(column => column.name) ?? []);
  }

  private _fillPicker(): void {
    const { locale } = this._context;
    const { datasets, paths } = this._context.get('choices');
    const named = datasets.map(set => ({
      value: set.name,
      title: locale.word('dataset', set.name, set.title),
      note: locale.t(set.offline ? 'data.rows_offline' : 'data.rows_download', { rows: locale.count(set.num_rows) })
    }));
    const own = { value: OWN, title: locale.t('data.own'), note: locale.t('data.own_note') };
    this._picker.setChoices(paths ? [...named, own] : named);
  }

  private _pick(value: string): void {
    this._choseOwn = value === OWN;
    if (value !== OWN) {
      this._send({ name: value });
      return;
    }
    this._path.value = '';
    this.update();
    this._path.focus();
  }

  private _send(changed: Values): void {
    this._choseOwn = this._choseOwn && changed.name === undefined;
    this._context.set('data', { ...this._context.get('values').data, ...changed });
  }

  private _sendOptions(values: Values): void {
    this._context.set('data', { name: this._context.get('values').data.name ?? 'digits', ...values });
  }

  private _loadData(): void {
    this._context.send({ type: 'load_data' });
  }

  private _draw(card: DataCard | null): void {
    if (card === this._drawn) {
      return;
    }
    this._drawn = card;
    const { locale } = this._context;
    this.view.replaceChildren(...(card ? dataCard(card, locale) : [this._nothing()]));
  }

  /** No data yet: a file of one's own, or what is chosen in the list. */
  private _nothing(): HTMLElement {
    const { locale } = this._context;
    const load = button(locale.t('data.load'), () => this._loadData());
    return this._upload
      ? empty(locale.t('data.none_own'), h('div', { class: 'lp-actions' }, this._upload.button(), load))
      : empty(locale.t('data.none'), load);
  }
}
