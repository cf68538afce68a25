// Documents as bytes and as plain objects. What must stay true: decode then encode gives the same BSON types back:
// a number that is an integer of 32 bits is int32, any other is double; an integral double in that range is a Double;
// int64 is a bigint.
// A plain document is recognised by its prototype, never by a field that a client may have named `_bsontype`.
import {
  Binary,
  BSONError,
  calculateObjectSize,
  Double,
  deserialize,
  ObjectId,
  serialize,
  setInternalBufferSize,
} from 'bson';
import { fault } from './errors.ts';

export type Doc = { [key: string]: unknown };

export const LARGEST_DOCUMENT = 16 * 1024 * 1024;
const MAX_DEPTH = 200;
const SMALLEST = 5;

export function isDoc(value: unknown): value is Doc {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Sets an own field even when it is called `__proto__`. */
export function setField(doc: Doc, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(doc, key, { value, writable: true, enumerable: true, configurable: true });
  else doc[key] = value;
}

export class MalformedBson extends Error {}

// Field names repeat in every document: a small table turns their bytes into the same string each time.
const names: string[] = new Array(8192).fill('');

function nameAt(raw: Buffer, from: number, to: number, hash: number): string {
  const length = to - from;
  const slot = (hash ^ (hash >>> 13)) & 8191;
  const known = names[slot] as string;
  if (known.length === length && length > 0) {
    let i = 0;
    while (i < length && known.charCodeAt(i) === raw[from + i]) i++;
    if (i === length) return known;
  }
  const name = raw.toString('utf8', from, to);
  if (name.length === length && length < 64) names[slot] = name;
  return name;
}

function textAt(raw: Buffer, from: number, to: number): string {
  if (to - from > 12) return raw.toString('utf8', from, to);
  let text = '';
  for (let i = from; i < to; i++) {
    const byte = raw[i] as number;
    if (byte > 127) return raw.toString('utf8', from, to);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** By type: the size of its values where all have one, and what they take beside the length that they begin with. */
const FIXED: Doc = { 1: 8, 6: 0, 7: 12, 8: 1, 9: 8, 10: 0, 16: 4, 17: 8, 18: 8, 19: 16, 127: 0, 255: 0 };
const BESIDE: Doc = { 2: 4, 3: 0, 4: 0, 5: 5, 13: 4, 14: 4, 15: 0 };
const [SIZES, BEYOND] = [FIXED, BESIDE].map((table) =>
  Int8Array.from({ length: 256 }, (_, type) => Number(table[type] ?? -1)),
) as [Int8Array, Int8Array];
const REGEX = 11;

/** The number of bytes that a value of this type takes at `at`; throws for a type that BSON does not have. */
function sizeOf(raw: Buffer, type: number, at: number): number {
  const fixed = SIZES[type] as number;
  if (fixed >= 0) return fixed;
  const beside = BEYOND[type] as number;
  if (beside >= 0) return beside + raw.readInt32LE(at);
  if (type === REGEX) return raw.indexOf(0, raw.indexOf(0, at) + 1) + 1 - at;
  throw new MalformedBson(`unrecognised BSON type ${type}`);
}

const LOSSLESS = { promoteValues: false, bsonRegExp: true, validation: { utf8: false } } as const;

/** A value of a type that is met seldom, as a document without a name for it. */
function seldomAt(raw: Buffer, type: number, at: number, size: number): unknown {
  const one = Buffer.concat([
    Buffer.from([0, 0, 0, 0, type, 0]),
    raw.subarray(at, at + size),
    Buffer.alloc(1),
  ]);
  one.writeInt32LE(one.length, 0);
  return deserialize(one, LOSSLESS)[''];
}

function valueAt(raw: Buffer, type: number, at: number, size: number): unknown {
  switch (type) {
    case 1: {
      const number = raw.readDoubleLE(at);
      return Number.isInteger(number) && number === (number | 0) && !Object.is(number, -0)
        ? new Double(number)
        : number;
    }
    case 2:
      return textAt(raw, at + 4, at + 3 + raw.readInt32LE(at));
    case 3:
      return documentAt(raw, at);
    case 4:
      return arrayAt(raw, at);
    case 5: {
      const kind = raw[at + 4] as number;
      const length = raw.readInt32LE(at);
      const bytes = Buffer.from(raw.subarray(at + 5, at + 5 + length));
      return kind === 2 ? new Binary(bytes.subarray(4), 2) : new Binary(bytes, kind);
    }
    case 6:
      return undefined;
    case 7:
      return new ObjectId(Uint8Array.prototype.slice.call(raw, at, at + 12));
    case 8:
      return raw[at] === 1;
    case 9:
      return new Date(raw.readUInt32LE(at) + raw.readInt32LE(at + 4) * 4294967296);
    case 10:
      return null;
    case 16:
      return raw.readInt32LE(at);
    case 18:
      return raw.readBigInt64LE(at);
    default:
      return seldomAt(raw, type, at, size);
  }
}

type Visit = (name: string, type: number, at: number, size: number, from: number) => unknown;

/** Walks the top-level elements; `visit` gets each value's place and may answer true to stop. */
export function eachElement(raw: Buffer, visit: Visit, start = 0): void {
  const end = start + raw.readInt32LE(start) - 1;
  if (end - start < SMALLEST - 1 || end >= raw.length)
    throw new MalformedBson('a document reaches past its message');
  let at = start + 4;
  while (at < end) {
    const from = at;
    const type = raw[at++] as number;
    let hash = 0;
    const name = at;
    for (let byte = raw[at] as number; byte !== 0; byte = raw[++at] as number) {
      if (at >= end) throw new MalformedBson('a field name has no end');
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    const value = at + 1;
    const size = sizeOf(raw, type, value);
    if (size < 0 || value + size > end) throw new MalformedBson('a value reaches past its document');
    if (visit(nameAt(raw, name, at, hash), type, value, size, from) === true) return;
    at = value + size;
  }
}

function documentAt(raw: Buffer, start: number): Doc {
  const doc: Doc = {};
  eachElement(raw, (name, type, at, size) => setField(doc, name, valueAt(raw, type, at, size)), start);
  return doc;
}

function arrayAt(raw: Buffer, start: number): unknown[] {
  const items: unknown[] = [];
  const end = start + raw.readInt32LE(start) - 1;
  let at = start + 4;
  while (at < end) {
    const type = raw[at++] as number;
    while (raw[at] !== 0) at++;
    at++;
    const size = sizeOf(raw, type, at);
    if (size < 0 || at + size > end) throw new MalformedBson('a value reaches past its array');
    items.push(valueAt(raw, type, at, size));
    at += size;
  }
  return items;
}

const asBuffer = (raw: Uint8Array): Buffer =>
  Buffer.isBuffer(raw) ? raw : Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);

export const decode = (raw: Uint8Array): Doc => documentAt(asBuffer(raw), 0);

/** Only these top-level fields, in the document's order: enough for a filter or an index that reads no others. */
export function decodeFields(raw: Uint8Array, wanted: ReadonlySet<string>): Doc {
  const bytes = asBuffer(raw);
  const doc: Doc = {};
  let missing = wanted.size;
  if (missing === 0) return doc;
  eachElement(bytes, (name, type, at, size) => {
    if (!wanted.has(name)) return undefined;
    setField(doc, name, valueAt(bytes, type, at, size));
    missing--;
    return missing === 0;
  });
  return doc;
}

/** A command's body; the arrays called so stay bytes, one buffer for each element. */
export function decodeKeeping(raw: Buffer, kept: ReadonlySet<string>): Doc {
  const doc: Doc = {};
  eachElement(raw, (name, type, at, size) => {
    if (type !== 4 || !kept.has(name)) return setField(doc, name, valueAt(raw, type, at, size));
    const items: Buffer[] = [];
    const keep = (_: string, kind: number, place: number, size: number): void => {
      if (kind !== 3) throw new MalformedBson(`'${name}' holds something that is not a document`);
      items.push(raw.subarray(place, place + size));
    };
    eachElement(raw, keep, at);
    return setField(doc, name, items);
  });
  return doc;
}

/** Throws unless every length, type and end inside the document agree; what is stored as bytes was checked by this. */
export function checkBson(raw: Buffer, start = 0, depth = 0): void {
  if (depth > MAX_DEPTH) throw new MalformedBson(`a document is nested deeper than ${MAX_DEPTH} levels`);
  const length = raw.readInt32LE(start);
  if (length < SMALLEST || start + length > raw.length || raw[start + length - 1] !== 0)
    throw new MalformedBson('the length of a document is wrong');
  const check = (_: string, type: number, at: number, size: number): void => {
    if (type === 3 || type === 4) checkBson(raw.subarray(at, at + size), 0, depth + 1);
    else if ((type === 2 || type === 13 || type === 14) && (size < SMALLEST || raw[at + size - 1] !== 0))
      throw new MalformedBson('a string has no end');
    else if (type === 5 && size < SMALLEST) throw new MalformedBson('the length of a binary is wrong');
  };
  eachElement(raw, check, start);
}

export function checkSize(length: number): void {
  const range = `between 0 and ${LARGEST_DOCUMENT}(16MB)`;
  if (length > LARGEST_DOCUMENT) fault(10334, `BSONObj size: ${length} is invalid. Size must be ${range}`);
}

const WRITING = { ignoreUndefined: false } as const;
/** What bson has room for unless told otherwise: what it writes beyond is lost. */
const ROOM = 17 * 1024 * 1024;

/** The other half: the same canonical values in, the same types out. */
export function encode(doc: Doc): Buffer {
  try {
    const raw = serialize(doc, WRITING) as Buffer;
    if (raw.length <= ROOM) return raw;
  } catch (error) {
    if (error instanceof BSONError) fault(22, error.message);
    if (!(error instanceof RangeError)) throw error;
  }
  setInternalBufferSize(2 * calculateObjectSize(doc, WRITING));
  return serialize(doc, WRITING) as Buffer;
}
