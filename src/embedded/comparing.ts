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
  if (typeof wanted === 'boolean') return (value) => value === wanted;
  if (typeof wanted === 'string' && !collation)
    return (value) =>
      value === wanted || (typeof value === 'object' && value !== null && equal(value, wanted));
  if (wanted instanceof ObjectId) return (value) => value instanceof ObjectId && value.equals(wanted);
  if (isNumber(wanted)) {
    const plain = toNumber(wanted);
    if (typeof wanted === 'number' && !Number.isNaN(plain))
      return (value) =>
        value === plain || (typeof value !== 'number' && isNumber(value) && equal(value, wanted));
  }
  const order = typeOf(wanted);
  return (value) => value !== undefined && typeOf(value) === order && equal(value, wanted, collation);
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
    if (key !== undefined && known.has(key)) return true;
    for (const leaf of rest) if (leaf(value)) return true;
    return false;
  };
}

function setKey(value: unknown): string | number | undefined {
  if (typeof value === 'string') return `"${value}`;
  // A fraction may be equal to a decimal that is written otherwise: compared, not looked up.
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value !== 'object' && typeof value !== 'bigint') return undefined;
  if (value instanceof ObjectId) return value.toHexString();
  if (!isNumber(value)) return undefined;
  const number = toNumber(value);
  return Number.isSafeInteger(number) && equal(number, value) ? number : undefined;
}

const HOLDS = {
  $gt: (difference: number) => difference > 0,
  $gte: (difference: number) => difference >= 0,
  $lt: (difference: number) => difference < 0,
  $lte: (difference: number) => difference <= 0,
} as const;

export function comparison(operator: keyof typeof HOLDS, wanted: unknown, collation?: Collation): Leaf {
  if (isRegex(wanted)) bad("Can't have RegEx as arg to predicate over field.");
  const holds = HOLDS[operator];
  const inclusive = operator === '$gte' || operator === '$lte';
  const order = typeOf(wanted);
  if (order === ORDER.NULL) return inclusive ? (value) => value === null || value === undefined : () => false;
  if (order === ORDER.MIN_KEY || order === ORDER.MAX_KEY)
    return (value) => value !== undefined && holds(compare(value, wanted));
  if (order === ORDER.NUMBER && Number.isNaN(toNumber(wanted)))
    return (value) => inclusive && isNumber(value) && Number.isNaN(toNumber(value));
  if (typeof wanted === 'number')
    return (value) => {
      if (typeof value === 'number') return value === wanted ? inclusive : holds(value - wanted);
      return isNumber(value) && !Number.isNaN(toNumber(value)) && holds(compare(value, wanted));
    };
  return (value) =>
    value !== undefined &&
    typeOf(value) === order &&
    !(order === ORDER.NUMBER && Number.isNaN(toNumber(value))) &&
    holds(compare(value, wanted, collation));
}
