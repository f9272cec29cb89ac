import { button, h, isEmbeddedPicture, on, setText } from '../dom';
import type { StudioContext } from './context';
import { bar, figures } from './parts';
import { RowForm } from './row-form';
import { decimals } from '../charts/score';
import type { Prediction } from './traits';

const MOST_SCORES = 5;
const LARGEST_FILE_BYTES = 10_000_000;
const CHUNK_BYTES = 0x8000;

/** Asks the endpoint about a row of the test part or about a dropped picture, and draws the answer as bars. */
export class TryIt {
  readonly element: HTMLElement;
  private readonly _context: StudioContext;
  private readonly _row: HTMLInputElement;
  private readonly _ask: HTMLButtonElement;
  private readonly _message = h('p', { class: 'lp-field-problem', role: 'alert' });
  private readonly _answer = h('div', { class: 'lp-answer', 'aria-live': 'polite' });
  private readonly _text: HTMLTextAreaElement;
  private readonly _write: HTMLElement;
  private readonly _zone: HTMLElement;
  private readonly _cells: RowForm;
  private _drawn: Prediction | null = null;

  constructor(context: StudioContext) {
    this._context = context;
    const { locale } = context;
    this._row = h('input', { class: 'lp-input', type: 'text', inputmode: 'numeric', value: '0', size: 6 });
    this._ask = h('button', { type: 'submit', class: 'lp-button' }, locale.t('deploy.predict'));
    const label = h('label', {}, h('span', {}, locale.t('deploy.row')), this._row);
    const form = on(h('form', { class: 'lp-ask' }, label, this._ask), {
      submit: event => {
        event.preventDefault();
        this._predictRow();
      }
    });
    this._text = h('textarea', { class: 'lp-input lp-sentence', rows: 3, 'aria-label': locale.t('deploy.sentence') });
    this._write = on(
      h(
        'form',
        { class: 'lp-ask' },
        h('label', { class: 'lp-sentence-label' }, h('span', {}, locale.t('deploy.sentence')), this._text),
        h('button', { type: 'submit', class: 'lp-button' }, locale.t('deploy.predict_text'))
      ),
      {
        submit: event => {
          event.preventDefault();
          this._predictText();
        }
      }
    );
    this._zone = this._dropZone();
    this._cells = new RowForm(context);
    const left = h('div', { class: 'lp-try-left' }, form, this._cells.element, this._write, this._zone, this._message);
    this.element = h('div', { class: 'lp-try' }, left, this._answer);
  }

  update(prediction: Prediction | null, ready: boolean): void {
    this._ask.disabled = !ready;
    const modality = this._context.get('card')?.modality ?? 'image';
    this._cells.update(this._context.get('row_fields'), ready);
    this._write.hidden = modality !== 'text';
    this._zone.hidden = modality !== 'image' && modality !== 'audio';
    if (prediction !== this._drawn) {
      this._drawn = prediction;
      this._answer.replaceChildren(...(prediction ? this._answered(prediction) : []));
    }
  }

  private _predictRow(): void {
    const row = Number(this._row.value.trim());
    const good = this._row.value.trim() !== '' && Number.isInteger(row) && row >= 0;
    setText(this._message, good ? '' : this._context.locale.t('deploy.bad_row'));
    if (good) {
      this._context.send({ type: 'predict', row });
    }
  }

  private _predictText(): void {
    const text = this._text.value.trim();
    setText(this._message, text ? '' : this._context.locale.t('deploy.no_text'));
    if (text) {
      this._context.send({ type: 'predict', text });
    }
  }

  private _dropZone(): HTMLElement {
    const { locale } = this._context;
    const input = h('input', {
      type: 'file',
      accept: 'image/png,image/jpeg,image/webp,image/bmp,audio/wav,audio/x-wav',
      hidden: true
    });
    on(input, { change: () => void this._predictFile(input.files?.[0]) });
    const choose = button(locale.t('deploy.choose'), () => input.click(), { class: 'lp-link' });
    const zone = h('div', { class: 'lp-drop' }, h('span', {}, locale.t('deploy.drop')), choose, input);
    return on(zone, {
      dragover: event => {
        event.preventDefault();
        zone.dataset.over = 'true';
      },
      dragleave: () => {
        delete zone.dataset.over;
      },
      drop: event => {
        event.preventDefault();
        event.stopPropagation();
        delete zone.dataset.over;
        void this._predictFile(event.dataTransfer?.files[0]);
      }
    });
  }

  private async _predictFile(file: File | undefined): Promise<void> {
    if (file) {
      const fits = file.size <= LARGEST_FILE_BYTES;
      setText(this._message, fits ? '' : this._context.locale.t('deploy.too_large'));
      if (fits) {
        this._context.send({ type: 'predict', image: await base64Of(file) });
      }
    }
  }

  private _answered(prediction: Prediction): HTMLElement[] {
    const { locale } = this._context;
    const scores = Object.entries(prediction.scores).sort((a, b) => b[1] - a[1]);
    const bars = scores
      .slice(0, MOST_SCORES)
      .map(([label, score], index) => bar(label, score, locale.fixed(score, 2), index === 0));
    const verdictClass = prediction.correct === false ? 'lp-verdict lp-wrong' : 'lp-verdict';
    const details = [
      typeof prediction.row === 'number' ? locale.t('deploy.asked_row', { row: prediction.row }) : '',
      prediction.milliseconds ? locale.t('deploy.took', { milliseconds: locale.fixed(prediction.milliseconds, 1) }) : ''
    ];
    const text = h(
      'div',
      { class: 'lp-answer-text' },
      h('p', { class: verdictClass }, this._verdict(prediction)),
      bars.length > 0 ? h('ul', { class: 'lp-bars' }, ...bars) : this._numbers(prediction),
      h('p', { class: 'lp-hint' }, details.filter(Boolean).join(' · '))
    );
    const picture = isEmbeddedPicture(prediction.picture) ? [h('img', { src: prediction.picture, alt: '' })] : [];
    return [...picture, text];
  }

  /** A number beside the true one, and how far they are apart. */
  private _numbers(prediction: Prediction): HTMLElement | null {
    const { locale } = this._context;
    const number = typeof prediction.value === 'number' ? prediction.value : null;
    if (number === null) {
      return null;
    }
    const shown: [string, string][] = [[locale.t('evaluate.prediction'), locale.fixed(number, decimals(number))]];
    const truth = Number(prediction.truth ?? Number.NaN);
    if (Number.isFinite(truth)) {
      const off = Math.abs(number - truth);
      shown.push(
        [locale.t('evaluate.truth'), String(truth)],
        [locale.t('evaluate.off'), locale.fixed(off, decimals(off))]
      );
    }
    return figures(shown);
  }

  private _verdict(prediction: Prediction): string {
    const { locale } = this._context;
    if (prediction.truth === null || prediction.truth === undefined) {
      return typeof prediction.value === 'number' ? '' : prediction.label;
    }
    if (prediction.correct === null || prediction.correct === undefined) {
      return typeof prediction.value === 'number' ? '' : prediction.label;
    }
    return prediction.correct
      ? locale.t('deploy.right', { label: prediction.label })
      : locale.t('samples.wrong', { truth: prediction.truth, prediction: prediction.label });
  }
}

async function base64Of(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = '';
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    text += String.fromCharCode(...bytes.subarray(start, start + CHUNK_BYTES));
  }
  return btoa(text);
}
