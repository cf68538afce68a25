// What a stored value is, and MongoDB's order and equality of values. int32 and fractional doubles are numbers,
// int64 is a bigint, a double that looks like an int32 is a Double, so that types survive a round trip.
// Own properties only: no name in a document may ever reach a prototype.
import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'bson';
import { type Comparable, compareDecimals } from './decimals.ts';
import { type Doc, isDoc, setField } from './documents.ts';

export interface Collation {
  compare(a: string, b: string): number;
  /** Equal strings under the collation, and only they, have the same fold. */
  fold(text: string): string;
  key: string;
  spec: Doc;
}

export const ORDER = {
  MIN_KEY: 10,
  NULL: 20,
  NUMBER: 30,
  STRING: 60,
  OBJECT: 70,
  ARRAY: 80,
  BINARY: 90,
  OBJECT_ID: 100,
  BOOLEAN: 110,
  DATE: 120,
  TIMESTAMP: 130,
  REGEX: 140,
  CODE: 150,
  MAX_KEY: 240,
} as const;

/** Of each kind of object: its class, and the alias of its type. */
const KINDS: [prototype: object | null, order: number, alias: string][] = [
  [null, ORDER.OBJECT, 'object'],
  [Object.prototype, ORDER.OBJECT, 'object'],
  [Array.prototype, ORDER.ARRAY, 'array'],
  [Date.prototype, ORDER.DATE, 'date'],
  [ObjectId.prototype, ORDER.OBJECT_ID, 'objectId'],
  [Double.prototype, ORDER.NUMBER, 'double'],
  [Decimal128.prototype, ORDER.NUMBER, 'decimal'],
  [Timestamp.prototype, ORDER.TIMESTAMP, 'timestamp'],
  [Binary.prototype, ORDER.BINARY, 'binData'],
  [BSONRegExp.prototype, ORDER.REGEX, 'regex'],
  [MinKey.prototype, ORDER.MIN_KEY, 'minKey'],
  [MaxKey.prototype, ORDER.MAX_KEY, 'maxKey'],
  [Code.prototype, ORDER.CODE, 'javascript'],
  [BSONSymbol.prototype, ORDER.STRING, 'symbol'],
];
const CLASSES = new Map(KINDS.map(([prototype, order]) => [prototype, order]));
const ALIASES = new Map(KINDS.map(([prototype, , alias]) => [prototype, alias]));

/** The class of a value in MongoDB's order; missing counts as null. */
export function typeOf(value: unknown): number {
  switch (typeof value) {
    case 'number':
    case 'bigint':
      return ORDER.NUMBER;
    case 'string':
      return ORDER.STRING;
    case 'boolean':
      return ORDER.BOOLEAN;
    case 'undefined':
      return ORDER.NULL;
    default:
  }
  if (value === null) return ORDER.NULL;
  return CLASSES.get(Object.getPrototypeOf(value)) ?? kinOf(value);
}

function kinOf(value: unknown): number {
  if (Array.isArray(value)) return ORDER.ARRAY;
  if (value instanceof Binary || ArrayBuffer.isView(value)) return ORDER.BINARY;
  return value instanceof Date ? ORDER.DATE : ORDER.OBJECT;
}

export function isNumber(value: unknown): value is number | bigint | Double | Decimal128 {
  return typeof value === 'number' || typeof value === 'bigint' || typeOf(value) === ORDER.NUMBER;
}

/** The nearest JavaScript number; NaN for what is no number. */
export function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Double) return value.value;
  return value instanceof Decimal128 ? Number(value.toString()) : Number.NaN;
}

/** A double, kept apart from an int32 where they look alike. */
export function double(value: number): number | Double {
  return isInt32(value) ? new Double(value) : value;
}

export function isInt32(value: number): boolean {
  return (value | 0) === value && !Object.is(value, -0);
}

const PRIMITIVES: Record<string, string> = { bigint: 'long', boolean: 'bool', undefined: 'missing' };

