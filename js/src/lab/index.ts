import { rendererPlugin } from './renderer-plugin';

export default [rendererPlugin];
