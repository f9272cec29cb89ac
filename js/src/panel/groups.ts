/** Runs under the name of what they belong to: a project, which is what a run's first tag says, or their data. */

import { button, h, setAttribute, setText } from '../dom';
import type { RunSummary } from '../protocol';

export const GROUPINGS = ['none', 'project', 'data'] as const;
export type Grouping = (typeof GROUPINGS)[number];

/** The heading of a group; closed, it stands for its runs. */
export interface Group {
  group: string;
  count: number;
  open: boolean;
}

export type Item = RunSummary | Group;

export function isGroup(item: Item): item is Group {
  return 'group' in item;
}

/** The runs in their order; grouped, the group of the first run comes first, and closed groups hold theirs back. */
export function grouped(runs: RunSummary[], by: Grouping, closed: ReadonlySet<string>): Item[] {
  if (by === 'none') {
    return runs;
  }
  const groups = new Map<string, RunSummary[]>();
  for (const run of runs) {
    const name = (by === 'project' ? run.tags?.[0] : run.dataset) ?? '';
    const members = groups.get(name) ?? [];
    members.push(run);
    groups.set(name, members);
  }
  return [...groups].flatMap(([group, members]) => {
    const open = !closed.has(group);
    return [{ group, count: members.length, open }, ...(open ? members : [])];
  });
}

/** A heading, which opens and closes its group. */
export class GroupRow {
  readonly element: HTMLElement;
  private readonly _name = h('b');
  private readonly _count = h('small');
  private readonly _button: HTMLButtonElement;

  /** `rest` names the group of runs that belong to none. */
  constructor(
    group: Group,
    private readonly _rest: string,
    toggle: (group: string) => void
  ) {
    this._button = button('', () => toggle(group.group), { class: 'lp-group-name' });
    this._button.append(this._name, this._count);
    this.element = h('li', { class: 'lp-group' }, this._button);
    this.update(group);
  }

  update({ group, count, open }: Group): void {
    setText(this._name, group || this._rest);
    setText(this._count, String(count));
    setAttribute(this._button, 'aria-expanded', String(open));
  }
}