/** The BSON type's alias, as $type spells it. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number') return isInt32(value) ? 'int' : 'double';
  if (typeof value !== 'object') return PRIMITIVES[typeof value] ?? 'string';
  return ArrayBuffer.isView(value) ? 'binData' : (ALIASES.get(Object.getPrototypeOf(value)) ?? 'object');
}

export function compareStrings(a: string, b: string): number {
  if (a === b) return 0;
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    // UTF-8 orders what a surrogate pair stands for after all other characters; UTF-16 does not.
    if (x >= 0xd800 && y >= 0xd800 && x >= 0xe000 !== y >= 0xe000) return x >= 0xe000 ? -1 : 1;
    return x - y;
  }
  return a.length - b.length;
}

export function compareNumbers(left: unknown, right: unknown): number {
  const a = left instanceof Double ? left.value : (left as Comparable);
  const b = right instanceof Double ? right.value : (right as Comparable);
  if (typeof a === 'object' || typeof b === 'object') return compareDecimals(a, b);
  if (a < b) return -1;
  if (a > b) return 1;
  // biome-ignore lint/suspicious/noSelfCompare: NaN is the one value that differs from itself
  if (a === a) return b === b ? 0 : 1;
  // biome-ignore lint/suspicious/noSelfCompare: likewise; NaN comes before every number
  return b === b ? -1 : 0;
}

type Comparison = (a: unknown, b: unknown, collation?: Collation) => number;
const of = <T>(difference: (a: T, b: T, collation?: Collation) => number): Comparison =>
  difference as Comparison;
const byNumber: Comparison = (a, b) => Number(a) - Number(b);

/** How two values of one class compare; those of a class that is not here are all equal. */
const COMPARISONS = new Map<number, Comparison>([
  [ORDER.NUMBER, compareNumbers],
  [
    ORDER.STRING,
    (a, b, by) => (by ? by.compare(String(a), String(b)) : compareStrings(String(a), String(b))),
  ],
  [ORDER.BOOLEAN, byNumber],
  [ORDER.DATE, byNumber],
  [ORDER.OBJECT_ID, of<ObjectId>((a, b) => Buffer.compare(a.id, b.id))],
  [ORDER.OBJECT, of(compareObjects)],
  [ORDER.ARRAY, of(compareArrays)],
  [
    ORDER.BINARY,
    of<Binary>(
      (a, b) => a.length() - b.length() || a.sub_type - b.sub_type || Buffer.compare(a.value(), b.value()),
    ),
  ],
  [ORDER.TIMESTAMP, of<Timestamp>((a, b) => a.compare(b))],
  [
    ORDER.REGEX,
    of<BSONRegExp>((a, b) => compareStrings(a.pattern, b.pattern) || compareStrings(a.options, b.options)),
  ],
  [ORDER.CODE, of<Code>((a, b) => compareStrings(a.code, b.code) || compare(a.scope, b.scope))],
]);

export function compare(a: unknown, b: unknown, collation?: Collation): number {
  const order = typeOf(a);
  return order - typeOf(b) || (COMPARISONS.get(order)?.(a, b, collation) ?? 0);
}

function compareObjects(a: Doc, b: Doc, collation?: Collation): number {
  const names = Object.keys(a);
  const others = Object.keys(b);
  for (const [i, name] of names.entries()) {
    const other = others[i];
    if (other === undefined) return 1;
    const [x, y] = [a[name], b[other]];
    const difference = typeOf(x) - typeOf(y) || compareStrings(name, other) || compare(x, y, collation);
    if (difference) return difference;
  }
  return names.length - others.length;
}

function compareArrays(a: unknown[], b: unknown[], collation?: Collation): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = compare(a[i], b[i], collation);
    if (difference) return difference;
  }
  return a.length - b.length;
}

export function equal(a: unknown, b: unknown, collation?: Collation): boolean {
  return (a === b && typeof a !== 'undefined') || compare(a, b, collation) === 0;
}

/** Equal to the last bit of type and field order: what makes a document unchanged. */
export function identical(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b);
  if (a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((value, i) => identical(value, b[i]));
  if (!isDoc(a)) {
    if (typeName(a) !== typeName(b)) return false;
    return a instanceof Decimal128 ? a.toString() === String(b) : compare(a, b) === 0;
  }
  if (!isDoc(b)) return false;
  const names = Object.keys(a);
  const others = Object.keys(b);
  return (
    names.length === others.length &&
    names.every((name, i) => name === others[i] && identical(a[name], b[name]))
  );
}

export function clone<T>(value: T): T {
  if (Array.isArray(value)) return value.map(clone) as T;
  if (!isDoc(value)) return value;
  const copy: Doc = {};
  for (const name of Object.keys(value)) setField(copy, name, clone(value[name]));
  return copy as T;
}

const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype));

/** Reads an own property. */
export function field(doc: Doc, name: string): unknown {
  const value = doc[name];
  if (value === undefined || !INHERITED.has(name)) return value;
  return Object.hasOwn(doc, name) ? value : undefined;
}
