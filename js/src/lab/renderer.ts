import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import type { Locale } from '../i18n';
import { ACTIVE_STATES, type RunSummary } from '../protocol';
import { type Server, serverHasRun } from '../server';
import type { SocketFactory } from '../socket';
import { StaticRunView } from '../view/static-view';
import { curveText } from '../view/words';
import { ServerRun } from './server-run';

export const MIME_TYPE = 'application/vnd.lepton.run+json';
export const WIDGET_MIME_TYPE = 'application/vnd.jupyter.widget-view+json';

/** What the output of a run holds under our MIME type. */
interface RunOutput {
  run_id: string;
  store_id?: string;
  summary?: Partial<RunSummary>;
}

export interface RendererServices {
  server: Server;
  /** The store that the server shows; outputs of another one are not asked for. */
  store_id?: string;
  locale: Locale;
  /** Another way to open sockets; tests have one without a network. */
  createSocket?: SocketFactory;
  /** Another renderer for an output whose run the server does not know (a kernel with a store of its own). */
  fallback(node: HTMLElement, mimeType: string): IRenderMime.IRenderer | null;
}

/** Renders a run's output from the server extension: it lives while the kernel is busy, and after it has gone. */
export class RunRenderer extends Widget implements IRenderMime.IRenderer {
  private readonly _services: RendererServices;
  private _run_id = '';
  private _model: IRenderMime.IMimeModel | null = null;
  private _shown: ServerRun | StaticRunView | null = null;

  constructor(services: RendererServices) {
    super();
    this._services = services;
    this.addClass('lp-output');
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const output = model.data[MIME_TYPE] as unknown as RunOutput;
    this._model = model;
    if (output.run_id === this._run_id) {
      return;
    }
    this._run_id = output.run_id;
    this._clear();
    const summary = summaryOf(output);
    if (await this._isOnServer(output, summary)) {
      this._showLive(summary);
    } else {
      await this._showWithoutServer(summary, model);
    }
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._clear();
      super.dispose();
    }
  }

  private _clear(): void {
    this._shown?.dispose();
    this._shown = null;
  }

  private async _isOnServer(output: RunOutput, summary: RunSummary): Promise<boolean> {
    const { server, store_id } = this._services;
    const elsewhere = store_id !== undefined && output.store_id !== undefined && store_id !== output.store_id;
    return !elsewhere && (await serverHasRun(server, summary));
  }

  private _showLive(summary: RunSummary): void {
    const { server, locale, createSocket } = this._services;
    const run = new ServerRun(server, locale, summary, createSocket);
    run.client.subscribe(() => this._keepPicture(run));
    this._shown = run;
    this.node.replaceChildren(run.view.element);
    run.connect();
  }

  private async _showWithoutServer(summary: RunSummary, model: IRenderMime.IMimeModel): Promise<void> {
    const other = model.data[WIDGET_MIME_TYPE] ? this._services.fallback(this.node, WIDGET_MIME_TYPE) : null;
    if (other) {
      this.node.replaceChildren(other.node);
      await other.renderModel(model);
      return;
    }
    const picture = model.data['image/svg+xml'];
    this._shown = new StaticRunView(summary, typeof picture === 'string' ? picture : null, this._services.locale);
    this.node.replaceChildren(this._shown.element);
  }

  /** Writes the last picture of a run that has ended into the output, so that a saved notebook shows it. */
  private _keepPicture({ client, view }: ServerRun): void {
    const model = this._model;
    const { summary } = client.history;
    if (!model || client.link !== 'live' || ACTIVE_STATES.has(summary.state)) {
      return;
    }
    if (typeof model.setData !== 'function') {
      return; // a Voilà page: its outputs are plain data, and nothing is saved from there
    }
    const kept = (model.data[MIME_TYPE] as unknown as RunOutput).summary;
    if (kept?.state === summary.state && kept.last_seq === summary.last_seq) {
      return;
    }
    const output = { ...(model.data[MIME_TYPE] as object), summary } as unknown as RunOutput;
    const text = `${summary.run_id}: ${summary.state}. ${curveText(summary, this._services.locale)}`;
    model.setData({
      data: {
        ...model.data,
        [MIME_TYPE]: output as never,
        'image/svg+xml': view.picture(),
        'text/plain': text
      }
    });
  }
}

function summaryOf(output: RunOutput): RunSummary {
  return { state: 'starting', ...output.summary, run_id: output.run_id };
}

/** The factory of the renderer; safe, because everything in the output is data that is set as text. */
export function rendererFactory(services: RendererServices): IRenderMime.IRendererFactory {
  return {
    safe: true,
    mimeTypes: [MIME_TYPE],
    createRenderer: () => new RunRenderer(services)
  };
}
