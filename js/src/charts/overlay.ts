/** What is drawn over the lines of the canvas: marks of what happened, and the best validation point. */

import type uPlot from 'uplot';

import type { Mark } from '../protocol';
import type { Figure } from './figure';
import { freeLevel, type Label } from './labels';
import type { Palette } from './theme';
import { decimals } from './score';

const LABEL_PX = 10.5;
const LINE_PX = 14;

/** Dashed lines with their texts; a text that would lie on another one goes a line higher. */
export function drawMarks(plot: uPlot, marks: readonly Mark[], palette: Palette): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio || 1;
  const taken: Label[] = [];
  ctx.save();
  ctx.textAlign = 'left';
  ctx.textBaseline = 'alphabetic';
  ctx.font = `${LABEL_PX * ratio}px ${palette.font}`;
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(mark.epoch, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) {
      continue;
    }
    strokeMark(ctx, x, bbox.top, bbox.top + bbox.height, palette.mark, ratio);
    const width = ctx.measureText(mark.text).width;
    const left = x + 5 * ratio + width > bbox.left + bbox.width ? x - 5 * ratio - width : x + 5 * ratio;
    const level = freeLevel(taken, left, left + width);
    taken.push({ left, right: left + width, level });
    ctx.fillStyle = palette.muted;
    ctx.fillText(mark.text, left, bbox.top + bbox.height - (5 + level * LINE_PX) * ratio);
  }
  ctx.restore();
}

function strokeMark(
  ctx: CanvasRenderingContext2D,
  x: number,
  top: number,
  bottom: number,
  colour: string,
  ratio: number
): void {
  ctx.strokeStyle = colour;
  ctx.lineWidth = ratio;
  ctx.setLineDash([3 * ratio, 4 * ratio]);
  ctx.beginPath();
  ctx.moveTo(x, top);
  ctx.lineTo(x, bottom);
  ctx.stroke();
}

/** A dot on the best validation point with its value: under it where the greater is the better, else above it. */
export function drawBest(plot: uPlot, figure: Figure, palette: Palette): void {
  if (!figure.best) {
    return;
  }
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio || 1;
  const x = plot.valToPos(figure.best.epoch, 'x', true);
  const y = plot.valToPos(figure.best.value, 'y', true);
  if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) {
    return;
  }
  const below = figure.higher;
  const text = figure.best.value.toFixed(figure.metric === 'score' ? decimals(figure.best.value) : 3);
  ctx.save();
  ctx.textAlign = 'left';
  ctx.textBaseline = 'alphabetic';
  ctx.fillStyle = palette.validation;
  ctx.beginPath();
  ctx.arc(x, y, 4.5 * ratio, 0, 2 * Math.PI);
  ctx.fill();
  ctx.font = `${11 * ratio}px ${palette.font}`;
  const half = ctx.measureText(text).width / 2;
  const centre = Math.min(x, bbox.left + bbox.width - half);
  const baseline = Math.min(y + (below ? 18 : -9) * ratio, bbox.top + bbox.height - 4 * ratio);
  writeWithHalo(
    ctx,
    text,
    Math.max(bbox.left, centre - half),
    Math.max(baseline, bbox.top + 10 * ratio),
    palette,
    ratio
  );
  ctx.restore();
}

/** Text with an edge in the background's colour, so that it can be read on a line. */
function writeWithHalo(
  ctx: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  palette: Palette,
  ratio: number
): void {
  ctx.lineWidth = 4 * ratio;
  ctx.lineJoin = 'round';
  ctx.strokeStyle = palette.background;
  ctx.strokeText(text, x, y);
  ctx.fillStyle = palette.text;
  ctx.fillText(text, x, y);
}
