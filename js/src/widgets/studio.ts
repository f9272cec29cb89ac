/**
 * The studio as an anywidget: five steps from a dataset to an endpoint.
 *
 * The traits and messages are those of `lepton_lab.widgets.studio.Studio`; see `../studio/traits.ts`.
 */

import '../../style/studio-widget.css';

import { localeFor } from '../i18n';
import { StudioContext } from '../studio/context';
import { StudioView } from '../studio/studio';
import type { StudioTraits } from '../studio/traits';
import type { RenderContext } from './model';

function render({ model, el }: RenderContext<StudioTraits>): () => void {
  let studio: StudioView | null = null;
  const show = (): void => {
    studio?.dispose();
    const context = new StudioContext(model, localeFor(model.get('locale')));
    studio = new StudioView(context);
    context.send({ type: 'language', language: context.locale.tag });
    el.append(studio.element);
  };
  show();
  if (!model.get('run_id')) {
    model.send({ type: 'hello' });
  }
  model.on('change:locale', show);
  return () => {
    model.off('change:locale', show);
    studio?.dispose();
  };
}

export default { render };
