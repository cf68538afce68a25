// Writing documents with their index keys. What must stay true: everything that can refuse a document is asked before
// the first byte is written, so that a refused document leaves nothing behind. All of it runs inside a write. Documents are stored as the bytes
// they came in, with _id first.
import { ObjectId } from 'bson';
import { type Catalogue, type Collection, namespace, saveCollection } from './catalogue.ts';
import {
  checkBson,
  checkSize,
  type Doc,
  decode,
  decodeFields,
  eachElement,
  encode,
  isDoc,
} from './documents.ts';
import { fault } from './errors.ts';
import { duplicate, type Index, type Keys, keysOf } from './indexes.ts';
import { RECORD_ID_BYTES, recordIn, recordKey, recordOf } from './storage.ts';

const NOTHING = Buffer.alloc(0);

type Change = { index: Index; added: Buffer[]; removed: Buffer[]; keys: Keys };

const toValue = (record: number): Buffer => {
  const value = Buffer.allocUnsafe(RECORD_ID_BYTES);
  value.writeUIntBE(record, 0, RECORD_ID_BYTES);
  return value;
};

function checkUnique(catalogue: Catalogue, c: Collection, change: Change, record: number, raw: Buffer): void {
  for (const key of change.added) {
    const holder = catalogue.storage.peek(key);
    if (holder && recordIn(holder) !== record) throw duplicate(namespace(c), change.index, raw);
  }
}

function noteKeys(catalogue: Catalogue, c: Collection, { index, keys }: Change): void {
  const widened = keys.multikey?.some((is, i) => is && !index.multikey[i]) === true;
  if (!widened && (!keys.shortened || index.shortened)) return;
  index.multikey = index.multikey.map((was, i) => was || keys.multikey?.[i] === true);
  index.shortened ||= keys.shortened;
  saveCollection(catalogue, c);
}

function apply(catalogue: Catalogue, c: Collection, changes: Change[], record: number): void {
  const { storage } = catalogue;
  for (const change of changes) {
    const { unique } = change.index;
    for (const key of change.removed) storage.remove(unique ? key : recordKey(key, record));
    for (const key of change.added) {
      if (unique) storage.put(key, toValue(record));
      else storage.put(recordKey(key, record), NOTHING);
    }
    noteKeys(catalogue, c, change);
  }
}

const partOf = (raw: Buffer, fields: ReadonlySet<string> | null): Doc =>
  fields ? decodeFields(raw, fields) : decode(raw);

/** The changes that a document from nothing makes in these indexes. */
function additions(
  catalogue: Catalogue,
  c: Collection,
  indexes: Index[],
  fields: ReadonlySet<string> | null,
  record: number,
  raw: Buffer,
): Change[] {
  const doc = partOf(raw, fields);
  return indexes.map((index) => {
    const keys = keysOf(index, doc);
    const change = { index, added: keys.keys, removed: [], keys };
    if (index.unique) checkUnique(catalogue, c, change, record, raw);
    return change;
  });
}

function insertRecord(catalogue: Catalogue, c: Collection, raw: Buffer): void {
  checkSize(raw.length);
  const record = c.lastRecord + 1;
  const changes = additions(catalogue, c, c.indexes, c.indexed, record, raw);
  c.lastRecord = record;
  c.count++;
  catalogue.changed.add(c);
  catalogue.storage.put(recordKey(c.records.prefix, record), raw);
  apply(catalogue, c, changes, record);
}

const without = (keys: Buffer[], others: Buffer[]): Buffer[] =>
  keys.filter((key) => !others.some((other) => other.equals(key)));

/** Untouched fields are the same objects in both documents: their indexes are not looked at. */
function isTouched({ roots }: Index, before: Doc, now: Doc): boolean {
  if (!roots) return true;
  for (const root of roots) if (before[root] !== now[root]) return true;
  return false;
}

export function replaceRecord(
  catalogue: Catalogue,
  c: Collection,
  record: number,
  before: Doc,
  now: Doc,
  raw: Buffer,
): void {
  checkSize(raw.length);
  const changes: Change[] = [];
  for (const index of c.indexes) {
    if (!isTouched(index, before, now)) continue;
    const keys = keysOf(index, now);
    const old = keysOf(index, before).keys;
    const change = { index, added: without(keys.keys, old), removed: without(old, keys.keys), keys };
    if (index.unique) checkUnique(catalogue, c, change, record, raw);
    if (change.added.length + change.removed.length > 0) changes.push(change);
  }
  catalogue.storage.put(recordKey(c.records.prefix, record), raw);
  apply(catalogue, c, changes, record);
}

export function removeRecord(catalogue: Catalogue, c: Collection, record: number, raw: Buffer): void {
  const doc = partOf(raw, c.indexed);
  for (const index of c.indexes) {
    for (const key of keysOf(index, doc).keys)
      catalogue.storage.remove(index.unique ? key : recordKey(key, record));
  }
  catalogue.storage.remove(recordKey(c.records.prefix, record));
  c.count--;
  catalogue.changed.add(c);
}

/** Adds what documents from `record` on have in a new index; answers where to go on, or nothing at the end. */
export function buildSlice(
  catalogue: Catalogue,
  c: Collection,
  index: Index,
  after: number,
  limit: number,
): number | undefined {
  const { storage } = catalogue;
  const low = recordKey(c.records.prefix, after + 1);
  let last = after;
  let seen = 0;
  for (const { key, value } of storage.entries({ low, high: c.records.high })) {
    last = recordOf(key);
    apply(catalogue, c, additions(catalogue, c, [index], index.roots, last, value), last);
    if (++seen >= limit) return last;
  }
  return undefined;
}

const ID = new Set(['_id']);
const DOCUMENT = 3;
/** By BSON type: what no document may be called. */
const UNFIT: Record<number, string> = { 4: 'array', 6: 'undefined', 11: 'regex' };

/** The document with its _id in front, made if it has none. */
function withId(raw: Buffer): Buffer {
  if (raw[5] === 95 && raw[6] === 105 && raw[7] === 100 && raw[8] === 0) return raw;
  let from = 0;
  let to = 0;
  eachElement(raw, (name, _type, at, size, start) => {
    if (name !== '_id') return undefined;
    from = start;
    to = at + size;
    return true;
  });
  if (to > 0)
    return Buffer.concat([
      raw.subarray(0, 4),
      raw.subarray(from, to),
      raw.subarray(4, from),
      raw.subarray(to),
    ]);
  const id = encode({ _id: new ObjectId() });
  const whole = Buffer.concat([raw.subarray(0, 4), id.subarray(4, -1), raw.subarray(4)]);
  whole.writeInt32LE(whole.length, 0);
  return whole;
}

function checkId(raw: Buffer): void {
  const kind = UNFIT[raw[4] as number];
  if (kind) fault(53, `The '_id' value cannot be of type ${kind}`);
  if (raw[4] !== DOCUMENT) return;
  const { _id: id } = decodeFields(raw, ID);
  for (const name of isDoc(id) ? Object.keys(id) : [])
    if (name.startsWith('$'))
      fault(52, `_id fields may not contain '$'-prefixed fields: ${name} is not valid for storage.`);
}

/** Must run in a write; the bytes are checked before anything is stored. */
export function insertRaw(catalogue: Catalogue, c: Collection, sent: Buffer): void {
  checkBson(sent);
  const raw = withId(sent);
  checkId(raw);
  insertRecord(catalogue, c, raw);
}

export const insertDoc = (catalogue: Catalogue, c: Collection, doc: Doc): void =>
  insertRaw(catalogue, c, encode(doc));
