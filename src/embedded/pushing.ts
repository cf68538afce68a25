// $push with its clauses and $addToSet: what becomes of an array.
import { isDoc } from './documents.ts';
import type { Modifier } from './drafts.ts';
import { bad, fault } from './errors.ts';
import type { MatchEnv } from './matching.ts';
import { getAt } from './paths.ts';
import { show } from './showing.ts';
import { type Collation, clone, compare, equal, toNumber, typeName } from './values.ts';

type Order = (a: unknown, b: unknown) => number;

function whole(clause: string, value: unknown): number {
  const number = toNumber(value);
  if (Number.isInteger(number)) return number;
  return bad(`The value for ${clause} must be an integer value, not of type: ${typeName(value)}`);
}

function ordering(spec: unknown, collation?: Collation): Order {
  const sorts = isDoc(spec)
    ? Object.keys(spec).map((path) => ({ parts: path.split('.'), way: toNumber(spec[path]) }))
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

const CLAUSES: Record<string, string[]> = { $push: ['$position', '$slice', '$sort'], $addToSet: [] };

export function pushing(spec: unknown, { collation }: MatchEnv, _path: string, operator: string): Modifier {
  const { $each: items, ...clauses } = isDoc(spec) && '$each' in spec ? spec : { $each: [spec] };
  if (!Array.isArray(items)) {
    const message = `The argument to $each in ${operator} must be an array but it was of type: ${typeName(items)}`;
    fault(operator === '$addToSet' ? 14 : 2, message);
  }
  const unknown = Object.keys(clauses).find((name) => !CLAUSES[operator]?.includes(name));
  if (unknown) bad(`Unrecognized clause in ${operator}: ${unknown}`);
  const position = '$position' in clauses ? whole('$position', clauses.$position) : undefined;
  const slice = '$slice' in clauses ? whole('$slice', clauses.$slice) : undefined;
  const order = '$sort' in clauses ? ordering(clauses.$sort, collation) : undefined;
  return (old = [], { path, id }) => {
    if (!Array.isArray(old)) {
      const what = `is of type ${typeName(old)} in document {_id: ${show(id)}}`;
      if (operator === '$push') bad(`The field '${path}' must be an array but ${what}`);
      const name = path.slice(path.lastIndexOf('.') + 1);
      bad(`Cannot apply $addToSet to a non-array field. Field named '${name}' ${what}`);
    }
    const array: unknown[] = [...old];
    if (operator === '$addToSet') {
      for (const item of items)
        if (!array.some((one) => equal(one, item, collation))) array.push(clone(item));
      return array;
    }
    const at = position === undefined ? array.length : position < 0 ? array.length + position : position;
    array.splice(Math.max(0, at), 0, ...items.map(clone));
    if (order) array.sort(order);
    if (slice === undefined) return array;
    return slice >= 0 ? array.slice(0, slice) : array.slice(slice);
  };
}
