import { RunClient, type Transport } from '../client';
import type { RunCommand, RunSummary } from '../protocol';
import { pageServer, postCommand, runPath, runSocketUrl, type Server } from '../server';
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
    this._server = knowsRun(server, summary.run_id);
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

/** The server, if it answers and has this run in its store. */
async function knowsRun(server: Server | null, run_id: string): Promise<Server | null> {
  try {
    await server?.request('GET', runPath(run_id));
    return server;
  } catch {
    return null;
  }
}
