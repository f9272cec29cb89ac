import { button, h } from '../dom';
import type { StepView, StudioContext } from './context';
import { SchemaForm } from './form';
import { networkDrawing, networkFlow, optionPairs } from './network';
import { block, empty, facts, figures, shapeText, table } from './parts';
import { Picker } from './picker';
import { fieldsOf } from './schema';
import type { ModelChoice, ModelLayer, ModelSummary, Values } from './traits';
import type { Locale } from '../i18n';

/** Choose a network, set its options, see it on paper. */
export class ModelStep implements StepView {
  readonly options: HTMLElement;
  readonly view = h('div', { class: 'lp-step-view' });
  private readonly _context: StudioContext;
  private readonly _picker: Picker;
  private readonly _formBox = h('div');
  private _form: SchemaForm | null = null;
  private _network = '';
  private _own = '';
  private _drawn = '';
  private _asked = '';
  private _suiting = '';

  constructor(context: StudioContext) {
    this._context = context;
    const { locale } = context;
    this._picker = new Picker(locale.t('model.network'), name => context.set('model', { name, options: {} }));
    this._fillPicker();
    this.options = h('div', {}, h('h3', {}, locale.t('model.network')), this._picker.element, this._formBox);
  }

  update(): void {
    const { name = 'cnn', options = {} } = this._context.get('values').model;
    const summary = this._context.get('model_summary');
    const own = summary?.own ? summary.name : '';
    const card = this._context.get('card');
    const suiting = `${card?.task} ${card?.modality}`;
    if (own !== this._own || suiting !== this._suiting) {
      this._suiting = suiting;
      this._own = own;
      this._fillPicker();
    }
    this._picker.select(name);
    this._showForm(name);
    this._form?.update(options);
    this._draw(summary);
    this._ask(summary);
  }

  private _fillPicker(): void {
    const { locale } = this._context;
    const { modality, task } = this._context.get('card') ?? {};
    const suits = (each: ModelChoice): boolean =>
      !modality || !task || (each.suits ?? []).includes(`${task} ${modality}`);
    const models = this._context.get('choices').models;
    const ordered = [...models.filter(suits), ...models.filter(each => !suits(each))];
    const built = ordered
      .map(each => ({ ...each, fits: suits(each) }))
      .map(({ name, title, fits }) => ({
        value: name,
        title: locale.word('network', name, name.toUpperCase()),
        note: locale.word('network_note', name, title),
        dim: !fits,
        drawing: networkDrawing(name)
      }));
    const own = { value: this._own, title: this._own, note: locale.t('model.own'), drawing: networkDrawing('own') };
    this._picker.setChoices(this._own ? [own, ...built] : built);
  }

  private _showForm(name: string): void {
    if (name === this._network) {
      return;
    }
    this._network = name;
    const schema = this._context.get('schemas').model[name];
    const changed = (options: Values): void => this._context.set('model', { name, options });
    this._form = schema ? new SchemaForm('model', fieldsOf(schema), this._context.locale, changed) : null;
    this._formBox.replaceChildren(...(this._form ? [this._form.element] : []));
  }

  private _draw(summary: ModelSummary | null): void {
    const drawn = JSON.stringify(summary);
    if (drawn === this._drawn) {
      return;
    }
    this._drawn = drawn;
    const { locale } = this._context;
    if (summary) {
      this.view.replaceChildren(...this._summary(summary));
    } else {
      const load = button(locale.t('data.load'), () => this._context.send({ type: 'load_data' }));
      this.view.replaceChildren(empty(locale.t('model.needs_data'), load));
    }
  }

  private _summary(summary: ModelSummary): HTMLElement[] {
    const { locale } = this._context;
    const parameters = summary.num_parameters;
    const title = h(
      'div',
      { class: 'lp-view-title' },
      h('h4', {}, locale.word('network', summary.name)),
      h('span', { class: 'lp-hint' }, locale.t('model.for', { dataset: summary.dataset ?? '' }))
    );
    const options = summary.own ? optionPairs(summary, locale) : [];
    return [
      title,
      figures([
        [locale.t('model.parameters'), parameters ? locale.count(parameters) : '–'],
        [locale.t('data.shape'), shapeText(summary.input_shape)],
        ...(summary.num_classes ? [[locale.t('data.classes'), String(summary.num_classes)] as [string, string]] : []),
        ...costs(summary, locale)
      ]),
      block(locale.t('model.flow'), networkFlow(summary, locale)),
      ...(options.length > 0 ? [block(locale.t('model.options'), facts(options))] : []),
      ...(summary.layers?.length ? [block(locale.t('model.layers'), this._layers(summary.layers))] : []),
      ...(parameters ? [] : [h('p', { class: 'lp-hint' }, locale.t('model.counting'))])
    ];
  }

  /** Layers, parameters and memory are asked for once for each choice; a process of its own builds the network. */
  private _ask(summary: ModelSummary | null): void {
    const asked = JSON.stringify([summary?.name, summary?.options, summary?.dataset]);
    const inSight = this._context.get('step') === 'model';
    if (summary && !summary.layers && inSight && asked !== this._asked && this._context.get('busy') === '') {
      this._asked = asked;
      this._context.send({ type: 'sketch' });
    }
  }

  private _layers(layers: ModelLayer[]): HTMLElement {
    const { locale } = this._context;
    const keys = ['model.layer_name', 'model.layer_kind', 'model.layer_shape', 'model.parameters'] as const;
    const rows = layers.map(layer => [
      layer.name,
      layer.kind,
      shapeText(layer.output_shape),
      locale.count(layer.num_parameters)
    ]);
    return table(
      keys.map(key => locale.t(key)),
      rows
    );
  }
}

/** What the network costs, once it is known. */
function costs(summary: ModelSummary, locale: Locale): [string, string][] {
  const found: [string, string][] = [];
  if (summary.parameter_bytes) {
    found.push([locale.t('model.weights'), megabytes(summary.parameter_bytes, locale)]);
  }
  if (summary.training_bytes) {
    found.push([locale.t('model.memory'), megabytes(summary.training_bytes, locale)]);
  }
  return found;
}

function megabytes(bytes: number, locale: Locale): string {
  return bytes >= 1e6 ? `${locale.fixed(bytes / 1e6, bytes >= 1e7 ? 0 : 1)} MB` : `${locale.fixed(bytes / 1e3, 0)} kB`;
}
