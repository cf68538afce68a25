// What a filter says about each field, as stretches of index keys. What must stay true: a stretch may be wider than
// the condition (then it is not `exact` and documents are matched again), never narrower.

import { BSONRegExp, ObjectId } from 'bson';
import { type Doc, isDoc } from './documents.ts';
import { after, classByte, encodePart } from './keys.ts';
import { isOperatorDoc } from './matching.ts';
import { isRegex } from './regexes.ts';
import { type Collation, ORDER, typeOf } from './values.ts';

type Limit = { value: unknown; inclusive: boolean };

export type Condition = {
  values?: unknown[];
  low?: Limit;
  high?: Limit;
  /** Conditions of one $elemMatch speak of the same element. */
  group: number;
  exact: boolean;
};

export type Conditions = {
  fields: Map<string, Condition[]>;
  /** Whether the filter says something that is not in `fields`. */
  more: boolean;
  /** Paths of which it says more than is in `fields`. */
  loose: Set<string>;
};

/** A stretch of one field's part of the key; points are all keys that begin with `low`. */
export type Stretch = { low: Buffer; high: Buffer; point: boolean };

const indexable = (value: unknown): boolean => {
  const order = typeOf(value);
  return !Array.isArray(value) && order !== ORDER.REGEX && order !== ORDER.MIN_KEY && order !== ORDER.MAX_KEY;
};

/** A class is compared within itself; null, documents and the ends of the order have their own rules. */
const rangeable = (value: unknown): boolean =>
  indexable(value) && typeOf(value) !== ORDER.NULL && !Number.isNaN(value) && !isDoc(value);

