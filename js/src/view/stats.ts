import { h, setAttribute, setText } from '../dom';
import { partScore, scoreOf } from '../charts/score';
import type { Locale } from '../i18n';
import { ACTIVE_STATES, type RunSummary } from '../protocol';
import { metricName, scoreText } from './words';

const NONE = '–';

interface Stat {
  name: string;
  value: string;
  note: string;
}

/** The numbers above the curve; the one that a person waits for is the largest. */
export class Stats {
  readonly element = h('dl', { class: 'lp-stats' });
  private readonly _locale: Locale;
  private readonly _cells: { name: HTMLElement; value: HTMLElement; note: HTMLElement }[] = [];

  constructor(locale: Locale) {
    this._locale = locale;
  }

  update(summary: RunSummary): void {
    runStats(summary, this._locale).forEach((stat, index) => {
      const cell = this._cells[index] ?? this._addCell();
      setText(cell.name, stat.name);
      setText(cell.value, stat.value);
      setText(cell.note, stat.note);
      setAttribute(cell.note, 'hidden', stat.note === '');
    });
  }

  private _addCell(): { name: HTMLElement; value: HTMLElement; note: HTMLElement } {
    const cell = { name: h('dt'), value: h('b'), note: h('em') };
    this.element.append(h('div', { class: 'lp-stat' }, cell.name, h('dd', {}, cell.value, ' ', cell.note)));
    this._cells.push(cell);
    return cell;
  }
}

/** The numbers of a summary as a person reads them. */
export function runStats(summary: RunSummary, locale: Locale): Stat[] {
  const number = (value: number | null | undefined, digits: number): string =>
    value === null || value === undefined ? NONE : Number.isFinite(value) ? locale.fixed(value, digits) : 'NaN';
  const score = (part: 'train' | 'val'): string => {
    const value = partScore(summary, part);
    return value === null ? NONE : scoreText(value, locale);
  };
  const metric = metricName(summary, locale);
  const active = ACTIVE_STATES.has(summary.state);
  const time = active ? summary.seconds_left : summary.elapsed_seconds;
  return [
    { name: locale.t('stat.val_score', { metric }), value: score('val'), note: bestNote(summary, locale) },
    { name: locale.t('stat.train_score', { metric }), value: score('train'), note: '' },
    { name: locale.t('stat.val_loss'), value: number(summary.val_loss, 3), note: '' },
    { name: locale.t('stat.epoch'), value: epochText(summary), note: '' },
    {
      name: locale.t('stat.speed'),
      value: summary.samples_per_second ? locale.count(summary.samples_per_second) : NONE,
      note: ''
    },
    {
      name: locale.t(active ? 'stat.left' : 'stat.took'),
      value: time === null || time === undefined ? NONE : locale.duration(time),
      note: ''
    }
  ];
}

/** "9 / 16": the epoch that is being worked on, or was last worked on, of those planned. */
export function epochText(summary: RunSummary): string {
  const epoch = Math.ceil((summary.epoch ?? 0) - 1e-9);
  return summary.epochs ? `${Math.min(epoch, summary.epochs)} / ${summary.epochs}` : epoch ? String(epoch) : NONE;
}

function bestNote(summary: RunSummary, locale: Locale): string {
  const [now, best] = [partScore(summary, 'val'), partScore(summary, 'best_val')];
  if (now === null || best === null) {
    return '';
  }
  const isBest = scoreOf(summary).higher ? now >= best : now <= best;
  return isBest ? locale.t('stat.best') : locale.t('stat.best_was', { value: scoreText(best, locale) });
}
