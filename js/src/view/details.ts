import { followTheme } from '../charts/theme';
import { columnText } from '../compare/table-model';
import { button, h, setAttribute } from '../dom';
import type { Key, Locale } from '../i18n';
import type { Hint, RunDetails, RunSample } from '../kept';
import type { Ancestor, RunSummary } from '../protocol';
import { iconButton } from './controls';
import { failureText } from './failure';
import type { IconName } from './icons';
import { MeterGroup } from './meter';
import { bytesText, runReadings } from './readings';
import { hintText, verificationText } from './told';

/** What a person can do with a run as a whole. Each may fail; the host shows the sentence. */
export interface DetailActions {
  checkpoint(): void;
  retry(): void;
  trainLonger(): void;
  fork(): void;
  verify(): void;
  compare(): void;
  open(run_id: string): void;
  pinCheckpoint(step: number, pinned: boolean): void;
}

interface Deed {
  ask: string;
  /** What it does, where its name does not say. */
  help?: Key;
  name: IconName;
  key: Key;
  run: () => void;
}

/** What stands below a run's curve: what can be done with it, what it uses, where it comes from. */
export class DetailsView {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private readonly _actions: DetailActions;
  private readonly _deeds: Deed[];
  private readonly _buttons = h('div', { class: 'lp-details-deeds', role: 'group' });
  private readonly _hints = h('div', { class: 'lp-notice', role: 'status', hidden: true });
  private readonly _meters = new MeterGroup();
  private readonly _facts = h('dl', { class: 'lp-details-facts' });
  private readonly _unfollowTheme: () => void;
  private _drawn = '';

  constructor(locale: Locale, actions: DetailActions) {
    this._locale = locale;
    this._actions = actions;
    this._deeds = [
      { ask: 'checkpoint', name: 'save', key: 'details.checkpoint', run: () => actions.checkpoint() },
      { ask: 'retry', name: 'resume', key: 'details.retry', run: () => actions.retry() },
      { ask: 'continue', name: 'play', key: 'details.longer', run: () => actions.trainLonger() },
      { ask: 'fork', name: 'branch', key: 'details.fork', run: () => actions.fork() },
      { ask: 'verify', name: 'check', key: 'verify.do', help: 'verify.help', run: () => actions.verify() },
      { ask: 'compare', name: 'compare', key: 'details.compare', run: () => actions.compare() }
    ];
    setAttribute(this._buttons, 'aria-label', locale.t('details.deeds'));
    setAttribute(this._hints, 'data-tone', 'warning');
    this.element = h(
      'section',
      { class: 'lepton lp-details', lang: locale.tag, 'aria-label': locale.t('details.title') },
      this._buttons,
      this._hints,
      this._meters.element,
      this._facts
    );
    this._unfollowTheme = followTheme(this.element, () => undefined);
  }

  dispose(): void {
    this._unfollowTheme();
    this.element.remove();
  }

