import { h, isEmbeddedPicture, on, s, setText } from '../dom';
import type { Locale } from '../i18n';
import type { StudioContext } from './context';
import { block } from './parts';
import type { Explanation } from './traits';

const MOST_PARTS = 12;

/** What the answer to one test row rests on: asked for by its number, drawn over the row itself. */
export class ExplainBox {
  readonly element: HTMLElement;
  private readonly _context: StudioContext;
  private readonly _row: HTMLInputElement;
  private readonly _ask: HTMLButtonElement;
  private readonly _answer = h('div', { class: 'lp-explained', 'aria-live': 'polite' });
  private readonly _message = h('p', { class: 'lp-field-problem', role: 'alert' });
  private _drawn: Explanation | null = null;

  constructor(context: StudioContext) {
    this._context = context;
    const { locale } = context;
    this._row = h('input', { class: 'lp-input', type: 'text', inputmode: 'numeric', value: '0', size: 6 });
    this._ask = h('button', { type: 'submit', class: 'lp-button' }, locale.t('explain.ask'));
    const label = h('label', {}, h('span', {}, locale.t('explain.row')), this._row);
    const form = on(h('form', { class: 'lp-ask' }, label, this._ask), {
      submit: event => {
        event.preventDefault();
        this._send();
      }
    });
    const help = h('p', { class: 'lp-hint' }, locale.t('explain.help'));
    this.element = block(locale.t('explain.title'), form, this._message, this._answer, help);
  }

  /** Asks about a row, as its own button does. */
  ask(row: number): void {
    this._row.value = String(row);
    this._send();
    this.element.scrollIntoView({ block: 'nearest' });
  }

  update(explanation: Explanation | null, ready: boolean): void {
    this._ask.disabled = !ready;
    if (explanation !== this._drawn) {
      this._drawn = explanation;
      this._answer.replaceChildren(...(explanation ? drawing(explanation, this._context.locale) : []));
    }
  }

  private _send(): void {
    const row = Number(this._row.value.trim());
    const good = this._row.value.trim() !== '' && Number.isInteger(row) && row >= 0;
    setText(this._message, good ? '' : this._context.locale.t('deploy.bad_row'));
    if (good) {
      this._context.send({ type: 'explain', row });
    }
  }
}

function drawing(found: Explanation, locale: Locale): HTMLElement[] {
  const values = { row: found.row, label: found.label, score: locale.fixed(found.score, 3) };
  const title = h('p', { class: 'lp-verdict' }, locale.t('explain.answer', values));
  switch (found.kind) {
    case 'picture':
      return [title, pictureOf(found)];
    case 'words':
      return [title, wordsOf(found, locale)];
    default:
      return [title, barsOf(found, locale)];
  }
}

function strength(effect: number, most: number): number {
  return most > 0 ? Math.abs(effect) / most : 0;
}

function mostOf(effects: number[]): number {
  return Math.max(0, ...effects.map(Math.abs));
}

/** The picture beside itself with its squares shaded: orange speaks for the answer, blue against it. */
function pictureOf({ picture, effects }: Explanation): HTMLElement {
  const rows = effects as number[][];
  const most = mostOf(rows.flat());
  const width = rows[0]?.length ?? 1;
  const squares = rows.flatMap((row, y) =>
    row.map((effect, x) =>
      s('rect', {
        x,
        y,
        width: 1,
        height: 1,
        class: effect >= 0 ? 'lp-for' : 'lp-against',
        'fill-opacity': (0.75 * strength(effect, most)).toFixed(3)
      })
    )
  );
  const size = { viewBox: `0 0 ${width} ${rows.length}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' };
  const shades = s('svg', { class: 'lp-shades', ...size }, ...squares);
  const shown = isEmbeddedPicture(picture) ? picture : '';
  const image = (): HTMLElement | null => (shown ? h('img', { src: shown, alt: '' }) : null);
  return h('div', { class: 'lp-explain-picture' }, h('figure', {}, image()), h('figure', {}, image(), shades));
}

function wordsOf({ names = [], effects }: Explanation, locale: Locale): HTMLElement {
  const most = mostOf(effects as number[]);
  const words = names.flatMap((name, index) => {
    const effect = (effects as number[])[index] ?? 0;
    const word = h('span', { class: effect >= 0 ? 'lp-for' : 'lp-against', title: locale.fixed(effect, 3) }, name);
    word.style.setProperty('--lp-share', `${(60 * strength(effect, most)).toFixed(0)}%`);
    return [word, ' '];
  });
  return h('p', { class: 'lp-explain-words' }, ...words);
}

function barsOf({ names, effects, kind }: Explanation, locale: Locale): HTMLElement {
  const values = effects as number[];
  const most = mostOf(values);
  const parts = values.map((effect, index) => ({
    effect,
    name: names?.[index] ?? locale.t('explain.part', { number: index + 1, total: values.length })
  }));
  const shown =
    kind === 'columns' ? parts.sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect)).slice(0, MOST_PARTS) : parts;
  const rows = shown.map(({ name, effect }) => {
    const fill = h('i', { class: effect >= 0 ? 'lp-for' : 'lp-against' });
    fill.style.width = `${(100 * strength(effect, most)).toFixed(1)}%`;
    return h(
      'li',
      { class: 'lp-bar-row' },
      h('span', { class: 'lp-bar-name', title: name }, name),
      h('div', { class: 'lp-bar', 'aria-hidden': 'true' }, fill),
      h('span', {}, `${effect >= 0 ? '−' : '+'}${locale.fixed(Math.abs(effect), 3)}`)
    );
  });
  return h('ul', { class: 'lp-bars lp-wide-names' }, ...rows);
}
