import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { decodeFrame, decodeMessage, isFrameHeader, ProtocolError } from '../src/protocol';
import { bufferFixture, headerFixture, messageFixture } from './frames';

const SERIES = [
  { name: 'train_loss', start: 0, x: [0.25, 0.5], y: [2.5, Math.PI] },
  { name: 'val_loss', start: 3, x: [1], y: [0.125] }
];

describe('decodeMessage', () => {
  it('gives the header and every series its own x and y', () => {
    const frame = decodeMessage(messageFixture({ series: SERIES }));
    expect(frame.header.run_id).toBe('digits-cnn-1');
    expect(frame.series.map(series => [series.name, series.start, [...series.x], [...series.y]])).toEqual([
      ['train_loss', 0, [0.25, 0.5], [2.5, Math.PI]],
      ['val_loss', 3, [1], [0.125]]
    ]);
  });

  it('reads names beyond ASCII', () => {
    const series = [{ name: '准确率', start: 0, x: [1], y: [0.5] }];
    expect(decodeMessage(messageFixture({ series })).series[0]?.name).toBe('准确率');
  });

  it('refuses a torn message', () => {
    const message = messageFixture({ series: SERIES });
    for (const length of [0, 3, 40, message.byteLength - 8]) {
      expect(() => decodeMessage(message.slice(0, length))).toThrow(ProtocolError);
    }
  });

  it('refuses a header that is not a frame', () => {
    const text = new TextEncoder().encode('{"type":"else"}  ');
    const message = new Uint8Array(4 + text.length);
    new DataView(message.buffer).setUint32(0, text.length, true);
    message.set(text, 4);
    expect(() => decodeMessage(message.buffer)).toThrow(ProtocolError);
  });

  it('reads the bytes that Python writes', () => {
    const bytes = new Uint8Array(readFileSync('tests/fixtures/frame.bin'));
    const frame = decodeMessage(bytes.buffer);
    expect(frame.header.marks[0]?.text).toBe('learning rate 0.05 → 0.024');
    expect(frame.series.map(({ start, x, y }) => [start, [...x], [...y]])).toEqual([
      [0, [0.25, 0.5], [2.5, 1.75]],
      [1, [1], [0.125]]
    ]);
  });
});

describe('decodeFrame', () => {
  it('reads from a view that begins at an odd byte', () => {
    const buffer = new Uint8Array(bufferFixture(SERIES));
    const shifted = new Uint8Array(buffer.length + 3);
    shifted.set(buffer, 3);
    const frame = decodeFrame(headerFixture({ series: SERIES }), new DataView(shifted.buffer, 3));
    expect([...(frame.series[0]?.y ?? [])]).toEqual([2.5, Math.PI]);
  });

  it('refuses a buffer of another length', () => {
    expect(() => decodeFrame(headerFixture({ series: SERIES }), new DataView(new ArrayBuffer(8)))).toThrow(
      /announces 48/
    );
  });
});

describe('isFrameHeader', () => {
  it('tells frames from other messages', () => {
    expect(isFrameHeader(headerFixture({ series: [] }))).toBe(true);
    expect([null, 'frame', { type: 'error' }, { type: 'frame' }].some(isFrameHeader)).toBe(false);
  });
});
