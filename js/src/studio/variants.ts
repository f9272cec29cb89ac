import { button, h, on } from '../dom';
import type { StudioContext } from './context';
import { block, note } from './parts';
import type { Compression, Variant } from './traits';

const ORIGINAL = 'original';

/** Small variants of the run's network: made on request, and one of them picked to deploy. */
export class VariantTable {
  readonly element = h('div');
  private readonly _context: StudioContext;
  private _drawn = '';

  constructor(context: StudioContext) {
    this._context = context;
  }

  update(found: Compression | null, finished: boolean): void {
    const picked = String(this._context.get('values').deploy.variant ?? '');
    const idle = this._context.get('busy') === '';
    const drawn = JSON.stringify([found, finished, picked, idle]);
    if (drawn !== this._drawn) {
      this._drawn = drawn;
      this.element.replaceChildren(...(finished ? [this._block(found, picked, idle)] : []));
    }
  }

  private _block(found: Compression | null, picked: string, idle: boolean): HTMLElement {
    const { locale } = this._context;
    const active = found !== null && ['starting', 'running'].includes(found.state);
    const start = button(locale.t(found ? 'compress.again' : 'compress.start'), () =>
      this._context.send({ type: 'compress' })
    );
    start.disabled = active || !idle;
    return block(
      locale.t('compress.title'),
      active && this._progress(found),
      found?.message ? note(found.message, 'error') : null,
      found && found.rows.length > 0 ? this._table(found, picked) : null,
      found?.reason && !active ? h('p', { class: 'lp-hint' }, found.reason) : null,
      !found && h('p', { class: 'lp-hint' }, locale.t('compress.help')),
      h('div', { class: 'lp-actions' }, start)
    );
  }

  private _progress(found: Compression): HTMLElement {
    const bar = h('progress', { max: 1, value: found.done_fraction, 'aria-label': found.step });
    return h('p', { class: 'lp-busy', role: 'status' }, bar, ` ${found.step}`);
  }

  private _table(found: Compression, picked: string): HTMLElement {
    const { locale } = this._context;
    const head = [
      '',
      locale.t('compress.variant'),
      locale.word('metric', found.metric, found.metric),
      'F1',
      locale.t('compress.size'),
      locale.t('compress.smaller'),
      locale.t('compress.latency')
    ];
    const rows = found.rows.map(row => this._row(found, row, picked));
    const heads = h('tr', {}, ...head.map(name => h('th', { scope: 'col' }, name)));
    const table = h('table', { class: 'lp-variants' }, h('thead', {}, heads), h('tbody', {}, ...rows));
    return h(
      'div',
      { class: 'lp-scroll', tabindex: 0, role: 'region', 'aria-label': locale.t('compress.title') },
      table
    );
  }

  private _row(found: Compression, row: Variant, picked: string): HTMLElement {
    const { locale } = this._context;
    const value = row.name === ORIGINAL ? '' : row.name;
    const chosen = picked === value || (picked === 'chosen' && row.name === found.chosen);
    const radio = h('input', {
      type: 'radio',
      name: 'lp-variant',
      value,
      disabled: Boolean(row.problem),
      'aria-label': locale.t('compress.pick', { name: row.name })
    });
    radio.checked = chosen;
    on(radio, { change: () => this._pick(value) });
    const latency = row.latency_ms['1']?.[0];
    const cells = row.problem
      ? [h('td', { colspan: 5 }, row.problem)]
      : [
          locale.fixed(row.metric, 4),
          typeof row.f1 === 'number' ? locale.fixed(row.f1, 3) : '–',
          `${locale.fixed(row.bytes / 1000, 1)} kB`,
          locale.t('compress.times', { times: locale.fixed(row.times_smaller, 1) }),
          latency ? `${locale.fixed(latency, 2)} ms` : '–'
        ].map(text => h('td', {}, text));
    const name = h(
      'td',
      {},
      row.name,
      row.name === found.chosen ? h('span', { class: 'lp-chip' }, locale.t('compress.chosen')) : null
    );
    return h('tr', { 'data-chosen': chosen }, h('td', {}, radio), name, ...cells);
  }

  private _pick(value: string): void {
    const values = { ...this._context.get('values').deploy };
    if (value) {
      values.variant = value;
    } else {
      delete values.variant;
    }
    this._context.set('deploy', values);
  }
}
