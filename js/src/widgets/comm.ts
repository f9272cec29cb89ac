import { handOn, type Transport, type TransportListener } from '../client';
import { type ClientMessage, decodeFrame, isFrameHeader, refusalOf } from '../protocol';
import type { WidgetModel } from './model';

/** Frames of one run as custom messages of a widget's comm. */
export class CommTransport implements Transport {
  readonly greets = false;
  private readonly _model: WidgetModel<object>;
  private _onMessage: ((content: unknown, buffers: DataView[]) => void) | null = null;

  constructor(model: WidgetModel<object>) {
    this._model = model;
  }

  open(listener: TransportListener): void {
    this._onMessage = (content, buffers) => {
      const refusal = refusalOf(content);
      if (refusal !== null) {
        listener.refused(refusal);
      } else if (isFrameHeader(content)) {
        handOn(listener, () => decodeFrame(content, asView(buffers?.[0])));
      }
    };
    this._model.on('msg:custom', this._onMessage as (...values: never[]) => void);
    listener.connected(true);
  }

  send(message: ClientMessage): void {
    this._model.send(message);
  }

  close(): void {
    if (this._onMessage) {
      this._model.off('msg:custom', this._onMessage as (...values: never[]) => void);
      this._onMessage = null;
    }
  }
}

/** Hosts hand buffers over as views or as plain buffers; an absent one is empty. */
function asView(buffer: DataView | ArrayBuffer | Uint8Array | undefined): DataView {
  if (buffer === undefined) {
    return new DataView(new ArrayBuffer(0));
  }
  return buffer instanceof ArrayBuffer
    ? new DataView(buffer)
    : new DataView(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength);
}
