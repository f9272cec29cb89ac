import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

/**
 * The panel with all that belongs to it. Its code is loaded apart: it needs packages (launcher, status bar) that Voilà's
 * page does not have, and a package that is missing would take the renderer down with it.
 */
export const panelPlugin: JupyterFrontEndPlugin<void> = {
  id: 'lepton-lab:panel',
  description: 'A sidebar with training runs, endpoints and devices; a launcher tile for the studio.',
  autoStart: true,
  activate: async (app: JupyterFrontEnd) => {
    if (app.name !== 'Voila') {
      const { addPanel } = await import('./panel');
      await addPanel(app);
    }
  }
};
