import { readFileSync, writeFileSync } from 'node:fs';

import { TranslationManager } from '@jupyterlab/translation';
import { describe, expect, it } from 'vitest';

import { type Key, Locale, STRINGS } from '../src/i18n';
import { DOMAIN, labLocale } from '../src/lab/locale';

const FILE = `../lepton_lab/words/locale/zh_CN/LC_MESSAGES/${DOMAIN}.json`;
const CONTEXT_ENDS = '\u0004';

/** Our Chinese strings as JupyterLab's language packs hold a domain; the key is the context of its text. */
function catalogue(): Record<string, unknown> {
  const head = { domain: DOMAIN, language: 'zh-CN', plural_forms: 'nplurals=1; plural=0;' };
  const keys = (Object.keys(STRINGS.en) as Key[]).sort();
  const texts = keys.map(key => [`${key}${CONTEXT_ENDS}${STRINGS.en[key]}`, [STRINGS.zh[key]]]);
  return { '': head, ...Object.fromEntries(texts) };
}

/** JupyterLab's own translator, whose server has sent a catalogue. */
async function translator(language: string, content: object): Promise<TranslationManager> {
  const manager = new TranslationManager();
  const sent = { data: { [DOMAIN]: content }, message: '' };
  Object.assign(manager, { _connector: { fetch: () => Promise.resolve(sent) } });
  await manager.fetch(language);
  return manager;
}

describe('the catalogue for JupyterLab', () => {
  it('holds our Chinese strings (UPDATE_CATALOGUE=1 renews it)', () => {
    if (process.env.UPDATE_CATALOGUE) {
      writeFileSync(FILE, `${JSON.stringify(catalogue(), null, 1)}\n`);
    }
    expect(JSON.parse(readFileSync(FILE, 'utf8'))).toEqual(catalogue());
  });

  it('is what JupyterLab reads our strings from', async () => {
    const content = catalogue();
    content[`panel.no_runs${CONTEXT_ENDS}${STRINGS.en['panel.no_runs']}`] = ['还没有任何运行'];
    const locale = labLocale(await translator('zh_CN', content));
    expect(locale.t('panel.no_runs')).toBe('还没有任何运行');
    expect(locale.t('panel.search')).toBe(STRINGS.zh['panel.search']);
  });

  it('may be of a language that we do not have', async () => {
    const head = { domain: DOMAIN, language: 'fr-FR', plural_forms: 'nplurals=2; plural=(n > 1);' };
    const text = `panel.show_more${CONTEXT_ENDS}${STRINGS.en['panel.show_more']}`;
    const locale = labLocale(await translator('fr_FR', { '': head, [text]: ['Encore {count} sur {left}'] }));
    expect(locale.t('panel.show_more', { count: 20, left: 40 })).toBe('Encore 20 sur 40');
    expect(locale.t('panel.search')).toBe(STRINGS.en['panel.search']);
  });

  it('is not needed for ours', () => {
    expect(labLocale(null).t('panel.search')).toBe(STRINGS.en['panel.search']);
    expect(new Locale('zh').t('panel.search')).toBe(STRINGS.zh['panel.search']);
  });
});
