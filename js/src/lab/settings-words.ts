import type { ISettingRegistry } from '@jupyterlab/settingregistry';

import { type Key, type Locale, STRINGS } from '../i18n';

export const SETTINGS = 'lepton-lab:panel';

interface Described {
  title?: string;
  description?: string;
}

/**
 * Says the settings' titles in the reader's language. JupyterLab's server takes such words from its own language packs
 * alone, so they are put in here, when the settings editor asks for the schema.
 */
export function sayInSettings(registry: ISettingRegistry, locale: Locale): void {
  registry.transform(SETTINGS, { fetch: plugin => ({ ...plugin, schema: inLanguage(plugin.schema, locale) }) });
}

/** A settings schema with the titles and descriptions of the catalogue. */
export function inLanguage<S extends Described>(schema: S & { properties?: object }, locale: Locale): S {
  const entries = Object.entries((schema.properties ?? {}) as Record<string, Described>);
  const properties = Object.fromEntries(entries.map(([name, each]) => [name, said(each, `settings.${name}`, locale)]));
  return { ...said<S>(schema, 'settings', locale), properties };
}

function said<D extends Described>(described: D, key: string, locale: Locale): D {
  const text = (part: string, fallback?: string): string | undefined =>
    `${key}.${part}` in STRINGS.en ? locale.t(`${key}.${part}` as Key) : fallback;
  return {
    ...described,
    title: text('title', described.title),
    description: text('description', described.description)
  };
}
