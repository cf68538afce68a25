// The types by their names and numbers, $type, and $convert with its short forms.
import { Decimal128, ObjectId } from 'bson';
import { fitsLong, isInteger } from './arithmetic.ts';
import { parse } from './dates.ts';
import { bad, fault, MongoFault } from './errors.ts';
import { toDate as dateOf, type Form, missing, named, op, truthy } from './operators.ts';
import { show } from './showing.ts';
import { double, isInt32, isNumber, toNumber, typeName } from './values.ts';
import { words } from './words.ts';

/** The types by their numbers, from 1 on. */
const NUMBERED =
  words(`double string object array binData undefined objectId bool date null regex dbPointer javascript
  symbol javascriptWithScope int timestamp long decimal`);
const CODES = new Map([...NUMBERED.entries()].map(([i, name]) => [i + 1, name]))
  .set(-1, 'minKey')
  .set(127, 'maxKey');
const NUMBERS = ['double', 'int', 'long', 'decimal'];
const ALIASES = new Set(CODES.values());

/** The type names that a $type argument stands for. */
export function aliases(spec: unknown): Set<string> {
  const names = new Set<string>();
  for (const one of Array.isArray(spec) ? spec : [spec]) {
    if (one === 'number') for (const name of NUMBERS) names.add(name);
    else names.add(alias(one));
  }
  if (names.size === 0) fault(9, '$type must match at least one type');
  return names;
}

function alias(one: unknown): string {
  if (typeof one === 'string') return ALIASES.has(one) ? one : bad(`Unknown type name alias: ${one}`);
  if (!isNumber(one)) fault(14, 'type must be represented as a number or a string');
  return CODES.get(toNumber(one)) ?? bad(`Invalid numerical type code: ${show(one)}`);
}

const failed = (message: string): never => fault(241, `${message} in $convert with no onError value`);
const refused = (value: unknown, to: string): never =>
  failed(`Unsupported conversion from ${typeName(value)} to ${to}`);
const unparsed = (value: string, why: string): never => failed(`Failed to parse number '${value}' (${why})`);
const overflow = (value: unknown): never =>
  failed(`Conversion of ${String(value)} would overflow target type`);

function toLong(value: unknown, to = 'long'): bigint {
  if (value instanceof Date && to !== 'long') refused(value, to);
  const text = typeof value === 'string' || isNumber(value) ? String(value) : '';
  const isWhole = /^[+-]?\d+$/.test(text);
  if (typeof value === 'string' && !isWhole)
    unparsed(value, value ? 'Did not consume whole string.' : 'No digits');
  const real = isWhole ? 0 : Math.trunc(toReal(value, to));
  if (!Number.isFinite(real)) failed(`Attempt to convert ${real} to integer type`);
  const long = BigInt(isWhole ? text.replace('+', '') : real);
  return fitsLong(long) ? long : overflow(value);
}

const NUMERIC = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^[+-]?(?:inf|infinity|nan)$/i;

/** A number, or the text of one as JavaScript writes it. */
function toReal(value: unknown, to: string): number {
  if (typeof value === 'boolean' || value instanceof Date) return Number(value);
  if (typeof value !== 'string') return isNumber(value) ? toNumber(value) : refused(value, to);
  if (!NUMERIC.test(value)) unparsed(value, 'Did not consume whole string.');
  return Number(value.replace(/inf(inity)?$/i, 'Infinity').replace(/.*nan$/i, 'NaN'));
}

function toDecimal(value: unknown): Decimal128 {
  if (value instanceof Decimal128) return value;
  if (typeof value === 'string' && NUMERIC.test(value)) return Decimal128.fromString(value);
  const number = typeof value === 'bigint' ? value : toReal(value, 'decimal');
  // MongoDB turns a double into a decimal by its fifteen significant digits.
  const isWhole = typeof number === 'bigint' || !Number.isFinite(number) || Number.isSafeInteger(number);
  return Decimal128.fromString(isWhole ? String(number) : number.toPrecision(15));
}

function toDate(value: unknown): unknown {
  if (typeof value === 'string') return parse(value);
  const isMoment = isNumber(value) && !(typeof value === 'number' && isInteger(value));
  const date = isMoment ? new Date(Math.trunc(toNumber(value))) : dateOf(value);
  if (!date) return refused(value, 'date');
  return Number.isNaN(date.getTime()) ? overflow(value) : date;
}

function toObjectId(value: unknown): unknown {
  if (value instanceof ObjectId) return value;
  if (typeof value !== 'string') return refused(value, 'objectId');
  return /^[0-9a-f]{24}$/i.test(value) ? new ObjectId(value) : failed(`Failed to parse objectId '${value}'`);
}

function toText(value: unknown): unknown {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean' || isNumber(value)) return String(value).replace(/^(-?)Infinity$/, '$1inf');
  if (value instanceof Date) return value.toISOString();
  return value instanceof ObjectId ? value.toHexString() : refused(value, 'string');
}

const TO: Record<string, (value: unknown) => unknown> = {
  int(value) {
    const number = Number(toLong(value, 'int'));
    return isInt32(number) ? number : overflow(value);
  },
  long: (value) => toLong(value),
  double: (value) => double(toReal(value, 'double')),
  decimal: toDecimal,
  bool: truthy,
  date: toDate,
  objectId: toObjectId,
  string: toText,
};

const converting: Form = (argument, scope, compile, operator) => {
  const spec = named(operator, argument, ['input', 'to', 'onError', 'onNull'], ['input', 'to']);
  const [input, to] = [compile(spec.input, scope), compile(spec.to, scope)];
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

const short = (name: string): Form => op('any', (value) => (missing(value) ? null : TO[name]?.(value)));

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
  $type: op('any', typeName),
  $isNumber: op('any', isNumber),
};
