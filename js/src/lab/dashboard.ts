import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { Widget } from '@lumino/widgets';

import type { Locale } from '../i18n';
import { Commands } from './commands';
import { leptonIcon } from './icons';

/** A notebook that stands in the main area, as far as it is used here. */
interface NotebookPanel extends Widget {
  context: { path: string; save(): Promise<void> };
}

/**
 * "Open as dashboard": the notebook as a page without code, served by Voilà beside this server. Its button stands in the
 * settings (schema/panel.json), where people move or hide it.
 */
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
}

/** The address of a notebook as a Voilà page of this server. */
export function dashboardUrl(path: string, template: string): string {
  const base = URLExt.join(PageConfig.getBaseUrl(), 'voila/render', URLExt.encodeParts(path));
  return `${base}?template=${encodeURIComponent(template)}`;
}
