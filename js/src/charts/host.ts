import type { Figure } from './figure';

/** What the view needs of a chart; tests put another one in its place. */
export interface Chart {
  draw(figure: Figure): void;
  /** Reads the colours anew and draws again. */
  recolour(): void;
  /** Leaves a zoomed part. */
  showWhole(): void;
  destroy(): void;
}

export interface ChartText {
  epoch(epoch: number): string;
  training: string;
  validation: string;
}

export type ChartFactory = (host: HTMLElement, text: ChartText, onZoom: (zoomed: boolean) => void) => Chart;
