import { RunClient, SYSTEM_CLOCK } from '../client';
import type { Locale } from '../i18n';
import type { RunSummary } from '../protocol';
import { postCommand, runSocketUrl, type Server } from '../server';
import { type SocketFactory, SocketTransport } from '../socket';
import { RunView } from '../view/run-view';

/** A run's view fed by the server extension: no kernel takes part. */
export class ServerRun {
  readonly client: RunClient;
  readonly view: RunView;

  constructor(server: Server, locale: Locale, summary: RunSummary, create?: SocketFactory) {
    const transport = (): SocketTransport =>
      new SocketTransport(runSocketUrl(server, summary.run_id), SYSTEM_CLOCK, create);
    this.client = new RunClient(transport(), summary);
    this.view = new RunView({
      locale,
      send: (command, value) => postCommand(server, summary.run_id, command, value),
      reconnect: () => this.client.switchTo(transport())
    });
    this.client.subscribe(() => this.view.update(this.client.history, this.client.link));
    this.view.update(this.client.history, this.client.link);
  }

  connect(): void {
    this.client.connect();
  }

  dispose(): void {
    this.client.close();
    this.view.dispose();
  }
}
