import { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';

import type { Key, Locale } from '../i18n';
import { ACTIVE_STATES, type RunSummary } from '../protocol';
import type { RunActions } from './run-actions';

interface Item {
  key: Key;
  /** Whether it makes sense for this run. */
  fits: (run: RunSummary) => boolean;
  run: (run: RunSummary) => Promise<void>;
}

const ended = (run: RunSummary): boolean => !ACTIVE_STATES.has(run.state);
const waits = (run: RunSummary): boolean => run.state === 'queued';
const works = (run: RunSummary): boolean => run.state === 'running' || run.state === 'paused';
const readable = (run: RunSummary): boolean => run.reason !== 'unreadable';

/** What else can be done with a run, as a menu beside its row. */
export class RunMenu {
  private readonly _locale: Locale;
  private readonly _actions: RunActions;
  private readonly _groups: Item[][];

  constructor(locale: Locale, actions: RunActions, compare: (run_id: string) => Promise<void>) {
    this._locale = locale;
    this._actions = actions;
    const place = (run: RunSummary, by: number): Promise<void> =>
      actions.place(run, Math.max(1, (run.queue_position ?? 1) + by));
    this._groups = [
      [
        { key: 'details.checkpoint', fits: works, run: run => actions.checkpoint(run.run_id) },
        { key: 'run.first', fits: waits, run: run => actions.place(run, 1) },
        { key: 'run.up', fits: run => waits(run) && (run.queue_position ?? 1) > 1, run: run => place(run, -1) },
        { key: 'run.down', fits: waits, run: run => place(run, 1) },
        { key: 'run.priority', fits: run => waits(run) || works(run), run: run => actions.priority(run) }
      ],
      [
        {
          key: 'details.retry',
          fits: run => (run.state === 'failed' || run.state === 'stopped') && readable(run),
          run: run => actions.retry(run.run_id)
        },
        {
          key: 'details.longer',
          fits: run => ended(run) && hasCheckpoint(run),
          run: run => actions.trainLonger(run.run_id)
        },
        { key: 'details.fork', fits: hasCheckpoint, run: run => actions.fork(run.run_id) },
        {
          key: 'verify.do',
          fits: run => run.state === 'finished' && hasCheckpoint(run),
          run: async run => {
            await actions.verify(run.run_id);
            actions.open(run.run_id); // its tab tells how it goes and what came out
          }
        },
        { key: 'details.compare', fits: readable, run: run => compare(run.run_id) }
      ],
      [
        { key: 'run.rename', fits: readable, run: run => actions.rename(run) },
        { key: 'run.tag', fits: readable, run: run => actions.tag(run) },
        { key: 'run.note', fits: readable, run: run => actions.note(run) },
        { key: 'run.pin', fits: run => readable(run) && !run.pinned, run: run => actions.pin(run) },
        { key: 'run.unpin', fits: run => run.pinned === true, run: run => actions.pin(run) }
      ],
      [{ key: 'run.delete', fits: run => ended(run) || waits(run), run: run => actions.remove(run) }]
    ];
  }

  /** Opens the menu below an element. */
  open(run: RunSummary, anchor: HTMLElement): void {
    const commands = new CommandRegistry();
    const menu = new Menu({ commands });
    menu.addClass('lp-run-menu');
    for (const group of this._groups.map(items => items.filter(item => item.fits(run)))) {
      if (group.length > 0 && menu.items.length > 0) {
        menu.addItem({ type: 'separator' });
      }
      for (const item of group) {
        commands.addCommand(item.key, {
          label: this._locale.t(item.key),
          execute: () => this._actions.attempt(item.run(run))
        });
        menu.addItem({ command: item.key });
      }
    }
    const box = anchor.getBoundingClientRect();
    menu.aboutToClose.connect(() => anchor.focus());
    menu.open(box.left, box.bottom);
  }
}

function hasCheckpoint(run: RunSummary): boolean {
  return typeof run.checkpoint_step === 'number';
}
