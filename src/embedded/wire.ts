// MongoDB's wire protocol: OP_MSG, the legacy OP_QUERY that a handshake may begin with, and nothing else. What must stay
// true: a message that is not well-formed ends its connection, and no length in it is believed before it is checked.
import { type Doc, decode, decodeKeeping, encode, MalformedBson } from './documents.ts';

export const LARGEST_MESSAGE = 48_000_000;
const HEADER = 16;
const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;
const CHECKSUM_PRESENT = 1;
const MORE_TO_COME = 2;

export type Message = {
  requestId: number;
  body: Doc;
  /** Arrays of documents as bytes: from a document sequence or from the body. */
  documents: Map<string, Buffer[]>;
  legacy: boolean;
  /** The sender waits for no answer. */
  silent: boolean;
};

/** Arrays of documents that stay bytes: what a command hands on, what an answer holds. */
const KEPT = new Set(['documents']);
const BATCHES = new Set(['firstBatch', 'nextBatch']);

export function readMessage(bytes: Buffer): Message {
  const requestId = bytes.readInt32LE(4);
  const code = bytes.readInt32LE(12);
  if (code === OP_MSG) return readBody(bytes, requestId);
  if (code === OP_QUERY) return readQuery(bytes, requestId);
  throw new MalformedBson(`unsupported operation code ${code}`);
}

function readBody(bytes: Buffer, requestId: number): Message {
  const flags = bytes.readUInt32LE(HEADER);
  if ((flags & 0xffff & ~(CHECKSUM_PRESENT | MORE_TO_COME)) !== 0)
    throw new MalformedBson('a required flag of the message is unknown');
  const end = bytes.length - (flags & CHECKSUM_PRESENT ? 4 : 0);
  const documents = new Map<string, Buffer[]>();
  let body: Doc | undefined;
  let at = HEADER + 4;
  while (at < end) {
    const kind = bytes[at++] as number;
    const size = bytes.readInt32LE(at);
    if (size < 5 || at + size > end) throw new MalformedBson('a section reaches past its message');
    const section = bytes.subarray(at, at + size);
    if (kind === 0) {
      if (body) throw new MalformedBson('a message has two bodies');
      body = decodeKeeping(section, KEPT);
    } else if (kind === 1) readSequence(section, documents);
    else throw new MalformedBson(`unknown section kind ${kind}`);
    at += size;
  }
  if (!body) throw new MalformedBson('a message has no body');
  if (Array.isArray(body.documents) && typeof body.insert === 'string')
    documents.set('documents', body.documents as Buffer[]);
  return { requestId, body, documents, legacy: false, silent: (flags & MORE_TO_COME) !== 0 };
}

function readSequence(section: Buffer, documents: Map<string, Buffer[]>): void {
  const nameEnd = section.indexOf(0, 4);
  if (nameEnd < 0) throw new MalformedBson('a document sequence has no name');
  const items: Buffer[] = [];
  let at = nameEnd + 1;
  while (at < section.length) {
    const size = section.length - at < 5 ? 0 : section.readInt32LE(at);
    if (size < 5 || at + size > section.length)
      throw new MalformedBson('a document reaches past its sequence');
    items.push(section.subarray(at, at + size));
    at += size;
  }
  documents.set(section.toString('utf8', 4, nameEnd), items);
}

function readQuery(bytes: Buffer, requestId: number): Message {
  const nameEnd = bytes.indexOf(0, HEADER + 4);
  const name = bytes.toString('utf8', HEADER + 4, nameEnd);
  if (nameEnd < 0 || !name.endsWith('.$cmd')) throw new MalformedBson('only commands are read by OP_QUERY');
  const sent = decode(bytes.subarray(nameEnd + 9));
  const body = (sent.$query ?? sent.query ?? sent) as Doc;
  body.$db = name.slice(0, -'.$cmd'.length);
  return { requestId, body, documents: new Map(), legacy: true, silent: false };
}

let replies = 0;

export function writeReply(body: Buffer, { requestId, legacy }: Message): Buffer[] {
  const head = Buffer.alloc(legacy ? 36 : 21);
  replies = (replies + 1) & 0x7fffffff;
  head.writeInt32LE(head.length + body.length, 0);
  head.writeInt32LE(replies, 4);
  head.writeInt32LE(requestId, 8);
  head.writeInt32LE(legacy ? OP_REPLY : OP_MSG, 12);
  if (legacy) {
    head.writeInt32LE(8, 16);
    head.writeInt32LE(1, 32);
  }
  return [head, body];
}

/** Cuts a stream into messages. Throws at a length that no message may have. */
export function createFramer(): (chunk: Buffer) => Buffer[] {
  let held: Buffer[] = [];
  let have = 0;
  let need = HEADER;
  return (chunk) => {
    held.push(chunk);
    have += chunk.length;
    const messages: Buffer[] = [];
    while (have >= need) {
      const bytes = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held);
      const length = bytes.readInt32LE(0);
      if (length < HEADER + 5 || length > LARGEST_MESSAGE)
        throw new MalformedBson(`a message of ${length} bytes is not accepted`);
      held = [bytes];
      need = length;
      if (have < length) break;
      messages.push(bytes.subarray(0, length));
      held = have > length ? [bytes.subarray(length)] : [];
      have -= length;
      need = HEADER;
    }
    return messages;
  };
}

const DOCUMENT = 3;
const ARRAY = 4;
const OK = encode({ ok: 1 }).subarray(4);

/** Names of the first elements of any array, with the type in front and the end behind. */
const PLACES = Array.from({ length: 128 }, (_, i) => Buffer.from(`\x03${i}\0`, 'latin1'));
const placeOf = (i: number): Buffer => PLACES[i] ?? Buffer.from(`\x03${i}\0`, 'latin1');

/** A cursor's answer around documents that stay as they are stored. */
export function cursorReply(
  id: bigint,
  namespace: string,
  field: 'firstBatch' | 'nextBatch',
  batch: Buffer[],
): Buffer {
  const rest = encode({ id, ns: namespace });
  let items = 5;
  for (const [i, { length }] of batch.entries()) items += placeOf(i).length + length;
  const inside = 4 + 2 + field.length + items + rest.length - 4;
  const reply = Buffer.allocUnsafe(4 + 8 + inside + OK.length);
  let at = reply.writeInt32LE(reply.length, 0);
  reply[at++] = DOCUMENT;
  at += reply.write('cursor\0', at, 'latin1');
  at = reply.writeInt32LE(inside, at);
  reply[at++] = ARRAY;
  at += reply.write(`${field}\0`, at, 'latin1');
  at = reply.writeInt32LE(items, at);
  for (const [i, document] of batch.entries())
    for (const bytes of [placeOf(i), document]) {
      reply.set(bytes, at);
      at += bytes.length;
    }
  reply[at++] = 0;
  reply.set(rest.subarray(4), at);
  reply.set(OK, at + rest.length - 4);
  return reply;
}

/** The documents of such an answer again; an id of 0 tells that there are no more. */
export function readCursorReply(reply: Buffer): { id: bigint; batch: Buffer[] } {
  const cursor = decodeKeeping(reply.subarray(4 + 1 + 'cursor\0'.length), BATCHES);
  return { id: cursor.id as bigint, batch: (cursor.firstBatch ?? cursor.nextBatch) as Buffer[] };
}
