import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ITranslator } from '@jupyterlab/translation';

import { documentRenderer } from './fallback';
import { labLocale } from './locale';
import { rendererFactory } from './renderer';
import { LabServer } from './server';

/** Before the widget view (rank -10 or 0): an output holds both, and this one needs no kernel. */
const RANK = -20;

/** Shows runs in outputs; needs nothing but the render registry, so that it works in Lab, Notebook 7 and Voilà. */
export const rendererPlugin: JupyterFrontEndPlugin<void> = {
  id: 'lepton-lab:renderer',
  description: 'Shows training runs in notebook outputs, live from the server.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  optional: [ITranslator],
  activate: async (app: JupyterFrontEnd, registry: IRenderMimeRegistry, translator: ITranslator | null) => {
    const server = new LabServer(app.serviceManager.serverSettings);
    const status = (await server.request('GET', 'status').catch(() => null)) as { store_id?: string } | null;
    if (!status) {
      console.warn('lepton-lab: the server extension does not answer; runs are shown by their widgets.');
      return;
    }
    const fallback = (node: HTMLElement, mimeType: string) => documentRenderer(app, node, mimeType);
    registry.addFactory(
      rendererFactory({ server, store_id: status.store_id, locale: labLocale(translator), fallback }),
      RANK
    );
  }
};
