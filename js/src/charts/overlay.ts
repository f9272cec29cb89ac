/** What is drawn over the lines of the canvas: marks of what happened, and the best validation point. */

import type uPlot from 'uplot';

import type { Mark } from '../protocol';
import type { Figure } from './figure';
import { baselineOf, freeLevel, linesUnder, placeBest, type Best } from './labels';
import type { Palette } from './theme';

const LABEL_PX = 10.5;
const BEST_PX = 11;

/** Draws both over the lines. */
export function drawOverlay(plot: uPlot, figure: Figure, palette: Palette): void {
  const ratio = devicePixelRatio || 1;
  plot.ctx.save();
  const best = bestOf(plot, figure, palette, ratio);
  drawMarks(plot, figure.marks, best, palette, ratio);
  if (best) {
    drawBest(plot.ctx, best, palette, ratio);
  }
  plot.ctx.restore();
}

/** Dashed lines with their texts; a text that would lie on another one, or on the best value, goes a line higher. */
function drawMarks(plot: uPlot, marks: readonly Mark[], best: Best | null, palette: Palette, ratio: number): void {
  const { ctx, bbox } = plot;
  const [floor, end] = [bbox.top + bbox.height, bbox.left + bbox.width];
  const taken = best ? linesUnder(best, floor, ratio) : [];
  setFont(ctx, LABEL_PX * ratio, palette);
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(mark.epoch, 'x', true));
    if (x < bbox.left || x > end) {
      continue;
    }
    strokeMark(ctx, x, bbox.top, floor, palette.mark, ratio);
    const width = ctx.measureText(mark.text).width;
    const left = x + 5 * ratio + width > end ? x - 5 * ratio - width : x + 5 * ratio;
    const level = freeLevel(taken, left, left + width);
    taken.push({ left, right: left + width, level });
    ctx.fillStyle = palette.muted;
    ctx.fillText(mark.text, left, baselineOf(level, floor, ratio));
  }
  ctx.setLineDash([]);
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

/** A dot on the best validation point with its value; an edge in the background's colour makes it readable on a line. */
function drawBest(ctx: CanvasRenderingContext2D, best: Best, palette: Palette, ratio: number): void {
  setFont(ctx, BEST_PX * ratio, palette);
  ctx.fillStyle = palette.validation;
  ctx.beginPath();
  ctx.arc(best.x, best.y, 4.5 * ratio, 0, 2 * Math.PI);
  ctx.fill();
  ctx.lineWidth = 4 * ratio;
  ctx.lineJoin = 'round';
  ctx.strokeStyle = palette.background;
  ctx.strokeText(best.text, best.left, best.bottom);
  ctx.fillStyle = palette.text;
  ctx.fillText(best.text, best.left, best.bottom);
}

/** Where the best value and its text stand, in the canvas's pixels. */
function bestOf(plot: uPlot, figure: Figure, palette: Palette, ratio: number): Best | null {
  const { ctx, bbox } = plot;
  setFont(ctx, BEST_PX * ratio, palette);
  return placeBest(
    figure,
    epoch => plot.valToPos(epoch, 'x', true),
    value => plot.valToPos(value, 'y', true),
    { left: bbox.left, right: bbox.left + bbox.width, top: bbox.top, bottom: bbox.top + bbox.height },
    text => ctx.measureText(text).width,
    ratio
  );
}

function setFont(ctx: CanvasRenderingContext2D, px: number, palette: Palette): void {
  ctx.textAlign = 'left';
  ctx.textBaseline = 'alphabetic';
  ctx.font = `${px}px ${palette.font}`;
}
