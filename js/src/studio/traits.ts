/** The studio's traits, as the Python widget syncs them. */

import type { RunSummary, Said } from '../protocol';
import type { JsonSchema } from './schema';

export const STEPS = ['data', 'model', 'train', 'evaluate', 'deploy'] as const;
export type Step = (typeof STEPS)[number];

export type FieldValue = string | number | boolean;
export type Values = Record<string, FieldValue>;

export interface FormValues {
  data: Values & { name?: string };
  model: { name?: string; options?: Values };
  train: Values;
  tune: Values;
  deploy: Values;
}

export interface DatasetChoice {
  name: string;
  title: string;
  num_rows: number;
  licence?: string | null;
  description?: string;
  offline: boolean;
}

export interface ModelChoice {
  name: string;
  title: string;
  modalities: string[];
  /** What it learns from what, as "task modality". */
  suits?: string[];
}

export interface Choices {
  datasets: DatasetChoice[];
  models: ModelChoice[];
  /** Whether the path of a file or folder may be typed. */
  paths: boolean;
  /** Options of training that can be searched; none where nobody may search. */
  search: string[];
  /** The specs' help by language, under the English text. */
  help?: Record<string, Record<string, string>>;
}

export interface Schemas {
  data: JsonSchema;
  model: Record<string, JsonSchema>;
  train: JsonSchema;
  tune: JsonSchema;
  deploy: JsonSchema;
}

export interface CardSample {
  row: number;
  label: string;
  image?: string;
  values?: Record<string, string | number | null>;
  series?: (number | number[])[];
  /** A WAV file as a data: address. */
  audio?: string;
  /** A sentence, or a stretch of a corpus. */
  text?: string;
  /** What came after the series that was seen. */
  ahead?: (number | number[])[];
  boxes?: { label: string; box: number[] }[];
}

export interface DataCard {
  name: string;
  title: string;
  modality: string;
  rows: Record<'train' | 'validation' | 'test', number>;
  input_shape: number[];
  task?: string;
  /** Why it is this task. */
  task_reason?: string;
  classes: { name: string; rows: number; fraction: number }[];
  targets?: { name: string; least: number; mean: number; greatest: number; histogram: number[] }[];
  columns: { name: string; kind: string; role?: string; missing: number; reason?: string | null }[];
  samples: CardSample[];
  missing_values: number;
  warnings: { kind: string; severity: 'error' | 'warning' | 'note'; message: string }[];
  licence?: string | null;
}

export interface ModelLayer {
  name: string;
  kind: string;
  output_shape: number[] | null;
  num_parameters: number;
}

export interface ModelSummary {
  name: string;
  own?: boolean;
  options: Values;
  dataset?: string;
  input_shape?: number[];
  num_classes?: number;
  num_parameters?: number | null;
  num_flops?: number;
  parameter_bytes?: number;
  training_bytes?: number;
  batch_size?: number;
  layers?: ModelLayer[];
}

export interface Mistake {
  row: number;
  truth: string;
  prediction: string;
  confidence: number;
  image?: string;
  /** The row where it is a text. */
  text?: string;
}

export interface ClassFigures {
  name: string;
  support: number;
  precision?: number;
  recall?: number;
  f1?: number;
  map50?: number | null;
}

export interface Report {
  run_id?: string;
  task?: string;
  /** The figure that the task is judged by; its value stands under that name. */
  metric?: string;
  rows: number;
  accuracy?: number;
  loss: number;
  /** Classification. */
  precision_macro?: number;
  recall_macro?: number;
  f1_macro?: number;
  f1_weighted?: number;
  subset_accuracy?: number;
  classes?: ClassFigures[];
  confusion?: number[][];
  mistakes?: Mistake[];
  /** Two classes: rows taken for the second one, rightly and wrongly, with the line at 0, 0.01, ... 1. */
  thresholds?: { true_positives: number[]; false_positives: number[] };
  /** Numbers and forecasts. */
  f1?: number;
  mae?: number;
  mse?: number;
  rmse?: number;
  r2?: number;
  targets?: { name: string; mae?: number; rmse?: number; r2?: number; mse?: number; mae_units?: number }[];
  worst?: { row: number; truth: number | number[]; prediction: number | number[] }[];
  horizon?: { step: number; mse: number; mae: number }[];
  /** Language, ranking, detection. */
  perplexity?: number;
  bits_per_token?: number;
  sample?: { prompt: string; text: string };
  hit_rate?: number;
  ndcg?: number;
  map?: number;
  map50?: number;
  seconds?: number;
}

