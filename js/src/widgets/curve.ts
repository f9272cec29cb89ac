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
import { runChooser } from './run-chooser';
import type { RenderContext } from './model';

export interface CurveTraits {
  run_id: string;
  summary: Partial<RunSummary>;
  locale?: string;
  /** Whether the page only looks. */
  read_only?: boolean;
  /** What may be looked at, where there is a choice. */
  runs?: { run_id: string; title: string; state: string }[];
}

function render({ model, el }: RenderContext<CurveTraits>): () => void {
  let live: LiveRun | null = null;
  const chooser = runChooser(model);
  el.append(chooser.element);
  const show = (): void => {
    live?.dispose();
    if (!model.get('run_id')) {
      return;
    }
    live = new LiveRun({
      summary: { state: 'starting', ...model.get('summary'), run_id: model.get('run_id') },
      transport: new CommTransport(model),
      locale: localeFor(model.get('locale')),
      readOnly: model.get('read_only') ?? false
    });
    el.append(live.view.element);
  };
  show();
  model.on('change:run_id', show);
  model.on('change:locale', show);
  return () => {
    chooser.dispose();
    model.off('change:run_id', show);
    model.off('change:locale', show);
    live?.dispose();
  };
}

export default { render };
