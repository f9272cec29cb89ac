import { cellsPlugin } from './cells';
import { panelPlugin } from './panel-plugin';
import { rendererPlugin } from './renderer-plugin';

export default [rendererPlugin, panelPlugin, cellsPlugin];
