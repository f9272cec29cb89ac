import { followTheme } from '../charts/theme';
import { h } from '../dom';
import type { Locale } from '../i18n';
import type { RunSummary } from '../protocol';
import { StateChip } from './chip';
import { Stats } from './stats';
import { chartLabel, originText } from './words';

/** A run whose record cannot be reached: its last known numbers, and its picture if the output has kept one. */
export class StaticRunView {
  readonly element: HTMLElement;
  private readonly _unfollowTheme: () => void;

  constructor(summary: RunSummary, picture: string | null, locale: Locale) {
    const chip = new StateChip(locale);
    const stats = new Stats(locale);
    chip.update(summary.state);
    stats.update(summary);
    const title = h(
      'div',
      { class: 'lp-run-title' },
      h('h3', { class: 'lp-run-name' }, summary.name || summary.run_id),
      chip.element,
      h('span', { class: 'lp-run-origin' }, originText(summary))
    );
    this.element = h(
      'section',
      { class: 'lepton lp-run', lang: locale.tag, 'aria-label': summary.name || summary.run_id },
      h('header', { class: 'lp-run-head' }, title),
      h('div', { class: 'lp-notice' }, h('p', { class: 'lp-notice-text' }, locale.t('notice.static'))),
      h('div', { class: 'lp-run-body' }, stats.element, picture && pictureOf(picture, summary, locale))
    );
    this._unfollowTheme = followTheme(this.element, () => undefined);
  }

  dispose(): void {
    this._unfollowTheme();
    this.element.remove();
  }
}

/** An SVG document as an image: as such it runs no script and loads nothing. */
function pictureOf(svg: string, summary: RunSummary, locale: Locale): HTMLImageElement {
  const alt = chartLabel(summary, 'score', locale);
  return h('img', {
    class: 'lp-saved-picture',
    alt,
    src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`
  });
}
