// Index keys: values as bytes whose order is MongoDB's order of the values. What must stay true: two values have the
// same bytes exactly when they compare equal, and no value's bytes begin with another's, so that parts can be joined.
import { createHash } from 'node:crypto';
import { type Binary, type BSONRegExp, type Code, Decimal128, type ObjectId, type Timestamp } from 'bson';
import { beyondDouble } from './decimals.ts';
import type { Doc } from './documents.ts';
import { type Collation, isNumber, ORDER, toNumber, typeOf } from './values.ts';

/** What an index holds for a field that is an empty array: before null, equal to no value. */
export const EMPTY = Symbol('an empty array');
const EMPTY_CLASS = 15;

/** LMDB takes keys of 1,978 bytes; what is longer keeps its beginning and ends in a digest of the whole. */
export const LONGEST_KEY = 1900;
const KEPT = LONGEST_KEY - 32;

const SIZE = 1 << 13;
const LARGE = 1 << 22;

/** What is written to, over and over; it grows when it must. */
const to = {
  bytes: Buffer.allocUnsafe(SIZE),
  end: 0,

  /** Makes room for so many more bytes. */
  reserve(more: number): void {
    if (to.end + more <= to.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(to.bytes.length * 2, to.end + more));
    to.bytes.copy(larger, 0, 0, to.end);
    to.bytes = larger;
  },

  add(bytes: Uint8Array): void {
    to.reserve(bytes.length);
    to.bytes.set(bytes, to.end);
    to.end += bytes.length;
  },

  /** A copy of what was written since the last time. */
  take(): Buffer {
    const written = Buffer.from(to.bytes.subarray(0, to.end));
    if (to.bytes.length > LARGE) to.bytes = Buffer.allocUnsafe(SIZE);
    return written;
  },
};

function writeByte(byte: number): void {
  to.reserve(1);
  to.bytes[to.end++] = byte;
}

/** Bytes with an end that sorts first: a zero inside becomes 00 FF, the end is 00 01. */
function writeEnded(text: string): void {
  to.reserve(text.length * 3 + 2);
  if (!text.includes('\0')) to.end += to.bytes.write(text, to.end, 'utf8');
  else
    for (const byte of Buffer.from(text)) {
      writeByte(byte);
      if (byte === 0) writeByte(0xff);
    }
  writeByte(0);
  writeByte(1);
}

function writeOrderedInt64(value: number): void {
  const whole = Number.isNaN(value) ? -8.64e15 : value;
  const high = Math.floor(whole / 4294967296);
  to.reserve(8);
  to.bytes.writeUInt32BE((high ^ 0x80000000) >>> 0, to.end);
  to.bytes.writeUInt32BE(whole - high * 4294967296, to.end + 4);
  to.end += 8;
}

/** The nearest double; what a long or a decimal has beyond it follows, before or after all that equal the double. */
function writeNumber(value: unknown): void {
  const nearest = toNumber(value);
  to.reserve(9);
  if (Number.isNaN(nearest)) to.bytes.fill(0, to.end, to.end + 8);
  else {
    to.bytes.writeDoubleBE(nearest === 0 ? 0 : nearest, to.end);
    if (nearest < 0) for (let i = to.end; i < to.end + 8; i++) to.bytes[i] = ~(to.bytes[i] as number);
    else to.bytes[to.end] = (to.bytes[to.end] as number) ^ 0x80;
  }
  to.end += 8;
  const beyond =
    value instanceof Decimal128 || (typeof value === 'bigint' && !Number.isSafeInteger(nearest))
      ? beyondDouble(value, nearest)
      : 0n;
  writeByte(beyond === 0n ? 0x80 : beyond < 0n ? 0x7f : 0x81);
  if (beyond === 0n) return;
  to.reserve(8);
  to.end = to.bytes.writeBigUInt64BE(BigInt.asUintN(64, beyond + (1n << 63n)), to.end);
}

