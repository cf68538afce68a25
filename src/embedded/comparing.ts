// Equality and order tests of one value against a constant, as filters mean them: only within a type's class,
// null standing for missing too, NaN equal to itself and to nothing else.
import { ObjectId } from 'bson';
import { bad } from './errors.ts';
import { isRegex, toRegExp } from './regexes.ts';
import { type Collation, compare, equal, isNumber, ORDER, toNumber, typeOf } from './values.ts';

export type Leaf = (value: unknown) => boolean;

export function matchesEqual(wanted: unknown, collation?: Collation): Leaf {
  if (wanted === null || wanted === undefined) return (value) => value === null || value === undefined;
  if (isRegex(wanted)) {
    const expression = toRegExp(wanted);
    return (value) =>
      typeof value === 'string' ? expression.test(value) : isRegex(value) && equal(value, wanted);
  }
  if (wanted instanceof ObjectId) return (value) => value instanceof ObjectId && value.equals(wanted);
  const order = typeOf(wanted);
  const isPlain = typeof wanted === 'number' || (typeof wanted === 'string' && !collation);
  return (value) => {
    if (value === wanted) return true;
    if (value === undefined || (isPlain && typeof value === typeof wanted && !Number.isNaN(value)))
      return false;
    return typeOf(value) === order && equal(value, wanted, collation);
  };
}

/** $in: strings, ids and safe numbers by a set, the rest one by one. */
export function matchesAny(wanted: readonly unknown[], collation?: Collation): Leaf {
  const known = new Set<string | number>();
  const rest: Leaf[] = [];
  for (const value of wanted) {
    const key = setKey(value);
    if (key === undefined || (typeof value === 'string' && collation))
      rest.push(matchesEqual(value, collation));
    else known.add(key);
  }
  return (value) => {
    const key = setKey(value);
    return (key !== undefined && known.has(key)) || rest.some((leaf) => leaf(value));
  };
}

function setKey(value: unknown): string | number | undefined {
  if (typeof value === 'string') return `"${value}`;
  // A fraction may be equal to a decimal that is written otherwise: compared, not looked up.
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (value instanceof ObjectId) return value.toHexString();
  if (!isNumber(value)) return undefined;
  const number = toNumber(value);
  return Number.isSafeInteger(number) && equal(number, value) ? number : undefined;
}

const HOLDS: Record<string, (difference: number) => boolean> = {
  $gt: (difference) => difference > 0,
  $gte: (difference) => difference >= 0,
  $lt: (difference) => difference < 0,
  $lte: (difference) => difference <= 0,
};

export function comparison(operator: string, wanted: unknown, collation?: Collation): Leaf {
  if (isRegex(wanted)) bad("Can't have RegEx as arg to predicate over field.");
  const holds = HOLDS[operator] as (difference: number) => boolean;
  const order = typeOf(wanted);
  if (order === ORDER.NULL) return holds(0) ? (value) => value === null || value === undefined : () => false;
  if (order === ORDER.MIN_KEY || order === ORDER.MAX_KEY)
    return (value) => value !== undefined && holds(compare(value, wanted));
  const isNone = (value: unknown): boolean => isNumber(value) && Number.isNaN(toNumber(value));
  if (isNone(wanted)) return (value) => holds(0) && isNone(value);
  return (value) => {
    if (typeof value === 'number' && typeof wanted === 'number')
      return value === wanted ? holds(0) : holds(value - wanted);
    if (value === undefined || typeOf(value) !== order || isNone(value)) return false;
    return holds(compare(value, wanted, collation));
  };
}
