import type { Chart } from './host';

const MOVE = 0.2;
const ZOOM = 0.5;

/** Arrow keys move the zoomed part, plus and minus zoom, Home and Escape show the whole run. */
export function steerByKeys(event: KeyboardEvent, chart: Chart): void {
  const steps: Record<string, () => void> = {
    ArrowLeft: () => chart.move?.(-MOVE),
    ArrowRight: () => chart.move?.(MOVE),
    '+': () => chart.zoom?.(ZOOM),
    '=': () => chart.zoom?.(ZOOM),
    '-': () => chart.zoom?.(1 / ZOOM),
    Home: () => chart.showWhole(),
    Escape: () => chart.showWhole()
  };
  const step = steps[event.key];
  const isPlain = !event.altKey && !event.ctrlKey && !event.metaKey;
  if (step && isPlain && (event.key !== 'Escape' || chart.range)) {
    event.preventDefault();
    event.stopPropagation();
    step();
  }
}
