import type { Figure } from './figure';

/** What the view needs of a chart; tests put another one in its place. */
export interface Chart {
  draw(figure: Figure): void;
  /** Reads the colours anew and draws again. */
  recolour(): void;
  /** The epochs in sight while a part is zoomed, else null; more points of them can be drawn. */
  readonly range?: [number, number] | null;
  /** Zooms by a factor (below 1: nearer), around the middle of what is in sight. */
  zoom?(factor: number): void;
  /** Moves the zoomed part by a share of its width. */
  move?(share: number): void;
  /** Leaves a zoomed part. */
  showWhole(): void;
  destroy(): void;
}

export interface ChartText {
  epoch(epoch: number): string;
  training: string;
  validation: string;
}

/** `onZoom` is called whenever another part comes into sight. */
export type ChartFactory = (host: HTMLElement, text: ChartText, onZoom: (zoomed: boolean) => void) => Chart;
