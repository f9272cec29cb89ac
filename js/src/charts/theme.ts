/** Colours of a chart, read from the CSS variables of the element that it stands in. */
export interface Palette {
  train: string;
  validation: string;
  text: string;
  muted: string;
  line: string;
  mark: string;
  background: string;
  font: string;
}

/** Colours for pictures that leave the page: a saved notebook is mostly read on white. */
export const LIGHT_PALETTE: Palette = {
  train: '#0072b2',
  validation: '#d55e00',
  text: '#1b2330',
  muted: '#5a6678',
  line: '#dfe3ea',
  mark: '#8792a4',
  background: '#ffffff',
  font: 'system-ui, sans-serif'
};

export type Theme = 'light' | 'dark';

/** Reads the colours that the style sheet gives to an element. */
export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const value = (name: string, fallback: string): string => style.getPropertyValue(name).trim() || fallback;
  return {
    train: value('--lp-train', LIGHT_PALETTE.train),
    validation: value('--lp-val', LIGHT_PALETTE.validation),
    text: value('--lp-fg', LIGHT_PALETTE.text),
    muted: value('--lp-fg2', LIGHT_PALETTE.muted),
    line: value('--lp-line', LIGHT_PALETTE.line),
    mark: value('--lp-fg3', LIGHT_PALETTE.mark),
    background: value('--lp-bg', LIGHT_PALETTE.background),
    font: style.fontFamily || LIGHT_PALETTE.font
  };
}

/** The theme of the page: what a Jupyter or VS Code page says of itself, else what the system prefers. */
export function pageTheme(): Theme {
  const body = document.body;
  const light = body?.dataset.jpThemeLight;
  if (light !== undefined) {
    return light === 'false' ? 'dark' : 'light';
  }
  const kind = body?.dataset.vscodeThemeKind;
  if (kind !== undefined) {
    return kind.includes('light') ? 'light' : 'dark';
  }
  if (body?.classList.contains('theme-dark')) {
    return 'dark';
  }
  if (body?.classList.contains('theme-light')) {
    return 'light';
  }
  return prefersDark()?.matches ? 'dark' : 'light';
}

function prefersDark(): MediaQueryList | null {
  return typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : null;
}

/**
 * Writes the page's theme on an element (`data-lp-theme`) now and after each change.
 *
 * @param changed is called after a change, when the new colours can be read.
 * @returns what ends the watch.
 */
export function followTheme(element: HTMLElement, changed: () => void): () => void {
  const update = (): void => {
    element.dataset.lpTheme = pageTheme();
    changed();
  };
  element.dataset.lpTheme = pageTheme();
  const observer = new MutationObserver(update);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ['class', 'data-jp-theme-light', 'data-jp-theme-name', 'data-vscode-theme-kind']
  });
  const media = prefersDark();
  media?.addEventListener('change', update);
  return () => {
    observer.disconnect();
    media?.removeEventListener('change', update);
  };
}
