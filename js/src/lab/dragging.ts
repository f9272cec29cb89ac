import { MimeData } from '@lumino/coreutils';
import { Drag } from '@lumino/dragdrop';

/** What a notebook takes as cells that were dragged to it. */
const CELLS_MIME = 'application/vnd.jupyter.cells';
const RUN_MIME = 'application/vnd.lepton.dragged-run';
const START_PX = 6;

export interface RowDrag {
  /** A run that waits was dropped on another one that waits: it takes its place. */
  reorder(run_id: string, onto: string): void;
  /** The same by keys: one place up (-1) or down (1). */
  step(run_id: string, by: number): void;
}

/** The cell that opens a run, wherever it is dropped. */
export function cellOf(run_id: string): object {
  const source = `import lepton_lab as lepton\n\nlepton.run(${JSON.stringify(run_id)})`;
  return { cell_type: 'code', source, metadata: {}, outputs: [], execution_count: null };
}

/** Lets the rows of runs in `root` be dragged: into a notebook as a cell, among those that wait to another place. */
export function dragRows(root: HTMLElement, { reorder, step }: RowDrag): void {
  root.addEventListener('pointerdown', event => {
    const row = rowAt(event.target);
    if (row && event.button === 0 && event.pointerType !== 'touch') {
      awaitDrag(row, event);
    }
  });
  root.addEventListener('keydown', event => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const row = rowAt(event.target);
    if (by && event.altKey && row?.dataset.state === 'queued') {
      event.preventDefault();
      step(row.dataset.run ?? '', by);
    }
  });
  const over = (event: Event): void => {
    const row = rowAt(event.target);
    const run_id = (event as Drag.Event).mimeData.getData(RUN_MIME) as string | undefined;
    const waits = row?.dataset.state === 'queued' && rowOf(root, run_id)?.dataset.state === 'queued';
    mark(root, waits && event.type !== 'lm-dragleave' && event.type !== 'lm-drop' ? row : null);
    if (waits && row.dataset.run !== run_id) {
      event.preventDefault();
      event.stopPropagation();
      (event as Drag.Event).dropAction = 'copy';
      if (event.type === 'lm-drop') {
        reorder(run_id as string, row.dataset.run as string);
      }
    }
  };
  for (const type of ['lm-dragenter', 'lm-dragover', 'lm-dragleave', 'lm-drop']) {
    root.addEventListener(type, over);
  }
}

function awaitDrag(row: HTMLElement, pressed: PointerEvent): void {
  const done = new AbortController();
  const { signal } = done;
  const move = (event: PointerEvent): void => {
    if (Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY) >= START_PX) {
      done.abort();
      start(row, event);
    }
  };
  document.addEventListener('pointermove', move, { signal });
  document.addEventListener('pointerup', () => done.abort(), { signal });
  document.addEventListener('pointercancel', () => done.abort(), { signal });
}

function start(row: HTMLElement, event: PointerEvent): void {
  const run_id = row.dataset.run ?? '';
  const mimeData = new MimeData();
  mimeData.setData(CELLS_MIME, [cellOf(run_id)]);
  mimeData.setData(RUN_MIME, run_id);
  mimeData.setData('text/plain', run_id);
  const drag = new Drag({ mimeData, dragImage: imageOf(row), supportedActions: 'copy-move', proposedAction: 'copy' });
  void drag.start(event.clientX, event.clientY).then(() => {
    drag.dispose();
    // The button below the pointer would take the end of a drag for a click.
    row.addEventListener('click', swallow, { capture: true, once: true });
    setTimeout(() => row.removeEventListener('click', swallow, { capture: true }));
  });
}

function swallow(event: Event): void {
  event.preventDefault();
  event.stopPropagation();
}

function imageOf(row: HTMLElement): HTMLElement {
  const image = document.createElement('div');
  image.className = 'lepton lp-dragged';
  image.textContent = row.querySelector('b')?.textContent ?? '';
  return image;
}

function rowAt(target: EventTarget | null): HTMLElement | null {
  const element = target instanceof Element ? target : null;
  return element?.closest('.lp-row-action') ? null : (element?.closest<HTMLElement>('.lp-row[data-run]') ?? null);
}

function rowOf(root: HTMLElement, run_id: string | undefined): HTMLElement | null {
  return run_id ? root.querySelector<HTMLElement>(`.lp-row[data-run="${CSS.escape(run_id)}"]`) : null;
}

function mark(root: HTMLElement, row: HTMLElement | null): void {
  for (const each of root.querySelectorAll('.lp-row[data-over]')) {
    each.removeAttribute('data-over');
  }
  row?.setAttribute('data-over', '');
}
