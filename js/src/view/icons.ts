import { s } from '../dom';

/** Small drawings on a 16 by 16 grid, in the colour of the text. */
export const ICON_PATHS = {
  add: 'M7.3 3h1.4v4.3H13v1.4H8.7V13H7.3V8.7H3V7.3h4.3z',
  pause: 'M4 3h3v10H4zM9 3h3v10H9z',
  play: 'M4.5 2.8 13 8l-8.5 5.2z',
  stop: 'M3.5 3.5h9v9h-9z',
  resume: 'M8 3a5 5 0 1 1-4.6 3l1.4.6A3.5 3.5 0 1 0 8 4.5V7L4.4 3.7 8 .5z',
  curve: 'M2 2h1.4v10.6H14V14H2zM5 11c0-4 2-6.5 8.5-7v1.5C8 6 6.5 8 6.5 11z',
  download: 'M7.3 2h1.4v6.3l2-2 1 1L8 11 4.3 7.3l1-1 2 2zM3 12.6h10V14H3z',
  copy: 'M5.5 2H13v9h-1.4V3.4H5.5zM3 5h7.5v9H3zm1.4 1.4v6.2h4.7V6.4z',
  check: 'M6.3 12.4 2.3 8.4l1-1 3 3 6.4-6.4 1 1z',
  warning: 'M8 1.5 15.2 14H.8zM7.3 6v4h1.4V6zm0 5v1.5h1.4V11z'
} as const;

export type IconName = keyof typeof ICON_PATHS;

/** An icon that screen readers pass over: the text beside it says the same. */
export function icon(name: IconName): SVGSVGElement {
  return s(
    'svg',
    { class: 'lp-icon', viewBox: '0 0 16 16', width: 13, height: 13, 'aria-hidden': 'true' },
    s('path', { d: ICON_PATHS[name], fill: 'currentColor', 'fill-rule': 'evenodd' })
  );
}
