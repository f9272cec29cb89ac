import { followTheme } from '../charts/theme';
import { button, h, setAttribute, setText } from '../dom';
import type { Locale } from '../i18n';
import { icon, type IconName } from '../view/icons';
import { MeterGroup } from '../view/meter';
import { machineReadings } from '../view/readings';
import type { MachineSample } from '../kept';
import { type BoardState, EMPTY_BOARD, type EndpointSummary } from './board';
import { grouped, GroupRow, isGroup, type Item } from './groups';
import { EndpointRow, type PanelActions, RunRow } from './rows';
import { finds, SearchBar } from './search';
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
  /** What each row shows: of thousands of runs few have changed, and those are other objects. */
  private readonly _shown = new Map<string, T>();

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
        this._shown.delete(key);
      }
    }
    values.forEach((value, index) => this._place(value, index));
  }

  private _place(value: T, index: number): void {
    const key = this._key(value);
    let row = this._rows.get(key);
    if (row && this._shown.get(key) !== value) {
      row.update(value);
    } else if (!row) {
      row = this._make(value);
      this._rows.set(key, row);
    }
    this._shown.set(key, value);
    const there = this.element.children[index];
    if (there !== row.element) {
      this.element.insertBefore(row.element, there ?? null);
    }
  }
}

/** So many runs are shown at first; a button shows as many more. */
const PAGE = 50;
/** So many rows are there at once, and it scrolls smoothly; then the first ones make room for the next. */
const MOST = 200;
/** With so few runs there is nothing to search. */
const FEW = 4;

/** The sidebar's content: runs, endpoints and devices, live. */
export class PanelView {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private readonly _runs: RowList<Item>;
  private readonly _closed = new Set<string>();
  private readonly _endpoints: RowList<EndpointSummary>;
  private readonly _noRuns: HTMLElement;
  private readonly _noEndpoints: HTMLElement;
  private readonly _devices = h('div', { class: 'lp-devices' });
  private readonly _devicesSection: HTMLElement;
  private readonly _offline: HTMLElement;
  private readonly _unfollowTheme: () => void;
  private readonly _search: SearchBar;
  private readonly _noMatch: HTMLElement;
  private readonly _more: HTMLButtonElement;
  private readonly _newer: HTMLButtonElement;
  private readonly _meters = new MeterGroup();
  private _devicesDrawn = '';
  private _first = 0;
  private _shown = PAGE;
  private _board = EMPTY_BOARD;
  private _online = true;

  constructor(locale: Locale, actions: PanelActions) {
    this._locale = locale;
    this._runs = new RowList<Item>(
      item => (isGroup(item) ? `group ${item.group}` : item.run_id),
      item =>
        (isGroup(item)
          ? new GroupRow(item, locale.t('panel.group.rest'), group => this._toggle(group))
          : new RunRow(item, locale, actions)) as Row<Item>
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
    const tool = (name: IconName, text: string, run: () => void): HTMLButtonElement => {
      const element = button('', run, { class: 'lp-row-action', title: text, 'aria-label': text });
      element.append(icon(name));
      return element;
    };
    const tools = h(
      'span',
      { class: 'lp-tools' },
      tool('compare', locale.t('panel.compare'), () => actions.compare()),
      tool('add', locale.t('panel.new_run'), () => actions.newRun())
    );
    this._search = new SearchBar(locale, () => {
      this._first = 0;
      this._shown = PAGE;
      this._showRuns();
    });
    this._noMatch = h('p', { class: 'lp-none', role: 'status', hidden: true }, locale.t('panel.no_match'));
    this._more = button('', () => this._move(PAGE), { class: 'lp-button lp-more' });
    this._newer = button('', () => this._move(-PAGE), { class: 'lp-button lp-more' });
    this._devicesSection = this._section(locale.t('panel.devices'), null, this._devices, this._meters.element);
    this.element = h(
      'div',
      { class: 'lepton lp-panel', lang: locale.tag },
      this._offline,
      this._section(
        locale.t('panel.runs'),
        tools,
        this._search.element,
        this._newer,
        this._runs.element,
        this._more,
        this._noMatch,
        this._noRuns
      ),
      this._section(locale.t('panel.endpoints'), null, this._endpoints.element, this._noEndpoints),
      this._devicesSection
    );
    this._unfollowTheme = followTheme(this.element, () => undefined);
  }

  update(board: BoardState, online: boolean): void {
    this._board = board;
    this._online = online;
    this._showRuns();
    this._endpoints.update(board.endpoints);
    setAttribute(this._noEndpoints, 'hidden', board.endpoints.length > 0 || board === EMPTY_BOARD);
    setAttribute(this._offline, 'hidden', online);
    this._showDevices(board);
  }

  /** Shows what the machine uses. */
  showMachine(samples: MachineSample[]): void {
    this._meters.add(samples.map(sample => machineReadings(sample, this._locale)));
    this._devicesSection.hidden = false;
  }

  dispose(): void {
    this._unfollowTheme();
    this.element.remove();
  }

  /** Shows so many older runs below, or newer ones above. */
  private _move(by: number): void {
    if (by > 0 && this._shown < MOST) {
      this._shown += by;
    } else {
      this._first = Math.max(0, this._first + by);
    }
    this._showRuns();
  }

  private _showRuns(): void {
    const { runs } = this._board;
    const matching = runs.filter(run => finds(this._search.search, run));
    const found = grouped(matching, this._search.grouping, this._closed);
    this._first = Math.min(this._first, Math.max(0, found.length - this._shown));
    this._runs.update(found.slice(this._first, this._first + this._shown));
    const known = this._board !== EMPTY_BOARD; // before the server's first answer nobody knows that there is nothing
    setAttribute(this._noRuns, 'hidden', runs.length > 0 || !this._online || !known);
    setAttribute(this._noMatch, 'hidden', runs.length === 0 || found.length > 0);
    this._search.show(runs.length > FEW || this._search.search.text !== '' || this._search.search.kind !== 'all');
    this._newer.hidden = this._first === 0;
    setText(this._newer, this._locale.t('panel.show_newer', { count: Math.min(this._first, PAGE), left: this._first }));
    const left = found.length - this._first - this._shown;
    this._more.hidden = left <= 0;
    this._more.textContent = this._locale.t('panel.show_more', { count: Math.min(left, PAGE), left });
  }

  /** Opens a group that is closed, closes one that is open. */
  private _toggle(group: string): void {
    if (!this._closed.delete(group)) {
      this._closed.add(group);
    }
    this._showRuns();
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
    this._devicesSection.hidden = slots.length === 0 && this._meters.element.childElementCount === 0;
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
