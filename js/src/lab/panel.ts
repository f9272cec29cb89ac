import { ILayoutRestorer, type JupyterFrontEnd } from '@jupyterlab/application';
import { ICommandPalette, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { partScore } from '../charts/score';
import type { Locale } from '../i18n';
import type { RunSummary } from '../protocol';
import { runPath, type Server } from '../server';
import { failureText } from '../view/failure';
import { metricName, scoreText } from '../view/words';
import { BoardModel } from './board-model';
import { Commands } from './commands';
import { CompareTab } from './compare-tab';
import { CurveTab } from './curve-tab';
import { addDashboard } from './dashboard';
import { EndpointTab } from './endpoint-tab';
import { leptonIcon } from './icons';
import { labLocale } from './locale';
import { openQuickstart, openStudio } from './notebooks';
import { watchEndings } from './notifier';
import { RunActions } from './run-actions';
import { RunMenu } from './run-menu';
import { LabServer } from './server';
import { SETTINGS, sayInSettings } from './settings-words';
import { Sidebar } from './sidebar';
import { StatusItem } from './status-item';

const SIDEBAR_RANK = 550;
const STATUS_RANK = 900;

/** Adds the panel, its commands, the launcher tile and the status item; each only where the application has a place. */
export async function addPanel(app: JupyterFrontEnd): Promise<void> {
  let statusBar: IStatusBar | null;
  const [translator, palette, launcher, bar, restorer, registry] = await Promise.all([
    app.resolveOptionalService(ITranslator),
    app.resolveOptionalService(ICommandPalette),
    app.resolveOptionalService(ILauncher),
    app.resolveOptionalService(IStatusBar),
    app.resolveOptionalService(ILayoutRestorer),
    app.resolveOptionalService(ISettingRegistry)
  ]);
  statusBar = bar;
  const locale = labLocale(translator);
  const server = new LabServer(app.serviceManager.serverSettings, locale.tag);
  const board = new BoardModel(server);
  const openCurve = (run_id: string): void => actions.attempt(app.commands.execute(Commands.openCurve, { run_id }));
  const actions: RunActions = new RunActions(server, locale, openCurve);
  const menu = new RunMenu(locale, actions, run_id => app.commands.execute(Commands.compare, { run_ids: [run_id] }));
  const sidebar = new Sidebar({ board, server, kept: actions.kept, commands: app.commands, locale, menu });
  app.shell.add(sidebar, 'left', { rank: SIDEBAR_RANK, type: 'Lepton' });
  restorer?.add(sidebar, sidebar.id);
  addCommands({ app, server, locale, board, actions, restorer }, sidebar);
  for (const command of [
    Commands.openStudio,
    Commands.showRuns,
    Commands.compare,
    Commands.openEndpoint,
    Commands.freeSpace,
    Commands.quickstart,
    Commands.openDashboard
  ]) {
    palette?.addItem({ command, category: locale.t('command.category') });
  }
  launcher?.add({
    command: Commands.openStudio,
    args: { isLauncher: true },
    category: locale.t('command.category'),
    rank: 1
  });
  launcher?.add({
    command: Commands.quickstart,
    args: { isLauncher: true },
    category: locale.t('command.category'),
    rank: 2
  });
  if (registry) {
    sayInSettings(registry, locale);
  }
  const settings = await settingsOf(registry);
  tellEndings(app, board, locale, () => settings?.composite.notifyEndings !== false);
  addDashboard(app, locale, () => String(settings?.composite.dashboardTemplate ?? 'lepton'));
  if (settings?.composite.showStatus === false) {
    statusBar = null;
  }
  statusBar?.registerStatusItem('lepton-lab:status', {
    align: 'left',
    rank: STATUS_RANK,
    item: new StatusItem(board, locale, () => void app.commands.execute(Commands.showRuns))
  });
  board.start();
}

/** The person's settings; none where the application has no place for them, or they cannot be read. */
async function settingsOf(registry: ISettingRegistry | null): Promise<ISettingRegistry.ISettings | null> {
  return registry ? await registry.load(SETTINGS).catch(() => null) : null;
}

function addCommands(parts: RunParts, sidebar: Sidebar): void {
  const { app, locale, actions } = parts;
  const folderOf = (args: object): string => ('cwd' in args && typeof args.cwd === 'string' ? args.cwd : '');
  app.commands.addCommand(Commands.openStudio, {
    label: args => locale.t(args.isLauncher ? 'launcher.studio' : 'command.open_studio'),
    caption: locale.t('launcher.caption'),
    icon: leptonIcon,
    execute: args => openStudio(app, folderOf(args))
  });
  app.commands.addCommand(Commands.quickstart, {
    label: args => locale.t(args.isLauncher ? 'launcher.quickstart' : 'command.quickstart'),
    icon: leptonIcon,
    execute: args => openQuickstart(app, folderOf(args))
  });
  app.commands.addCommand(Commands.showRuns, {
    label: locale.t('command.show_runs'),
    icon: leptonIcon,
    execute: () => app.shell.activateById(sidebar.id)
  });
  app.commands.addCommand(Commands.freeSpace, {
    label: locale.t('command.free_space'),
    icon: leptonIcon,
    execute: () => actions.attempt(actions.freeSpace())
  });
  addCurveCommand(parts);
  addCompareCommand(parts);
  addEndpointCommand(parts);
}

/** What the commands for single runs need. */
interface RunParts {
  app: JupyterFrontEnd;
  server: Server;
  locale: Locale;
  board: BoardModel;
  actions: RunActions;
  restorer: ILayoutRestorer | null;
}

/** Opens a run's curve as a tab, or shows the tab that is open; tabs come back with the layout. */
function addCurveCommand({ app, server, locale, actions, restorer }: RunParts): void {
  const tracker = new WidgetTracker<CurveTab>({ namespace: 'lepton-lab-curves' });
  const links = {
    actions,
    openCurve: (run_id: string) => actions.attempt(app.commands.execute(Commands.openCurve, { run_id })),
    compare: (run_id: string) => actions.attempt(app.commands.execute(Commands.compare, { run_ids: [run_id] }))
  };
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
        tab = new CurveTab(server, locale, summary, links);
        await tracker.add(tab);
      }
      show(app, tab);
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

/** Opens the comparison, with the runs of `run_ids` added to it. */
function addCompareCommand({ app, locale, board, actions, restorer }: RunParts): void {
  const tracker = new WidgetTracker<CompareTab>({ namespace: 'lepton-lab-compare' });
  const openCurve = (run_id: string): void => actions.attempt(app.commands.execute(Commands.openCurve, { run_id }));
  app.commands.addCommand(Commands.compare, {
    label: locale.t('command.compare'),
    icon: leptonIcon,
    execute: async args => {
      let tab = tracker.find(each => !each.isDisposed);
      if (!tab) {
        const made = new CompareTab(board, actions.kept, locale, openCurve);
        made.chosen.connect(() => void tracker.save(made)); // so that a reload brings the same runs back
        await tracker.add(made);
        tab = made;
      }
      tab.add(Array.isArray(args.run_ids) ? args.run_ids.map(String) : []);
      show(app, tab);
      await tracker.save(tab);
    }
  });
  if (restorer) {
    void restorer.restore(tracker, {
      command: Commands.compare,
      args: tab => ({ run_ids: tab.run_ids }),
      name: () => 'compare'
    });
  }
}

/** Opens all about an endpoint as a tab; without a name the panel shows which there are. */
function addEndpointCommand({ app, server, locale, board, actions, restorer }: RunParts): void {
  const tracker = new WidgetTracker<EndpointTab>({ namespace: 'lepton-lab-endpoints' });
  const openRun = (run_id: string): void => actions.attempt(app.commands.execute(Commands.openCurve, { run_id }));
  app.commands.addCommand(Commands.openEndpoint, {
    label: locale.t('command.open_endpoint'),
    icon: leptonIcon,
    execute: async args => {
      const { endpoints } = board.state;
      const name = String(args.name ?? (endpoints.length === 1 ? endpoints[0]?.name : '') ?? '');
      if (!name) {
        return app.commands.execute(Commands.showRuns);
      }
      let tab = tracker.find(each => each.endpoint === name);
      if (!tab) {
        tab = new EndpointTab(server, board, locale, name, openRun);
        await tracker.add(tab);
      }
      show(app, tab);
    }
  });
  if (restorer) {
    void restorer.restore(tracker, {
      command: Commands.openEndpoint,
      args: tab => ({ name: tab.endpoint }),
      name: tab => tab.endpoint
    });
  }
}

function show(app: JupyterFrontEnd, tab: Widget): void {
  if (!tab.isAttached) {
    app.shell.add(tab, 'main');
  }
  app.shell.activateById(tab.id);
}

/** Says so when a run has finished or failed, wherever the person is in the application. */
function tellEndings(app: JupyterFrontEnd, board: BoardModel, locale: Locale, wanted: () => boolean): void {
  watchEndings(board, ({ run, kind }) => {
    if (!wanted()) {
      return;
    }
    const actions = [
      {
        label: locale.t('panel.open_curve'),
        callback: () => void app.commands.execute(Commands.openCurve, { run_id: run.run_id })
      }
    ];
    const name = run.title || run.run_id;
    if (kind === 'failed') {
      Notification.error(locale.t('ended.failed', { name, message: failureText(run, locale) }), {
        actions,
        autoClose: false
      });
    } else {
      const score = partScore(run, 'test') ?? partScore(run, 'best_val');
      const said =
        score !== null
          ? locale.t('ended.finished_with', {
              name,
              metric: metricName(run, locale),
              score: scoreText(score, locale)
            })
          : locale.t('ended.finished', { name });
      Notification.success(said, { actions, autoClose: 10_000 });
    }
  });
}
