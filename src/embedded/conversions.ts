// $convert and its short forms, $type, and the sizes of values.
import { Binary, Decimal128, ObjectId, Timestamp } from 'bson';
import { fitsLong, isInteger } from './arithmetic.ts';
import { parseDate } from './dates.ts';
import { toDecimal } from './decimals.ts';
import { encode } from './encoding.ts';
import { MongoFault } from './errors.ts';
import { type Calculation, type Form, missing, mistyped, named } from './operators.ts';
import { aliases } from './typetests.ts';
import { double, isInt32, isNumber, isObject, toNumber, typeName } from './values.ts';

const NO_HANDLER = 'in $convert with no onError value';

function failed(message: string): never {
  throw new MongoFault(241, 'ConversionFailure', message);
}

function unsupported(value: unknown, to: string): never {
  failed(`Unsupported conversion from ${typeName(value)} to ${to} ${NO_HANDLER}`);
}

function unparsed(value: string, why: string): never {
  failed(`Failed to parse number '${value}' ${NO_HANDLER}: ${why}`);
}

function overflow(value: unknown): never {
  failed(`Conversion would overflow target type ${NO_HANDLER}: ${String(value)}`);
}

function toInt(value: unknown): unknown {
  const long = toLong(value, 'int');
  const number = Number(long);
  return isInt32(number) ? number : overflow(value);
}

function toLong(value: unknown, to = 'long'): bigint {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'bigint') return value;
  if (value instanceof Date && to === 'long') return BigInt(value.getTime());
  if (isNumber(value)) {
    const whole = Math.trunc(toNumber(value));
    if (!Number.isFinite(whole)) failed(`Attempt to convert ${whole} value to integer type ${NO_HANDLER}`);
    const long = BigInt(whole);
    return fitsLong(long) ? long : overflow(value);
  }
  if (typeof value !== 'string') unsupported(value, to);
  if (!/^[+-]?\d+$/.test(value))
    unparsed(value, value === '' ? 'No digits' : 'Did not consume whole string.');
  const long = BigInt(value.replace('+', ''));
  return fitsLong(long) ? long : unparsed(value, 'Overflow');
}

const NUMERIC = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^[+-]?(?:inf|infinity|nan)$/i;

function toDouble(value: unknown): unknown {
  if (typeof value === 'boolean') return double(value ? 1 : 0);
  if (value instanceof Date) return double(value.getTime());
  if (isNumber(value)) return double(toNumber(value));
  if (typeof value !== 'string') unsupported(value, 'double');
  if (!NUMERIC.test(value)) unparsed(value, 'Did not consume whole string.');
  if (/nan/i.test(value)) return Number.NaN;
  if (/inf/i.test(value)) return value.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return double(Number(value));
}

function toDecimal128(value: unknown): unknown {
  if (value instanceof Decimal128) return value;
  if (typeof value === 'string') {
    if (!NUMERIC.test(value)) unparsed(value, 'Failed to parse string to decimal');
    return Decimal128.fromString(value);
  }
  if (typeof value === 'bigint') return toDecimal(value);
  if (typeof value === 'boolean') return toDecimal(value ? 1 : 0);
  if (value instanceof Date) return toDecimal(value.getTime());
  return isNumber(value) ? toDecimal(toNumber(value)) : unsupported(value, 'decimal');
}

function toBool(value: unknown): unknown {
  return isNumber(value) ? toNumber(value) !== 0 : typeof value === 'boolean' ? value : true;
}

function toDate(value: unknown): unknown {
  if (value instanceof Date) return value;
  if (value instanceof ObjectId) return value.getTimestamp();
  if (value instanceof Timestamp) return new Date(value.getHighBitsUnsigned() * 1000);
  if (typeof value === 'string') return parseDate(value);
  if (!isNumber(value) || (isInteger(value) && typeof value === 'number')) unsupported(value, 'date');
  return new Date(Math.trunc(toNumber(value)));
}

function toObjectId(value: unknown): unknown {
  if (value instanceof ObjectId) return value;
  if (typeof value !== 'string') unsupported(value, 'objectId');
  if (/^[0-9a-f]{24}$/i.test(value)) return new ObjectId(value);
  return failed(
    `Failed to parse objectId '${value}' ${NO_HANDLER}: Invalid string length for parsing to OID, expected 24 but found ${value.length}`,
  );
}

function toText(value: unknown): unknown {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || isNumber(value)) return String(value).replace(/^(-?)Infinity$/, '$1inf');
  if (value instanceof Date) return value.toISOString();
  if (value instanceof ObjectId) return value.toHexString();
  return unsupported(value, 'string');
}

const TO: Record<string, (value: unknown) => unknown> = {
  int: toInt,
  long: (value) => toLong(value),
  double: toDouble,
  decimal: toDecimal128,
  bool: toBool,
  date: toDate,
  objectId: toObjectId,
  string: toText,
};

const converting: Form = (argument, scope, compile) => {
  const spec = named(
    '$convert',
    argument,
    ['input', 'to', 'onError', 'onNull', 'format', 'base'],
    ['input', 'to'],
  );
  const input = compile(spec.input, scope);
  const to = compile(isObject(spec.to) && 'type' in spec.to ? spec.to.type : spec.to, scope);
  const onNull = 'onNull' in spec ? compile(spec.onNull, scope) : () => null;
  const onError = 'onError' in spec ? compile(spec.onError, scope) : undefined;
  return (root) => {
    const value = input(root);
    const target = to(root);
    if (missing(value)) return onNull(root);
    if (missing(target)) return null;
    const [name = ''] = aliases(target);
    try {
      const convert = TO[name] ?? (() => unsupported(value, name));
      return convert(value);
    } catch (error) {
      if (onError && error instanceof MongoFault) return onError(root);
      throw error;
    }
  };
};

const short = (name: string): Calculation => [
  1,
  1,
  (value) => (missing(value) ? null : (TO[name]?.(value) ?? null)),
];

function binarySize(value: unknown): unknown {
  if (missing(value)) return null;
  if (typeof value === 'string') return Buffer.byteLength(value);
  return value instanceof Binary
    ? value.length()
    : mistyped(`$binarySize requires a string or BinData argument, found: ${typeName(value)}`);
}

function bsonSize(value: unknown): unknown {
  if (missing(value)) return null;
  return isObject(value)
    ? encode(value).length
    : mistyped(`$bsonSize requires a document input, found: ${typeName(value)}`);
}

const seconds =
  (operator: string, part: (value: Timestamp) => number) =>
  (value: unknown): unknown => {
    if (missing(value)) return null;
    if (value instanceof Timestamp) return BigInt(part(value));
    return mistyped(`Argument to ${operator} must be a timestamp, but is ${typeName(value)}`);
  };

export const CONVERSION_FORMS: Record<string, Form> = { $convert: converting };

export const CONVERSIONS: Record<string, Calculation> = {
  $type: [1, 1, typeName],
  $isNumber: [1, 1, isNumber],
  $toInt: short('int'),
  $toLong: short('long'),
  $toDouble: short('double'),
  $toDecimal: short('decimal'),
  $toBool: short('bool'),
  $toDate: short('date'),
  $toObjectId: short('objectId'),
  $toString: short('string'),
  $binarySize: [1, 1, binarySize],
  $bsonSize: [1, 1, bsonSize],
  $tsSecond: [1, 1, seconds('$tsSecond', (value) => value.getHighBitsUnsigned())],
  $tsIncrement: [1, 1, seconds('$tsIncrement', (value) => value.getLowBitsUnsigned())],
};
