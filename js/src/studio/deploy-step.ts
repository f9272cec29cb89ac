import { button, h, setAttribute } from '../dom';
import type { RunSummary } from '../protocol';
import { fromHere } from '../server';
import { CodeBar, copyText } from './code-line';
import type { StepView, StudioContext } from './context';
import { SchemaForm } from './form';
import { block, empty, facts, note } from './parts';
import { reportFigures } from './report-parts';
import { fieldsOf } from './schema';
import type { EndpointCard } from './traits';
import { TryIt } from './try-it';
import { VariantTable } from './variants';

/** Put the network online, show its address and (once) its key, try it. */
export class DeployStep implements StepView {
  readonly options: HTMLElement;
  readonly view = h('div', { class: 'lp-step-view' });
  private readonly _context: StudioContext;
  private readonly _runSummary: () => RunSummary | null;
  private readonly _form: SchemaForm;
  private readonly _deploy: HTMLButtonElement;
  private readonly _try: TryIt;
  private readonly _predictLine: CodeBar;
  private readonly _variants: VariantTable;
  private readonly _about: HTMLElement;
  private readonly _card = h('div');
  /** The kernel forgets the key when any page says hello; this page shows it until it is closed. */
  private _key: { endpoint: string; text: string } | null = null;
  private _drawn = '';

  constructor(context: StudioContext, runSummary: () => RunSummary | null) {
    this._context = context;
    this._runSummary = runSummary;
    const { locale } = context;
    const fields = fieldsOf(context.get('schemas').deploy);
    this._form = new SchemaForm('deploy', fields, locale, values => context.set('deploy', values));
    this._deploy = button(locale.t('deploy.start'), () => this._start(), { class: 'lp-button lp-primary' });
    this._try = new TryIt(context);
    this._predictLine = new CodeBar(locale);
    this._variants = new VariantTable(context);
    const actions = h('div', { class: 'lp-actions' }, this._deploy);
    const how = h('p', { class: 'lp-hint' }, locale.t('deploy.how'));
    this._about = h('div');
    this.options = context.get('locked')
      ? this._about
      : h('div', {}, h('h3', {}, locale.t('deploy.title')), this._form.element, actions, how);
  }

  update(): void {
    const endpoint = this._context.get('endpoint');
    const idle = this._context.get('busy') === '';
    const finished = this._runSummary()?.state === 'finished';
    this._form.update(this._context.get('values').deploy);
    this._deploy.disabled = !idle || !finished;
    if (endpoint?.key_shown_once) {
      this._key = { endpoint: endpoint.name, text: endpoint.key_shown_once };
    }
    this._variants.update(this._context.get('compression'), finished && !this._context.get('locked'));
    if (this._context.get('locked')) {
      this._drawAbout();
    }
    this._draw(endpoint, finished);
    this._try.update(this._context.get('prediction'), idle && endpoint?.state === 'ready');
    this._predictLine.update(this._context.get('locked') ? undefined : this._context.get('lines').predict);
  }

  /** What the network is and how good it is, for people who only use it. */
  private _drawAbout(): void {
    const { locale } = this._context;
    const card = this._context.get('card');
    const report = this._context.get('report');
    const drawn = JSON.stringify([card?.title, report?.run_id]);
    if (this._about.dataset.drawn === drawn) {
      return;
    }
    this._about.dataset.drawn = drawn;
    const numbers = report ? reportFigures(report, locale) : [];
    this._about.replaceChildren(
      h('h3', {}, locale.t('card.title')),
      facts([
        [locale.t('step.data'), card ? locale.word('dataset', card.name, card.title) : null],
        [locale.t('data.train_rows'), card ? locale.count(card.rows.train) : null],
        [locale.t('data.classes'), card && card.classes.length > 0 ? locale.count(card.classes.length) : null],
        [locale.t('evaluate.rows'), report ? locale.count(report.rows) : null],
        ...numbers
      ]),
      h('p', { class: 'lp-hint' }, locale.t('card.help'))
    );
  }

