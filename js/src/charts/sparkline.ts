import { s } from '../dom';

/** The path of a small curve; the values' own range fills the height, a flat curve lies in the middle. */
export function sparklinePath(values: readonly number[], width: number, height: number, pad = 1.5): string {
  const finite = values.filter(Number.isFinite);
  if (finite.length < 2) {
    return '';
  }
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low;
  const stepX = (width - 2 * pad) / (finite.length - 1);
  return finite
    .map((value, index) => {
      const share = span > 0 ? (value - low) / span : 0.5;
      const x = pad + index * stepX;
      const y = height - pad - share * (height - 2 * pad);
      return `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join(' ');
}

/** A small curve as SVG, hidden from screen readers: the number beside it says the same. */
export function sparkline(values: readonly number[], width = 74, height = 26): SVGSVGElement {
  return s(
    'svg',
    { class: 'lp-sparkline', viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true' },
    s('path', { d: sparklinePath(values, width, height), fill: 'none' })
  );
}
