import { RunClient, type Transport } from '../client';
import type { RunCommand, RunSummary } from '../protocol';
import { pageServer, postCommand, runSocketUrl, type Server, serverHasRun } from '../server';
import { SocketTransport } from '../socket';
import type { Locale } from '../i18n';
import { RunView } from '../view/run-view';

export interface LiveRunOptions {
  summary: RunSummary;
  transport: Transport;
  locale: Locale;
  header?: boolean;
  /** The server extension, where the page has one. */
  server?: Server | null;
}

/**
 * A run's view inside a widget. Frames come over the comm; commands go to the server extension where it knows the
 * run (the kernel may be busy), else over the comm. When the kernel falls silent the frames come from the server too.
 */
export class LiveRun {
  readonly view: RunView;
  readonly client: RunClient;
  private readonly _server: Promise<Server | null>;
  private _onServer = false;

  constructor({ summary, transport, locale, header, server = pageServer() }: LiveRunOptions) {
    this.client = new RunClient(transport, summary);
    this.view = new RunView({
      locale,
      header,
      send: (command, value) => this.send(command, value),
      reconnect: () => void this._reconnect()
    });
    this._server = this._findServer(server, summary);
    this.client.onRefused = message => this.view.refuse(message);
    this.client.subscribe(() => this._changed());
    this.view.update(this.client.history, this.client.link);
    this.client.connect();
  }

  async send(command: RunCommand, value?: unknown): Promise<void> {
    const server = await this._server;
    if (server) {
      await postCommand(server, this.client.history.summary.run_id, command, value);
    } else {
      this.client.send({ type: 'command', command, value });
    }
  }

  /** Takes a newer summary in that came by another way than a frame. */
  summarize(summary: RunSummary): void {
    const { history } = this.client;
    if ((summary.last_seq ?? 0) >= (history.summary.last_seq ?? 0)) {
      history.summary = summary;
      this.view.update(history, this.client.link);
    }
  }

  dispose(): void {
    this.client.close();
    this.view.dispose();
  }

  private async _findServer(server: Server | null, summary: RunSummary): Promise<Server | null> {
    return server && (await serverHasRun(server, summary)) ? server : null;
  }

  private _changed(): void {
    this.view.update(this.client.history, this.client.link);
    if (this.client.link === 'lost' && !this._onServer) {
      void this._goOnWithServer();
    }
  }

  private async _goOnWithServer(): Promise<boolean> {
    const server = await this._server;
    if (!server || this._onServer) {
      return false;
    }
    this._onServer = true;
    this.client.switchTo(new SocketTransport(runSocketUrl(server, this.client.history.summary.run_id)));
    return true;
  }

  private async _reconnect(): Promise<void> {
    if (!(await this._goOnWithServer())) {
      this.client.hello();
    }
  }
}
