import { MainAreaWidget } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';

import type { Locale } from '../i18n';
import type { RunSummary } from '../protocol';
import type { Server } from '../server';
import { leptonIcon } from './icons';
import { ServerRun } from './server-run';

class CurveContent extends Widget {
  private readonly _run: ServerRun;

  constructor(run: ServerRun) {
    super();
    this._run = run;
    this.addClass('lp-curve-tab');
    this.node.append(run.view.element);
    run.connect();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this._run.dispose();
      super.dispose();
    }
  }
}

/** A run's curve as a tab of the main area. */
export class CurveTab extends MainAreaWidget {
  readonly run_id: string;

  constructor(server: Server, locale: Locale, summary: RunSummary) {
    super({ content: new CurveContent(new ServerRun(server, locale, summary)) });
    this.run_id = summary.run_id;
    this.id = `lepton-lab-curve-${summary.run_id}`;
    this.title.label = summary.name || summary.run_id;
    this.title.icon = leptonIcon;
    this.title.closable = true;
  }
}
