// Operators over arrays, as lists and as sets, those that bind a variable to each element among them.
import { sum } from './arithmetic.ts';
import { type Doc, isDoc, setField } from './documents.ts';
import { fault } from './errors.ts';
import { bound, type Cell, type Form, missing, named, op, truthy } from './operators.ts';
import { compileSort } from './ordering.ts';
import { type Collation, compare, equal, toNumber, typeName } from './values.ts';

/** `size` elements from a place, which may count from the end; without a size the first or the last so many. */
export function sliceOf(list: unknown[], first: number, size?: number): unknown[] {
  if (size === undefined) return first >= 0 ? list.slice(0, first) : list.slice(first);
  const from = first < 0 ? Math.max(0, list.length + first) : first;
  return list.slice(from, from + size);
}

const LONGEST_RANGE = 1_000_000;

function range(from: number, to: number, by = 1): number[] {
  if (by === 0) fault(34449, '$range requires a non-zero step value');
  const length = Math.max(0, Math.ceil((to - from) / by));
  if (length > LONGEST_RANGE) fault(146, `$range would make more than ${LONGEST_RANGE} numbers`);
  return Array.from({ length }, (_, i) => from + i * by);
}

function toObject(entries: unknown[]): Doc {
  const result: Doc = {};
  for (const entry of entries) {
    const pair = isDoc(entry) && 'k' in entry && 'v' in entry ? [entry.k, entry.v] : entry;
    if (!Array.isArray(pair) || pair.length !== 2)
      fault(40398, `$arrayToObject takes pairs or {k, v}, not ${typeName(entry)}`);
    const [key, value] = pair;
    if (typeof key !== 'string')
      fault(40395, `$arrayToObject takes keys that are strings, not ${typeName(key)}`);
    setField(result, key, value);
  }
  return result;
}

/** The least (-1) or greatest (1) of two values, null and missing aside. */
export const further =
  (way: 1 | -1, collation?: Collation) =>
  (best: unknown, value: unknown): unknown =>
    missing(value) || (!missing(best) && way * compare(value, best, collation) <= 0) ? best : value;

const [least, greatest] = [further(-1), further(1)];

/** One array argument stands for its elements; several arguments stand for themselves. */
const overElements = (apply: (values: readonly unknown[]) => unknown): Form =>
  op('any any*', (...values) => apply(values.length === 1 && Array.isArray(values[0]) ? values[0] : values));

const has = (list: readonly unknown[], value: unknown): boolean => list.some((one) => equal(one, value));

const contains = (value: unknown, list: unknown[]): boolean =>
  list.some((one) => equal(one, value) && (value !== undefined || one === undefined));

function distinct(values: readonly unknown[]): unknown[] {
  const sorted = [...values].sort((a, b) => compare(a, b));
  return sorted.filter((value, i) => i === 0 || !equal(value, sorted[i - 1]));
}

const sameSets = (first: unknown[], ...others: unknown[][]): boolean =>
  others.every((other) => first.every((one) => has(other, one)) && other.every((one) => has(first, one)));

type Call = (...values: unknown[]) => unknown;

/**
 * An operator whose `body` is evaluated for each element of its input: under the name that it is given, or under
 * these `names`. Of `more` it takes the values.
 */
const forEach =
  (
    { body, more = [], names }: { body: string; more?: string[]; names?: string[] },
    run: (list: unknown[], call: Call, given: Doc) => unknown,
    code: number,
  ): Form =>
  (argument, scope, compile, operator) => {
    const known = ['input', body, ...more, ...(names ? [] : ['as'])];
    const spec = named(operator, argument, known, ['input', body]);
    const variables = names ?? [typeof spec.as === 'string' ? spec.as : 'this'];
    const cells = variables.map((name): [string, Cell] => [name, { value: undefined }]);
    const input = compile(spec.input, scope);
    const inside = compile(spec[body], bound(scope, Object.fromEntries(cells)));
    const others = more
      .filter((name) => name in spec)
      .map((name) => [name, compile(spec[name], scope)] as const);
    const call: (root: unknown) => Call =
      (root) =>
      (...values) => {
        for (const [i, [, cell]] of cells.entries()) cell.value = values[i];
        return inside(root);
      };
    return (root) => {
      const list = input(root);
      if (missing(list)) return null;
      if (!Array.isArray(list)) fault(code, `input to ${operator} must be an array not ${typeName(list)}`);
      return run(list, call(root), Object.fromEntries(others.map(([name, part]) => [name, part(root)])));
    };
  };

