import { Clipboard, Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { Locale } from '../i18n';
import type { KeptRuns } from '../kept';
import { PanelView } from '../panel/panel';
import { postCommand, type Server } from '../server';
import { messageOf } from '../view/controls';
import type { BoardModel } from './board-model';
import { Commands } from './commands';
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
      work.catch((error: unknown) => Notification.error(messageOf(error), { autoClose: 8000 }));
    };
    this._view = new PanelView(locale, {
      openCurve: run_id => attempt(commands.execute(Commands.openCurve, { run_id })),
      stopRun: run_id => attempt(postCommand(server, run_id, 'stop')),
      resumeRun: run_id => attempt(postCommand(server, run_id, 'resume')),
      stopEndpoint: name => attempt(stopEndpoint(server, name, locale)),
      copyUrl: url => Clipboard.copyToSystem(url),
      newRun: () => attempt(commands.execute(Commands.quickstart)),
      retry: () => attempt(board.refresh()),
      more: (run, anchor) => menu.open(run, anchor),
      compare: () => attempt(commands.execute(Commands.compare, {}))
    });
    this.node.append(this._view.element);
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

async function stopEndpoint(server: Server, name: string, locale: Locale): Promise<void> {
  const answer = await showDialog({
    title: locale.t('panel.confirm_stop', { name }),
    body: locale.t('panel.stop_endpoint_note'),
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: locale.t('panel.stop_endpoint') })]
  });
  if (answer.button.accept) {
    await server.request('POST', `endpoints/${encodeURIComponent(name)}/stop`, {});
  }
}
