import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import type { Widget } from '@lumino/widgets';

/** A document that has a render registry of its own, as notebooks do: the widget manager registers there. */
type Rendering = Widget & { content?: { rendermime?: IRenderMimeRegistry } };

/** A renderer of the document that a node stands in, for a MIME type that only that document can render. */
export function documentRenderer(
  app: JupyterFrontEnd,
  node: HTMLElement,
  mimeType: string
): IRenderMime.IRenderer | null {
  for (const widget of app.shell.widgets('main')) {
    const registry = (widget as Rendering).content?.rendermime;
    if (registry?.getFactory(mimeType) && widget.node.contains(node)) {
      return registry.createRenderer(mimeType);
    }
  }
  return null;
}
