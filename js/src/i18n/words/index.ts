/**
 * Words for names that come from data: fields and options of the specs, states of mind of the kernel, reasons.
 *
 * English has the specs' own texts as its fallback, so it lists only what they do not say; Chinese lists all.
 */

export type Words = Readonly<Record<string, string>>;

export { CHINESE_WORDS } from './chinese';
export { ENGLISH_WORDS } from './english';
