/** What a cell has put out, as the page carries it. */

const VIEW = 'application/vnd.jupyter.widget-view+json';
const SCRIPT = 'script[type="application/vnd.voila.cell-output+json"]';
/** Drawn by the JupyterLab extension with the server's help; on such a page Voilà's program is at work. */
const OTHERS = ['application/vnd.lepton.run+json'];

export interface WidgetOutput {
  model_id: string;
  /** Where the widget is to stand. */
  place: Element;
}

/** The page's widgets in their order; null where the page holds anything else. */
export function widgetsAlone(root: ParentNode): WidgetOutput[] | null {
  if (root.querySelector('.jp-MarkdownCell, .jp-RawCell')) {
    return null;
  }
  const found = [...root.querySelectorAll(SCRIPT)].map(place => {
    const model_id = modelId(JSON.parse(place.textContent ?? 'null'));
    return model_id === null ? null : { model_id, place };
  });
  const widgets = found.filter(each => each !== null);
  return widgets.length > 0 && widgets.length === found.length ? widgets : null;
}

function modelId(output: { data?: Record<string, unknown> } | null): string | null {
  const data = output?.data ?? {};
  const view = data[VIEW] as { model_id?: string } | undefined;
  return view?.model_id && !OTHERS.some(type => type in data) ? view.model_id : null;
}
