// Sorting. An array sorts by its least element upwards and by its greatest downwards; an empty one before all else.
import { type Doc, isDoc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { checkFieldPath, reader } from './paths.ts';
import { scoreOf } from './text.ts';
import { type Collation, compare, isNumber, ORDER, toNumber, typeOf } from './values.ts';

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
  if (a !== EMPTY && b !== EMPTY) return compare(a, b, collation);
  if (a === b) return 0;
  const after = typeOf(a === EMPTY ? b : a) === ORDER.MIN_KEY ? 1 : -1;
  return a === EMPTY ? after : -after;
}

/** The value, of an array the one that counts; undefined for none. */
function keyValue(found: readonly unknown[], way: 1 | -1, collation?: Collation): unknown {
  if (found.length === 1 && !Array.isArray(found[0])) return found[0];
  const candidates = found.flatMap((value) => (Array.isArray(value) && value.length === 0 ? EMPTY : value));
  if (candidates.length === 0) return undefined;
  return candidates.reduce((best, one) => (way * compareSortValues(one, best, collation) < 0 ? one : best));
}

function keyOf(path: string, spec: unknown, collation?: Collation): Key {
  if (isDoc(spec)) {
    if (spec.$meta !== 'textScore') fault(17312, `$meta is the only expression supported by $sort right now`);
    return { way: -1, read: (doc) => scoreOf(doc) ?? 0 };
  }
  if (!isNumber(spec)) fault(15974, `Illegal key in $sort specification: ${path}: ${String(spec)}`);
  const number = toNumber(spec);
  if (!(number > 0 || number < 0))
    fault(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)');
  checkFieldPath(path);
  const way = number > 0 ? 1 : -1;
  const read = reader(path);
  return { way, read: (doc) => keyValue(read(doc), way, collation) };
}

export function compileSort(spec: unknown, collation?: Collation): Ordering {
  if (!isDoc(spec)) fault(15973, 'the $sort key specification must be an object');
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
}

/** How many more than asked for are kept before they are sorted and cut. */
const SPARE = 1000;

/** All items in order, equal ones in theirs; or with a limit the first of them, without keeping all others. */
export function sortDocs<T>(
  items: Iterable<T>,
  ordering: Ordering,
  options: { limit?: number | undefined; doc?: (item: T) => Doc } = {},
): T[] {
  const { limit = Number.POSITIVE_INFINITY, doc = (item) => item as unknown as Doc } = options;
  if (limit < 0) bad('a limit must not be negative');
  const kept: Entry<T>[] = [];
  let worst: Entry<T> | undefined;
  const cut = (): void => {
    kept.sort((a, b) => ordering.compareKeys(a.key, b.key));
    if (kept.length <= limit) return;
    kept.length = limit;
    worst = kept.at(-1);
  };
  for (const item of items) {
    const entry = { item, key: ordering.keyOf(doc(item)) };
    // What comes later and is not before the last of those kept is behind it.
    if (worst && ordering.compareKeys(entry.key, worst.key) >= 0) continue;
    if (kept.push(entry) > 2 * limit + SPARE) cut();
  }
  cut();
  return kept.map((entry) => entry.item);
}

/** So many of a sequence, after so many others. */
export function* window<T>(
  rows: Iterable<T>,
  skip = 0,
  limit = Number.POSITIVE_INFINITY,
): Generator<T, void> {
  let passed = 0;
  for (const row of rows) {
    if (passed++ < skip) continue;
    yield row;
    if (passed >= skip + limit) return;
  }
}
