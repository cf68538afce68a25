// $push with its clauses and $addToSet: what becomes of an array.
import type { Modifier } from './drafts.ts';
import { bad, fault } from './errors.ts';
import { getAt } from './paths.ts';
import { show } from './showing.ts';
import { type Collation, clone, compare, equal, isNumber, isObject, toNumber, typeName } from './values.ts';

type Order = (a: unknown, b: unknown) => number;

function whole(clause: string, value: unknown): number {
  const number = toNumber(value);
  return isNumber(value) && Number.isInteger(number)
    ? number
    : bad(`The value for ${clause} must be an integer value, not of type: ${typeName(value)}`);
}

function ordering(spec: unknown, collation?: Collation): Order {
  const keys = isObject(spec) ? Object.keys(spec) : [];
  const sorts = isObject(spec)
    ? keys.map((path) => ({ parts: path.split('.'), way: toNumber(spec[path]) }))
    : [{ parts: [], way: toNumber(spec) }];
  if (sorts.length === 0 || sorts.some(({ way }) => way !== 1 && way !== -1))
    bad('The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} to sort embedded fields');
  return (a, b) => {
    for (const { parts, way } of sorts) {
      const difference = way * compare(getAt(a, parts), getAt(b, parts), collation);
      if (difference) return difference;
    }
    return 0;
  };
}

function itemsOf(operator: string, each: unknown): unknown[] {
  if (Array.isArray(each)) return each;
  const code = operator === '$addToSet' ? 14 : 2;
  return fault(
    code,
    `The argument to $each in ${operator} must be an array but it was of type: ${typeName(each)}`,
  );
}

const CLAUSES = ['$position', '$slice', '$sort'];

export function pushing(operator: '$push' | '$addToSet', spec: unknown, collation?: Collation): Modifier {
  const { $each: each, ...clauses } = isObject(spec) && '$each' in spec ? spec : { $each: [spec] };
  const items = itemsOf(operator, each);
  const known = operator === '$push' ? CLAUSES : [];
  const unknown = Object.keys(clauses).find((name) => !known.includes(name));
  if (unknown) bad(`Unrecognized clause in ${operator}: ${unknown}`);
  const position = '$position' in clauses ? whole('$position', clauses.$position) : undefined;
  const slice = '$slice' in clauses ? whole('$slice', clauses.$slice) : undefined;
  const order = '$sort' in clauses ? ordering(clauses.$sort, collation) : undefined;
  return (old = [], { path, id }) => {
    if (!Array.isArray(old)) {
      const what = `is of type ${typeName(old)} in document {_id: ${show(id)}}`;
      bad(
        operator === '$push'
          ? `The field '${path}' must be an array but ${what}`
          : `Cannot apply $addToSet to a non-array field. Field named '${path.slice(path.lastIndexOf('.') + 1)}' ${what}`,
      );
    }
    const array: unknown[] = [...old];
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
