/** A curve as an SVG picture: what a saved notebook keeps, and what PNG files are made from. */

import type { Figure, Line } from './figure';
import { baselineOf, freeLevel, linesUnder, placeBest, type Best } from './labels';
import type { Palette } from './theme';
import { logTickText, logTicks, tickDigits, ticks } from './ticks';

export interface PictureText {
  title: string;
  training: string;
  validation: string;
  epoch: string;
}

const WIDTH = 690;
const HEIGHT = 280;
const BOX = { left: 48, right: WIDTH - 14, top: 44, bottom: HEIGHT - 34 };

type Scale = (value: number) => number;

/** Escapes a text for use inside XML. */
export function escapeXml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, character => entities[character] as string);
}

/** Draws a figure as a complete SVG document. */
export function figureSvg(figure: Figure, palette: Palette, text: PictureText): string {
  const x = linear(figure.x_range, [BOX.left, BOX.right]);
  const y = figure.log ? logarithmic(figure.y_range) : linear(figure.y_range, [BOX.bottom, BOX.top]);
  const best = placeBest(figure, x, y, BOX, text => text.length * CHARACTER_WIDTH);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" `,
    `role="img" aria-label="${escapeXml(text.title)}" font-family="system-ui, sans-serif" font-size="11">`,
    `<title>${escapeXml(text.title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="${palette.background}"/>`,
    ...legend(palette, text),
    ...valueAxis(figure, palette, y),
    ...epochAxis(figure, palette, x, text.epoch),
    ...markLines(figure, palette, x, best),
    ...figure.lines.map(line => path(line, palette, x, y)),
    ...(best ? bestMark(best, palette) : []),
    '</svg>'
  ].join('');
}

function linear([low, high]: [number, number], [from, to]: [number, number]): Scale {
  const span = high - low || 1;
  return value => from + ((value - low) / span) * (to - from);
}

function logarithmic([low, high]: [number, number]): Scale {
  const scale = linear([Math.log10(low), Math.log10(high)], [BOX.bottom, BOX.top]);
  return value => scale(Math.log10(value));
}

function at(value: number): string {
  return value.toFixed(1);
}

function legend(palette: Palette, text: PictureText): string[] {
  const entry = (left: number, colour: string, name: string): string =>
    `<line x1="${left}" x2="${left + 18}" y1="31" y2="31" stroke="${colour}" stroke-width="2.5"/>` +
    `<text x="${left + 24}" y="35" fill="${palette.muted}">${escapeXml(name)}</text>`;
  return [
    `<text x="${BOX.left}" y="16" fill="${palette.text}" font-size="12.5" font-weight="600">${escapeXml(text.title)}</text>`,
    entry(BOX.left, palette.train, text.training),
    entry(BOX.left + 110, palette.validation, text.validation)
  ];
}

function valueAxis(figure: Figure, palette: Palette, y: Scale): string[] {
  const positions = figure.log ? logTicks(...figure.y_range) : ticks(...figure.y_range, 5);
  const digits = tickDigits(positions);
  return positions.map(value => {
    const label = figure.log ? logTickText(value) : value.toFixed(digits);
    const height = at(y(value));
    return (
      `<line x1="${BOX.left}" x2="${BOX.right}" y1="${height}" y2="${height}" stroke="${palette.line}"/>` +
      `<text x="${BOX.left - 7}" y="${at(y(value) + 4)}" text-anchor="end" fill="${palette.muted}">${label}</text>`
    );
  });
}

function epochAxis(figure: Figure, palette: Palette, x: Scale, name: string): string[] {
  const positions = ticks(...figure.x_range, 8);
  const digits = tickDigits(positions);
  const labels = positions.map(
    value =>
      `<text x="${at(x(value))}" y="${BOX.bottom + 17}" text-anchor="middle" fill="${palette.muted}">${value.toFixed(digits)}</text>`
  );
  return [
    ...labels,
    `<text x="${BOX.right}" y="${HEIGHT - 4}" text-anchor="end" fill="${palette.muted}">${escapeXml(name)}</text>`
  ];
}

/** A guess at the width of a text in the picture's font; the viewer's font is not known here. */
const CHARACTER_WIDTH = 5.8;

function markLines(figure: Figure, palette: Palette, x: Scale, best: Best | null): string[] {
  const taken = best ? linesUnder(best, BOX.bottom) : [];
  return figure.marks.map(mark => {
    const position = x(mark.epoch);
    const width = mark.text.length * CHARACTER_WIDTH;
    const left = position + 5 + width > BOX.right ? position - 5 - width : position + 5;
    const level = freeLevel(taken, left, left + width);
    taken.push({ left, right: left + width, level });
    return (
      `<line x1="${at(position)}" x2="${at(position)}" y1="${BOX.top}" y2="${BOX.bottom}" stroke="${palette.mark}" stroke-dasharray="3 4"/>` +
      `<text x="${at(left)}" y="${at(baselineOf(level, BOX.bottom))}" fill="${palette.muted}">${escapeXml(mark.text)}</text>`
    );
  });
}

function path(line: Line, palette: Palette, x: Scale, y: Scale): string {
  let d = '';
  for (let index = 0; index < line.x.length; index++) {
    const top = y(line.y[index] as number);
    if (Number.isFinite(top)) {
      d += `${d ? 'L' : 'M'}${at(x(line.x[index] as number))} ${at(top)}`;
    }
  }
  const opacity = line.faint ? ' stroke-opacity="0.3"' : '';
  return d ? `<path d="${d}" fill="none" stroke="${palette[line.kind]}" stroke-width="2"${opacity}/>` : '';
}

function bestMark(best: Best, palette: Palette): string[] {
  return [
    `<circle cx="${at(best.x)}" cy="${at(best.y)}" r="4.5" fill="${palette.validation}"/>`,
    `<text x="${at((best.left + best.right) / 2)}" y="${at(best.bottom)}" text-anchor="middle" fill="${palette.text}">${best.text}</text>`
  ];
}
