import { decimals } from '../charts/score';
import { h } from '../dom';
import type { Locale } from '../i18n';
import { block, table } from './parts';
import type { Report } from './traits';

type Figures = [string, string][];

/** The figures on top of a report: what the task is judged by first. */
export function reportFigures(report: Report, locale: Locale): Figures {
  const metric = report.metric ?? 'accuracy';
  const known: [string, number | null | undefined][] = [
    [locale.t('evaluate.precision'), report.precision_macro],
    [locale.t('evaluate.recall'), report.recall_macro],
    ['F1', metric === 'f1' ? undefined : report.f1_macro],
    [locale.t('evaluate.subset'), report.subset_accuracy],
    ...(['mae', 'rmse'] as const)
      .filter(name => name !== metric)
      .map((name): [string, number | undefined] => [locale.t(`metric.${name}`), report[name]]),
    ['R²', report.r2],
    [locale.t('evaluate.bits'), report.bits_per_token],
    ['NDCG@10', report.ndcg],
    ['mAP', report.map]
  ];
  const main = report[metric as 'accuracy'];
  const shown: Figures = typeof main === 'number' ? [[title(metric, locale), text(main, locale)]] : [];
  for (const [name, value] of known) {
    if (typeof value === 'number') {
      shown.push([name, text(value, locale)]);
    }
  }
  return [...shown, [locale.t('evaluate.loss'), locale.fixed(report.loss, 3)]];
}

/** What a report holds besides its figures, where answers are no classes of which one is right. */
export function reportTables(report: Report, locale: Locale): HTMLElement[] {
  const parts = [classTable(report, locale), targetTable(report, locale), horizonTable(report, locale)];
  return [...parts, worstTable(report, locale), written(report, locale)].filter(part => part !== null);
}

function title(metric: string, locale: Locale): string {
  return locale.t('evaluate.score', { metric: locale.word('metric', metric, metric) });
}

function text(value: number, locale: Locale): string {
  return locale.fixed(value, decimals(value));
}

function classTable(report: Report, locale: Locale): HTMLElement | null {
  const { classes } = report;
  if (!classes?.length) {
    return null;
  }
  const names = (['precision', 'recall', 'f1', 'map50'] as const).filter(name => classes.some(each => name in each));
  const head = [
    locale.t('evaluate.class'),
    ...names.map(name => (name === 'map50' ? locale.t('metric.map50') : locale.t(`evaluate.${name}`))),
    locale.t('evaluate.support')
  ];
  const rows = classes.map(each => [
    each.name,
    ...names.map(name => (typeof each[name] === 'number' ? locale.fixed(each[name], 3) : '–')),
    locale.count(each.support)
  ]);
  return block(locale.t('evaluate.classes'), table(head, rows));
}

function targetTable(report: Report, locale: Locale): HTMLElement | null {
  const { targets } = report;
  if (!targets?.length || (targets.length === 1 && !report.horizon)) {
    return null;
  }
  const names = (['mae', 'rmse', 'r2', 'mse', 'mae_units'] as const).filter(name => name in (targets[0] ?? {}));
  const head = [
    locale.t('evaluate.target'),
    ...names.map(name =>
      name === 'r2' ? 'R²' : name === 'mae_units' ? locale.t('evaluate.in_units') : locale.t(`metric.${name}`)
    )
  ];
  const rows = targets.map(each => [each.name, ...names.map(name => text(each[name] ?? 0, locale))]);
  return block(locale.t('evaluate.targets'), table(head, rows));
}

const MOST_STEPS = 12;

/** A dozen of the steps ahead, from the first to the last. */
function horizonTable(report: Report, locale: Locale): HTMLElement | null {
  const { horizon } = report;
  if (!horizon || horizon.length < 2) {
    return null;
  }
  const count = Math.min(MOST_STEPS, horizon.length);
  const chosen = Array.from({ length: count }, (_, place) =>
    Math.round((place * (horizon.length - 1)) / Math.max(1, count - 1))
  );
  const rows = chosen
    .map(index => horizon[index])
    .filter(each => each !== undefined)
    .map(each => [String(each.step), text(each.mse, locale), text(each.mae, locale)]);
  const head = [locale.t('evaluate.step'), locale.t('metric.mse'), locale.t('metric.mae')];
  return block(locale.t('evaluate.horizon'), table(head, rows));
}

/** What a language model writes after the beginning that it was given. */
function written(report: Report, locale: Locale): HTMLElement | null {
  const { sample } = report;
  return sample
    ? block(locale.t('evaluate.written'), h('pre', { class: 'lp-written' }, h('em', {}, sample.prompt), sample.text))
    : null;
}

/** How far a prediction is from the truth, the mean over several numbers. */
function apart(truth: number | number[], prediction: number | number[]): number {
  const said = [prediction].flat();
  const off = [truth].flat().map((value, index) => Math.abs(value - (said[index] ?? value)));
  return off.reduce((sum, each) => sum + each, 0) / Math.max(1, off.length);
}

function worstTable(report: Report, locale: Locale): HTMLElement | null {
  if (!report.worst?.length) {
    return null;
  }
  const say = (value: number | number[]): string =>
    (Array.isArray(value) ? value : [value]).map(number => text(number, locale)).join(', ');
  const rows = report.worst.map(each => [
    locale.count(each.row),
    say(each.truth),
    say(each.prediction),
    text(apart(each.truth, each.prediction), locale)
  ]);
  const head = (['evaluate.row', 'evaluate.truth', 'evaluate.prediction', 'evaluate.off'] as const).map(key =>
    locale.t(key)
  );
  return block(locale.t('evaluate.worst'), table(head, rows));
}
