/**
 * The live curve of one run as an anywidget.
 *
 * Traits: `run_id` (str), `summary` (dict, a run's summary), `locale` (str, optional: "en", "zh_CN").
 * Messages: `hello` and `command` to the kernel, `frame` with one buffer from it.
 */

import '../../style/curve.css';

import { localeFor } from '../i18n';
import type { RunSummary } from '../protocol';
import { CommTransport } from './comm';
import { LiveRun } from './live-run';
import type { RenderContext } from './model';

interface CurveTraits {
  run_id: string;
  summary: Partial<RunSummary>;
  locale?: string;
}

function render({ model, el }: RenderContext<CurveTraits>): () => void {
  let live: LiveRun | null = null;
  const show = (): void => {
    live?.dispose();
    live = new LiveRun({
      summary: { state: 'starting', ...model.get('summary'), run_id: model.get('run_id') },
      transport: new CommTransport(model),
      locale: localeFor(model.get('locale'))
    });
    el.append(live.view.element);
  };
  show();
  model.on('change:run_id', show);
  model.on('change:locale', show);
  return () => {
    model.off('change:run_id', show);
    model.off('change:locale', show);
    live?.dispose();
  };
}

export default { render };
