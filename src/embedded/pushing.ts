// $push with its clauses and $addToSet: what becomes of an array.
import type { Doc } from './documents.ts';
import { bad } from './errors.ts';
import { getAt } from './paths.ts';
import { show } from './showing.ts';
import { type Collation, clone, compare, equal, isNumber, isObject, toNumber, typeName } from './values.ts';

type Order = (a: unknown, b: unknown) => number;

interface Clauses {
  items: unknown[];
  position?: number;
  slice?: number;
  order?: Order;
}

const INVALID_SORT =
  'The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields';

function whole(clause: string, value: unknown): number {
  const number = toNumber(value);
  if (!isNumber(value) || !Number.isInteger(number)) {
    const given = clause === '$slice' ? 'but was given type' : 'not of type';
    bad(`The value for ${clause} must be an integer value ${given}: ${typeName(value)}`);
  }
  return number;
}

function direction(value: unknown): number {
  const number = toNumber(value);
  if (number !== 1 && number !== -1) bad(INVALID_SORT);
  return number;
}

function ordering(spec: unknown, collation?: Collation): Order {
  if (isNumber(spec)) {
    const way = direction(spec);
    return (a, b) => way * compare(a, b, collation);
  }
  if (!isObject(spec) || Object.keys(spec).length === 0) bad(INVALID_SORT);
  const keys = Object.keys(spec).map((path) => ({ parts: path.split('.'), way: direction(spec[path]) }));
  return (a, b) => {
    for (const { parts, way } of keys) {
      const difference = way * compare(getAt(a, parts), getAt(b, parts), collation);
      if (difference) return difference;
    }
    return 0;
  };
}

function clausesOf(operator: string, spec: unknown, collation?: Collation): Clauses {
  if (!isObject(spec) || !('$each' in spec)) return { items: [spec] };
  const clauses: Clauses = { items: eachOf(operator, spec) };
  for (const name of Object.keys(spec)) {
    if (name === '$each') continue;
    if (operator === '$addToSet') bad(`Found unexpected fields after $each in $addToSet: ${show(spec)}`);
    if (name === '$position') clauses.position = whole(name, spec[name]);
    else if (name === '$slice') clauses.slice = whole(name, spec[name]);
    else if (name === '$sort') clauses.order = ordering(spec[name], collation);
    else bad(`Unrecognized clause in $push: ${name}`);
  }
  return clauses;
}

function eachOf(operator: string, spec: Doc): unknown[] {
  const { $each: each } = spec;
  if (Array.isArray(each)) return each;
  return bad(
    `The argument to $each in ${operator} must be an array but it was of type: ${typeName(each)}`,
    operator === '$addToSet' ? 14 : 2,
    operator === '$addToSet' ? 'TypeMismatch' : 'BadValue',
  );
}

export function pushing(
  operator: '$push' | '$addToSet',
  spec: unknown,
  collation?: Collation,
): (old: unknown, site: { path: string; id: unknown }) => unknown {
  const { items, position, slice, order } = clausesOf(operator, spec, collation);
  return (old, { path, id }) => {
    if (old !== undefined && !Array.isArray(old)) {
      const type = typeName(old);
      if (operator === '$push') {
        bad(`The field '${path}' must be an array but is of type ${type} in document {_id: ${show(id)}}`);
      }
      bad(
        `Cannot apply $addToSet to a non-array field. Field named '${path.slice(path.lastIndexOf('.') + 1)}' has a non-array type ${type} in the document _id: ${show(id)}`,
      );
    }
    const array = old === undefined ? [] : [...old];
    const added = items.map(clone);
    if (operator === '$addToSet') {
      for (const item of added) if (!array.some((one) => equal(one, item, collation))) array.push(item);
      return array;
    }
    const at = position === undefined ? array.length : position < 0 ? array.length + position : position;
    array.splice(Math.max(0, at), 0, ...added);
    if (order) array.sort(order);
    if (slice === undefined) return array;
    return slice >= 0 ? array.slice(0, slice) : array.slice(slice);
  };
}
