import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { Widget } from '@lumino/widgets';

import { INSERT_EVENT } from '../studio/code-line';

/** The cells of an open notebook, as far as they are used here. */
interface Cells {
  widgets: readonly Widget[];
  activeCellIndex: number;
  activeCell: { model: { sharedModel: { setSource(source: string): void } } } | null;
}

type Document = Widget & { content?: Partial<Cells> };

const INSERT_COMMAND = 'notebook:insert-cell-below';

/** Puts lines that widgets hand up (`INSERT_EVENT`) into the notebook, below the cell that they come from. */
export const cellsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'lepton-lab:cells',
  description: 'Inserts the line that a lepton_lab form stands for as a cell.',
  autoStart: true,
  activate: (app: JupyterFrontEnd) => {
    void app.started.then(() => {
      if (app.commands.hasCommand(INSERT_COMMAND)) {
        document.documentElement.dataset.leptonLab = app.name;
      }
    });
    document.addEventListener(INSERT_EVENT, event => {
      const { code } = (event as CustomEvent<{ code: string }>).detail;
      const cells = cellsAround(app, event.target as Node);
      if (cells) {
        event.preventDefault();
        void insertBelow(app, cells, event.target as Node, code);
      }
    });
  }
};

function cellsAround(app: JupyterFrontEnd, node: Node): Cells | null {
  for (const widget of app.shell.widgets('main')) {
    const content = (widget as Document).content;
    if (content?.widgets && content.activeCellIndex !== undefined && widget.node.contains(node)) {
      return content as Cells;
    }
  }
  return null;
}

async function insertBelow(app: JupyterFrontEnd, cells: Cells, node: Node, code: string): Promise<void> {
  const index = cells.widgets.findIndex(cell => cell.node.contains(node));
  cells.activeCellIndex = Math.max(0, index);
  await app.commands.execute(INSERT_COMMAND);
  cells.activeCell?.model.sharedModel.setSource(code);
}
