import { type Clock, RunClient, SYSTEM_CLOCK, type Transport } from '../client';
import type { RunCommand, RunSummary } from '../protocol';
import { pageServer, postCommand, runSocketUrl, type Server, ServerError, serverHasRun } from '../server';
import { SocketTransport } from '../socket';
import type { Locale } from '../i18n';
import { RunView } from '../view/run-view';

export interface LiveRunOptions {
  summary: RunSummary;
  transport: Transport;
  locale: Locale;
  header?: boolean;
  /** Whether whoever looks may change nothing. */
  readOnly?: boolean;
  /** The server extension, where the page has one. */
  server?: Server | null;
  clock?: Clock;
}

/** How long a command waits for the server to say that it has the run. */
const PATIENCE_MS = 1_500;

/**
 * A run's view inside a widget. Frames come over the comm; commands go to the server extension where it knows the
 * run (the kernel may be busy), else over the comm. When the kernel falls silent the frames come from the server too.
 */
export class LiveRun {
  readonly view: RunView;
  readonly client: RunClient;
  private readonly _server: Promise<Server | null>;
  private readonly _clock: Clock;
  private _onServer = false;

  constructor({
    summary,
    transport,
    locale,
    header,
    readOnly,
    server = pageServer(),
    clock = SYSTEM_CLOCK
  }: LiveRunOptions) {
    this._clock = clock;
    this.client = new RunClient(transport, summary, clock);
    this.view = new RunView({
      locale,
      header,
      readOnly,
      send: (command, value) => this.send(command, value),
      reconnect: () => void this._reconnect()
    });
    this._server = this._findServer(server, summary);
    this.client.onRefused = told => this.view.refuse(locale.told(told));
    this.client.subscribe(() => this._changed());
    this.view.update(this.client.history, this.client.link);
    this.client.connect();
  }

  /** Commands go to the server where it has the run (the kernel may be busy), else to the kernel. */
  async send(command: RunCommand, value?: unknown): Promise<void> {
    const server = await Promise.race([this._server, this._soon()]);
    if (server && (await this._posted(server, command, value))) {
      return;
    }
    this.client.send({ type: 'command', command, value });
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

  /** Whether the server took the command; its refusal is thrown, a server that does not answer is no refusal. */
  private async _posted(server: Server, command: RunCommand, value: unknown): Promise<boolean> {
    try {
      await postCommand(server, this.client.history.summary.run_id, command, value);
      return true;
    } catch (error) {
      if (error instanceof ServerError) {
        throw error;
      }
      return false;
    }
  }

  /** A person who presses a button does not wait for a slow server to say whether it has the run. */
  private _soon(): Promise<null> {
    return new Promise(resolve => this._clock.after(PATIENCE_MS, () => resolve(null)));
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
