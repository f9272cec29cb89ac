/**
 * The wire between a run's record and its pictures: types, and the decoding of curve frames.
 *
 * Names are snake_case as on the wire. A frame is a JSON header and one little-endian float64 buffer holding, for
 * each series of the header in order, `count` x values (epochs, fractional) and then `count` y values. An anywidget
 * message carries header and buffer apart; a WebSocket message carries them as one binary block (`decodeMessage`).
 * The client that keeps the series is `RunClient` in `client.ts`.
 */

export type RunState = 'queued' | 'starting' | 'running' | 'paused' | 'stopping' | 'finished' | 'stopped' | 'failed';

/** States in which a worker holds the run or will soon. */
export const ACTIVE_STATES: ReadonlySet<RunState> = new Set<RunState>([
  'queued',
  'starting',
  'running',
  'paused',
  'stopping'
]);

/** The run that another one goes on from. */
export interface Ancestor {
  run_id: string;
  step: number;
  kind: 'continued' | 'forked';
  kept?: 'everything' | 'weights';
  /** Each changed option with its old and new value. */
  changed: Record<string, [unknown, unknown]>;
  exists?: boolean;
}

/** What a person wants to know about a run at a glance; written by `RunRecord.summary()`. */
/** A sentence of the server or the kernel in languages other than English, by language. */
export type Said = Record<string, string>;

export interface RunSummary {
  run_id: string;
  name?: string;
  state: RunState;
  reason?: string | null;
  message?: string | null;
  /** The message in other languages, where a catalogue knows it. */
  said?: Said | null;
  dataset?: string | null;
  model?: string | null;
  created?: number | null;
  started?: number | null;
  ended?: number | null;
  epoch?: number | null;
  epochs?: number | null;
  step?: number | null;
  steps_total?: number | null;
  device?: string | null;
  samples_per_second?: number | null;
  seconds_left?: number | null;
  elapsed_seconds?: number | null;
  learning_rate?: number | null;
  /** The figure that the task is judged by; the fields with _metric in their name hold it. */
  metric?: string;
  higher_is_better?: boolean;
  train_metric?: number | null;
  val_metric?: number | null;
  best_val_metric?: number | null;
  test_metric?: number | null;
  train_accuracy?: number | null;
  train_loss?: number | null;
  val_accuracy?: number | null;
  val_loss?: number | null;
  best_val_accuracy?: number | null;
  test_accuracy?: number | null;
  checkpoint_step?: number | null;
  checkpoint_time?: number | null;
  queue_position?: number | null;
  /** Where it works, when that is not this machine, and what it wants there. */
  cluster?: string | null;
  wants?: string | null;
  restarts?: number | null;
  user?: string | null;
  /** Shown in place of the name. */
  title?: string | null;
  tags?: string[];
  note?: string;
  pinned?: boolean;
  /** Runs of a higher one start first. */
  priority?: number;
  /** Where a continued or forked run comes from. */
  parent?: Ancestor | null;
  /** Whether a replay gave the same weights; null: nobody has tried. */
  verified?: boolean | null;
  /** Share of the time in which the step waited for data. */
  waiting_fraction?: number | null;
  sparkline?: number[];
  last_seq?: number;
}

/** Something that happened to the run and is drawn as a dashed line. */
export interface Mark {
  step: number;
  epoch: number;
  text: string;
  kind: string;
  /** The text in other languages, where it is a sentence that a catalogue knows. */
  said?: Said | null;
}

/** One sample that the network was asked about while it trains; `picture` is a `data:image/` URL. */
export interface SamplePrediction {
  row: number;
  truth: string;
  prediction: string;
  confidence?: number | null;
  picture?: string | null;
}

export interface SeriesHeader {
  name: string;
  /** How many points the client must already have. */
  start: number;
  /** How many points follow in the buffer. */
  count: number;
}

export interface FrameHeader {
  type: 'frame';
  run_id: string;
  seq: number;
  summary: RunSummary;
  marks: Mark[];
  series: SeriesHeader[];
  samples?: SamplePrediction[];
}

export interface SeriesDelta extends SeriesHeader {
  x: Float64Array;
  y: Float64Array;
}

export interface Frame {
  header: FrameHeader;
  series: SeriesDelta[];
}

export type RunCommand = 'pause' | 'resume' | 'stop' | 'set_learning_rate' | 'checkpoint';

export type ClientMessage = { type: 'hello' } | { type: 'command'; command: RunCommand; value?: unknown };

/** A frame that does not follow the protocol. */
export class ProtocolError extends Error {}

const FLOAT_BYTES = 8;
const LENGTH_BYTES = 4;
const HOST_IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Whether a message's content is a frame header (and not some other message of the same comm). */
export function isFrameHeader(content: unknown): content is FrameHeader {
  const header = content as Partial<FrameHeader> | null;
  return header?.type === 'frame' && Array.isArray(header.series) && typeof header.summary === 'object';
}

function readFloats(view: DataView, offset: number, count: number): Float64Array {
  const end = offset + count * FLOAT_BYTES;
  const bytes = view.buffer.slice(view.byteOffset + offset, view.byteOffset + end) as ArrayBuffer;
  if (HOST_IS_LITTLE_ENDIAN) {
    return new Float64Array(bytes);
  }
  const source = new DataView(bytes);
  return Float64Array.from({ length: count }, (_, index) => source.getFloat64(index * FLOAT_BYTES, true));
}

/** A sentence in English, with what is known of it in other languages. */
export interface Told {
  message: string;
  said?: Said | null;
}

/** The sentence of a message that refuses a command, or null. */
export function refusalOf(content: unknown): Told | null {
  const refusal = content as ({ type?: unknown } & Partial<Told>) | null;
  return refusal?.type === 'error' && typeof refusal.message === 'string' ? (refusal as Told) : null;
}

/**
 * Joins a header with its buffer.
 *
 * @throws ProtocolError when the buffer is not as long as the header says.
 */
export function decodeFrame(header: FrameHeader, buffer: DataView): Frame {
  const points = header.series.reduce((sum, series) => sum + series.count, 0);
  const expected = points * 2 * FLOAT_BYTES;
  if (buffer.byteLength !== expected) {
    throw new ProtocolError(`The frame's buffer has ${buffer.byteLength} bytes; its header announces ${expected}.`);
  }
  let offset = 0;
  const series = header.series.map(({ name, start, count }) => {
    const x = readFloats(buffer, offset, count);
    const y = readFloats(buffer, offset + count * FLOAT_BYTES, count);
    offset += count * 2 * FLOAT_BYTES;
    return { name, start, count, x, y };
  });
  return { header, series };
}

/**
 * Decodes one binary WebSocket message: uint32 header length, header JSON (padded with spaces), float64 buffer.
 *
 * @throws ProtocolError when the message is torn or is not a frame.
 */
export function decodeMessage(message: ArrayBuffer): Frame {
  if (message.byteLength < LENGTH_BYTES) {
    throw new ProtocolError(`A message of ${message.byteLength} bytes cannot be a frame.`);
  }
  const length = new DataView(message).getUint32(0, true);
  const start = LENGTH_BYTES + length;
  if (start > message.byteLength) {
    throw new ProtocolError(`The header should have ${length} bytes; the message ends after ${message.byteLength}.`);
  }
  const text = new TextDecoder().decode(new Uint8Array(message, LENGTH_BYTES, length));
  const header: unknown = JSON.parse(text);
  if (!isFrameHeader(header)) {
    throw new ProtocolError('The message has a header that is not a frame header.');
  }
  return decodeFrame(header, new DataView(message, start));
}
