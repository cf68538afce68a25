// Writing documents with their index keys. What must stay true: everything that can refuse a document is asked before
// the first byte is written, so that a refused document leaves nothing behind. All of it runs inside a write.
import { type Catalogue, type Collection, namespace, saveCollection } from './catalogue.ts';
import { type Doc, decode, decodeFields } from './documents.ts';
import { fault } from './errors.ts';
import { duplicate, type Index, type Keys, keysOf } from './indexes.ts';
import { RECORD_ID_BYTES, recordKey } from './storage.ts';

export const LARGEST_DOCUMENT = 16 * 1024 * 1024;

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
    if (holder && holder.readUIntBE(0, RECORD_ID_BYTES) !== record)
      throw duplicate(namespace(c), change.index, raw);
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

function checkDocument(c: Collection, raw: Buffer, doc: Doc | undefined, bypass: boolean): void {
  if (raw.length > LARGEST_DOCUMENT)
    fault(
      10334,
      `BSONObj size: ${raw.length} is invalid. Size must be between 0 and ${LARGEST_DOCUMENT}(16MB)`,
    );
  if (!c.validator || bypass) return;
  const whole = doc ?? decode(raw);
  if (!c.validator(whole))
    fault(121, 'Document failed validation', {
      errInfo: { failingDocumentId: whole._id, details: { operatorName: 'validator' } },
    });
}

const indexedOf = (c: Collection, raw: Buffer): Doc =>
  c.indexed ? decodeFields(raw, c.indexed) : decode(raw);

export type Writing = { bypassValidation?: boolean | undefined };

export function insertRecord(
  catalogue: Catalogue,
  c: Collection,
  raw: Buffer,
  writing: Writing = {},
): number {
  checkDocument(c, raw, undefined, writing.bypassValidation === true);
  const doc = indexedOf(c, raw);
  const record = c.lastRecord + 1;
  const changes: Change[] = [];
  for (const index of c.indexes) {
    const keys = keysOf(index, doc);
    if (keys.keys.length === 0) continue;
    const change = { index, added: keys.keys, removed: [], keys };
    if (index.unique) checkUnique(catalogue, c, change, record, raw);
    changes.push(change);
  }
  c.lastRecord = record;
  c.count++;
  catalogue.changed.add(c);
  catalogue.storage.put(recordKey(c.records.prefix, record), raw);
  apply(catalogue, c, changes, record);
  return record;
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
  writing: Writing = {},
): void {
  checkDocument(c, raw, now, writing.bypassValidation === true);
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
  const doc = indexedOf(c, raw);
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
    last = key.readUIntBE(key.length - RECORD_ID_BYTES, RECORD_ID_BYTES);
    const keys = keysOf(index, index.roots ? decodeFields(value, index.roots) : decode(value));
    const change = { index, added: keys.keys, removed: [], keys };
    if (index.unique) checkUnique(catalogue, c, change, last, value);
    apply(catalogue, c, [change], last);
    if (++seen >= limit) return last;
  }
  return undefined;
}
