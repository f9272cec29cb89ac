import { lab } from './lab';
import { run } from './run';
import { studio } from './studio';

/** The English strings; the keys here are the keys of every language. */
export const en = { ...run, ...studio, ...lab };