  private _start(): void {
    this._context.send({ type: 'deploy' });
  }

  private _draw(endpoint: EndpointCard | null, finished: boolean): void {
    const drawn = JSON.stringify([endpoint, finished]);
    if (drawn === this._drawn) {
      return;
    }
    this._drawn = drawn;
    const { locale } = this._context;
    if (endpoint) {
      this._card.replaceChildren(...this._endpoint(endpoint));
      const tryIt = block(locale.t('deploy.try'), this._try.element, this._predictLine.element);
      this.view.replaceChildren(this._card, tryIt, this._variants.element);
    } else if (this._context.get('locked')) {
      this.view.replaceChildren(); // the card's notice says why there is nothing to ask
    } else if (finished) {
      this.view.replaceChildren(
        empty(
          locale.t('deploy.none'),
          button(locale.t('deploy.start'), () => this._start())
        ),
        this._variants.element
      );
    } else {
      const toTrain = button(locale.t('evaluate.to_train'), () => this._context.show('train'));
      this.view.replaceChildren(empty(locale.t('deploy.needs_run'), toTrain));
    }
  }

  private _endpoint(endpoint: EndpointCard): HTMLElement[] {
    const { locale } = this._context;
    const key = this._key?.endpoint === endpoint.name ? this._key.text : null;
    return [
      this._title(endpoint),
      ...(endpoint.message ? [note(locale.told(endpoint), endpoint.state === 'failed' ? 'error' : 'warning')] : []),
      this._copyable(locale.t('deploy.url'), `${fromHere(endpoint.url)}/predict`),
      ...(key ? [this._copyable(locale.t('deploy.key'), key), note(locale.t('deploy.key_once'), 'warning')] : []),
      facts([
        [locale.t('train.run'), endpoint.run_id],
        [locale.t('deploy.requests'), endpoint.requests ? locale.count(endpoint.requests) : null],
        [locale.t('deploy.rows'), endpoint.rows ? locale.count(endpoint.rows) : null],
        [locale.t('deploy.p95'), endpoint.p95_ms ? `${locale.fixed(endpoint.p95_ms, 1)} ms` : null]
      ]),
      this._clients(endpoint)
    ];
  }

  /** Code that asks the endpoint from elsewhere. */
  private _clients({ clients = {}, url }: EndpointCard): HTMLElement {
    const codes = Object.entries(clients).map(([name, code]) =>
      this._copyable(name, code.replaceAll(url, fromHere(url)))
    );
    const title = h('summary', {}, this._context.locale.t('deploy.clients'));
    return h('details', { class: 'lp-block', hidden: codes.length === 0 }, title, ...codes);
  }

  private _title(endpoint: EndpointCard): HTMLElement {
    const { locale } = this._context;
    const dot = h('i', { class: 'lp-dot', 'aria-hidden': 'true' });
    const chip = h(
      'span',
      { class: 'lp-chip', 'data-state': endpoint.state },
      dot,
      locale.word('state', endpoint.state)
    );
    const version = h('span', { class: 'lp-hint' }, locale.t('deploy.version', { version: endpoint.version }));
    const stop = button(locale.t('deploy.stop'), () => this._context.send({ type: 'stop_endpoint' }));
    setAttribute(stop, 'hidden', endpoint.state === 'stopped' || this._context.get('locked'));
    return h('div', { class: 'lp-view-title' }, h('h4', {}, endpoint.name), chip, version, stop);
  }

  private _copyable(name: string, text: string): HTMLElement {
    const { locale } = this._context;
    const copy = button(locale.t('code.copy'), () => void copied(), { class: 'lp-toggle' });
    const copied = async (): Promise<void> => {
      await copyText(text);
      copy.textContent = locale.t('code.copied');
    };
    return h('div', { class: 'lp-url' }, h('span', {}, name), h('code', { tabindex: 0 }, text), copy);
  }
}
