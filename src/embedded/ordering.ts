// Sorting. An array sorts by its least element upwards and by its greatest downwards; an empty one before all else.
import type { Doc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { checkFieldPath, valuesAt } from './paths.ts';
import { scoreOf } from './text.ts';
import { type Collation, compare, field, isNumber, isObject, ORDER, toNumber, typeOf } from './values.ts';

export interface Ordering {
  /** The top-level fields that decide. */
  fields: ReadonlySet<string>;
  keyOf(doc: Doc): unknown[];
  compareKeys(a: readonly unknown[], b: readonly unknown[]): number;
}

const EMPTY = Symbol('empty array');

interface Key {
  way: 1 | -1;
  read(doc: Doc): unknown;
}

function compareSortValues(a: unknown, b: unknown, collation?: Collation): number {
  if (typeof a === 'number' && typeof b === 'number') {
    if (a < b) return -1;
    if (a > b) return 1;
  }
  if (a === EMPTY || b === EMPTY) {
    if (a === b) return 0;
    const after = typeOf(a === EMPTY ? b : a) === ORDER.MIN_KEY ? 1 : -1;
    return a === EMPTY ? after : -after;
  }
  return compare(a, b, collation);
}

function fieldReader(path: string, way: 1 | -1, collation?: Collation): (doc: Doc) => unknown {
  const parts = path.split('.');
  const [first = ''] = parts;
  const extreme = (found: readonly unknown[]): unknown => {
    let best: unknown;
    let any = false;
    for (const value of found) {
      const candidates = Array.isArray(value) ? (value.length > 0 ? value : [EMPTY]) : [value];
      for (const candidate of candidates) {
        if (!any || way * compareSortValues(candidate, best, collation) < 0) best = candidate;
        any = true;
      }
    }
    return best;
  };
  return (doc) => {
    if (parts.length === 1) {
      const value = field(doc, first);
      return Array.isArray(value) ? extreme([value]) : value;
    }
    const found: unknown[] = [];
    valuesAt(doc, parts, found);
    return extreme(found);
  };
}

function keyOf(path: string, spec: unknown, collation?: Collation): Key {
  if (isObject(spec)) {
    if (spec.$meta !== 'textScore') fault(17312, `$meta is the only expression supported by $sort right now`);
    return { way: -1, read: (doc) => scoreOf(doc) ?? 0 };
  }
  const way = toNumber(spec);
  if (!isNumber(spec) || !(way > 0 || way < 0)) {
    if (!isNumber(spec)) fault(15974, `Illegal key in $sort specification: ${path}: ${String(spec)}`);
    fault(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)');
  }
  checkFieldPath(path);
  const sign = way > 0 ? 1 : -1;
  return { way: sign, read: fieldReader(path, sign, collation) };
}

export function compileSort(spec: unknown, collation?: Collation): Ordering {
  if (!isObject(spec)) fault(15973, 'the $sort key specification must be an object');
  const paths = Object.keys(spec);
  const keys = paths.map((path) => keyOf(path, spec[path], collation));
  return {
    fields: new Set(paths.map((path) => path.split('.')[0] ?? '')),
    keyOf: (doc) => keys.map((key) => key.read(doc)),
    compareKeys(a, b) {
      for (let i = 0; i < keys.length; i++) {
        const difference = compareSortValues(a[i], b[i], collation);
        if (difference) return difference * (keys[i]?.way ?? 1);
      }
      return 0;
    },
  };
}

interface Entry<T> {
  item: T;
  key: unknown[];
  /** Where it came from: equal keys keep their order. */
  place: number;
}

/** All items in order, or with a limit the first of them without keeping the others. */
export function sortDocs<T>(
  items: Iterable<T>,
  ordering: Ordering,
  options: { limit?: number | undefined; doc?: (item: T) => Doc } = {},
): T[] {
  const { limit = Number.POSITIVE_INFINITY, doc = (item) => item as unknown as Doc } = options;
  if (limit < 0) bad('a limit must not be negative');
  const before = (a: Entry<T>, b: Entry<T>): number =>
    ordering.compareKeys(a.key, b.key) || a.place - b.place;
  const kept: Entry<T>[] = [];
  let place = 0;
  for (const item of items) {
    const entry = { item, key: ordering.keyOf(doc(item)), place: place++ };
    if (kept.length < limit) {
      kept.push(entry);
      if (kept.length === limit) for (let i = (limit >> 1) - 1; i >= 0; i--) sink(kept, i, before);
    } else if (limit > 0 && before(entry, kept[0] as Entry<T>) < 0) {
      kept[0] = entry;
      sink(kept, 0, before);
    }
  }
  return kept.sort(before).map((entry) => entry.item);
}

/** Restores a heap whose root is the last in order. */
function sink<T>(heap: T[], from: number, before: (a: T, b: T) => number): void {
  let at = from;
  for (;;) {
    let last = at;
    for (const child of [2 * at + 1, 2 * at + 2]) {
      if (child < heap.length && before(heap[child] as T, heap[last] as T) > 0) last = child;
    }
    if (last === at) return;
    const moved = heap[at] as T;
    heap[at] = heap[last] as T;
    heap[last] = moved;
    at = last;
  }
}
