import { followTheme } from '../charts/theme';
import { button, h, setAttribute } from '../dom';
import type { Locale } from '../i18n';
import type { RunSummary } from '../protocol';
import { icon } from '../view/icons';
import { type BoardState, EMPTY_BOARD, type EndpointSummary } from './board';
import { EndpointRow, type PanelActions, RunRow } from './rows';
import { deviceText } from './texts';

interface Row<T> {
  element: HTMLElement;
  update(value: T): void;
}

/** Rows that stay the same elements while what they show changes, so that focus and hover stay too. */
class RowList<T> {
  readonly element = h('ul', { class: 'lp-rows' });
  private readonly _key: (value: T) => string;
  private readonly _make: (value: T) => Row<T>;
  private readonly _rows = new Map<string, Row<T>>();

  constructor(key: (value: T) => string, make: (value: T) => Row<T>) {
    this._key = key;
    this._make = make;
  }

  update(values: T[]): void {
    const keys = new Set(values.map(this._key));
    for (const [key, row] of this._rows) {
      if (!keys.has(key)) {
        row.element.remove();
        this._rows.delete(key);
      }
    }
    values.forEach((value, index) => this._place(value, index));
  }

  private _place(value: T, index: number): void {
    const key = this._key(value);
    let row = this._rows.get(key);
    if (row) {
      row.update(value);
    } else {
      row = this._make(value);
      this._rows.set(key, row);
    }
    const there = this.element.children[index];
    if (there !== row.element) {
      this.element.insertBefore(row.element, there ?? null);
    }
  }
}

/** The sidebar's content: runs, endpoints and devices, live. */
export class PanelView {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private readonly _runs: RowList<RunSummary>;
  private readonly _endpoints: RowList<EndpointSummary>;
  private readonly _noRuns: HTMLElement;
  private readonly _noEndpoints: HTMLElement;
  private readonly _devices = h('div', { class: 'lp-devices' });
  private readonly _devicesSection: HTMLElement;
  private readonly _offline: HTMLElement;
  private readonly _unfollowTheme: () => void;
  private _devicesDrawn = '';

  constructor(locale: Locale, actions: PanelActions) {
    this._locale = locale;
    this._runs = new RowList(
      run => run.run_id,
      run => new RunRow(run, locale, actions)
    );
    this._endpoints = new RowList(
      endpoint => endpoint.name,
      endpoint => new EndpointRow(endpoint, locale, actions)
    );
    const tryDigits = button(locale.t('panel.try_digits'), () => actions.newRun());
    this._noRuns = h('div', { class: 'lp-none' }, h('p', {}, locale.t('panel.no_runs')), tryDigits);
    this._noEndpoints = h('p', { class: 'lp-none' }, locale.t('panel.no_endpoints'));
    const retry = button(locale.t('panel.retry'), () => actions.retry());
    this._offline = h(
      'div',
      { class: 'lp-none', role: 'status', hidden: true },
      h('p', {}, locale.t('panel.offline')),
      retry
    );
    const add = button('', () => actions.newRun(), {
      class: 'lp-row-action',
      title: locale.t('panel.new_run'),
      'aria-label': locale.t('panel.new_run')
    });
    add.append(icon('add'));
    this._devicesSection = this._section(locale.t('panel.devices'), null, this._devices);
    this.element = h(
      'div',
      { class: 'lepton lp-panel', lang: locale.tag },
      this._offline,
      this._section(locale.t('panel.runs'), add, this._runs.element, this._noRuns),
      this._section(locale.t('panel.endpoints'), null, this._endpoints.element, this._noEndpoints),
      this._devicesSection
    );
    this._unfollowTheme = followTheme(this.element, () => undefined);
  }

  update(board: BoardState, online: boolean): void {
    this._runs.update(board.runs);
    this._endpoints.update(board.endpoints);
    const known = board !== EMPTY_BOARD; // before the server's first answer nobody knows that there is nothing
    setAttribute(this._noRuns, 'hidden', board.runs.length > 0 || !online || !known);
    setAttribute(this._noEndpoints, 'hidden', board.endpoints.length > 0 || !known);
    setAttribute(this._offline, 'hidden', online);
    this._showDevices(board);
  }

  dispose(): void {
    this._unfollowTheme();
    this.element.remove();
  }

  private _section(title: string, tool: HTMLElement | null, ...content: HTMLElement[]): HTMLElement {
    return h('section', { 'aria-label': title }, h('h3', {}, h('span', {}, title), tool), ...content);
  }

  private _showDevices(board: BoardState): void {
    const slots = Object.entries(board.devices);
    const drawn = JSON.stringify(slots);
    if (drawn === this._devicesDrawn) {
      return;
    }
    this._devicesDrawn = drawn;
    this._devicesSection.hidden = slots.length === 0;
    this._devices.replaceChildren(...slots.map(([slot, run]) => this._device(slot, run)));
  }

  private _device(slot: string, run: string | null): HTMLElement {
    const fill = h('i');
    fill.style.width = run ? '100%' : '0';
    return h(
      'div',
      {},
      h('span', {}, deviceText(slot)),
      h('span', { title: run }, run ?? this._locale.t('panel.free')),
      h('span', { class: 'lp-row-bar', 'aria-hidden': 'true' }, fill)
    );
  }
}
