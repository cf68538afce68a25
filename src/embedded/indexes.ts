// What an index is and which keys a document has in it. What must stay true: the keys depend on nothing but the
// document and the index, so that the keys to remove are found again from the old document.

import { collator } from './collation.ts';
import { type Doc, decodeFields, isDoc } from './documents.ts';
import { fault, MongoFault } from './errors.ts';
import { EMPTY, encodeKey } from './keys.ts';
import { compileFilter } from './matching.ts';
import { isIndex } from './paths.ts';
import { fieldsOf } from './reading.ts';
import { show } from './showing.ts';
import { indexPrefix } from './storage.ts';
import { textTokens } from './text.ts';
import { type Collation, field, isNumber, toNumber } from './values.ts';

export type Index = {
  id: number;
  name: string;
  spec: Doc;
  kind: 'ordered' | 'text';
  fields: string[];
  paths: string[][];
  descending: boolean[];
  /** Top-level fields that the keys depend on; null when that may be any. */
  roots: Set<string> | null;
  unique: boolean;
  sparse: boolean;
  partial: ((doc: Doc) => boolean) | undefined;
  collation: Collation | undefined;
  weights: [string, number][];
  prefix: Buffer;
  /** By field: whether some document has an array there. Only ever set, never cleared. */
  multikey: boolean[];
  /** Its keys are being added: kept up by every write, not yet asked. */
  building: boolean;
  /** Whether some key was too long and is in order only by its beginning. */
  shortened: boolean;
};

export type Keys = { keys: Buffer[]; multikey: boolean[] | null; shortened: boolean };

export function prepareIndex(id: number, spec: Doc, known?: boolean[], shortened = false): Index {
  const key = spec.key as Doc;
  const multikey = known ?? Object.keys(key).map(() => false);
  const fields = Object.keys(key);
  const text = Object.values(key).includes('text');
  const weights = Object.entries((spec.weights ?? {}) as Doc).map(([name, weight]): [string, number] => [
    name,
    toNumber(weight),
  ]);
  const partial = spec.partialFilterExpression as Doc | undefined;
  const collation = collator(spec.collation);
  const read = partial ? fieldsOf(partial) : new Set<string>();
  const paths = text ? weights.map(([name]) => name) : fields;
  const everywhere = !read || paths.includes('$**');
  return {
    id,
    name: String(spec.name),
    spec,
    kind: text ? 'text' : 'ordered',
    fields,
    paths: fields.map((name) => name.split('.')),
    descending: Object.values(key).map((direction) => isNumber(direction) && toNumber(direction) < 0),
    roots: everywhere ? null : new Set([...paths.map((path) => path.split('.')[0] as string), ...read]),
    unique: spec.unique === true || spec.name === '_id_',
    sparse: spec.sparse === true,
    partial: partial ? compileFilter(partial, { collation }) : undefined,
    collation,
    weights,
    prefix: indexPrefix(id),
    multikey,
    building: false,
    shortened,
  };
}

type Walk = { value: unknown; rest: readonly string[]; settled: boolean };

/** Follows a path through documents, and through arrays where it names a position, to its end or to an array. */
function follow(from: unknown, path: readonly string[]): Walk {
  let value = from;
  for (let i = 0; i < path.length; i++) {
    const part = path[i] as string;
    if (Array.isArray(value)) {
      if (!isIndex(part)) return { value, rest: path.slice(i), settled: false };
      value = value[Number(part)];
    } else value = isDoc(value) ? field(value, part) : undefined;
  }
  return { value, rest: [], settled: !Array.isArray(value) };
}

/** The walks that have come to this array go on in one of its elements; an array in an array is a value. */
function enter(walk: Walk, array: unknown[], element: unknown): Walk {
  if (walk.settled || walk.value !== array) return walk;
  if (walk.rest.length === 0) return { value: element, rest: [], settled: true };
  return Array.isArray(element) ? { value: undefined, rest: [], settled: true } : follow(element, walk.rest);
}

function expand(walks: Walk[], multikey: boolean[], found: unknown[][]): void {
  const arrays = walks.filter(({ settled }) => !settled).map(({ value }) => value as unknown[]);
  const array = arrays[0];
  if (!array) {
    found.push(walks.map(({ value }) => value));
    return;
  }
  if (arrays.some((other) => other !== array)) fault(171, 'cannot index parallel arrays');
  walks.forEach((walk, i) => {
    if (!walk.settled) multikey[i] = true;
  });
  if (array.length === 0) {
    const none = walks.map((walk) => (walk.settled ? walk.value : walk.rest.length ? undefined : EMPTY));
    found.push(none);
  }
  for (const element of array)
    expand(
      walks.map((walk) => enter(walk, array, element)),
      multikey,
      found,
    );
}

function combinations(index: Index, doc: Doc): { tuples: unknown[][]; multikey: boolean[] | null } {
  const walks = index.paths.map((path) => follow(doc, path));
  if (walks.every(({ settled }) => settled)) {
    if (index.sparse && walks.every(({ value }) => value === undefined))
      return { tuples: [], multikey: null };
    return { tuples: [walks.map(({ value }) => value)], multikey: null };
  }
  const multikey = index.paths.map(() => false);
  const tuples: unknown[][] = [];
  expand(walks, multikey, tuples);
  return { tuples, multikey };
}

const NONE: Keys = { keys: [], multikey: null, shortened: false };

/** The keys of a document, without the record's id. */
export function keysOf(index: Index, doc: Doc): Keys {
  if (index.partial && !index.partial(doc)) return NONE;
  if (index.kind === 'text') {
    const terms = [...textTokens(doc, index.weights)];
    return { keys: terms.map((term) => encodeKey(index, [term]).key), multikey: null, shortened: false };
  }
  const { tuples, multikey } = combinations(index, doc);
  let shortened = false;
  const keys: Buffer[] = [];
  for (const tuple of tuples) {
    const encoded = encodeKey(index, tuple);
    shortened ||= encoded.shortened;
    if (tuples.length === 1 || !keys.some((key) => key.equals(encoded.key))) keys.push(encoded.key);
  }
  return { keys, multikey, shortened };
}

/** Only the fields that the indexes of a collection look at. */
export function fieldsIndexed(indexes: readonly Index[]): Set<string> | null {
  const all = new Set<string>();
  for (const { roots } of indexes) {
    if (!roots) return null;
    for (const root of roots) all.add(root);
  }
  return all;
}

export function duplicate(namespace: string, index: Index, raw: Buffer): MongoFault {
  const doc = decodeFields(raw, index.roots ?? new Set(index.fields));
  const values: Doc = {};
  for (let i = 0; i < index.fields.length; i++) {
    const { value } = follow(doc, index.paths[i] ?? []);
    values[index.fields[i] as string] = value === undefined ? null : value;
  }
  const shown = Object.entries(values).map(([name, value]) => `${name}: ${show(value)}`);
  return new MongoFault(
    11000,
    `E11000 duplicate key error collection: ${namespace} index: ${index.name} dup key: { ${shown.join(', ')} }`,
    { keyPattern: index.spec.key, keyValue: values },
  );
}
