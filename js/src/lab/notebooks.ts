import type { JupyterFrontEnd } from '@jupyterlab/application';
import { PathExt } from '@jupyterlab/coreutils';

/** A notebook panel, as far as it is used here; there in JupyterLab, absent where a notebook opens in a new tab. */
interface NotebookLike {
  context?: { ready: Promise<void> };
  sessionContext?: { ready: Promise<void> };
}

const STUDIO_CELLS = ['%load_ext lepton_lab\n%lepton studio'];
const QUICKSTART_CELLS = [
  '%load_ext lepton_lab',
  '%lepton data digits',
  '%lepton model cnn',
  '%lepton train --epochs 20'
];

/** Opens a new notebook with the studio in it, and runs it. */
export async function openStudio(app: JupyterFrontEnd, folder: string): Promise<void> {
  await openAndRun(app, await writeNotebook(app, folder, 'lepton-studio', STUDIO_CELLS));
}

/** Opens a new notebook that trains a network on digits, and runs it. */
export async function openQuickstart(app: JupyterFrontEnd, folder: string): Promise<void> {
  await openAndRun(app, await writeNotebook(app, folder, 'lepton-quickstart', QUICKSTART_CELLS));
}

async function writeNotebook(app: JupyterFrontEnd, folder: string, name: string, cells: string[]): Promise<string> {
  const { contents, kernelspecs } = app.serviceManager;
  await kernelspecs.ready;
  const kernel = kernelspecs.specs?.default ?? 'python3';
  const display_name = kernelspecs.specs?.kernelspecs[kernel]?.display_name ?? kernel;
  const path = await freePath(app, folder, name);
  await contents.save(path, {
    type: 'notebook',
    format: 'json',
    content: {
      nbformat: 4,
      nbformat_minor: 5,
      metadata: { kernelspec: { name: kernel, display_name, language: 'python' } },
      cells: cells.map((source, index) => ({
        cell_type: 'code',
        id: `lepton-${index + 1}`,
        metadata: {},
        source,
        outputs: [],
        execution_count: null
      }))
    }
  });
  return path;
}

async function freePath(app: JupyterFrontEnd, folder: string, name: string): Promise<string> {
  const { contents } = app.serviceManager;
  const listing = await contents.get(folder, { content: true });
  const taken = new Set((listing.content as { name: string }[]).map(entry => entry.name));
  let number = 1;
  let file = `${name}.ipynb`;
  while (taken.has(file)) {
    number += 1;
    file = `${name}-${number}.ipynb`;
  }
  return PathExt.join(folder, file);
}

async function openAndRun(app: JupyterFrontEnd, path: string): Promise<void> {
  const notebook = (await app.commands.execute('docmanager:open', { path })) as NotebookLike | undefined;
  if (!notebook?.context || !notebook.sessionContext) {
    return;
  }
  await notebook.context.ready;
  await notebook.sessionContext.ready;
  await app.commands.execute('notebook:run-all-cells');
}
