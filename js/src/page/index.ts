/**
 * The program of a dashboard's page: draws widgets of this project by itself, with one script and one connection.
 *
 * A page that holds anything else (text, plots, other people's widgets) is left to Voilà's own program, which loads
 * ninety files and five megabytes before the first widget stands.
 */

import { followSystemColours } from './colours';
import { PageNotice } from './notice';
import { widgetsAlone } from './outputs';
import { endKernelWithPage, readPageConfig, startVoila } from './voila';
import { Widgets } from './widgets';

const config = readPageConfig();
const cells = document.getElementById('rendered_cells') as HTMLElement;
const outputs = config.progressiveRendering ? null : widgetsAlone(cells);

if (outputs === null) {
  startVoila(config);
} else {
  const base = new URL(config.baseUrl, location.href).href;
  const widgets = new Widgets(outputs, base, config.kernelId, new PageNotice(cells));
  widgets.onStrange = () => startVoila(config);
  widgets.onDrawn = () => {
    document.getElementById('loading')?.remove();
    cells.style.display = '';
    followSystemColours();
    endKernelWithPage(config);
  };
}
