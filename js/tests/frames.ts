/** Frames as the server packs them, for tests. */

import type { Frame, FrameHeader, Mark, RunSummary, SamplePrediction } from '../src/protocol';
import { decodeFrame } from '../src/protocol';

export interface SeriesFixture {
  name: string;
  start: number;
  x: number[];
  y: number[];
}

export function summaryFixture(values: Partial<RunSummary> = {}): RunSummary {
  return {
    run_id: 'digits-cnn-1',
    created: 1_700_000_000,
    state: 'running',
    epoch: 1,
    epochs: 20,
    last_seq: 5,
    ...values
  };
}

export interface FrameValues {
  series: SeriesFixture[];
  summary?: RunSummary;
  marks?: Mark[];
  samples?: SamplePrediction[];
  seq?: number;
}

export function headerFixture({ series, summary, marks, samples, seq }: FrameValues): FrameHeader {
  const all = summary ?? summaryFixture();
  return {
    type: 'frame',
    run_id: all.run_id,
    seq: seq ?? 5,
    summary: all,
    marks: marks ?? [],
    series: series.map(({ name, start, x }) => ({ name, start, count: x.length })),
    ...(samples ? { samples } : {})
  };
}

export function bufferFixture(series: SeriesFixture[]): ArrayBuffer {
  const numbers = series.flatMap(({ x, y }) => [...x, ...y]);
  const view = new DataView(new ArrayBuffer(numbers.length * 8));
  numbers.forEach((value, index) => view.setFloat64(index * 8, value, true));
  return view.buffer;
}

export function frameFixture(values: FrameValues): Frame {
  return decodeFrame(headerFixture(values), new DataView(bufferFixture(values.series)));
}

/** One WebSocket message, packed as `lepton_lab.runs.frames.pack_frame` does. */
export function messageFixture(values: FrameValues): ArrayBuffer {
  let text = new TextEncoder().encode(JSON.stringify(headerFixture(values)));
  const padding = (8 - ((4 + text.length) % 8)) % 8;
  text = new Uint8Array([...text, ...new Array<number>(padding).fill(32)]);
  const buffer = new Uint8Array(bufferFixture(values.series));
  const message = new Uint8Array(4 + text.length + buffer.length);
  new DataView(message.buffer).setUint32(0, text.length, true);
  message.set(text, 4);
  message.set(buffer, 4 + text.length);
  return message.buffer;
}
