// Plain objects to BSON bytes, the other half of documents.ts: the same canonical values in, the same types out.
// One buffer is reused between calls; what is handed out is always a copy.
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

let out = Buffer.allocUnsafe(1 << 16);
let end = 0;

function reserve(bytes: number): void {
  if (end + bytes <= out.length) return;
  const larger = Buffer.allocUnsafe(Math.max(out.length * 2, end + bytes));
  out.copy(larger, 0, 0, end);
  out = larger;
}

function writeName(type: number, name: string): number {
  const length = name.length;
  reserve(length * 3 + 2);
  out[end++] = type;
  for (let i = 0; i < length; i++) {
    const code = name.charCodeAt(i);
    if (code === 0) throw new MalformedBson('a field name holds a null byte');
    if (code > 127) {
      end += out.write(name.slice(i), end, 'utf8');
      break;
    }
    out[end++] = code;
  }
  out[end++] = 0;
  return end;
}

function writeText(text: string): number {
  reserve(text.length * 3 + 5);
  const length = out.write(text, end + 4, 'utf8');
  out.writeInt32LE(length + 1, end);
  end += length + 5;
  out[end - 1] = 0;
  return end;
}

function writeBytes(bytes: Uint8Array): number {
  reserve(bytes.length);
  out.set(bytes, end);
  end += bytes.length;
  return end;
}

function writeLong(name: string, type: number, low: number, high: number): number {
  writeName(type, name);
  reserve(8);
  out.writeInt32LE(low, end);
  out.writeInt32LE(high, end + 4);
  end += 8;
  return end;
}

function writeNumber(name: string, value: number, asDouble: boolean): number {
  const whole = !asDouble && value === (value | 0) && !Object.is(value, -0);
  writeName(whole ? 16 : 1, name);
  reserve(8);
  end = whole ? out.writeInt32LE(value, end) : out.writeDoubleLE(value, end);
  return end;
}

function writeOther(name: string, value: object): number {
  if (value instanceof Date) {
    const moment = Long.fromNumber(value.getTime());
    return writeLong(name, 9, moment.low, moment.high);
  }
  if (value instanceof ObjectId) {
    writeName(7, name);
    return writeBytes(value.id);
  }
  if (value instanceof Double) return writeNumber(name, value.value, true);
  if (value instanceof Int32) return writeNumber(name, value.value, false);
  if (value instanceof Timestamp) return writeLong(name, 17, value.low, value.high);
  if (value instanceof Long) return writeLong(name, 18, value.low, value.high);
  if (value instanceof Decimal128) {
    writeName(19, name);
    return writeBytes(value.bytes);
  }
  if (value instanceof Binary || value instanceof Uint8Array) {
    const kind = value instanceof Binary ? value.sub_type : 0;
    const bytes = value instanceof Binary ? value.value() : value;
    writeName(5, name);
    reserve(9);
    end = out.writeInt32LE(bytes.length + (kind === 2 ? 4 : 0), end);
    out[end++] = kind;
    if (kind === 2) end = out.writeInt32LE(bytes.length, end);
    return writeBytes(bytes);
  }
  if (value instanceof BSONRegExp || value instanceof RegExp) {
    writeName(11, name);
    const [pattern, options] =
      value instanceof RegExp
        ? [value.source, value.flags.replace(/[^imsx]/g, '')]
        : [value.pattern, value.options];
    return writeBytes(Buffer.from(`${pattern}\0${options}\0`));
  }
  if (value instanceof BSONSymbol) {
    writeName(14, name);
    return writeText(value.value);
  }
  if (value instanceof Code) {
    writeName(value.scope ? 15 : 13, name);
    if (!value.scope) return writeText(value.code);
    const start = end;
    reserve(4);
    end += 4;
    writeText(value.code);
    writeDocument(value.scope as Doc);
    out.writeInt32LE(end - start, start);
    return end;
  }
  if (value instanceof MinKey || value instanceof MaxKey)
    return writeName(value instanceof MinKey ? 255 : 127, name);
  throw new MalformedBson(`a value of '${name}' has no BSON type`);
}

function writeValue(name: string, value: unknown): number {
  switch (typeof value) {
    case 'string':
      writeName(2, name);
      return writeText(value);
    case 'number':
      return writeNumber(name, value, false);
    case 'boolean':
      writeName(8, name);
      reserve(1);
      out[end++] = value ? 1 : 0;
      return end;
    case 'bigint': {
      const long = Long.fromBigInt(value);
      return writeLong(name, 18, long.low, long.high);
    }
    case 'object':
      if (value === null) return writeName(10, name);
      if (Array.isArray(value)) {
        writeName(4, name);
        const start = openDocument();
        for (let i = 0; i < value.length; i++) writeValue(String(i), value[i]);
        return closeDocument(start);
      }
      if (isDoc(value)) {
        writeName(3, name);
        return writeDocument(value);
      }
      return writeOther(name, value);
    default:
      return writeName(6, name);
  }
}

function openDocument(): number {
  reserve(4);
  end += 4;
  return end - 4;
}

function closeDocument(start: number): number {
  reserve(1);
  out[end++] = 0;
  out.writeInt32LE(end - start, start);
  return end;
}

function writeDocument(doc: Doc): number {
  const start = openDocument();
  for (const name of Object.keys(doc)) writeValue(name, doc[name]);
  closeDocument(start);
  return end;
}

export function encode(doc: Doc): Buffer {
  end = 0;
  writeDocument(doc);
  const bytes = Buffer.from(out.subarray(0, end));
  if (out.length > 1 << 22) out = Buffer.allocUnsafe(1 << 16);
  return bytes;
}
