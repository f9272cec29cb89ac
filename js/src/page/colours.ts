/** From now on the page goes with the system from light to dark and back, unless its address names a theme. */
export function followSystemColours(): void {
  if (new URLSearchParams(location.search).has('theme')) {
    return;
  }
  const system = matchMedia('(prefers-color-scheme: dark)');
  system.addEventListener('change', () => dress(system.matches));
}

/** What the template does with a page before anything is drawn. */
function dress(dark: boolean): void {
  const { body, documentElement } = document;
  documentElement.style.colorScheme = dark ? 'dark' : 'light';
  body.dataset.jpThemeLight = String(!dark);
  body.dataset.jpThemeName = dark ? 'JupyterLab Dark' : 'JupyterLab Light';
  body.classList.toggle('theme-dark', dark);
  body.classList.toggle('theme-light', !dark);
}