/** What every match of a regular expression begins with, if anything. */
function literalPrefix(pattern: string, options: string): string | undefined {
  if (options !== '' || pattern.includes('|')) return undefined;
  const found = /^\^([\w :/@,;=!<>"'&%#~-]+)(.?)/u.exec(pattern);
  if (!found) return undefined;
  const text = found[1] as string;
  return ['*', '?', '{'].includes(found[2] ?? '') ? text.slice(0, -1) || undefined : text;
}

function regexCondition(pattern: string, options: string, group: number): Condition | undefined {
  const prefix = literalPrefix(pattern, options);
  if (!prefix) return undefined;
  const next = `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)}`;
  return {
    low: { value: prefix, inclusive: true },
    high: { value: next, inclusive: false },
    group,
    exact: false,
  };
}

const point = (value: unknown, group: number, exact = true): Condition | undefined =>
  indexable(value) ? { values: [value], group, exact } : undefined;

/** The least value of the types that are alone in their class: from it on to the class's end are all of them. */
const LEAST: Record<string, unknown> = {
  number: Number.NaN,
  string: '',
  objectId: new ObjectId('0'.repeat(24)),
  bool: false,
  date: new Date(-8.64e15),
};

function operatorCondition(name: string, operand: unknown, group: number): Condition | undefined {
  switch (name) {
    case '$eq':
      return point(operand, group);
    case '$in':
      return Array.isArray(operand) && operand.every(indexable)
        ? { values: operand, group, exact: true }
        : undefined;
    case '$gt':
    case '$gte':
      return rangeable(operand)
        ? { low: { value: operand, inclusive: name === '$gte' }, group, exact: true }
        : undefined;
    case '$lt':
    case '$lte':
      return rangeable(operand)
        ? { high: { value: operand, inclusive: name === '$lte' }, group, exact: true }
        : undefined;
    case '$all': {
      const [first] = Array.isArray(operand) ? operand : [];
      return first === undefined || first === null || isDoc(first) ? undefined : point(first, group, false);
    }
    case '$type': {
      const least = typeof operand === 'string' && Object.hasOwn(LEAST, operand) ? LEAST[operand] : undefined;
      return least === undefined
        ? undefined
        : { low: { value: least, inclusive: true }, group, exact: false };
    }
    case '$exists':
      return operand === false ? { values: [null], group, exact: false } : undefined;
    default:
      return undefined;
  }
}

export function conditionsOf(filter: Doc): Conditions {
  const found: Conditions = { fields: new Map(), more: false, loose: new Set() };
  let groups = 0;
  const add = (path: string, condition: Condition | undefined): void => {
    if (!condition?.exact) {
      found.more = true;
      found.loose.add(path);
    }
    if (!condition) return;
    const known = found.fields.get(path);
    if (known) known.push(condition);
    else found.fields.set(path, [condition]);
  };

  function operators(path: string, spec: Doc, group: number): void {
    for (const name of Object.keys(spec)) {
      const operand = spec[name];
      if (name === '$elemMatch' && isDoc(operand)) {
        groups++;
        found.more = true;
        found.loose.add(path);
        if (isOperatorDoc(operand)) operators(path, operand, groups);
        else walk(operand, `${path}.`, groups);
      } else if (name === '$regex') {
        const regex = isRegex(operand) ? operand : undefined;
        const pattern = regex ? regex.pattern : String(operand);
        add(path, regexCondition(pattern, String(spec.$options ?? regex?.options ?? ''), group));
      } else if (name !== '$options') add(path, operatorCondition(name, operand, group));
    }
  }

  function walk(part: Doc, before: string, group: number): void {
    for (const name of Object.keys(part)) {
      const spec = part[name];
      if (name === '$and' && Array.isArray(spec)) {
        for (const each of spec) if (isDoc(each)) walk(each, before, group);
      } else if (name === '$comment') continue;
      else if (name.startsWith('$')) found.more = true;
      else if (isOperatorDoc(spec)) operators(before + name, spec, group);
      else if (spec instanceof BSONRegExp)
        add(before + name, regexCondition(spec.pattern, spec.options, group));
      else add(before + name, point(spec, group));
    }
  }

  walk(filter, '', 0);
  return found;
}

const hasText = (value: unknown): boolean =>
  typeOf(value) === ORDER.STRING || typeOf(value) === ORDER.OBJECT || typeOf(value) === ORDER.ARRAY;

/** Whether an index of this collation answers a condition asked under that one. */
export function answers(
  condition: Condition,
  index: Collation | undefined,
  asked: Collation | undefined,
): boolean {
  const limits = [condition.low, condition.high].filter((limit) => limit !== undefined);
  if (index && limits.some(({ value }) => hasText(value))) return false;
  if (index?.key === asked?.key) return true;
  return !(condition.values ?? []).some(hasText) && !limits.some(({ value }) => hasText(value));
}

type Shape = { descending: boolean; collation: Collation | undefined };

export function pointsOf(values: readonly unknown[], { descending, collation }: Shape): Stretch[] {
  const points = values.map((value) => encodePart(value, descending, collation)).sort(Buffer.compare);
  return points
    .filter((low, i) => i === 0 || !low.equals(points[i - 1] as Buffer))
    .map((low) => ({ low, high: after(low), point: true }));
}

/** All conditions' common stretch. Numbers below a limit do not include NaN, which is the least of its class. */
export function rangeOf(conditions: readonly Condition[], { descending, collation }: Shape): Stretch {
  const encoded = (value: unknown): Buffer => encodePart(value, descending, collation);
  const from: Buffer[] = [];
  const to: Buffer[] = [];
  for (const { low, high } of conditions) {
    const sample = low ?? (high as Limit);
    const kind = classByte(sample.value, descending);
    const floor = typeOf(sample.value) === ORDER.NUMBER ? { value: Number.NaN, inclusive: false } : undefined;
    const least = low ?? floor;
    const [first, last] = descending ? [high, least] : [least, high];
    from.push(first ? (first.inclusive ? encoded(first.value) : after(encoded(first.value))) : kind);
    to.push(last ? (last.inclusive ? after(encoded(last.value)) : encoded(last.value)) : after(kind));
  }
  const low = from.reduce((a, b) => (a.compare(b) >= 0 ? a : b));
  const high = to.reduce((a, b) => (a.compare(b) <= 0 ? a : b));
  return { low, high, point: false };
}
