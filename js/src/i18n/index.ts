import { en } from './en';
import { CHINESE_WORDS, ENGLISH_WORDS, type Words } from './words';
import { zh } from './zh';

export type Key = keyof typeof en;
export type Language = 'en' | 'zh';
export type Values = Record<string, string | number>;

/** Every string that a person reads, by language. */
export const STRINGS: Record<Language, Record<Key, string>> = { en, zh };

/** Words for names that come from data, by language. */
export const WORDS: Record<Language, Words> = { en: ENGLISH_WORDS, zh: CHINESE_WORDS };

/** What a translation catalogue says for an English text in a context; the text itself where it says nothing. */
export type Catalogue = (context: string, english: string) => string;

/** Words and numbers of one language. */
export class Locale {
  readonly language: Language;
  private readonly _learnt: Record<string, string> = {};

  /** A catalogue knows better than our own strings, and may know languages that we do not. */
  constructor(
    language: Language,
    private readonly _catalogue?: Catalogue
  ) {
    this.language = language;
  }

  /** The string of a key, with `{name}` replaced by values. */
  t(key: Key, values: Values = {}): string {
    const english = STRINGS.en[key];
    const found = this._catalogue?.(key, english) ?? english;
    const text = found === english ? STRINGS[this.language][key] : found;
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
  }

  /** The word for a name that comes from data (a state, a field, an option), or the fallback where there is none. */
  word(prefix: string, name: string, fallback: string = name): string {
    const key = `${prefix}.${name}`;
    const strings: Words = STRINGS[this.language];
    return WORDS[this.language][key] ?? strings[key] ?? fallback;
  }

  /** Takes in what the kernel's catalogue says for English texts of its own. */
  learn(texts: Record<string, string> | undefined): void {
    Object.assign(this._learnt, texts);
  }

  /** An English text of the kernel in the reader's language, where it is known. */
  said(text: string): string {
    return this._learnt[text] ?? text;
  }

  /** A sentence in the reader's language where it is known in it, else in English. */
  told(sentence: { message?: string | null; said?: Record<string, string> | null }): string {
    return sentence.said?.[this.language] ?? sentence.message ?? '';
  }

  /** A count with the language's digit grouping. */
  count(value: number): string {
    return value.toLocaleString(this.tag, { maximumFractionDigits: 0 });
  }

  /** A number with a fixed count of decimals. */
  fixed(value: number, digits: number): string {
    return value.toLocaleString(this.tag, {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
      useGrouping: false
    });
  }

  /** A number with so many digits that count, whatever its size: a rate, a value of the data. */
  figure(value: number, digits: number): string {
    const size = Math.abs(value);
    return size !== 0 && (size < 1e-6 || size >= 1e15)
      ? String(Number(value.toPrecision(digits)))
      : value.toLocaleString(this.tag, { maximumSignificantDigits: digits, useGrouping: false });
  }

  /** A share as whole per cent. */
  percent(fraction: number): string {
    return fraction.toLocaleString(this.tag, { style: 'percent', maximumFractionDigits: 0 });
  }

  /** A moment as the language writes dates. */
  moment(unix: number): string {
    return new Date(unix * 1000).toLocaleString(this.tag, { dateStyle: 'medium', timeStyle: 'short' });
  }

  /** A duration in the two largest units that matter. */
  duration(seconds: number): string {
    const whole = Math.max(0, Math.round(seconds));
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor((whole % 3600) / 60);
    if (hours > 0) {
      return this.t('time.hours', { hours, minutes });
    }
    return minutes > 0
      ? this.t('time.minutes', { minutes, seconds: whole % 60 })
      : this.t('time.seconds', { seconds: whole });
  }

  /** A duration in one unit where the place is narrow: whole minutes from a minute on. */
  roughDuration(seconds: number): string {
    const minutes = Math.round(seconds / 60);
    return seconds >= 60 && minutes < 60 ? this.t('time.rough', { minutes }) : this.duration(seconds);
  }

  /** The BCP 47 tag of the language. */
  get tag(): string {
    return this.language === 'zh' ? 'zh-CN' : 'en';
  }
}

/** The language of a locale name such as `zh_CN` or `en-GB`; English for those that are not translated. */
export function languageOf(name: string | null | undefined): Language {
  return /^zh/i.test(name ?? '') ? 'zh' : 'en';
}

/** The locale that was asked for, else the page's. */
export function localeFor(name?: string | null): Locale {
  return new Locale(languageOf(name || document.documentElement.lang));
}
