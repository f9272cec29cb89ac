import type { en } from '../en';
import { lab } from './lab';
import { run } from './run';
import { studio } from './studio';

/** The strings in Simplified Chinese, under the keys of the English ones. */
export const zh: Record<keyof typeof en, string> = { ...run, ...studio, ...lab };
