// Plain objects to BSON bytes, the other half of documents.ts: the same canonical values in, the same types out.
import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'bson';
import { type Doc, isDoc, MalformedBson } from './documents.ts';
import { Growing } from './growing.ts';

const to = new Growing(1 << 16);

function writeName(type: number, name: string): void {
  const length = name.length;
  to.reserve(length * 3 + 2);
  to.bytes[to.end++] = type;
  for (let i = 0; i < length; i++) {
    const code = name.charCodeAt(i);
    if (code === 0) throw new MalformedBson('a field name holds a null byte');
    if (code > 127) {
      to.end += to.bytes.write(name.slice(i), to.end, 'utf8');
      break;
    }
    to.bytes[to.end++] = code;
  }
  to.bytes[to.end++] = 0;
}

function writeText(text: string): void {
  to.reserve(text.length * 3 + 5);
  const length = to.bytes.write(text, to.end + 4, 'utf8');
  to.bytes.writeInt32LE(length + 1, to.end);
  to.end += length + 5;
  to.bytes[to.end - 1] = 0;
}

function writeLong({ low, high }: { low: number; high: number }): void {
  to.reserve(8);
  to.bytes.writeInt32LE(low, to.end);
  to.bytes.writeInt32LE(high, to.end + 4);
  to.end += 8;
}

function writeInt(value: number): void {
  to.reserve(4);
  to.end = to.bytes.writeInt32LE(value, to.end);
}

function writeDouble(value: number): void {
  to.reserve(8);
  to.end = to.bytes.writeDoubleLE(value, to.end);
}

function writeBinary(kind: number, bytes: Uint8Array): void {
  writeInt(bytes.length + (kind === 2 ? 4 : 0));
  to.add([kind]);
  if (kind === 2) writeInt(bytes.length);
  to.add(bytes);
}

function writeScoped({ code, scope }: Code): void {
  const start = to.end;
  writeInt(0);
  writeText(code);
  writeDocument(scope as Doc);
  to.bytes.writeInt32LE(to.end - start, start);
}

/** The type of a value and what writes it after its name. */
type Element = [type: number, write?: () => void];

function elementOf(name: string, value: object): Element {
  if (value instanceof Date) return [9, () => writeLong(Long.fromNumber(value.getTime()))];
  if (value instanceof ObjectId) return [7, () => to.add(value.id)];
  if (value instanceof Double) return [1, () => writeDouble(value.value)];
  if (value instanceof Int32) return [16, () => writeInt(value.value)];
  if (value instanceof Timestamp) return [17, () => writeLong(value)];
  if (value instanceof Long) return [18, () => writeLong(value)];
  if (value instanceof Decimal128) return [19, () => to.add(value.bytes)];
  if (value instanceof Binary) return [5, () => writeBinary(value.sub_type, value.value())];
  if (value instanceof Uint8Array) return [5, () => writeBinary(0, value)];
  if (value instanceof BSONRegExp)
    return [11, () => to.add(Buffer.from(`${value.pattern}\0${value.options}\0`))];
  if (value instanceof RegExp)
    return [11, () => to.add(Buffer.from(`${value.source}\0${value.flags.replace(/[^imsx]/g, '')}\0`))];
  if (value instanceof BSONSymbol) return [14, () => writeText(value.value)];
  if (value instanceof Code)
    return value.scope ? [15, () => writeScoped(value)] : [13, () => writeText(value.code)];
  if (value instanceof MinKey) return [255];
  if (value instanceof MaxKey) return [127];
  throw new MalformedBson(`a value of '${name}' has no BSON type`);
}

function writeObject(name: string, value: object): void {
  if (isDoc(value)) {
    writeName(3, name);
    writeDocument(value);
  } else if (Array.isArray(value)) {
    writeName(4, name);
    const start = openDocument();
    for (let i = 0; i < value.length; i++) writeValue(String(i), value[i]);
    closeDocument(start);
  } else {
    const [type, write] = elementOf(name, value);
    writeName(type, name);
    write?.();
  }
}

function writeValue(name: string, value: unknown): void {
  if (typeof value === 'string') {
    writeName(2, name);
    writeText(value);
  } else if (typeof value === 'number') {
    const whole = value === (value | 0) && !Object.is(value, -0);
    writeName(whole ? 16 : 1, name);
    if (whole) writeInt(value);
    else writeDouble(value);
  } else if (typeof value === 'boolean') {
    writeName(8, name);
    to.add([value ? 1 : 0]);
  } else if (typeof value === 'bigint') {
    writeName(18, name);
    writeLong(Long.fromBigInt(value));
  } else if (typeof value === 'object' && value !== null) writeObject(name, value);
  else writeName(value === null ? 10 : 6, name);
}

function openDocument(): number {
  to.reserve(4);
  to.end += 4;
  return to.end - 4;
}

function closeDocument(start: number): void {
  to.reserve(1);
  to.bytes[to.end++] = 0;
  to.bytes.writeInt32LE(to.end - start, start);
}

function writeDocument(doc: Doc): void {
  const start = openDocument();
  for (const name of Object.keys(doc)) writeValue(name, doc[name]);
  closeDocument(start);
}

export function encode(doc: Doc): Buffer {
  to.end = 0;
  writeDocument(doc);
  return to.take();
}
