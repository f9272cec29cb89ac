import { h, on, setAttribute, setText } from '../dom';
import type { Locale } from '../i18n';
import { NO_SEARCH, finds } from '../panel/search';
import type { RunSummary } from '../protocol';

/** So many runs are offered at once; a word in the field finds the others. */
const MOST_OFFERED = 100;

/** The runs to choose from, each with a box to tick. */
export class RunPicker {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private readonly _changed: (run_id: string, chosen: boolean) => void;
  private readonly _list = h('ul', { class: 'lp-run-picker-list' });
  private readonly _hint = h('p', { class: 'lp-hint' });
  private _words = '';
  private _runs: RunSummary[] = [];
  private _chosen: ReadonlySet<string> = new Set();
  private _drawn = '';

  constructor(locale: Locale, changed: (run_id: string, chosen: boolean) => void) {
    this._locale = locale;
    this._changed = changed;
    const words = h('input', {
      class: 'lp-input',
      type: 'search',
      placeholder: locale.t('panel.search'),
      'aria-label': locale.t('panel.search'),
      autocomplete: 'off',
      spellcheck: 'false'
    });
    on(words, {
      input: () => {
        this._words = words.value;
        this._draw();
      }
    });
    const title = h('h4', {}, locale.t('compare.pick'));
    this.element = h(
      'aside',
      { class: 'lp-run-picker', 'aria-label': locale.t('compare.pick') },
      title,
      words,
      this._list
    );
    this.element.append(this._hint);
  }

  update(runs: RunSummary[], chosen: ReadonlySet<string>): void {
    this._runs = runs;
    this._chosen = chosen;
    this._draw();
  }

  private _draw(): void {
    const found = this._runs.filter(run => finds({ ...NO_SEARCH, text: this._words }, run));
    const offered = found.slice(0, MOST_OFFERED);
    const drawn = JSON.stringify(
      offered.map(run => [run.run_id, run.title, run.state, run.tags, this._chosen.has(run.run_id)])
    );
    setText(
      this._hint,
      found.length > offered.length
        ? this._locale.t('compare.more', { count: found.length - offered.length })
        : found.length === 0
          ? this._locale.t(this._runs.length === 0 ? 'panel.no_runs' : 'panel.no_match')
          : ''
    );
    setAttribute(this._hint, 'hidden', this._hint.textContent === '');
    if (drawn !== this._drawn) {
      this._drawn = drawn;
      const focused = this._list.querySelector<HTMLInputElement>('input:focus')?.value;
      this._list.replaceChildren(...offered.map(run => this._item(run)));
      if (focused !== undefined) {
        [...this._list.querySelectorAll('input')].find(each => each.value === focused)?.focus();
      }
    }
  }

  private _item(run: RunSummary): HTMLElement {
    const box = h('input', { type: 'checkbox', value: run.run_id, checked: this._chosen.has(run.run_id) });
    on(box, { change: () => this._changed(run.run_id, box.checked) });
    const state = this._locale.word('state', run.state);
    return h(
      'li',
      {},
      h(
        'label',
        { title: run.title ? run.run_id : null },
        box,
        h('span', {}, run.title || run.run_id),
        h('small', {}, state)
      )
    );
  }
}
