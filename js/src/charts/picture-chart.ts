import { h } from '../dom';
import type { Figure } from './figure';
import type { Chart, ChartText } from './host';
import { figureSvg } from './picture';
import { readPalette } from './theme';

/** The curve as an SVG image, for browsers that give no canvas. */
export class PictureChart implements Chart {
  private readonly _host: HTMLElement;
  private readonly _text: ChartText;
  private readonly _image = h('img', { class: 'lp-saved-picture', alt: '' });
  private _figure: Figure | null = null;

  constructor(host: HTMLElement, text: ChartText) {
    this._host = host;
    this._text = text;
    host.append(this._image);
  }

  draw(figure: Figure): void {
    this._figure = figure;
    const { training, validation } = this._text;
    const svg = figureSvg(figure, readPalette(this._host), { title: '', training, validation, epoch: '' });
    this._image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  }

  recolour(): void {
    if (this._figure) {
      this.draw(this._figure);
    }
  }

  showWhole(): void {
    this.recolour();
  }

  destroy(): void {
    this._image.remove();
  }
}
