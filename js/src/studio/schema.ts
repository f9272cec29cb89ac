/** JSON schemas of the specs, read as the fields of a form. */

interface PropertySchema {
  type?: string;
  enum?: string[];
  anyOf?: PropertySchema[];
  default?: unknown;
  description?: string;
  group?: string;
  unit?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
}

export interface JsonSchema {
  description?: string;
  properties: Record<string, PropertySchema>;
}

export interface Field {
  name: string;
  kind: 'integer' | 'number' | 'text' | 'choice' | 'switch';
  /** An empty field means: chosen for the dataset. */
  optional: boolean;
  advanced: boolean;
  default: unknown;
  help: string;
  unit: string;
  choices: string[];
  low: number | null;
  high: number | null;
  /** Whether `low` and `high` themselves are not allowed. */
  open_low: boolean;
  open_high: boolean;
}

/** The fields of a schema in their order; those named in `without` are left out. */
export function fieldsOf(schema: JsonSchema, without: readonly string[] = []): Field[] {
  return Object.entries(schema.properties)
    .filter(([name]) => !without.includes(name))
    .map(([name, property]) => fieldOf(name, property));
}

function fieldOf(name: string, property: PropertySchema): Field {
  const inner = property.anyOf?.find(option => option.type !== 'null') ?? property;
  return {
    name,
    kind: kindOf(inner),
    optional: property.anyOf?.some(option => option.type === 'null') ?? false,
    advanced: property.group === 'advanced',
    default: property.default ?? null,
    help: property.description ?? '',
    unit: property.unit ?? '',
    choices: inner.enum ?? [],
    low: inner.minimum ?? inner.exclusiveMinimum ?? null,
    high: inner.maximum ?? inner.exclusiveMaximum ?? null,
    open_low: inner.exclusiveMinimum !== undefined,
    open_high: inner.exclusiveMaximum !== undefined
  };
}

function kindOf({ type, enum: choices }: PropertySchema): Field['kind'] {
  if (choices) {
    return 'choice';
  }
  return type === 'integer' || type === 'number' ? type : type === 'boolean' ? 'switch' : 'text';
}

/** The fields with only the named ones in sight, the others a click away. */
export function inSight(fields: Field[], names: readonly string[]): Field[] {
  return fields.map(field => ({ ...field, advanced: !names.includes(field.name) }));
}

export type Problem = 'not_number' | 'not_whole' | 'too_low' | 'too_high';

/** What is wrong with the text of a number field, or null; the kernel checks again. */
export function problemOf(field: Field, text: string): Problem | null {
  if (text.trim() === '' || (field.kind !== 'integer' && field.kind !== 'number')) {
    return null;
  }
  const value = Number(text);
  if (!Number.isFinite(value)) {
    return 'not_number';
  }
  if (field.kind === 'integer' && !Number.isInteger(value)) {
    return 'not_whole';
  }
  if (field.low !== null && (value < field.low || (field.open_low && value === field.low))) {
    return 'too_low';
  }
  if (field.high !== null && (value > field.high || (field.open_high && value === field.high))) {
    return 'too_high';
  }
  return null;
}