function filtered(list: unknown[], test: Call, { limit }: Doc): unknown[] {
  const enough = missing(limit) ? Number.POSITIVE_INFINITY : toNumber(limit);
  if (!(enough >= 1)) fault(327391, `$filter: limit must be greater than 0: ${enough}`);
  const kept: unknown[] = [];
  for (const element of list) if (truthy(test(element)) && kept.push(element) >= enough) break;
  return kept;
}

function reduced(list: unknown[], call: Call, given: Doc): unknown {
  if (!('initialValue' in given)) fault(40079, "$reduce requires 'initialValue' to be specified");
  return list.reduce((total, element) => call(element, total), given.initialValue);
}

const zip = op(
  '34461 inputs:array useLongestLength:any? defaults:array?',
  ({ inputs, useLongestLength, defaults = [] }) => {
    if (inputs.length === 0) fault(34465, '$zip requires at least one input array');
    if (inputs.some(missing)) return null;
    const lists = inputs.map((one) => (Array.isArray(one) ? one : fault(34468, '$zip takes arrays')));
    const sizes = lists.map((list) => list.length);
    const length = useLongestLength === true ? Math.max(...sizes) : Math.min(...sizes);
    return Array.from({ length }, (_, i) => lists.map((list, j) => list[i] ?? defaults[j] ?? null));
  },
);

const sortArray: Form = (argument, scope, compile) => {
  const { input, sortBy } = named('$sortArray', argument, ['input', 'sortBy']);
  const by = isDoc(sortBy) ? compileSort(sortBy) : undefined;
  const way = toNumber(sortBy);
  if (!by && way !== 1 && way !== -1)
    fault(2942507, `$sortArray's sortBy must be 1, -1 or an object of fields`);
  const keyOf = (value: unknown): unknown[] => by?.keyOf(isDoc(value) ? value : {}) ?? [value];
  const order = by?.compareKeys ?? (([a], [b]) => way * compare(a, b));
  const sort = op('2942504 array', (list) => [...list].sort((a, b) => order(keyOf(a), keyOf(b))));
  return sort([input], scope, compile, '$sortArray');
};

export const ARRAYS: Record<string, Form> = {
  $size: op('17124 array!', (list) => list.length),
  $arrayElemAt: op('28689 array integer', (list, at) => list.at(at)),
  $first: op('28689 array', (list) => list[0]),
  $last: op('28689 array', (list) => list.at(-1)),
  $slice: op('28724 array integer integer?', (list, first, size) => {
    if (size !== undefined && size <= 0) fault(28729, `Third argument to $slice must be positive: ${size}`);
    return sliceOf(list, first, size);
  }),
  $concatArrays: op('28664 array*', (...lists) => lists.flat()),
  $in: op('40081 any array!', contains),
  $indexOfArray: op('40090 array any integer? integer?', (list, wanted, from = 0, to = list.length) => {
    if (from < 0 || to < 0) fault(40097, `an index must not be negative: ${Math.min(from, to)}`);
    return list.slice(0, to).findIndex((one, i) => i >= from && equal(one, wanted));
  }),
  $isArray: op('any', (value) => Array.isArray(value)),
  $reverseArray: op('34435 array', (list) => [...list].reverse()),
  $range: op('34443 integer! integer! integer?', range),
  $arrayToObject: op('40386 array', toObject),
  $map: forEach({ body: 'in' }, (list, call) => list.map((element) => call(element) ?? null), 16883),
  $filter: forEach({ body: 'cond', more: ['limit'] }, filtered, 28651),
  $reduce: forEach({ body: 'in', more: ['initialValue'], names: ['this', 'value'] }, reduced, 40080),
  $zip: zip,
  $sortArray: sortArray,
  $sum: overElements((values) => sum(values).total()),
  $avg: overElements((values) => sum(values).mean()),
  $min: overElements((values) => values.reduce(least, null)),
  $max: overElements((values) => values.reduce(greatest, null)),
  $setUnion: op('17043 array*', (...lists) => distinct(lists.flat())),
  $setIntersection: op('17047 array*', (first = [], ...rest) =>
    distinct(first.filter((value) => rest.every((other) => has(other, value)))),
  ),
  $setDifference: op('17048 array array', (first, second) =>
    first.filter((value, i) => !has(second, value) && !has(first.slice(0, i), value)),
  ),
  $setEquals: op('17044 array! array! array!*', sameSets),
  $setIsSubset: op('17046 array! array!', (a, b) => a.every((one) => has(b, one))),
  $allElementsTrue: op('17040 array!', (list) => list.every(truthy)),
  $anyElementTrue: op('17041 array!', (list) => list.some(truthy)),
};
