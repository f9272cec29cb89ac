import type { JupyterFrontEnd } from '@jupyterlab/application';
import { ToolbarButton } from '@jupyterlab/apputils';
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { Widget } from '@lumino/widgets';

import type { Locale } from '../i18n';
import { Commands } from './commands';
import { leptonIcon } from './icons';

/** A notebook that stands in the main area, as far as it is used here. */
interface NotebookPanel extends Widget {
  context: { path: string; save(): Promise<void> };
  toolbar: { insertItem(index: number, name: string, widget: Widget): boolean };
}

interface DocumentRegistryLike {
  addWidgetExtension(name: string, extension: { createNew(panel: NotebookPanel): IDisposable }): IDisposable;
}

const BEHIND_RUN_ALL = 10;

/** "Open as dashboard": the notebook as a page without code, served by Voilà beside this server. */
export function addDashboard(app: JupyterFrontEnd, locale: Locale, template: () => string): void {
  const current = (): NotebookPanel | null => {
    const widget = app.shell.currentWidget as NotebookPanel | null;
    return widget?.context?.path?.endsWith('.ipynb') ? widget : null;
  };
  app.commands.addCommand(Commands.openDashboard, {
    label: locale.t('command.open_dashboard'),
    icon: leptonIcon,
    isEnabled: () => current() !== null,
    execute: async () => {
      const panel = current();
      if (panel) {
        await panel.context.save();
        window.open(dashboardUrl(panel.context.path, template()), '_blank', 'noopener');
      }
    }
  });
  const registry = app.docRegistry as unknown as DocumentRegistryLike;
  registry.addWidgetExtension('Notebook', {
    createNew: panel => {
      const button = new ToolbarButton({
        icon: leptonIcon,
        tooltip: locale.t('command.open_dashboard'),
        onClick: () => void app.commands.execute(Commands.openDashboard)
      });
      panel.toolbar.insertItem(BEHIND_RUN_ALL, 'lepton-dashboard', button);
      return button;
    }
  });
}

/** The address of a notebook as a Voilà page of this server. */
export function dashboardUrl(path: string, template: string): string {
  const base = URLExt.join(PageConfig.getBaseUrl(), 'voila/render', URLExt.encodeParts(path));
  return `${base}?template=${encodeURIComponent(template)}`;
}
