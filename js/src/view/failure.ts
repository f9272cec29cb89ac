/** Why a run failed or waits, in the reader's language; a file of its own, because widgets say it too. */

import type { Locale } from '../i18n';
import type { RunSummary } from '../protocol';

/** The server's sentence about a run; of one that failed, in a language that has none for it, after a general one. */
export function failureText(run: RunSummary, locale: Locale): string {
  const known = run.said?.[locale.language];
  if (known) {
    return known;
  }
  const said = run.message ?? '';
  const general =
    locale.language === 'en' || run.state === 'starting' ? '' : locale.word('failed', run.reason ?? 'error', '');
  return [general, said].filter(Boolean).join(' ');
}
