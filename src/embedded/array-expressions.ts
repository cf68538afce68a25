// Operators over arrays, as lists and as sets, those that bind a variable to each element among them.
import { average, sum } from './arithmetic.ts';
import { type Doc, setField } from './documents.ts';
import { fault } from './errors.ts';
import {
  any,
  array,
  bound,
  type Cell,
  type Form,
  integer,
  missing,
  named,
  number,
  optional,
  strict,
  takes,
  takesAll,
  takesNamed,
  truthy,
} from './operators.ts';
import { compileSort } from './ordering.ts';
import { deviation, extreme, extremes } from './statistics.ts';
import { compare, equal, isObject, toNumber, typeName } from './values.ts';

const elementAt = takes(
  [array, number],
  (list, at) => {
    const index = toNumber(at);
    return Number.isInteger(index)
      ? list.at(index)
      : fault(28691, `$arrayElemAt takes a whole number, not ${index}`);
  },
  28689,
);

/** `size` elements from a place, which may count from the end; without a size the first or the last so many. */
export function sliceOf(list: unknown[], first: number, size?: number): unknown[] {
  if (size === undefined) return first >= 0 ? list.slice(0, first) : list.slice(first);
  const from = first < 0 ? Math.max(0, list.length + first) : first;
  return list.slice(from, from + size);
}

const slice = takes(
  [array, integer, optional(integer)],
  (list, first, size) => {
    if (size !== undefined && size <= 0) fault(28729, `Third argument to $slice must be positive: ${size}`);
    return sliceOf(list, first, size);
  },
  28724,
);

const indexIn = takes(
  [array, any, optional(integer), optional(integer)],
  (list, wanted, from = 0, to = list.length) => {
    if (from < 0 || to < 0) fault(40097, `an index must not be negative: ${Math.min(from, to)}`);
    return list.slice(0, to).findIndex((one, i) => i >= from && equal(one, wanted));
  },
  40090,
);

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
    const pair = isObject(entry) && 'k' in entry && 'v' in entry ? [entry.k, entry.v] : entry;
    if (!Array.isArray(pair) || pair.length !== 2)
      fault(40398, `$arrayToObject takes pairs or {k, v}, not ${typeName(entry)}`);
    const [key, value] = pair;
    if (typeof key !== 'string')
      fault(40395, `$arrayToObject takes keys that are strings, not ${typeName(key)}`);
    setField(result, key, value);
  }
  return result;
}

/** One array argument stands for its elements; several arguments stand for themselves. */
const overElements = (apply: (values: readonly unknown[]) => unknown): Form =>
  takesAll(
    any,
    (values) => apply(values.length === 1 && Array.isArray(values[0]) ? values[0] : values),
    14,
    1,
  );

const has = (list: readonly unknown[], value: unknown): boolean => list.some((one) => equal(one, value));

function distinct(values: readonly unknown[]): unknown[] {
  const sorted = [...values].sort((a, b) => compare(a, b));
  return sorted.filter((value, i) => i === 0 || !equal(value, sorted[i - 1]));
}

const contains = (value: unknown, list: unknown[]): boolean =>
  list.some((one) => equal(one, value) && (value !== undefined || one === undefined));

const difference = (first: unknown[], second: unknown[]): unknown[] =>
  first.filter((value, i) => !has(second, value) && !has(first.slice(0, i), value));

const sameSets = ([first = [], ...rest]: unknown[][]): boolean =>
  rest.every((other) => first.every((one) => has(other, one)) && other.every((one) => has(first, one)));

/** An operator whose `in` or `cond` is evaluated for each element of its input, under the names of its variables. */
const forEach =
  (
    names: { known: string[]; body: string; variables: (spec: Doc) => string[] },
    run: (list: unknown[], call: (...values: unknown[]) => unknown, given: Doc) => unknown,
    code: number,
  ): Form =>
  (argument, scope, compile, operator) => {
    const { known, body, variables } = names;
    const spec = named(operator, argument, known, ['input', body]);
    const cells = variables(spec).map((name): [string, Cell] => [name, { value: undefined }]);
    const input = compile(spec.input, scope);
    const inside = compile(spec[body], bound(scope, Object.fromEntries(cells)));
    const others = known.filter((name) => name in spec && !['input', 'as', body].includes(name));
    const parts = others.map((name) => [name, compile(spec[name], scope)] as const);
    return (root) => {
      const list = input(root);
      if (missing(list)) return null;
      if (!Array.isArray(list)) fault(code, `input to ${operator} must be an array not ${typeName(list)}`);
      const given = Object.fromEntries(parts.map(([name, part]) => [name, part(root)]));
      const call = (...values: unknown[]): unknown => {
        cells.forEach(([, cell], i) => {
          cell.value = values[i];
        });
        return inside(root);
      };
      return run(list, call, given);
    };
  };

const own = ({ as }: Doc): string[] => [typeof as === 'string' ? as : 'this'];

