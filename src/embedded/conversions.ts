// $convert and its short forms, $type, and the sizes of values.
import { Binary, Decimal128, ObjectId, Timestamp } from 'bson';
import { fitsLong, isInteger } from './arithmetic.ts';
import { parseDate } from './dates.ts';
import { toDecimal } from './decimals.ts';
import { encode } from './encoding.ts';
import { fault, MongoFault } from './errors.ts';
import { any, date, type Form, type Kind, missing, named, object, takes } from './operators.ts';
import { aliases } from './typetests.ts';
import { double, isInt32, isNumber, isObject, toNumber, typeName } from './values.ts';

function failed(message: string): never {
  fault(241, `${message} in $convert with no onError value`);
}
function refused(value: unknown, to: string): never {
  failed(`Unsupported conversion from ${typeName(value)} to ${to}`);
}
function unparsed(value: string, why: string): never {
  failed(`Failed to parse number '${value}' (${why})`);
}
function overflow(value: unknown): never {
  failed(`Conversion of ${String(value)} would overflow target type`);
}

function toLong(value: unknown, to = 'long'): bigint {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (value instanceof Date && to === 'long') return BigInt(value.getTime());
  if (typeof value === 'string') {
    if (!/^[+-]?\d+$/.test(value)) unparsed(value, value ? 'Did not consume whole string.' : 'No digits');
  } else if (!isNumber(value)) refused(value, to);
  const whole = typeof value === 'string' || typeof value === 'bigint' ? value : Math.trunc(toNumber(value));
  if (typeof whole === 'number' && !Number.isFinite(whole))
    failed(`Attempt to convert ${whole} to integer type`);
  const long = BigInt(typeof whole === 'string' ? whole.replace('+', '') : whole);
  return fitsLong(long) ? long : overflow(value);
}

function toInt(value: unknown): unknown {
  const number = Number(toLong(value, 'int'));
  return isInt32(number) ? number : overflow(value);
}

const NUMERIC = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^[+-]?(?:inf|infinity|nan)$/i;

function toDouble(value: unknown): unknown {
  if (typeof value === 'string') {
    if (!NUMERIC.test(value)) unparsed(value, 'Did not consume whole string.');
    if (/nan/i.test(value)) return Number.NaN;
    return double(Number(value.replace(/inf(inity)?$/i, 'Infinity')));
  }
  const plain = typeof value === 'boolean' || value instanceof Date;
  return plain || isNumber(value)
    ? double(plain ? Number(value) : toNumber(value))
    : refused(value, 'double');
}

function toDecimal128(value: unknown): unknown {
  if (typeof value === 'string')
    return NUMERIC.test(value)
      ? Decimal128.fromString(value)
      : unparsed(value, 'Failed to parse string to decimal');
  if (value instanceof Decimal128 || typeof value === 'bigint') return toDecimal(value);
  if (typeof value === 'boolean' || value instanceof Date) return toDecimal(Number(value));
  return isNumber(value) ? toDecimal(toNumber(value)) : refused(value, 'decimal');
}

function toDate(value: unknown): unknown {
  if (typeof value === 'string') return parseDate(value);
  if (isNumber(value) && !(isInteger(value) && typeof value === 'number'))
    return new Date(Math.trunc(toNumber(value)));
  return date.read(value) ?? refused(value, 'date');
}

function toObjectId(value: unknown): unknown {
  if (value instanceof ObjectId) return value;
  if (typeof value !== 'string') refused(value, 'objectId');
  return /^[0-9a-f]{24}$/i.test(value) ? new ObjectId(value) : failed(`Failed to parse objectId '${value}'`);
}

function toText(value: unknown): unknown {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || isNumber(value)) return String(value).replace(/^(-?)Infinity$/, '$1inf');
  if (value instanceof Date) return value.toISOString();
  return value instanceof ObjectId ? value.toHexString() : refused(value, 'string');
}

const TO: Record<string, (value: unknown) => unknown> = {
  int: toInt,
  long: (value) => toLong(value),
  double: toDouble,
  decimal: toDecimal128,
  bool: (value) => (isNumber(value) ? toNumber(value) !== 0 : typeof value === 'boolean' ? value : true),
  date: toDate,
  objectId: toObjectId,
  string: toText,
};

const CONVERT = ['input', 'to', 'onError', 'onNull', 'format', 'base'];

const converting: Form = (argument, scope, compile, operator) => {
  const spec = named(operator, argument, CONVERT, ['input', 'to']);
  const input = compile(spec.input, scope);
  const to = compile(isObject(spec.to) && 'type' in spec.to ? spec.to.type : spec.to, scope);
  const onNull = compile(spec.onNull ?? null, scope);
  const onError = 'onError' in spec ? compile(spec.onError, scope) : undefined;
  return (root) => {
    const [value, target] = [input(root), to(root)];
    if (missing(value)) return onNull(root);
    if (missing(target)) return null;
    const [name = ''] = aliases(target);
    try {
      return (TO[name] ?? (() => refused(value, name)))(value);
    } catch (error) {
      if (onError && error instanceof MongoFault) return onError(root);
      throw error;
    }
  };
};

const short = (name: string): Form => takes([any], (value) => (missing(value) ? null : TO[name]?.(value)));

const timestamp: Kind<Timestamp> = {
  wants: 'timestamps',
  read: (value) => (value instanceof Timestamp ? value : undefined),
  nulls: 'null',
};
const bytes: Kind<string | Binary> = {
  wants: 'strings and BinData',
  read: (value) => (typeof value === 'string' || value instanceof Binary ? value : undefined),
  nulls: 'null',
};

export const CONVERSIONS: Record<string, Form> = {
  $convert: converting,
  $toInt: short('int'),
  $toLong: short('long'),
  $toDouble: short('double'),
  $toDecimal: short('decimal'),
  $toBool: short('bool'),
  $toDate: short('date'),
  $toObjectId: short('objectId'),
  $toString: short('string'),
  $type: takes([any], typeName),
  $isNumber: takes([any], isNumber),
  $binarySize: takes([bytes], (value) =>
    typeof value === 'string' ? Buffer.byteLength(value) : value.length(),
  ),
  $bsonSize: takes([object], (value) => encode(value).length),
  $tsSecond: takes([timestamp], (value) => BigInt(value.getHighBitsUnsigned())),
  $tsIncrement: takes([timestamp], (value) => BigInt(value.getLowBitsUnsigned())),
};
