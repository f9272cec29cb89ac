/** What a search for options looks through, as text and as the rows of a form. */

import type { Field } from './schema';

/** One option that is searched: a range of numbers, or a list of values. */
export interface Dimension {
  name: string;
  low: string;
  high: string;
  choices: string[];
}

/** "learning_rate=3e-4..3e-2 optimizer=adamw,sgd" as dimensions; "auto" and nothing are none. */
export function readSpace(text: string): Dimension[] {
  return text
    .split(/\s+/)
    .filter(part => part.includes('='))
    .map(part => {
      const [name = '', values = ''] = part.split(/=(.*)/s);
      const [low = '', high = ''] = values.includes('..') ? values.split('..') : [];
      return { name, low, high, choices: low || high ? [] : values.split(',') };
    });
}

/** The dimensions as the text that `tune` takes; those without values are left out. */
export function writeSpace(space: Dimension[]): string {
  const parts = space.map(({ name, low, high, choices }) => {
    if (choices.length > 0) {
      return `${name}=${choices.join(',')}`;
    }
    return low && high ? `${name}=${low}..${high}` : '';
  });
  return parts.filter(Boolean).join(' ') || 'auto';
}

const STARTS: Record<string, [string, string]> = {
  learning_rate: ['3e-4', '3e-2'],
  weight_decay: ['1e-4', '0.3']
};

/** A range or list to begin with, around the option's default. */
export function firstGuess(name: string, field: Field): Dimension {
  if (field.kind === 'choice' || field.kind === 'switch') {
    const choices = field.kind === 'switch' ? ['true', 'false'] : [...field.choices];
    return { name, low: '', high: '', choices };
  }
  const [low, high] = STARTS[name] ?? around(field);
  return { name, low, high, choices: [] };
}

function around(field: Field): [string, string] {
  const least = field.low ?? 0;
  const middle = typeof field.default === 'number' && field.default > 0 ? field.default : Math.max(least, 1) * 2;
  const most = Math.min(middle * 2, field.high ?? Infinity);
  if (field.kind === 'integer') {
    return [String(Math.max(least, Math.floor(middle / 2))), String(Math.round(most))];
  }
  const top = field.high !== null && field.high <= 1 ? Math.min(0.9, most) : most;
  return [String(Math.max(least, middle / 4)), String(top)];
}

/** Whether an option can be searched in a form: a number, a choice, or yes and no. */
export function canBeSearched(field: Field): boolean {
  return field.kind !== 'text';
}
