/** Which runs of a long list a person wants to see. */

import { h, on, setAttribute } from '../dom';
import type { Locale } from '../i18n';
import { ACTIVE_STATES, type RunSummary } from '../protocol';
import { type Grouping, GROUPINGS } from './groups';

export const KINDS = ['all', 'active', 'finished', 'failed', 'pinned'] as const;
export type Kind = (typeof KINDS)[number];

export interface Search {
  text: string;
  kind: Kind;
}

export const NO_SEARCH: Search = { text: '', kind: 'all' };

/** Whether every word stands in the run's name, title, tags, note, dataset, network, owner or state. */
export function finds(search: Search, run: RunSummary): boolean {
  if (!isKind(search.kind, run)) {
    return false;
  }
  const words = search.text.toLowerCase().split(/\s+/).filter(Boolean);
  const said = [run.run_id, run.title, ...(run.tags ?? []), run.note, run.dataset, run.model, run.user, run.state]
    .filter(Boolean)
    .join(' ')
    .toLowerCase();
  return words.every(word => said.includes(word));
}

function isKind(kind: Kind, run: RunSummary): boolean {
  switch (kind) {
    case 'active':
      return ACTIVE_STATES.has(run.state);
    case 'finished':
      return run.state === 'finished';
    case 'failed':
      return run.state === 'failed' || run.state === 'stopped';
    case 'pinned':
      return run.pinned === true;
    default:
      return true;
  }
}

/** A field for words, a choice of states, and what the runs are grouped by. */
export class SearchBar {
  readonly element: HTMLElement;
  search: Search = NO_SEARCH;
  grouping: Grouping = 'none';
  private readonly _changed: () => void;

  constructor(locale: Locale, changed: () => void) {
    this._changed = changed;
    const words = h('input', {
      class: 'lp-input lp-search-words',
      type: 'search',
      placeholder: locale.t('panel.search'),
      'aria-label': locale.t('panel.search'),
      autocomplete: 'off',
      spellcheck: 'false'
    });
    const select = (name: string, help: string, options: [string, string][]): HTMLSelectElement =>
      h(
        'select',
        { class: 'lp-input lp-search-kind', 'aria-label': name, title: help },
        ...options.map(([value, text]) => h('option', { value }, text))
      );
    const which = locale.t('panel.which');
    const kinds = select(
      which,
      which,
      KINDS.map(kind => [kind, locale.t(`panel.kind.${kind}`)])
    );
    const groups = select(
      locale.t('panel.group'),
      locale.t('panel.group_help'),
      GROUPINGS.map(each => [each, locale.t(`panel.group.${each}`)])
    );
    on(words, { input: () => this._set({ text: words.value }) });
    on(kinds as HTMLElement, { change: () => this._set({ kind: kinds.value as Kind }) });
    on(groups as HTMLElement, {
      change: () => {
        this.grouping = groups.value as Grouping;
        this._changed();
      }
    });
    this.element = h('div', { class: 'lp-search', role: 'search' }, words, kinds, groups);
  }

  /** Shown only where there is something to choose from. */
  show(shown: boolean): void {
    setAttribute(this.element, 'hidden', !shown);
  }

  private _set(change: Partial<Search>): void {
    this.search = { ...this.search, ...change };
    this._changed();
  }
}