export interface EndpointCard {
  name: string;
  url: string;
  state: string;
  version: number;
  run_id?: string;
  requests?: number;
  /** How many rows it has answered, by all keys. */
  rows?: number;
  p95_ms?: number | null;
  message?: string | null;
  said?: Said;
  /** Code that asks it, by language. */
  clients?: Record<string, string>;
  key_shown_once?: string | null;
}

/** What the answer to a test row rests on: how far the score falls without each part. */
export interface Explanation {
  row: number;
  kind: 'picture' | 'stretches' | 'words' | 'columns';
  label: string;
  score: number;
  effects: number[] | number[][];
  names?: string[];
  picture?: string;
}

export interface Variant {
  name: string;
  metric: number;
  f1?: number | null;
  bytes: number;
  times_smaller: number;
  latency_ms: Record<string, number[]>;
  problem?: string | null;
}

/** Small variants of the run's network. */
export interface Compression {
  run_id: string;
  state: string;
  step: string;
  done_fraction: number;
  rows: Variant[];
  chosen?: string | null;
  reason: string;
  metric: string;
  message?: string | null;
}

export type RowValue = string | number | null;

/** What an endpoint for a table asks of a row, a column each. */
export interface RowField {
  name: string;
  kind: string;
  choices: string[];
  example?: string | number | boolean | null;
}

export interface StudyTrial {
  number: number;
  run_id: string;
  state: string;
  values: Record<string, FieldValue>;
  value: number | null;
}

/** A search for options; its trials from the best on. */
export interface Study {
  study: string;
  state: string;
  figure: string;
  wanted: number;
  ended: number;
  trials: StudyTrial[];
  best: number | null;
  best_run: string | null;
  importances: Record<string, number>;
  sentence: string;
  message: string | null;
}

export interface Prediction {
  label: string;
  confidence: number | null;
  value?: number | number[] | Record<string, number>;
  forecast?: Record<string, number>[] | number[][];
  scores: Record<string, number>;
  milliseconds?: number | null;
  row?: number | null;
  truth?: string | null;
  correct?: boolean | null;
  picture?: string | null;
}

export interface CodeLine {
  magic: string;
  python: string;
}

export interface StudioTraits {
  step: Step;
  locale: string;
  schemas: Schemas;
  choices: Choices;
  values: FormValues;
  lines: Partial<Record<Step | 'predict' | 'tune', CodeLine>>;
  card: DataCard | null;
  model_summary: ModelSummary | null;
  run_id: string;
  summary: RunSummary | null;
  report: Report | null;
  endpoint: EndpointCard | null;
  prediction: Prediction | null;
  row_fields: RowField[];
  study: Study | null;
  explanation: Explanation | null;
  compression: Compression | null;
  /** The one step that is shown where a step stands alone; empty: all. */
  only: '' | Step;
  /** Whether the page only asks the endpoint. */
  locked: boolean;
  busy: string;
  /** Whether data is being loaded, which a person can cancel. */
  loading: boolean;
  error: { step: Step; message: string } | null;
}

/** What the page asks of the kernel, beside hello and commands to a run. */
export type StudioMessage =
  | { type: 'set'; section: keyof FormValues; values: object }
  | {
      type:
        | 'load_data'
        | 'cancel_loading'
        | 'select_model'
        | 'train'
        | 'tune'
        | 'stop_study'
        | 'take_best'
        | 'evaluate'
        | 'deploy'
        | 'stop_endpoint'
        | 'sketch'
        | 'compress';
    }
  | { type: 'upload'; name: string; total: number; offset: number }
  | { type: 'explain'; row: number }
  | { type: 'language'; language: string }
  | { type: 'predict'; values: Record<string, RowValue> }
  | { type: 'predict'; text: string }
  | { type: 'predict'; row: number }
  | { type: 'predict'; image: string };