function filtered(list: unknown[], test: (element: unknown) => unknown, { limit }: Doc): unknown[] {
  const enough = missing(limit) ? Number.POSITIVE_INFINITY : toNumber(limit);
  if (enough < 1) fault(327391, `$filter: limit must be greater than 0: ${enough}`);
  const kept: unknown[] = [];
  for (const element of list) if (truthy(test(element)) && kept.push(element) >= enough) break;
  return kept;
}

const zip = takesNamed(
  { inputs: array, useLongestLength: optional(any), defaults: optional(array) },
  ({ inputs, useLongestLength, defaults = [] }) => {
    if (inputs.length === 0) fault(34465, '$zip requires at least one input array');
    if (inputs.some(missing)) return null;
    const lists = inputs.map((one) => (Array.isArray(one) ? one : fault(34468, '$zip takes arrays')));
    const sizes = lists.map((list) => list.length);
    const length = useLongestLength === true ? Math.max(...sizes) : Math.min(...sizes);
    return Array.from({ length }, (_, i) => lists.map((list, j) => list[i] ?? defaults[j] ?? null));
  },
  34461,
);

const sortArray: Form = (argument, scope, compile) => {
  const { input, sortBy } = named('$sortArray', argument, ['input', 'sortBy'], ['input', 'sortBy']);
  const by = isObject(sortBy) ? compileSort(sortBy) : undefined;
  const way = toNumber(sortBy);
  const keyOf = (value: unknown): unknown[] => by?.keyOf(isObject(value) ? value : {}) ?? [value];
  const order = by?.compareKeys ?? (([a], [b]) => way * compare(a, b));
  const sort = takes([array], (list) => [...list].sort((a, b) => order(keyOf(a), keyOf(b))), 2942504);
  return sort([input], scope, compile, '$sortArray');
};

const several = (take: (list: unknown[], n: number) => unknown[]): Form =>
  takesNamed(
    { n: strict(integer), input: strict(array) },
    ({ n, input }) => (n < 1 ? fault(5787908, `'n' must be greater than 0, found ${n}`) : take(input, n)),
    5788200,
  );

const IN = { known: ['input', 'as', 'in'], body: 'in', variables: own };

export const ARRAYS: Record<string, Form> = {
  $size: takes([strict(array)], (list) => list.length, 17124),
  $arrayElemAt: elementAt,
  $first: takes([array], (list) => list[0], 28689),
  $last: takes([array], (list) => list.at(-1), 28689),
  $slice: slice,
  $concatArrays: takesAll(array, (lists) => lists.flat(), 28664),
  $in: takes([any, strict(array)], contains, 40081),
  $indexOfArray: indexIn,
  $isArray: takes([any], (value) => Array.isArray(value)),
  $reverseArray: takes([array], (list) => [...list].reverse(), 34435),
  $range: takes([strict(integer), strict(integer), optional(strict(integer))], range, 34443),
  $arrayToObject: takes([array], toObject, 40386),
  $map: forEach(IN, (list, call) => list.map((element) => call(element) ?? null), 16883),
  $filter: forEach(
    { known: ['input', 'as', 'cond', 'limit'], body: 'cond', variables: own },
    filtered,
    28651,
  ),
  $reduce: forEach(
    { known: ['input', 'initialValue', 'in'], body: 'in', variables: () => ['this', 'value'] },
    (list, call, given) => {
      if (!('initialValue' in given)) fault(40079, "$reduce requires 'initialValue' to be specified");
      return list.reduce((total, element) => call(element, total), given.initialValue);
    },
    40080,
  ),
  $zip: zip,
  $sortArray: sortArray,
  $firstN: several((list, n) => list.slice(0, n)),
  $lastN: several((list, n) => list.slice(-n)),
  $minN: several((list, n) => extremes(list, n, -1)),
  $maxN: several((list, n) => extremes(list, n, 1)),
  $sum: overElements(sum),
  $avg: overElements(average),
  $min: overElements((values) => extreme(values, -1)),
  $max: overElements((values) => extreme(values, 1)),
  $stdDevPop: overElements((values) => deviation(values, 0)),
  $stdDevSamp: overElements((values) => deviation(values, 1)),
  $setUnion: takesAll(array, (lists) => distinct(lists.flat()), 17043),
  $setIntersection: takesAll(
    array,
    ([first = [], ...rest]) => distinct(first.filter((value) => rest.every((other) => has(other, value)))),
    17047,
  ),
  $setDifference: takes([array, array], difference, 17048),
  $setEquals: takesAll(strict(array), sameSets, 17044, 2),
  $setIsSubset: takes([strict(array), strict(array)], (a, b) => a.every((one) => has(b, one)), 17046),
  $allElementsTrue: takes([strict(array)], (list) => list.every(truthy), 17040),
  $anyElementTrue: takes([strict(array)], (list) => list.some(truthy), 17041),
};
