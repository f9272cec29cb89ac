import type { ITranslator } from '@jupyterlab/translation';

import { languageOf, Locale } from '../i18n';

/** The language of JupyterLab's own interface, else the page's. */
export function labLocale(translator: ITranslator | null): Locale {
  return new Locale(languageOf(translator?.languageCode || document.documentElement.lang));
}
