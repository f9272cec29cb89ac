/** Messages of a Jupyter kernel as the WebSocket protocol `v1.kernel.websocket.jupyter.org` carries them. */

export const SUBPROTOCOL = 'v1.kernel.websocket.jupyter.org';

/** Bytes of an offset; all of them stand in front: their number, then where each part begins, then the end. */
const OFFSET_BYTES = 8;

export interface Header {
  msg_id: string;
  msg_type: string;
  username: string;
  session: string;
  date: string;
  version: string;
}

export interface KernelMessage {
  channel: string;
  header: Header;
  parent_header: Partial<Header>;
  metadata: Record<string, unknown>;
  content: Record<string, unknown>;
  buffers: DataView[];
}

/** A message as bytes. */
export function encodeKernelMessage(message: KernelMessage): ArrayBuffer {
  const text = new TextEncoder();
  const parts = [
    text.encode(message.channel),
    ...[message.header, message.parent_header, message.metadata, message.content].map(part =>
      text.encode(JSON.stringify(part))
    ),
    ...message.buffers.map(({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength))
  ];
  const begins = [OFFSET_BYTES * (parts.length + 2)];
  for (const part of parts) {
    begins.push((begins[begins.length - 1] as number) + part.length);
  }
  const bytes = new Uint8Array(begins[begins.length - 1] as number);
  const offsets = new DataView(bytes.buffer);
  [begins.length, ...begins].forEach((value, at) => offsets.setBigUint64(at * OFFSET_BYTES, BigInt(value), true));
  parts.forEach((part, at) => bytes.set(part, begins[at]));
  return bytes.buffer;
}

/** A message from bytes. @throws if the bytes are no message. */
export function decodeKernelMessage(data: ArrayBuffer): KernelMessage {
  const offsets = new DataView(data);
  const at = (index: number): number => Number(offsets.getBigUint64(index * OFFSET_BYTES, true));
  const count = at(0) - 1;
  const parts = Array.from({ length: count }, (_, part) => {
    const begin = at(part + 1);
    return new DataView(data, begin, at(part + 2) - begin);
  });
  const text = new TextDecoder();
  const [channel, header, parent, metadata, content] = parts.slice(0, 5).map(part => text.decode(part));
  if (content === undefined) {
    throw new Error(`A kernel's message has 5 parts or more, this one has ${count}.`);
  }
  return {
    channel: channel as string,
    header: JSON.parse(header as string) as Header,
    parent_header: JSON.parse(parent as string) as Partial<Header>,
    metadata: JSON.parse(metadata as string) as Record<string, unknown>,
    content: JSON.parse(content) as Record<string, unknown>,
    buffers: parts.slice(5)
  };
}
