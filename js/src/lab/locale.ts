import type { ITranslator } from '@jupyterlab/translation';

import { languageOf, Locale } from '../i18n';

/** The domain of our texts in JupyterLab's language packs. */
export const DOMAIN = 'lepton_lab';

/** The language of JupyterLab's own interface, with what its language packs say of our texts; else the page's. */
export function labLocale(translator: ITranslator | null): Locale {
  const bundle = translator?.load(DOMAIN);
  const language = languageOf(translator?.languageCode || document.documentElement.lang);
  return new Locale(language, bundle && ((context, english) => bundle._p(context, english)));
}
