/** What the server tells as a code with figures, in the reader's language. */

import type { Key, Locale } from '../i18n';
import type { Hint, Verification } from '../kept';
import { bytesText } from './readings';

const HINTS: Record<string, Key> = {
  waiting_for_data: 'hint.waiting_for_data',
  idle_gpu: 'hint.idle_gpu',
  crowded: 'hint.crowded',
  slower: 'hint.slower',
  memory_full: 'hint.memory_full',
  disk_full: 'hint.disk_full'
};

/** A hint as a sentence. */
export function hintText(hint: Hint, locale: Locale): string {
  const key = HINTS[hint.code];
  if (!key) {
    return hint.text;
  }
  const shown = Object.entries(hint.values).map(([name, value]) => [name, figureText(name, value, locale)]);
  return locale.t(key, Object.fromEntries(shown) as Record<string, string>);
}

/** A figure as its name says: a share in per cent, a size with its unit, a rate as a whole number. */
function figureText(name: string, value: number, locale: Locale): string {
  if (name.endsWith('_fraction')) {
    return locale.percent(value);
  }
  if (name.endsWith('_bytes')) {
    return bytesText(value, locale);
  }
  return name.endsWith('_per_second') ? locale.count(value) : locale.fixed(value, 1);
}

/** How a replay stands, or what it has shown. */
export function verificationText(found: Verification, locale: Locale): string {
  if (found.state === 'running') {
    return locale.t('verify.running');
  }
  if (found.state === 'failed') {
    return locale.t('verify.failed', { message: locale.told(found) });
  }
  const steps = {
    from_step: locale.count(found.from_step ?? 0),
    to_step: locale.count(found.to_step ?? 0),
    tensors: locale.count(found.num_tensors ?? 0),
    differing: locale.count(found.differing?.length ?? 0),
    largest: locale.figure(found.largest_difference ?? 0, 3),
    names: (found.differing ?? []).slice(0, 3).join(', ')
  };
  return locale.t(found.equal ? 'verify.equal' : 'verify.differs', steps);
}

/** Why a thing could be removed to free space. */
export function spaceReason(item: { kind: string; why: string }, locale: Locale): string {
  return locale.word('space_why', item.kind, item.why);
}
