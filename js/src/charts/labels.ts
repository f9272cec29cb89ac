import type { Figure } from './figure';
import { decimals } from './score';

/** A text that has found its place: from where to where, and on which line (0 is the lowest). */
export interface Label {
  left: number;
  right: number;
  level: number;
}

/** The lowest line on which a text from left to right lies on no other. */
export function freeLevel(taken: readonly Label[], left: number, right: number): number {
  const busy = new Set(
    taken.filter(other => other.left < right + 4 && left < other.right + 4).map(other => other.level)
  );
  let level = 0;
  while (busy.has(level)) {
    level += 1;
  }
  return level;
}

/** A text that stands somewhere among the lines of texts. */
export interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const LINE_PX = 14;
const FLOOR_PX = 5;

/** Where a line of texts over `floor` stands; `scale` is the screen's pixels for each of the page's. */
export function baselineOf(level: number, floor: number, scale = 1): number {
  return floor - (FLOOR_PX + level * LINE_PX) * scale;
}

/** The lines of texts over `floor` that a box lies on. */
export function linesUnder(box: Box, floor: number, scale = 1): Label[] {
  const lines: Label[] = [];
  for (let level = 0; baselineOf(level, floor, scale) + 3 * scale > box.top; level++) {
    if (baselineOf(level, floor, scale) - 10 * scale < box.bottom) {
      lines.push({ left: box.left, right: box.right, level });
    }
  }
  return lines;
}

/** The best validation point and where its text stands. */
export interface Best extends Box {
  x: number;
  y: number;
  text: string;
}

/** Puts the text of the best value under it where the greater is the better, else above it, and within the area. */
export function placeBest(
  figure: Figure,
  toX: (epoch: number) => number,
  toY: (value: number) => number,
  area: Box,
  widthOf: (text: string) => number,
  scale = 1
): Best | null {
  if (!figure.best) {
    return null;
  }
  const { epoch, value } = figure.best;
  const [x, y] = [toX(epoch), toY(value)];
  if (x < area.left - 1 || x > area.right + 1) {
    return null;
  }
  const text = value.toFixed(figure.metric === 'score' ? decimals(value) : 3);
  const width = widthOf(text);
  const left = Math.max(area.left, Math.min(x + width / 2, area.right) - width);
  const lowest = Math.min(y + (figure.higher ? 18 : -9) * scale, area.bottom - 4 * scale);
  const bottom = Math.max(lowest, area.top + 10 * scale);
  return { x, y, text, left, right: left + width, top: bottom - 10 * scale, bottom };
}
