import { Clipboard, Dialog, MainAreaWidget, Notification, showDialog } from '@jupyterlab/apputils';
import type { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import type { Locale } from '../i18n';
import { EndpointClient } from '../panel/endpoint-details';
import { EndpointView } from '../panel/endpoint-view';
import type { Server } from '../server';
import { messageOf } from '../view/controls';
import type { BoardModel } from './board-model';
import { leptonIcon } from './icons';
import { Poll } from './poll';

const FOLLOW_MS = 2_000;

class EndpointContent extends Widget {
  private readonly _view: EndpointView;
  private readonly _client: EndpointClient;
  private readonly _poll: Poll;
  private readonly _unsubscribe: () => void;
  private _state = '';

  constructor(server: Server, board: BoardModel, locale: Locale, name: string, openRun: (run_id: string) => void) {
    super();
    this.addClass('lp-endpoint-tab');
    this._client = new EndpointClient(server, name);
    const attempt = (work: Promise<void>): void => {
      work
        .then(() => this._fetch())
        .catch((error: unknown) => Notification.error(messageOf(error, locale), { autoClose: 8000 }));
    };
    this._view = new EndpointView(locale, {
      copyUrl: url => Clipboard.copyToSystem(url),
      start: () => attempt(this._client.start()),
      stop: () => attempt(ifConfirmed(confirmStop(locale, name), () => this._client.stop())),
      switchTo: version => attempt(this._client.switchTo(version)),
      revoke: key =>
        attempt(
          ifConfirmed(
            {
              title: locale.t('endpoint.confirm_revoke', { key: `${key.prefix}…` }),
              body: locale.t('endpoint.revoke_note'),
              accept: locale.t('endpoint.revoke')
            },
            () => this._client.revoke(key.id)
          )
        ),
      openRun
    });
    this.node.append(this._view.element);
    this._poll = new Poll(() => this._fetch(), FOLLOW_MS);
    this._unsubscribe = board.subscribe(() => {
      const state = JSON.stringify(board.state.endpoints.find(each => each.name === name));
      if (state !== this._state && this.isVisible) {
        this._state = state;
        void this._fetch().catch(() => undefined);
      }
    });
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

  private async _fetch(): Promise<void> {
    const details = await this._client.details();
    if (!this.isDisposed) {
      this._view.update(details);
    }
  }
}

interface Question {
  title: string;
  body: string;
  accept: string;
}

/** What is asked before an endpoint is stopped. */
export function confirmStop(locale: Locale, name: string): Question {
  return {
    title: locale.t('panel.confirm_stop', { name }),
    body: locale.t('panel.stop_endpoint_note'),
    accept: locale.t('panel.stop_endpoint')
  };
}

/** Does it when the person says yes. */
export async function ifConfirmed({ title, body, accept }: Question, work: () => Promise<void>): Promise<void> {
  const answer = await showDialog({
    title,
    body,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: accept })]
  });
  if (answer.button.accept) {
    await work();
  }
}

/** All about an endpoint, as a tab of the main area. */
export class EndpointTab extends MainAreaWidget<EndpointContent> {
  readonly endpoint: string;

  constructor(server: Server, board: BoardModel, locale: Locale, name: string, openRun: (run_id: string) => void) {
    super({ content: new EndpointContent(server, board, locale, name, openRun) });
    this.endpoint = name;
    this.id = `lepton-lab-endpoint-${name}`;
    this.title.label = locale.t('endpoint.tab', { name });
    this.title.icon = leptonIcon;
    this.title.closable = true;
  }
}
