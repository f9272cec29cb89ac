import type { Key } from './i18n';

/** An error with a string in each language; it brings no catalogue with it, because a page may have none. */
export class SaidError extends Error {
  readonly key: Key;

  constructor(key: Key, english: string) {
    super(english);
    this.key = key;
  }
}
