import { LabIcon } from '@jupyterlab/ui-components';

/** A curve that rises inside a frame: the product's sign in tabs and on the launcher. */
export const leptonIcon = new LabIcon({
  name: 'lepton-lab:logo',
  svgstr:
    '<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">' +
    '<g class="jp-icon3" fill="#616161"><path d="M1.5 1.5h1.6v11.4H14.5v1.6h-13z"/>' +
    '<path d="M4.2 11.2C5.2 6.9 7.4 4.6 13.9 4.1l.1 1.6C8.4 6.1 6.6 8 5.8 11.6z"/></g>' +
    '<circle cx="13.7" cy="4.9" r="1.9" fill="#7566e8"/></svg>'
});
