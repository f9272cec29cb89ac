import { MainAreaWidget } from '@jupyterlab/apputils';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { Locale } from '../i18n';
import type { Verification } from '../kept';
import type { RunSummary } from '../protocol';
import { ACTIVE_STATES } from '../protocol';
import type { Server } from '../server';
import { DetailsView } from '../view/details';
import { leptonIcon } from './icons';
import { Poll } from './poll';
import type { RunActions } from './run-actions';
import { ServerRun } from './server-run';

const USE_MS = 2_000;
const REPLAY_MS = 2_000;

/** What a run's tab opens beside itself. */
export interface CurveTabLinks {
  actions: RunActions;
  openCurve(run_id: string): void;
  compare(run_id: string): void;
}

class CurveContent extends Widget {
  private readonly _run: ServerRun;
  private readonly _run_id: string;
  private readonly _actions: RunActions;
  private readonly _details: DetailsView;
  private readonly _poll: Poll;
  private readonly _replay: Poll;
  private _isReplayed = false;
  private _since = 0;
  private _shown = '';

  constructor(run: ServerRun, run_id: string, locale: Locale, links: CurveTabLinks) {
    super();
    const { actions } = links;
    this._run = run;
    this._run_id = run_id;
    this._actions = actions;
    const changed = (work: Promise<unknown>): void => actions.attempt(work.then(() => this._showDetails()));
    this._details = new DetailsView(locale, {
      checkpoint: () => changed(actions.checkpoint(run_id)),
      retry: () => changed(actions.retry(run_id)),
      trainLonger: () => changed(actions.trainLonger(run_id)),
      fork: () => changed(actions.fork(run_id)),
      verify: () => changed(actions.verify(run_id)),
      compare: () => links.compare(run_id),
      open: other => links.openCurve(other),
      pinCheckpoint: (step, pinned) => changed(actions.pinCheckpoint(run_id, step, pinned))
    });
    this.addClass('lp-curve-tab');
    this.node.append(run.view.element, this._details.element);
    this._poll = new Poll(() => this._showUse(), USE_MS);
    this._replay = new Poll(() => this._showDetails(), REPLAY_MS);
    run.client.subscribe(() => this._follow());
    run.connect();
    void this._showDetails();
    void this._showUse().catch(() => undefined);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._poll.want(false);
      this._replay.want(false);
      this._run.dispose();
      this._details.dispose();
      super.dispose();
    }
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._follow();
  }

  protected override onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this._poll.want(false);
  }

  /** Details change with what happens to a run; what it uses is asked for while it is at work and in sight. */
  private _follow(): void {
    const { summary } = this._run.client.history;
    const shown = JSON.stringify([summary.state, summary.checkpoint_step, summary.title, summary.tags, summary.note]);
    if (shown !== this._shown) {
      this._shown = shown;
      void this._showDetails();
    }
    this._poll.want(ACTIVE_STATES.has(summary.state) && this.isVisible);
  }

  private async _showDetails(): Promise<void> {
    try {
      const details = await this._actions.kept.details(this._run_id);
      this._details.update(details);
      this._followReplay(details.verification ?? null);
    } catch {
      // the run's own view says that the server does not answer, or that the run is gone
    }
  }

  /** While the run is trained again somewhere, its details are asked for; at the end it is said what came out. */
  private _followReplay(found: Verification | null): void {
    const isReplayed = found?.state === 'running';
    if (this._isReplayed && found && !isReplayed && !this.isDisposed) {
      this._actions.tellVerified(this._run_id, found);
    }
    this._isReplayed = isReplayed;
    this._replay.want(isReplayed && !this.isDisposed);
  }

  private async _showUse(): Promise<void> {
    const { samples, hints } = await this._actions.kept.runMonitor(this._run_id, this._since);
    this._since = samples[samples.length - 1]?.time ?? this._since;
    this._details.showUse(samples, hints);
  }
}

/** A run's curve with its details, as a tab of the main area. */
export class CurveTab extends MainAreaWidget {
  readonly run_id: string;

  constructor(server: Server, locale: Locale, summary: RunSummary, links: CurveTabLinks) {
    super({ content: new CurveContent(new ServerRun(server, locale, summary), summary.run_id, locale, links) });
    this.run_id = summary.run_id;
    this.id = `lepton-lab-curve-${summary.run_id}`;
    this.title.label = summary.title || summary.name || summary.run_id;
    this.title.icon = leptonIcon;
    this.title.closable = true;
  }
}
