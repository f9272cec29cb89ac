import { Widget } from '@lumino/widgets';

import { setText } from '../dom';
import type { Locale } from '../i18n';
import type { BoardModel } from './board-model';

/** Running runs and busy devices in the status bar; a click shows the panel. */
export class StatusItem extends Widget {
  private readonly _board: BoardModel;
  private readonly _locale: Locale;

  constructor(board: BoardModel, locale: Locale, onClick: () => void) {
    super({ node: document.createElement('button') });
    this._board = board;
    this._locale = locale;
    this.addClass('jp-StatusBar-TextItem');
    this.addClass('lp-status-item');
    this.node.setAttribute('type', 'button');
    this.node.addEventListener('click', onClick);
    board.subscribe(() => this._draw());
    this._draw();
  }

  private _draw(): void {
    const { runs, devices } = this._board.state;
    const running = runs.filter(run => run.state === 'running' || run.state === 'starting').length;
    const queued = runs.filter(run => run.state === 'queued').length;
    const slots = Object.values(devices);
    const busy = slots.filter(run => run !== null).length;
    const words = running === 0 ? 'status.idle' : running === 1 ? 'status.running.one' : 'status.running.many';
    const parts = [this._locale.t(words, { count: running })];
    if (running > 0 && slots.length > 0) {
      parts.push(this._locale.t('status.devices', { busy, total: slots.length }));
    }
    setText(this.node, `Lepton: ${parts.join(' · ')}`);
    this.node.title = this._locale.t('status.title', { running, queued });
  }
}
