import { MainAreaWidget } from '@jupyterlab/apputils';
import type { Message } from '@lumino/messaging';
import { type ISignal, Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { CompareView } from '../compare/compare-view';
import type { Locale } from '../i18n';
import type { KeptRuns } from '../kept';
import { ACTIVE_STATES } from '../protocol';
import type { BoardModel } from './board-model';
import { leptonIcon } from './icons';
import { Poll } from './poll';

const FOLLOW_MS = 3_000;

class CompareContent extends Widget {
  readonly chosen = new Signal<this, string[]>(this);
  private readonly _view: CompareView;
  private readonly _board: BoardModel;
  private readonly _kept: KeptRuns;
  private readonly _unsubscribe: () => void;
  private readonly _poll: Poll;
  private _run_ids: string[] = [];
  private _asked = 0;
  private _live = false;

  constructor(board: BoardModel, kept: KeptRuns, locale: Locale, openCurve: (run_id: string) => void) {
    super();
    this.addClass('lp-compare-tab');
    this._board = board;
    this._kept = kept;
    this._view = new CompareView(locale, { choose: run_ids => this.choose(run_ids), openCurve });
    this.node.append(this._view.element);
    this._unsubscribe = board.subscribe(() => this._offer());
    this._poll = new Poll(() => this._fetch(), FOLLOW_MS);
    this._offer();
  }

  get run_ids(): string[] {
    return this._run_ids;
  }

  choose(run_ids: string[]): void {
    this._run_ids = run_ids;
    this.chosen.emit(run_ids);
    this._offer();
    void this._fetch().catch(() => undefined);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._poll.want(false);
      this._unsubscribe();
      this._view.dispose();
      super.dispose();
    }
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._view.resize();
    this._follow();
  }

  protected override onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this._poll.want(false);
  }

  private _offer(): void {
    const runs = this._board.state.runs;
    this._view.offer(runs, this._run_ids);
    const chosen = new Set(this._run_ids);
    this._live = runs.some(run => chosen.has(run.run_id) && ACTIVE_STATES.has(run.state));
    this._follow();
  }

  /** While a chosen run is at work and the tab is in sight, the curves are asked for again and again. */
  private _follow(): void {
    this._poll.want(this._live && this.isVisible);
  }

  private async _fetch(): Promise<void> {
    const asked = ++this._asked;
    if (this._run_ids.length === 0) {
      return;
    }
    const comparison = await this._kept.compare(this._run_ids);
    if (asked === this._asked && !this.isDisposed) {
      this._view.show(comparison);
    }
  }
}

/** Runs side by side, as a tab of the main area. */
export class CompareTab extends MainAreaWidget<CompareContent> {
  constructor(board: BoardModel, kept: KeptRuns, locale: Locale, openCurve: (run_id: string) => void) {
    super({ content: new CompareContent(board, kept, locale, openCurve) });
    this.id = 'lepton-lab-compare';
    this.title.label = locale.t('compare.title');
    this.title.icon = leptonIcon;
    this.title.closable = true;
  }

  get run_ids(): string[] {
    return this.content.run_ids;
  }

  /** Tells when other runs are compared. */
  get chosen(): ISignal<Widget, string[]> {
    return this.content.chosen;
  }

  /** Adds runs to those that are compared. */
  add(run_ids: string[]): void {
    this.content.choose([...new Set([...this.content.run_ids, ...run_ids])]);
  }
}
