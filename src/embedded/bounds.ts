// What a filter says about each field, as stretches of index keys. What must stay true: a stretch may be wider than
// the condition (then it is not `exact` and documents are matched again), never narrower.
import { BSONRegExp, ObjectId } from 'bson';
import { type Doc, isDoc } from './documents.ts';
import { after, classByte, encodePart } from './keys.ts';
import { isOperatorDoc } from './matching.ts';
import { isRegex } from './regexes.ts';
import { type Collation, ORDER, typeOf } from './values.ts';

type Limit = { value: unknown; inclusive: boolean };

export type Condition = { values?: unknown[]; low?: Limit; high?: Limit; exact: boolean };

export type Conditions = {
  fields: Map<string, Condition[]>;
  /** Whether the filter says something that is not in `fields`. */
  more: boolean;
  /** Paths of which it says more than is in `fields`. */
  loose: Set<string>;
};

const indexable = (value: unknown): boolean => {
  const order = typeOf(value);
  return !Array.isArray(value) && order !== ORDER.REGEX && order !== ORDER.MIN_KEY && order !== ORDER.MAX_KEY;
};

/** A class is compared within itself; null, documents and the ends of the order have their own rules. */
const rangeable = (value: unknown): boolean =>
  indexable(value) && typeOf(value) !== ORDER.NULL && !Number.isNaN(value) && !isDoc(value);

/** What every match of a regular expression begins with, if anything: from it to what follows all that begin so. */
function prefixOf(pattern: string, options: string): Condition | undefined {
  const found = /^\^([\w :/@,;=!<>"'&%#~-]+)(.?)/u.exec(pattern);
  if (options !== '' || pattern.includes('|') || !found) return undefined;
  const text = found[1] as string;
  const prefix = ['*', '?', '{'].includes(found[2] ?? '') ? text.slice(0, -1) : text;
  if (!prefix) return undefined;
  const next = `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;
  return { low: { value: prefix, inclusive: true }, high: { value: next, inclusive: false }, exact: false };
}

const point = (value: unknown): Condition | undefined =>
  indexable(value) ? { values: [value], exact: true } : undefined;

/** The least value of the types that are alone in their class: from it on to the class's end are all of them. */
const LEAST: Record<string, unknown> = {
  number: Number.NaN,
  string: '',
  objectId: new ObjectId('0'.repeat(24)),
  bool: false,
  date: new Date(-8.64e15),
};

function operatorCondition(name: string, operand: unknown): Condition | undefined {
  const limit = { value: operand, inclusive: name.endsWith('e') };
  switch (name) {
    case '$eq':
      return point(operand);
    case '$in':
      return Array.isArray(operand) && operand.every(indexable)
        ? { values: operand, exact: true }
        : undefined;
    case '$gt':
    case '$gte':
      return rangeable(operand) ? { low: limit, exact: true } : undefined;
    case '$lt':
    case '$lte':
      return rangeable(operand) ? { high: limit, exact: true } : undefined;
    case '$type': {
      const least = typeof operand === 'string' && Object.hasOwn(LEAST, operand) ? LEAST[operand] : undefined;
      return least === undefined ? undefined : { low: { value: least, inclusive: true }, exact: false };
    }
    case '$exists':
      return operand === false ? { values: [null], exact: false } : undefined;
    default:
      return undefined;
  }
}

export function conditionsOf(filter: Doc): Conditions {
  const found: Conditions = { fields: new Map(), more: false, loose: new Set() };

  function add(path: string, condition: Condition | undefined): void {
    if (!condition?.exact) {
      found.more = true;
      found.loose.add(path);
    }
    if (condition) found.fields.set(path, [...(found.fields.get(path) ?? []), condition]);
  }

  function operators(path: string, spec: Doc): void {
    for (const [name, operand] of Object.entries(spec)) {
      if (name === '$all' && Array.isArray(operand) && operand.length > 0)
        for (const value of operand) add(path, isDoc(value) ? undefined : point(value));
      else if (name === '$regex') {
        const { pattern, options } = isRegex(operand) ? operand : { pattern: String(operand), options: '' };
        add(path, prefixOf(pattern, String(spec.$options ?? options)));
      } else if (name !== '$options') add(path, operatorCondition(name, operand));
    }
  }

  function walk(part: Doc): void {
    for (const [name, spec] of Object.entries(part)) {
      if (name === '$and' && Array.isArray(spec)) {
        for (const each of spec) if (isDoc(each)) walk(each);
      } else if (name === '$comment') continue;
      else if (name.startsWith('$')) found.more = true;
      else if (isOperatorDoc(spec)) operators(name, spec);
      else add(name, spec instanceof BSONRegExp ? prefixOf(spec.pattern, spec.options) : point(spec));
    }
  }

  walk(filter);
  return found;
}

const hasText = (value: unknown): boolean =>
  typeOf(value) === ORDER.STRING || typeOf(value) === ORDER.OBJECT || typeOf(value) === ORDER.ARRAY;

/** Whether an index of this collation answers a condition asked under that one. */
export function answers(
  { values = [], low, high }: Condition,
  index: Collation | undefined,
  asked: Collation | undefined,
): boolean {
  const limited = hasText(low?.value) || hasText(high?.value);
  if (index?.key === asked?.key) return !index || !limited;
  return !limited && !values.some(hasText);
}

export type Shape = { descending: boolean; collation: Collation | undefined };

/** How the keys of each value begin, in their order. */
export function pointsOf(values: readonly unknown[], { descending, collation }: Shape): Buffer[] {
  const points = values.map((value) => encodePart(value, descending, collation)).sort(Buffer.compare);
  return points.filter((low, i) => i === 0 || !low.equals(points[i - 1] as Buffer));
}

/** All conditions' common stretch. Numbers below a limit do not include NaN, which is the least of its class. */
export function stretchOf(
  conditions: readonly Condition[],
  { descending, collation }: Shape,
): { low: Buffer; high: Buffer } {
  const edge = (limit: Limit, beyond: boolean): Buffer => {
    const bytes = encodePart(limit.value, descending, collation);
    return limit.inclusive === beyond ? after(bytes) : bytes;
  };
  const from: Buffer[] = [];
  const to: Buffer[] = [];
  for (const { low, high } of conditions) {
    const { value } = low ?? (high as Limit);
    const kind = classByte(value, descending);
    const floor = typeOf(value) === ORDER.NUMBER ? { value: Number.NaN, inclusive: false } : undefined;
    const [first, last] = descending ? [high, low ?? floor] : [low ?? floor, high];
    from.push(first ? edge(first, false) : kind);
    to.push(last ? edge(last, true) : after(kind));
  }
  const low = from.reduce((a, b) => (a.compare(b) >= 0 ? a : b));
  const high = to.reduce((a, b) => (a.compare(b) <= 0 ? a : b));
  return { low, high };
}
