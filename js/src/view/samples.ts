import { h, isEmbeddedPicture, setAttribute, setText } from '../dom';
import type { Locale } from '../i18n';
import type { SamplePrediction } from '../protocol';

const MOST = 8;

/** Pictures of samples with what the network takes them for; wrong ones are framed and written "truth → prediction". */
export class SamplesRow {
  readonly element: HTMLElement;
  private readonly _locale: Locale;
  private _shown: SamplePrediction[] | null = null;

  constructor(locale: Locale) {
    this._locale = locale;
    this.element = h('ul', { class: 'lp-samples', 'aria-label': locale.t('samples.title'), hidden: true });
  }

  update(samples: SamplePrediction[]): void {
    if (samples === this._shown) {
      return;
    }
    this._shown = samples;
    const pictured = samples.filter(sample => isEmbeddedPicture(sample.picture)).slice(0, MOST);
    setAttribute(this.element, 'hidden', pictured.length === 0);
    this.element.replaceChildren(...pictured.map(sample => sampleCard(sample, this._locale)));
  }
}

/** One sample as a small card. */
export function sampleCard(sample: SamplePrediction, locale: Locale): HTMLLIElement {
  const wrong = sample.truth !== sample.prediction;
  const text = wrong
    ? locale.t('samples.wrong', { truth: sample.truth, prediction: sample.prediction })
    : String(sample.prediction);
  const caption = h('span', { title: text });
  setText(caption, text);
  const picture = isEmbeddedPicture(sample.picture) ? h('img', { src: sample.picture, alt: '' }) : null;
  return h('li', { class: wrong ? 'lp-sample lp-wrong' : 'lp-sample' }, picture, caption);
}
