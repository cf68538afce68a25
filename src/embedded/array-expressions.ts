// Operators over arrays, those that bind a variable to each element among them.
import { average, sum } from './arithmetic-expressions.ts';
import { type Doc, setField } from './documents.ts';
import { fault, MongoFault } from './errors.ts';
import {
  ANY,
  arrayOf,
  bound,
  type Calculation,
  type Cell,
  type Form,
  int32,
  missing,
  named,
  truthy,
} from './operators.ts';
import { compileSort } from './ordering.ts';
import { deviation, extreme, extremes } from './statistics.ts';
import { compare, equal, isNumber, isObject, toNumber, typeName } from './values.ts';

function elementAt(array: unknown, at: unknown): unknown {
  if (missing(array) || missing(at)) return null;
  if (!Array.isArray(array)) {
    fault(28689, `$arrayElemAt's first argument must be an array, but is ${typeName(array)}`);
  }
  if (!isNumber(at))
    fault(28690, `$arrayElemAt's second argument must be a numeric value, but is ${typeName(at)}`);
  const index = toNumber(at);
  if (!Number.isInteger(index)) {
    fault(28691, `$arrayElemAt's second argument must be representable as a 32-bit integer: ${index}`);
  }
  return array.at(index);
}

function slice(array: unknown, position: unknown, count?: unknown): unknown {
  if (missing(array) || missing(position)) return null;
  if (!Array.isArray(array))
    fault(28724, `First argument to $slice must be an array, but is of type: ${typeName(array)}`);
  const first = int32('$slice', position, 28726);
  if (count === undefined) return first >= 0 ? array.slice(0, first) : array.slice(first);
  if (count === null) return null;
  const size = int32('$slice', count, 28728);
  if (size <= 0) fault(28729, `Third argument to $slice must be positive: ${size}`);
  const from = first < 0 ? Math.max(0, array.length + first) : first;
  return array.slice(from, from + size);
}

function concatenated(...values: unknown[]): unknown {
  if (values.some(missing)) return null;
  return values.flatMap((value) =>
    Array.isArray(value) ? value : fault(28664, `$concatArrays only supports arrays, not ${typeName(value)}`),
  );
}

function indexIn(array: unknown, wanted: unknown, start: unknown = 0, end?: unknown): unknown {
  if (missing(array)) return null;
  if (!Array.isArray(array)) {
    fault(40090, `$indexOfArray requires an array as a first argument, found: ${typeName(array)}`);
  }
  const to = end === undefined ? array.length : Math.min(toNumber(end), array.length);
  for (let i = toNumber(start); i < to; i++) if (equal(array[i], wanted)) return i;
  return -1;
}

const LONGEST_RANGE = 1_000_000;

function range(start: unknown, end: unknown, step: unknown = 1): unknown {
  const [from, to, by] = [
    int32('$range', start, 34444),
    int32('$range', end, 34446),
    int32('$range', step, 34448),
  ];
  if (by === 0) fault(34449, '$range requires a non-zero step value');
  if ((to - from) / by > LONGEST_RANGE) {
    throw new MongoFault(146, 'ExceededMemoryLimit', `$range would make more than ${LONGEST_RANGE} numbers`);
  }
  const found: number[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) found.push(i);
  return found;
}

function toObject(value: unknown): unknown {
  if (missing(value)) return null;
  if (!Array.isArray(value))
    fault(40386, `$arrayToObject requires an array input, found: ${typeName(value)}`);
  const result: Doc = {};
  for (const entry of value) {
    const [key, inner] = Array.isArray(entry)
      ? entry.length === 2
        ? entry
        : fault(40397, '$arrayToObject requires an array of size 2 arrays')
      : isObject(entry) && 'k' in entry && 'v' in entry
        ? [entry.k, entry.v]
        : fault(40398, `Unrecognised input type format for $arrayToObject: ${typeName(entry)}`);
    if (typeof key !== 'string') {
      fault(40395, `$arrayToObject requires an object keys to be of type string, found: ${typeName(key)}`);
    }
    setField(result, key, inner);
  }
  return result;
}

/** One array argument stands for its elements; several arguments stand for themselves. */
const overElements =
  (apply: (values: readonly unknown[]) => unknown) =>
  (...values: unknown[]): unknown =>
    apply(values.length === 1 && Array.isArray(values[0]) ? values[0] : values);

const end =
  (operator: string, at: number) =>
  (value: unknown): unknown =>
    missing(value) ? null : arrayOf(operator, value, 28689).at(at);

function contains(value: unknown, array: unknown): boolean {
  if (!Array.isArray(array)) {
    fault(40081, `$in requires an array as a second argument, found: ${typeName(array)}`);
  }
  return array.some((one) => equal(one, value) && (value !== undefined || one === undefined));
}

export const ARRAYS: Record<string, Calculation> = {
  $size: [1, 1, (value) => arrayOf('$size', value, 17124).length],
  $arrayElemAt: [2, 2, elementAt],
  $first: [1, 1, end('$first', 0)],
  $last: [1, 1, end('$last', -1)],
  $slice: [2, 3, slice],
  $concatArrays: [0, ANY, concatenated],
  $in: [2, 2, contains],
  $indexOfArray: [2, 4, indexIn],
  $isArray: [1, 1, (value) => Array.isArray(value)],
  $reverseArray: [
    1,
    1,
    (value) => (missing(value) ? null : [...arrayOf('$reverseArray', value, 34435)].reverse()),
  ],
  $range: [2, 3, range],
  $arrayToObject: [1, 1, toObject],
  $sum: [1, ANY, overElements(sum)],
  $avg: [1, ANY, overElements(average)],
  $min: [1, ANY, overElements((values) => extreme(values, -1))],
  $max: [1, ANY, overElements((values) => extreme(values, 1))],
  $stdDevPop: [1, ANY, overElements((values) => deviation(values, 0))],
  $stdDevSamp: [1, ANY, overElements((values) => deviation(values, 1))],
};

