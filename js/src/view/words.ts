import type { Metric } from '../charts/figure';
import { decimals, partScore, scoreOf } from '../charts/score';
import type { Locale } from '../i18n';
import { ACTIVE_STATES, type Mark, type RunSummary } from '../protocol';

/** The curve in one or two sentences, for those who do not see it. */
export function curveText(summary: RunSummary, locale: Locale): string {
  const [val, train, best] = [partScore(summary, 'val'), partScore(summary, 'train'), partScore(summary, 'best_val')];
  const metric = metricName(summary, locale);
  if (val === null) {
    return locale.t('text.nothing');
  }
  const parts = [
    locale.t('text.running', {
      epoch: locale.count(summary.epoch ?? 0),
      epochs: summary.epochs ?? '?',
      metric,
      val: scoreText(val, locale),
      train: train === null ? '–' : scoreText(train, locale)
    })
  ];
  if (best !== null) {
    parts.push(locale.t('text.best', { metric, best: scoreText(best, locale) }));
  }
  if (ACTIVE_STATES.has(summary.state) && summary.seconds_left !== null && summary.seconds_left !== undefined) {
    parts.push(locale.t('text.left', { time: locale.duration(summary.seconds_left) }));
  }
  return parts.join(' ');
}

/** What the run is judged by, in the reader's language: "accuracy", "MAE". */
export function metricName(summary: RunSummary, locale: Locale): string {
  const { name } = scoreOf(summary);
  return locale.word('metric', name, name);
}

/** A value of the figure that a run is judged by. */
export function scoreText(value: number, locale: Locale): string {
  return Number.isFinite(value) ? locale.fixed(value, decimals(value)) : 'NaN';
}

/** What a chart shows, for those who do not see it. */
export function chartLabel(summary: RunSummary, metric: Metric, locale: Locale): string {
  const run = summary.run_id;
  return metric === 'loss'
    ? locale.t('chart.label.loss', { run })
    : locale.t('chart.label.score', { run, metric: capital(metricName(summary, locale)) });
}

/** A word as it begins a sentence. */
export function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** "digits · cnn · cpu": where a run stands, in short. */
export function originText(summary: RunSummary): string {
  return [summary.dataset, summary.model, summary.device].filter(Boolean).join(' · ');
}

/** What a mark says on the chart: short, in the reader's language; the history has the whole sentence. */
export function markText(mark: Mark, locale: Locale): string {
  const rates = /([\d.eE+-]+|\?) → ([\d.eE+-]+|\?)/.exec(mark.text);
  if (mark.kind === 'learning_rate' && rates) {
    const [old, now] = rates.slice(1).map(rate => short(rate, locale)) as [string, string];
    return locale.t('mark.learning_rate', { old, new: now });
  }
  return locale.word('mark', mark.kind, mark.text.slice(0, 40));
}

/** What happened at a mark, as a whole sentence where the reader's language has one. */
export function eventText(mark: Mark, locale: Locale): string {
  if (locale.language === 'en') {
    return mark.text;
  }
  const by = /^\w+ by (.+)$/.exec(mark.text);
  return mark.said?.[locale.language] ?? (by ? `${markText(mark, locale)} (${by[1]})` : markText(mark, locale));
}

function short(rate: string, locale: Locale): string {
  const value = Number(rate);
  return Number.isFinite(value) ? locale.figure(value, 3) : rate;
}
