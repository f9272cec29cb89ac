import { button, h, isEmbeddedPicture } from '../dom';
import type { RunSummary } from '../protocol';
import { type Cell, confusionTable } from './confusion';
import type { StepView, StudioContext } from './context';
import { block, empty, facts, figures, table } from './parts';
import { ExplainBox } from './explain-box';
import { reportFigures, reportTables } from './report-parts';
import { thresholdBox } from './threshold';
import type { Mistake, Report } from './traits';

/** The report on the test rows: numbers, classes, confusions, and the mistakes themselves. */
export class EvaluateStep implements StepView {
  readonly options = h('div');
  readonly view = h('div', { class: 'lp-step-view' });
  private readonly _context: StudioContext;
  private readonly _runSummary: () => RunSummary | null;
  private readonly _mistakes = h('div');
  private readonly _explain: ExplainBox;
  private _drawnState = '';
  private _drawnReport: Report | null | undefined;

  constructor(context: StudioContext, runSummary: () => RunSummary | null) {
    this._context = context;
    this._runSummary = runSummary;
    this._explain = new ExplainBox(context);
  }

  update(): void {
    const report = this._context.get('report');
    this._explain.update(this._context.get('explanation'), this._context.get('busy') === '');
    const state = this._runSummary()?.state ?? '';
    if (report === this._drawnReport && (report || state === this._drawnState)) {
      return;
    }
    this._drawnReport = report;
    this._drawnState = state;
    if (report) {
      this._draw(report);
    } else {
      this._drawMissing(state);
    }
  }

  private _drawMissing(state: string): void {
    const { locale } = this._context;
    const finished = state === 'finished';
    const action = finished
      ? button(locale.t('evaluate.show'), () => this._context.send({ type: 'evaluate' }))
      : button(locale.t('evaluate.to_train'), () => this._context.show('train'));
    const text = locale.t(finished ? 'evaluate.ready' : state ? 'evaluate.not_yet' : 'evaluate.none');
    this._drawOptions(null);
    this.view.replaceChildren(empty(text, action));
  }

  private _drawOptions(report: Report | null): void {
    const { locale } = this._context;
    const pairs: [string, string | null | undefined][] = report
      ? [
          [locale.t('train.run'), report.run_id],
          [locale.t('evaluate.rows'), locale.count(report.rows)],
          [
            locale.t('evaluate.wrong'),
            report.accuracy === undefined ? null : locale.count(Math.round(report.rows * (1 - report.accuracy)))
          ],
          [
            locale.t('evaluate.f1_weighted'),
            report.f1_weighted === undefined ? null : locale.fixed(report.f1_weighted, 4)
          ]
        ]
      : [];
    const how = h('p', { class: 'lp-hint' }, locale.t('evaluate.how'));
    this.options.replaceChildren(h('h3', {}, locale.t('evaluate.title')), facts(pairs), how);
  }

  private _draw(report: Report): void {
    const { locale } = this._context;
    this._drawOptions(report);
    if (!report.confusion) {
      const parts = reportTables(report, locale);
      const numbers = report.task === 'regression' || report.task === 'rating';
      this.view.replaceChildren(
        figures(reportFigures(report, locale)),
        ...parts,
        ...(numbers ? [this._explain.element] : [])
      );
      return;
    }
    this._drawMistakes(report, null);
    this.view.replaceChildren(
      figures(reportFigures(report, locale)),
      h(
        'div',
        { class: 'lp-columns' },
        block(locale.t('evaluate.classes'), this._classes(report)),
        block(
          locale.t('evaluate.confusion'),
          confusionTable(report, locale, cell => this._drawMistakes(report, cell))
        )
      ),
      ...thresholdBox(report, locale),
      this._mistakes,
      this._explain.element
    );
  }

  private _classes(report: Report): HTMLElement {
    const { locale } = this._context;
    const keys = [
      'evaluate.class',
      'evaluate.precision',
      'evaluate.recall',
      'evaluate.f1',
      'evaluate.support'
    ] as const;
    const rows = (report.classes ?? []).map(each => [
      each.name,
      ...[each.precision, each.recall, each.f1].map(value => locale.fixed(value ?? 0, 3)),
      locale.count(each.support)
    ]);
    return table(
      keys.map(key => locale.t(key)),
      rows
    );
  }

  private _drawMistakes(report: Report, cell: Cell | null): void {
    const { locale } = this._context;
    const shown = (report.mistakes ?? []).filter(
      mistake => !cell || (mistake.truth === cell.truth && mistake.prediction === cell.prediction)
    );
    const title = cell ? locale.t('evaluate.mistakes_of', { ...cell }) : locale.t('evaluate.mistakes');
    const content =
      shown.length > 0
        ? h(
            'ul',
            { class: shown[0]?.text ? 'lp-samples lp-wide' : 'lp-samples' },
            ...shown.map(mistake => this._mistake(mistake))
          )
        : h('p', { class: 'lp-hint' }, locale.t(cell ? 'evaluate.none_kept' : 'evaluate.no_mistakes'));
    const all = cell && button(locale.t('evaluate.all_mistakes'), () => this._drawMistakes(report, null));
    this._mistakes.replaceChildren(block(title, content, all && h('div', { class: 'lp-actions' }, all)));
  }

  private _mistake(mistake: Mistake): HTMLElement {
    const { locale } = this._context;
    const text = locale.t('samples.wrong', { truth: mistake.truth, prediction: mistake.prediction });
    const confidence = locale.fixed(mistake.confidence, 2);
    const says = locale.t('explain.why');
    const why = button(says, () => this._explain.ask(mistake.row), {
      class: 'lp-link',
      'aria-label': `${says} ${locale.t('explain.why_row', { row: mistake.row })}`
    });
    return h(
      'li',
      { class: 'lp-sample lp-wrong' },
      isEmbeddedPicture(mistake.image) ? h('img', { src: mistake.image, alt: '' }) : null,
      mistake.text ? h('q', {}, mistake.text) : null,
      h('span', { title: text }, text),
      h('small', {}, locale.t('evaluate.mistake_detail', { row: mistake.row, confidence })),
      why
    );
  }
}
