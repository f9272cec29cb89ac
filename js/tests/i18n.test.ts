import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { type Key, Locale, languageOf, STRINGS, WORDS } from '../src/i18n';
import { inLanguage } from '../src/lab/settings-words';
import settings from '../schema/panel.json';
import fixture from './fixtures/schemas.json';

const placeholders = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();

function sources(folder = 'src'): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && !name.startsWith('i18n'))
    .map(name => readFileSync(`${folder}/${name}`, 'utf8'))
    .join('\n');
}

describe('strings', () => {
  it('are there in both languages, with the same values in them', () => {
    expect(Object.keys(STRINGS.zh).sort()).toEqual(Object.keys(STRINGS.en).sort());
    for (const key of Object.keys(STRINGS.en) as Key[]) {
      expect([key, placeholders(STRINGS.zh[key])]).toEqual([key, placeholders(STRINGS.en[key])]);
    }
  });

  it('are all used', () => {
    const code = sources();
    const made =
      /^(settings|time|state|mark|metric|step|problem|chart\.label|panel\.(kind|group)|endpoint_change|compare\.part)\./;
    const unused = Object.keys(STRINGS.en).filter(key => !made.test(key) && !code.includes(`'${key}'`));
    expect(unused).toEqual([]);
  });

  it('leave no English word in Chinese', () => {
    const allowed =
      /^(URL|Lepton|F1|Python|p95|v\{version\}|digits|PNG|SVG|CSV|MB|mAP|Voila|lepton_lab|clip_norm|label|target|NaN|Home|Jupyter)$/;
    for (const [key, text] of Object.entries(STRINGS.zh)) {
      const words = text.replace(/\{\w+\}/g, '').match(/[A-Za-z_]{3,}/g) ?? [];
      expect([key, words.filter(word => !allowed.test(word))]).toEqual([key, []]);
    }
  });
});

describe('numbers and dates', () => {
  it('are written as the language does', () => {
    const [en, zh] = [new Locale('en'), new Locale('zh')];
    const unix = Date.parse('2026-03-09T14:05:00') / 1000;
    expect(en.moment(unix)).toMatch(/^Mar 9, 2026, 2:05.PM$/);
    expect(zh.moment(unix)).toBe('2026年3月9日 14:05');
    expect([0.001, 1994, 12.3456789, 1e-9, 0].map(value => en.figure(value, 4))).toEqual([
      '0.001',
      '1994',
      '12.35',
      '1e-9',
      '0'
    ]);
    expect([zh.count(12345), zh.fixed(0.5, 4), zh.figure(0.0005, 3)]).toEqual(['12,345', '0.5000', '0.0005']);
  });

  it('are left to the locale, but for drawings, styles and fields', () => {
    const drawn = /^(i18n|charts)\b|^compare.overlay-chart\.ts|^view.meter\.ts|^page\b/;
    const own = /toFixed\(\d\)}%`|'fill-opacity'|_rate\.value/;
    const found = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts') && !drawn.test(name))
      .flatMap(name =>
        readFileSync(`src/${name}`, 'utf8')
          .split('\n')
          .map(line => `${name}: ${line.trim()}`)
      )
      .filter(
        line => /\.(toFixed|toPrecision|toExponential|toLocale\w*String)\(|new Date\(/.test(line) && !own.test(line)
      );
    expect(found).toEqual([]);
  });
});

describe('the settings', () => {
  it('are in the catalogue as their schema has them, and are said in Chinese', () => {
    const described = { ...settings, 'jupyter.lab.shortcuts': [] };
    expect(inLanguage(described, new Locale('en'))).toEqual(described);
    const titles = Object.values(inLanguage(described, new Locale('zh')).properties).flatMap(Object.values);
    expect(titles.filter(text => typeof text === 'string' && /^[A-Z]/.test(text))).toEqual([]);
  });
});

describe('words for the specs', () => {
  const { schemas, choices } = fixture;
  const sections = {
    data: [schemas.data],
    train: [schemas.train],
    tune: [schemas.tune],
    deploy: [schemas.deploy],
    model: Object.values(schemas.model)
  };
  const notShown = ['field.data.name', 'field.data.fingerprint'];

  it('name and explain every field in Chinese', () => {
    const missing = Object.entries(sections).flatMap(([section, all]) =>
      all
        .flatMap(schema => Object.keys(schema.properties))
        .map(name => `field.${section}.${name}`)
        .filter(key => !notShown.includes(key) && !(key in WORDS.zh))
    );
    expect(missing).toEqual([]);
    const helps = Object.values(sections)
      .flat()
      .flatMap(schema => Object.values(schema.properties) as { description: string }[]);
    expect(helps.map(each => each.description).filter(help => !(help in choices.help.zh))).toEqual([]);
  });

  it('name every choice in Chinese', () => {
    const choices = [...JSON.stringify(schemas).matchAll(/"enum":\[([^\]]*)\]/g)].flatMap(
      match => JSON.parse(`[${match[1]}]`) as string[]
    );
    expect(choices.filter(choice => !(`value.${choice}` in WORDS.zh))).toEqual([]);
  });
});

describe('Locale', () => {
  const en = new Locale('en');
  const zh = new Locale('zh');

  it('says durations in the units that matter', () => {
    expect([41, 200, 7500].map(seconds => en.duration(seconds))).toEqual(['41 s', '3 min 20 s', '2 h 5 min']);
    expect(zh.duration(200)).toBe('3 分 20 秒');
    expect([en.roughDuration(59), en.roughDuration(80), en.roughDuration(7500)]).toEqual([
      '59 s',
      '1 min',
      '2 h 5 min'
    ]);
  });

  it('knows Chinese by its many names, and takes English for the rest', () => {
    expect(['zh_CN', 'zh-Hans', 'en', 'fr', '', null].map(languageOf)).toEqual(['zh', 'zh', 'en', 'en', 'en', 'en']);
  });

  it('falls back where data names something without a word', () => {
    expect(en.word('state', 'running')).toBe('running');
    expect(en.word('state', 'dreaming')).toBe('dreaming');
    expect(en.word('reason', 'nothing', '')).toBe('');
  });
});
