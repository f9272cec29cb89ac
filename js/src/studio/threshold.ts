import { h, on, setText } from '../dom';
import type { Locale } from '../i18n';
import { block, table } from './parts';
import type { Report } from './traits';

/** Two classes: where to draw the line between them, and what that does to the figures of the second one. */
export function thresholdBox(report: Report, locale: Locale): HTMLElement[] {
  const { thresholds, classes } = report;
  const positive = classes?.[1];
  const negative = classes?.[0];
  if (!thresholds || !positive || !negative) {
    return [];
  }
  const said = h('output', {});
  const figures = h('div', { class: 'lp-threshold-figures', 'aria-live': 'polite' });
  const slider = h('input', {
    type: 'range',
    min: 0,
    max: 100,
    value: 50,
    'aria-label': locale.t('threshold.label', { name: positive.name })
  });
  const draw = (): void => {
    const at = Number(slider.value);
    setText(said, locale.fixed(at / 100, 2));
    const right = thresholds.true_positives[at] ?? 0;
    const wrong = thresholds.false_positives[at] ?? 0;
    figures.replaceChildren(...drawn(right, wrong, positive.support, negative.support, locale));
  };
  on(slider, { input: draw });
  draw();
  const label = h('label', { class: 'lp-threshold' }, h('span', {}, positive.name), slider, said);
  const help = h('p', { class: 'lp-hint' }, locale.t('threshold.help', { name: positive.name }));
  return [block(locale.t('threshold.title'), label, figures, help)];
}

function drawn(right: number, wrong: number, there: number, absent: number, locale: Locale): HTMLElement[] {
  const precision = right + wrong > 0 ? right / (right + wrong) : null;
  const recall = there > 0 ? right / there : null;
  const f1 =
    precision !== null && recall !== null && precision + recall > 0
      ? (2 * precision * recall) / (precision + recall)
      : null;
  const share = (value: number | null): string => (value === null ? '–' : locale.fixed(value, 3));
  const head = ['precision', 'recall', 'f1'] as const;
  return [
    table(
      [
        ...head.map(name => locale.t(`evaluate.${name}`)),
        locale.t('metric.accuracy'),
        locale.t('threshold.missed'),
        locale.t('threshold.false_alarms')
      ],
      [
        [
          share(precision),
          share(recall),
          share(f1),
          share((right + absent - wrong) / Math.max(1, there + absent)),
          locale.count(there - right),
          locale.count(wrong)
        ]
      ]
    )
  ];
}