function writeRest(order: number, value: unknown, collation: Collation | undefined): void {
  switch (order) {
    case ORDER.OBJECT:
      for (const name of Object.keys(value as Doc)) {
        const inner = (value as Doc)[name];
        writeByte(typeOf(inner));
        writeEnded(name);
        writeValue(inner, collation);
      }
      writeByte(0);
      return;
    case ORDER.ARRAY:
      for (const item of value as unknown[]) writeValue(item, collation);
      writeByte(0);
      return;
    case ORDER.BINARY: {
      const binary = value as Binary;
      to.reserve(5);
      to.end = to.bytes.writeUInt32BE(binary.length(), to.end);
      to.bytes[to.end++] = binary.sub_type;
      to.add(binary.value());
      return;
    }
    case ORDER.TIMESTAMP:
      to.reserve(8);
      to.end = to.bytes.writeUInt32BE((value as Timestamp).getHighBitsUnsigned(), to.end);
      to.end = to.bytes.writeUInt32BE((value as Timestamp).getLowBitsUnsigned(), to.end);
      return;
    case ORDER.REGEX:
      writeEnded((value as BSONRegExp).pattern);
      writeEnded((value as BSONRegExp).options);
      return;
    case ORDER.CODE:
      writeEnded((value as Code).code);
      writeValue((value as Code).scope ?? null, collation);
      return;
    default:
  }
}

function writeValue(value: unknown, collation: Collation | undefined): void {
  if (value === EMPTY) {
    writeByte(EMPTY_CLASS);
    return;
  }
  const order = typeOf(value);
  writeByte(order);
  if (order === ORDER.STRING) writeEnded(collation ? collation.fold(String(value)) : String(value));
  else if (isNumber(value)) writeNumber(value);
  else if (order === ORDER.OBJECT_ID) {
    to.add((value as ObjectId).id);
  } else if (order === ORDER.DATE) writeOrderedInt64((value as Date).getTime());
  else if (order === ORDER.BOOLEAN) writeByte(value ? 1 : 0);
  else if (order !== ORDER.NULL) writeRest(order, value, collation);
}

function writePart(value: unknown, descending: boolean, collation: Collation | undefined): void {
  const from = to.end;
  writeValue(value, collation);
  if (descending) for (let i = from; i < to.end; i++) to.bytes[i] = ~(to.bytes[i] as number);
}

/** One value's bytes, complemented where the index runs downwards. */
export function encodePart(value: unknown, descending: boolean, collation?: Collation): Buffer {
  to.end = 0;
  writePart(value, descending, collation);
  return to.take();
}

/** A text for any value, the same for values that MongoDB takes for equal and for no others. */
export const identity = (value: unknown, collation?: Collation): string =>
  encodePart(value, false, collation).toString('latin1');

export type KeyShape = { prefix: Buffer; descending: readonly boolean[]; collation: Collation | undefined };

/** A whole key without record id. `shortened` tells that it was too long and is in order only by its beginning. */
export function encodeKey(shape: KeyShape, values: readonly unknown[]): { key: Buffer; shortened: boolean } {
  to.end = 0;
  to.add(shape.prefix);
  for (let i = 0; i < values.length; i++) writePart(values[i], shape.descending[i] === true, shape.collation);
  const key = to.take();
  return key.length > LONGEST_KEY ? { key: shorten(key), shortened: true } : { key, shortened: false };
}

function shorten(key: Buffer): Buffer {
  return Buffer.concat([key.subarray(0, KEPT), createHash('sha256').update(key).digest()]);
}

/** Bounds for a scan: whole where keys are, else their beginnings, which only makes the scan wider. */
export const lowBound = (bytes: Buffer): Buffer =>
  bytes.length > LONGEST_KEY ? bytes.subarray(0, KEPT) : bytes;
export const highBound = (bytes: Buffer): Buffer =>
  bytes.length > LONGEST_KEY ? after(bytes.subarray(0, KEPT)) : bytes;

/** The first key after all that begin with these bytes. */
export function after(bytes: Buffer): Buffer {
  let last = bytes.length - 1;
  while (last >= 0 && bytes[last] === 0xff) last--;
  const next = Buffer.from(bytes.subarray(0, last + 1));
  next[last] = (next[last] as number) + 1;
  return next;
}

/** The bytes that all values of this value's class begin with: a comparison never leaves its class. */
export const classByte = (value: unknown, descending: boolean): Buffer =>
  Buffer.from([descending ? ~typeOf(value) & 0xff : typeOf(value)]);
