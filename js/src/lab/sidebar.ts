import { Clipboard, Notification } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { Locale } from '../i18n';
import type { KeptRuns } from '../kept';
import { PanelView } from '../panel/panel';
import { EndpointClient } from '../panel/endpoint-details';
import { postCommand, type Server } from '../server';
import { messageOf } from '../view/controls';
import type { BoardModel } from './board-model';
import { Commands } from './commands';
import { dragRows } from './dragging';
import { confirmStop, ifConfirmed } from './endpoint-tab';
import { leptonIcon } from './icons';
import { Poll } from './poll';
import type { RunMenu } from './run-menu';

const MONITOR_MS = 2_000;

export interface SidebarParts {
  board: BoardModel;
  server: Server;
  kept: KeptRuns;
  commands: CommandRegistry;
  locale: Locale;
  menu: RunMenu;
}

/** The left area's panel: runs, endpoints, devices. */
export class Sidebar extends Widget {
  private readonly _view: PanelView;
  private readonly _poll: Poll;

  constructor({ board, server, kept, commands, locale, menu }: SidebarParts) {
    super();
    this.id = 'lepton-lab-sidebar';
    this.addClass('lp-sidebar');
    this.title.icon = leptonIcon;
    this.title.caption = locale.t('panel.title');
    const attempt = (work: Promise<unknown>): void => {
      work.catch((error: unknown) => Notification.error(messageOf(error, locale), { autoClose: 8000 }));
    };
    this._view = new PanelView(locale, {
      openCurve: run_id => attempt(commands.execute(Commands.openCurve, { run_id })),
      openEndpoint: name => attempt(commands.execute(Commands.openEndpoint, { name })),
      stopRun: run_id => attempt(postCommand(server, run_id, 'stop')),
      resumeRun: run_id => attempt(postCommand(server, run_id, 'resume')),
      stopEndpoint: name =>
        attempt(ifConfirmed(confirmStop(locale, name), () => new EndpointClient(server, name).stop())),
      copyUrl: url => Clipboard.copyToSystem(url),
      newRun: () => attempt(commands.execute(Commands.quickstart)),
      retry: () => attempt(board.refresh()),
      more: (run, anchor) => menu.open(run, anchor),
      compare: () => attempt(commands.execute(Commands.compare, {}))
    });
    this.node.append(this._view.element);
    const placeOf = (run_id: string): number =>
      board.state.runs.find(run => run.run_id === run_id)?.queue_position ?? 1;
    const place = (run_id: string, to: number): void => attempt(kept.queue(run_id, { place: Math.max(1, to) }));
    dragRows(this.node, {
      reorder: (run_id, onto) => place(run_id, placeOf(onto)),
      step: (run_id, by) => place(run_id, placeOf(run_id) + by)
    });
    const draw = (): void => this._view.update(board.state, board.online);
    board.subscribe(draw);
    draw();
    let since = 0;
    this._poll = new Poll(async () => {
      const samples = await kept.machine(since);
      since = samples[samples.length - 1]?.time ?? since;
      this._view.showMachine(samples);
    }, MONITOR_MS);
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this._poll.want(true);
  }

  protected override onAfterHide(msg: Message): void {
    super.onAfterHide(msg);
    this._poll.want(false);
  }

  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    this._poll.want(this.isVisible);
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._poll.want(false);
      this._view.dispose();
      super.dispose();
    }
  }
}
