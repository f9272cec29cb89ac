/** Colours that tell runs apart for everyone (Okabe and Ito, 2008); after the eighth they come again, dashed. */

const LIGHT = ['#0072b2', '#d55e00', '#00805f', '#b0478b', '#8a6d00', '#3f8fc4', '#5b4bd6', '#5a6678'];
const DARK = ['#56b4e9', '#f0a830', '#4fd1a5', '#e089bf', '#e6d84a', '#8ecbf0', '#a99dff', '#a4aec0'];

export interface Stroke {
  colour: string;
  dash: number[];
}

/** The stroke of the run at a place of the list. */
export function strokeOf(index: number, dark: boolean): Stroke {
  const colours = dark ? DARK : LIGHT;
  const round = Math.floor(index / colours.length);
  return { colour: colours[index % colours.length] as string, dash: round === 0 ? [] : round === 1 ? [6, 4] : [2, 3] };
}