const variableName = (value: unknown, fallback: string): string =>
  typeof value === 'string' ? value : fallback;

const mapping: Form = (argument, scope, compile) => {
  const spec = named('$map', argument, ['input', 'as', 'in'], ['input', 'in']);
  const cell: Cell = { value: undefined };
  const input = compile(spec.input, scope);
  const each = compile(spec.in, bound(scope, { [variableName(spec.as, 'this')]: cell }));
  return (root) => {
    const array = input(root);
    if (missing(array)) return null;
    if (!Array.isArray(array)) fault(16883, `input to $map must be an array not ${typeName(array)}`);
    return array.map((element) => {
      cell.value = element;
      return each(root) ?? null;
    });
  };
};

const filtering: Form = (argument, scope, compile) => {
  const spec = named('$filter', argument, ['input', 'as', 'cond', 'limit'], ['input', 'cond']);
  const cell: Cell = { value: undefined };
  const input = compile(spec.input, scope);
  const test = compile(spec.cond, bound(scope, { [variableName(spec.as, 'this')]: cell }));
  const limit = 'limit' in spec ? compile(spec.limit, scope) : () => null;
  return (root) => {
    const array = input(root);
    if (missing(array)) return null;
    if (!Array.isArray(array)) fault(28651, `input to $filter must be an array not ${typeName(array)}`);
    const most = limit(root);
    const enough = missing(most) ? Number.POSITIVE_INFINITY : toNumber(most);
    if (enough < 1) fault(327391, `$filter: limit must be greater than 0: ${enough}`);
    const kept: unknown[] = [];
    for (const element of array) {
      cell.value = element;
      if (truthy(test(root)) && kept.push(element) >= enough) break;
    }
    return kept;
  };
};

const reducing: Form = (argument, scope, compile) => {
  const spec = named('$reduce', argument, ['input', 'initialValue', 'in'], ['input', 'initialValue', 'in']);
  const element: Cell = { value: undefined };
  const total: Cell = { value: undefined };
  const input = compile(spec.input, scope);
  const start = compile(spec.initialValue, scope);
  const next = compile(spec.in, bound(scope, { this: element, value: total }));
  return (root) => {
    const array = input(root);
    if (missing(array)) return null;
    if (!Array.isArray(array))
      fault(40080, `$reduce requires that 'input' be an array, found: ${typeName(array)}`);
    let result = start(root);
    for (const one of array) {
      element.value = one;
      total.value = result;
      result = next(root);
    }
    return result;
  };
};

const zipping: Form = (argument, scope, compile) => {
  const spec = named('$zip', argument, ['inputs', 'useLongestLength', 'defaults'], ['inputs']);
  const inputs = compile(spec.inputs, scope);
  const defaults = compile(spec.defaults ?? [], scope);
  return (root) => {
    const arrays = inputs(root);
    if (missing(arrays) || (Array.isArray(arrays) && arrays.some(missing))) return null;
    if (!Array.isArray(arrays))
      fault(34461, `inputs must be an array of expressions, found ${typeName(arrays)}`);
    if (arrays.length === 0) fault(34465, '$zip requires at least one input array');
    const sizes = arrays.map((array) => arrayOf('$zip', array, 34468).length);
    const length = spec.useLongestLength === true ? Math.max(...sizes) : Math.min(...sizes);
    const fill = (defaults(root) as unknown[]) ?? [];
    return Array.from({ length }, (_, i) => arrays.map((array, j) => array[i] ?? fill[j] ?? null));
  };
};

const sorting: Form = (argument, scope, compile) => {
  const { input, sortBy } = named('$sortArray', argument, ['input', 'sortBy'], ['input', 'sortBy']);
  const from = compile(input, scope);
  const by = isObject(sortBy) ? compileSort(sortBy) : undefined;
  const way = toNumber(sortBy);
  const order = by
    ? (a: unknown, b: unknown) =>
        by.compareKeys(by.keyOf(isObject(a) ? a : {}), by.keyOf(isObject(b) ? b : {}))
    : (a: unknown, b: unknown) => way * compare(a, b);
  return (root) => {
    const array = from(root);
    if (missing(array)) return null;
    if (!Array.isArray(array))
      fault(
        2942504,
        `The input argument to $sortArray must be an array, but was of type: ${typeName(array)}`,
      );
    return [...array].sort(order);
  };
};

const several =
  (take: (array: unknown[], n: number) => unknown[]): Form =>
  (argument, scope, compile, operator) => {
    const spec = named(operator, argument, ['n', 'input'], ['n', 'input']);
    const [count, input] = [compile(spec.n, scope), compile(spec.input, scope)];
    return (root) => {
      const n = int32(operator, count(root), 5787902);
      if (n < 1) fault(5787908, `'n' must be greater than 0, found ${n}`);
      return take(arrayOf(operator, input(root), 5788200), n);
    };
  };

export const ARRAY_FORMS: Record<string, Form> = {
  $map: mapping,
  $filter: filtering,
  $reduce: reducing,
  $zip: zipping,
  $sortArray: sorting,
  $firstN: several((array, n) => array.slice(0, n)),
  $lastN: several((array, n) => array.slice(-n)),
  $minN: several((array, n) => extremes(array, n, -1)),
  $maxN: several((array, n) => extremes(array, n, 1)),
};
