/** Mounts one scene, chosen by the address: `?scene=running&theme=dark&lang=zh&width=800`. */

import '../../style/studio-widget.css';
import '../../style/panel.css';
import '../../style/kept.css';

import { Locale, languageOf } from '../../src/i18n';
import { keptScenes } from './kept-scenes';
import { panelScenes } from './panel-scenes';
import { runScenes } from './run-scenes';
import { studioScenes } from './studio-scenes';

export type Scene = (host: HTMLElement, locale: Locale) => void;

const query = new URLSearchParams(location.search);
const theme = query.get('theme') === 'dark' ? 'dark' : 'light';
document.body.dataset.jpThemeLight = String(theme === 'light');
document.body.style.cssText = `margin:0;padding:16px;background:${theme === 'dark' ? '#0e111a' : '#eef0f4'}`;
const host = document.createElement('div');
const width = query.get('width');
if (width) {
  host.style.width = `${width}px`;
}
document.body.append(host);

const scenes: Record<string, Scene> = { ...runScenes, ...studioScenes, ...panelScenes, ...keptScenes };
const locale = new Locale(languageOf(query.get('lang')));
scenes[query.get('scene') ?? 'running']?.(host, locale);
