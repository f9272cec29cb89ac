import type { Locale } from '../i18n';
import { ACTIVE_STATES, type Mark, type RunSummary } from '../protocol';

/** The curve in one or two sentences, for those who do not see it. */
export function curveText(summary: RunSummary, locale: Locale): string {
  const { val_accuracy: val, train_accuracy: train } = summary;
  if (val === null || val === undefined) {
    return locale.t('text.nothing');
  }
  const parts = [
    locale.t('text.running', {
      epoch: (summary.epoch ?? 0).toFixed(0),
      epochs: summary.epochs ?? '?',
      val: locale.fixed(val, 4),
      train: train === null || train === undefined ? '–' : locale.fixed(train, 4)
    })
  ];
  if (summary.best_val_accuracy !== null && summary.best_val_accuracy !== undefined) {
    parts.push(locale.t('text.best', { best: locale.fixed(summary.best_val_accuracy, 4) }));
  }
  if (ACTIVE_STATES.has(summary.state) && summary.seconds_left !== null && summary.seconds_left !== undefined) {
    parts.push(locale.t('text.left', { time: locale.duration(summary.seconds_left) }));
  }
  return parts.join(' ');
}

/** "digits · cnn · cpu": where a run stands, in short. */
export function originText(summary: RunSummary): string {
  return [summary.dataset, summary.model, summary.device].filter(Boolean).join(' · ');
}

/** What a mark says on the chart: short, in the reader's language; the history has the whole sentence. */
export function markText(mark: Mark, locale: Locale): string {
  const rates = /([\d.eE+-]+|\?) → ([\d.eE+-]+|\?)/.exec(mark.text);
  if (mark.kind === 'learning_rate' && rates) {
    return locale.t('mark.learning_rate', { old: short(rates[1] as string), new: short(rates[2] as string) });
  }
  return locale.word('mark', mark.kind, mark.text.slice(0, 40));
}

function short(rate: string): string {
  const value = Number(rate);
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : rate;
}
