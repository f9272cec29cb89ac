import { ILayoutRestorer, type JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator } from '@jupyterlab/translation';

import type { Locale } from '../i18n';
import type { RunSummary } from '../protocol';
import { runPath, type Server } from '../server';
import { BoardModel } from './board-model';
import { Commands } from './commands';
import { CurveTab } from './curve-tab';
import { leptonIcon } from './icons';
import { labLocale } from './locale';
import { openQuickstart, openStudio } from './notebooks';
import { LabServer } from './server';
import { Sidebar } from './sidebar';
import { StatusItem } from './status-item';

const SIDEBAR_RANK = 550;
const STATUS_RANK = 900;

/** Adds the panel, its commands, the launcher tile and the status item; each only where the application has a place. */
export async function addPanel(app: JupyterFrontEnd): Promise<void> {
  const [translator, palette, launcher, statusBar, restorer] = await Promise.all([
    app.resolveOptionalService(ITranslator),
    app.resolveOptionalService(ICommandPalette),
    app.resolveOptionalService(ILauncher),
    app.resolveOptionalService(IStatusBar),
    app.resolveOptionalService(ILayoutRestorer)
  ]);
  const locale = labLocale(translator);
  const server = new LabServer(app.serviceManager.serverSettings);
  const board = new BoardModel(server);
  const sidebar = new Sidebar(board, server, app.commands, locale);
  app.shell.add(sidebar, 'left', { rank: SIDEBAR_RANK, type: 'Lepton' });
  restorer?.add(sidebar, sidebar.id);
  addCommands(app, server, locale, sidebar, restorer);
  for (const command of [Commands.openStudio, Commands.showRuns, Commands.quickstart]) {
    palette?.addItem({ command, category: locale.t('command.category') });
  }
  launcher?.add({
    command: Commands.openStudio,
    args: { isLauncher: true },
    category: locale.t('command.category'),
    rank: 1
  });
  statusBar?.registerStatusItem('lepton-lab:status', {
    align: 'left',
    rank: STATUS_RANK,
    item: new StatusItem(board, locale, () => void app.commands.execute(Commands.showRuns))
  });
  board.start();
}

function addCommands(
  app: JupyterFrontEnd,
  server: Server,
  locale: Locale,
  sidebar: Sidebar,
  restorer: ILayoutRestorer | null
): void {
  const folderOf = (args: object): string => ('cwd' in args && typeof args.cwd === 'string' ? args.cwd : '');
  app.commands.addCommand(Commands.openStudio, {
    label: args => locale.t(args.isLauncher ? 'launcher.studio' : 'command.open_studio'),
    caption: locale.t('launcher.caption'),
    icon: leptonIcon,
    execute: args => openStudio(app, folderOf(args))
  });
  app.commands.addCommand(Commands.quickstart, {
    label: locale.t('command.quickstart'),
    icon: leptonIcon,
    execute: args => openQuickstart(app, folderOf(args))
  });
  app.commands.addCommand(Commands.showRuns, {
    label: locale.t('command.show_runs'),
    icon: leptonIcon,
    execute: () => app.shell.activateById(sidebar.id)
  });
  addCurveCommand(app, server, locale, restorer);
}

/** Opens a run's curve as a tab, or shows the tab that is open; tabs come back with the layout. */
function addCurveCommand(app: JupyterFrontEnd, server: Server, locale: Locale, restorer: ILayoutRestorer | null): void {
  const tracker = new WidgetTracker<CurveTab>({ namespace: 'lepton-lab-curves' });
  app.commands.addCommand(Commands.openCurve, {
    label: locale.t('command.open_curve'),
    icon: leptonIcon,
    execute: async args => {
      const run_id = String(args.run_id ?? '');
      if (!run_id) {
        return app.commands.execute(Commands.showRuns); // no run is named: let the person pick one
      }
      let tab = tracker.find(each => each.run_id === run_id);
      if (!tab) {
        const { summary } = (await server.request('GET', runPath(run_id))) as { summary: RunSummary };
        tab = new CurveTab(server, locale, summary);
        await tracker.add(tab);
      }
      if (!tab.isAttached) {
        app.shell.add(tab, 'main');
      }
      app.shell.activateById(tab.id);
    }
  });
  if (restorer) {
    void restorer.restore(tracker, {
      command: Commands.openCurve,
      args: tab => ({ run_id: tab.run_id }),
      name: tab => tab.run_id
    });
  }
}
