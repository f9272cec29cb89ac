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
  more: 'M3.2 6.6a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8zm4.8 0a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8zm4.8 0a1.4 1.4 0 1 1 0 2.8 1.4 1.4 0 0 1 0-2.8z',
  pin: 'M5 1.5h6v1.4h-1v4l1.8 2.2v1.4H8.7v4L8 15.5l-.7-1v-4H4.2V9.1L6 6.9v-4H5z',
  compare:
    'M2 2h1.4v10.6H14V14H2zM5 10.5 8 7l2.2 1.8L13.3 5l.9.8-3.8 4.7L8.200 8.700 6 11.400zM5 6l2.600-2.600 2.400 1.400L13.300 2l.8 1-3.900 3.300L7.800 5 5.900 6.900z',
  save: 'M3 2.500h8.200L13.500 5v8.500H3zM4.400 4v8.100h7.700V5.600L10.600 4H10v3H5.500V4zM7 4v1.600h1.600V4z',
  branch:
    'M4 1.500a2 2 0 0 1 .7 3.900v1.300c.9-.6 2-.7 3-.8 1.500-.2 2.600-.4 2.800-1.600a2 2 0 1 1 1.400.1c-.3 2.300-2.300 2.700-4 2.900-1.900.2-3 .5-3.200 2.100v1.200a2 2 0 1 1-1.400 0V5.400A2 2 0 0 1 4 1.500z',
  close: 'M4.200 3.200 8 7l3.800-3.800 1 1L9 8l3.800 3.800-1 1L8 9l-3.800 3.800-1-1L7 8 3.200 4.200z',
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