  update(details: RunDetails): void {
    const drawn = JSON.stringify(details);
    if (drawn === this._drawn) {
      return;
    }
    this._drawn = drawn;
    const asks = new Set([...asksOf(details), 'compare']);
    this._buttons.replaceChildren(...this._deeds.filter(deed => asks.has(deed.ask)).map(deed => this._button(deed)));
    this._facts.replaceChildren(
      ...this._rows(details).flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])
    );
  }

  /** Takes what the run used since the last call, and what slows it down. */
  showUse(samples: RunSample[], hints: Hint[]): void {
    this._meters.add(samples.map(sample => runReadings(sample, this._locale)));
    this._hints.replaceChildren(
      h('div', { class: 'lp-notice-text' }, ...hints.map(hint => h('p', {}, hintText(hint, this._locale))))
    );
    this._hints.hidden = hints.length === 0;
  }

  private _rows(details: RunDetails): [string, Node | string][] {
    const { summary, size } = details;
    const rows: [string, Node | string][] = [];
    const add = (key: Parameters<Locale['t']>[0], value: Node | string | null | undefined): void => {
      if (value) {
        rows.push([this._locale.t(key), value]);
      }
    };
    add('details.name', summary.title ? summary.run_id : null);
    add('details.tags', tagsOf(summary));
    add('details.note', summary.note);
    add('details.lineage', this._lineage(details.lineage));
    add('details.checkpoints', this._checkpoints(details));
    add('details.verified', this._verified(details));
    add('details.cluster', clusterText(summary, this._locale));
    add('details.priority', summary.priority ? this._locale.count(summary.priority) : null);
    add('details.user', summary.user);
    const checkpoints = bytesText(size.checkpoints_bytes, this._locale);
    add('details.size', this._locale.t('details.size_of', { bytes: bytesText(size.bytes, this._locale), checkpoints }));
    return rows;
  }

  private _lineage(ancestors: Ancestor[]): HTMLElement | null {
    if (ancestors.length === 0) {
      return null;
    }
    const items = ancestors.map(each => {
      const name = each.exists === false ? h('span', {}, each.run_id) : this._link(each.run_id);
      const said = this._locale.t(each.kind === 'forked' ? 'details.forked' : 'details.continued', {
        step: this._locale.count(each.step)
      });
      const changed = Object.entries(each.changed).map(
        ([option, [old, now]]) => `${columnText(option, this._locale)} ${this._shown(old)} → ${this._shown(now)}`
      );
      const gone = each.exists === false ? ` (${this._locale.t('details.gone')})` : '';
      return h('li', {}, name, `${gone} · ${said}`, changed.length ? ` · ${changed.join(', ')}` : '');
    });
    return h('ul', { class: 'lp-lineage' }, ...items);
  }

  private _link(run_id: string): HTMLButtonElement {
    return button(run_id, () => this._actions.open(run_id), { class: 'lp-link' });
  }

  private _checkpoints(details: RunDetails): HTMLElement | null {
    const pinned = new Set(details.labels.pinned_checkpoints);
    if (details.checkpoints.length === 0) {
      return null;
    }
    const chips = details.checkpoints.map(step => {
      const is = pinned.has(step);
      const text = this._locale.t(is ? 'details.unpin_step' : 'details.pin_step', { step });
      const chip = iconButton('pin', this._locale.count(step), () => this._actions.pinCheckpoint(step, !is));
      chip.className = 'lp-toggle';
      setAttribute(chip, 'aria-pressed', String(is));
      setAttribute(chip, 'title', text);
      setAttribute(chip, 'aria-label', text);
      return chip;
    });
    return h('span', { class: 'lp-toggles' }, ...chips);
  }

  /** An option's value; what was not set was left to the product. */
  private _shown(value: unknown): string {
    if (value === null || value === undefined) {
      return this._locale.t('form.auto');
    }
    return typeof value === 'object'
      ? JSON.stringify(value)
      : typeof value === 'number'
        ? this._locale.figure(value, 6)
        : String(value);
  }

  private _button(deed: Deed): HTMLButtonElement {
    const element = iconButton(deed.name, this._locale.t(deed.key), deed.run);
    setAttribute(element, 'title', deed.help ? this._locale.t(deed.help) : null);
    return element;
  }

  private _verified({ summary, verification }: RunDetails): string | null {
    if (verification) {
      return verificationText(verification, this._locale);
    }
    if (typeof summary.verified !== 'boolean') {
      return null;
    }
    return this._locale.t(summary.verified ? 'details.verified_yes' : 'details.verified_no');
  }
}

/** What makes sense now: without a checkpoint there is nothing to go on from. */
function asksOf(details: RunDetails): string[] {
  const { state } = details.summary;
  const live = state === 'running' || state === 'paused';
  const fits: Record<string, boolean> = {
    fork: details.checkpoints.length > 0,
    continue: details.checkpoints.length > 0,
    checkpoint: live,
    verify: details.checkpoints.length > 0 && details.verification?.state !== 'running'
  };
  return details.asks.filter(ask => fits[ask] ?? true);
}

/** Where it works, what it wants there, and what it waits for: "2 x 1 CPU of HOST:6379. The run waits for ...". */
function clusterText(run: RunSummary, locale: Locale): string | null {
  if (!run.cluster) {
    return null;
  }
  const { wants, cluster } = run;
  const where = wants ? locale.t('details.cluster_of', { wants, cluster }) : cluster;
  return run.state === 'starting' && run.message ? `${where} · ${failureText(run, locale)}` : where;
}

function tagsOf(summary: RunSummary): HTMLElement | null {
  const tags = summary.tags ?? [];
  return tags.length
    ? h('span', { class: 'lp-row-tags' }, ...tags.map(tag => h('span', { class: 'lp-tag' }, tag)))
    : null;
}
