import { Clipboard, Dialog, Notification, showDialog } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import { Widget } from '@lumino/widgets';

import type { Locale } from '../i18n';
import { PanelView } from '../panel/panel';
import { postCommand, type Server } from '../server';
import { messageOf } from '../view/controls';
import type { BoardModel } from './board-model';
import { Commands } from './commands';
import { leptonIcon } from './icons';

/** The left area's panel: runs, endpoints, devices. */
export class Sidebar extends Widget {
  private readonly _view: PanelView;

  constructor(board: BoardModel, server: Server, commands: CommandRegistry, locale: Locale) {
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
      retry: () => attempt(board.refresh())
    });
    this.node.append(this._view.element);
    const draw = (): void => this._view.update(board.state, board.online);
    board.subscribe(draw);
    draw();
  }

  override dispose(): void {
    if (!this.isDisposed) {
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
