// Which collections and indexes there are, as kept in the storage. The objects here are the only ones in this thread:
// they follow every commit, and `load` makes them anew after a commit that failed. Ids are never used twice.
import { UUID } from 'bson';
import { type Doc, decode, encode } from './documents.ts';
import { fault } from './errors.ts';
import { fieldsIndexed, type Index, prepareIndex } from './indexes.ts';
import { after, type KeyShape } from './keys.ts';
import { metaKey, type Range, RECORD_ID_BYTES, recordsPrefix, type Storage } from './storage.ts';

export type Collection = {
  id: number;
  database: string;
  name: string;
  uuid: string;
  options: Doc;
  indexes: Index[];
  /** What the indexes read of a document; null when that may be everything. */
  indexed: Set<string> | null;
  records: Range & { prefix: Buffer };
  count: number;
  lastRecord: number;
  dropped: boolean;
};

export type Catalogue = {
  storage: Storage;
  databases: Map<string, Map<string, Collection>>;
  nextId: number;
  /** Grows with every change of a collection or index; a reader in another thread loads again when it differs. */
  version: number;
  changed: Set<Collection>;
};

const STATISTICS = 's';
const COLLECTION = 'c';
const GARBAGE = 'g';
const NEXT = 'n';

export const rangeOf = (prefix: Buffer): Range => ({ low: prefix, high: after(prefix) });
export const indexRange = ({ prefix }: KeyShape): Range => rangeOf(prefix);
export const namespace = (c: Collection): string => `${c.database}.${c.name}`;

export function openCatalogue(storage: Storage): Catalogue {
  const catalogue: Catalogue = { storage, databases: new Map(), nextId: 1, version: 0, changed: new Set() };
  load(catalogue);
  return catalogue;
}

/** What another thread compares its catalogue with. */
export const storedVersion = (storage: Storage): number => storage.get(metaKey(NEXT))?.readUInt32BE(4) ?? 0;

export function load(catalogue: Catalogue): void {
  catalogue.databases.clear();
  catalogue.changed.clear();
  const { storage } = catalogue;
  const next = storage.get(metaKey(NEXT));
  catalogue.nextId = next ? next.readUInt32BE(0) : 1;
  catalogue.version = storedVersion(storage);
  const range = { low: metaKey(COLLECTION), high: metaKey(COLLECTION, 0xffffffff) };
  for (const { value } of storage.entries(range)) attach(catalogue, restore(storage, decode(value)));
}

/** An index that was being built when the engine died is not whole: it goes, whoever wanted it asks again. */
export function forgetUnfinished(catalogue: Catalogue): void {
  for (const collections of catalogue.databases.values())
    for (const c of collections.values()) {
      const unfinished = c.indexes.filter(({ building }) => building);
      if (unfinished.length === 0) continue;
      for (const { prefix } of unfinished) discard(catalogue, prefix);
      c.indexes = c.indexes.filter(({ building }) => !building);
      saveCollection(catalogue, c);
    }
}

type Kept = Pick<Collection, 'id' | 'database' | 'name' | 'uuid' | 'options' | 'indexes'>;

function collectionOf(kept: Kept, count: number, lastRecord: number): Collection {
  const prefix = recordsPrefix(kept.id);
  const records = { prefix, ...rangeOf(prefix) };
  return { ...kept, indexed: fieldsIndexed(kept.indexes), records, count, lastRecord, dropped: false };
}

function restore(storage: Storage, doc: Doc): Collection {
  const kept = doc as Kept;
  const indexes = (doc.indexes as Doc[]).map((each) => ({
    ...prepareIndex(each.id as number, each.spec as Doc, each.multikey as boolean[], each.shortened === true),
    building: each.building === true,
  }));
  const statistics = storage.get(metaKey(STATISTICS, kept.id));
  const [count = 0, lastRecord = 0] = [0, RECORD_ID_BYTES].map((at) =>
    statistics?.readUIntBE(at, RECORD_ID_BYTES),
  );
  return collectionOf({ ...kept, indexes }, count, lastRecord);
}

function attach(catalogue: Catalogue, collection: Collection): void {
  const collections = catalogue.databases.get(collection.database) ?? new Map<string, Collection>();
  catalogue.databases.set(collection.database, collections.set(collection.name, collection));
}

function detach({ databases }: Catalogue, { database, name }: Collection): void {
  const collections = databases.get(database);
  collections?.delete(name);
  if (collections?.size === 0) databases.delete(database);
}

/** Must run in a write. */
export function saveCollection(catalogue: Catalogue, collection: Collection): void {
  collection.indexed = fieldsIndexed(collection.indexes);
  const { id, database, name, uuid, options } = collection;
  const indexes = collection.indexes.map((each) => ({
    id: each.id,
    spec: each.spec,
    multikey: each.multikey,
    shortened: each.shortened,
    building: each.building,
  }));
  const kept = encode({ id, database, name, uuid, options, indexes });
  catalogue.storage.put(metaKey(COLLECTION, id), kept);
  catalogue.version++;
  saveNext(catalogue);
}

function saveNext({ storage, nextId, version }: Catalogue): void {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(nextId, 0);
  bytes.writeUInt32BE(version >>> 0, 4);
  storage.put(metaKey(NEXT), bytes);
}

export const takeId = (catalogue: Catalogue): number => catalogue.nextId++;

/** Counts and last record ids of what this commit has changed; in the same commit, so they are never wrong. */
export function saveStatistics(catalogue: Catalogue): void {
  for (const { id, count, lastRecord, dropped } of catalogue.changed) {
    if (dropped) continue;
    const bytes = Buffer.alloc(2 * RECORD_ID_BYTES);
    bytes.writeUIntBE(count, 0, RECORD_ID_BYTES);
    bytes.writeUIntBE(lastRecord, RECORD_ID_BYTES, RECORD_ID_BYTES);
    catalogue.storage.put(metaKey(STATISTICS, id), bytes);
  }
  catalogue.changed.clear();
}

export const find = (catalogue: Catalogue, database: string, name: string): Collection | undefined =>
  catalogue.databases.get(database)?.get(name);

export function checkName(database: string, name: unknown): asserts name is string {
  if (typeof name !== 'string')
    fault(73, `collection name has invalid type ${name === null ? 'null' : typeof name}`);
  if (name === '' || name.startsWith('.') || name.includes('\0') || name.includes('$'))
    fault(73, `Invalid namespace specified '${database}.${name}'`);
  if (Buffer.byteLength(`${database}.${name}`) > 255)
    fault(73, `Fully qualified namespace is too long. Namespace: ${database}.${name} Max: 255`);
}

export function create(catalogue: Catalogue, database: string, name: string, options: Doc = {}): Collection {
  checkName(database, name);
  if (name.startsWith('system.')) fault(73, `Invalid system namespace: ${database}.${name}`);
  if (!/^[^/\\. "$\0]{1,63}$/.test(database)) fault(73, `Invalid database name: ${database}`);
  const id = takeId(catalogue);
  const collation = options.collation ? { collation: options.collation } : {};
  const spec = { v: 2, key: { _id: 1 }, name: '_id_', ...collation };
  const indexes = [prepareIndex(takeId(catalogue), spec)];
  const uuid = new UUID().toHexString();
  const collection = collectionOf({ id, database, name, uuid, options, indexes }, 0, 0);
  attach(catalogue, collection);
  saveCollection(catalogue, collection);
  return collection;
}

/** The collection to write to, created when it is not there. */
export const collectionFor = (catalogue: Catalogue, database: string, name: string): Collection =>
  find(catalogue, database, name) ?? create(catalogue, database, name);

/** Gone at once for everybody; the space is given back in slices by `sweep`. */
export function drop(catalogue: Catalogue, collection: Collection): void {
  const { storage } = catalogue;
  storage.remove(metaKey(COLLECTION, collection.id));
  storage.remove(metaKey(STATISTICS, collection.id));
  discard(catalogue, collection.records.prefix);
  for (const { prefix } of collection.indexes) discard(catalogue, prefix);
  detach(catalogue, collection);
  collection.dropped = true;
  catalogue.version++;
  saveNext(catalogue);
}

export function discard({ storage }: Catalogue, prefix: Buffer): void {
  storage.put(Buffer.concat([metaKey(GARBAGE).subarray(0, 2), prefix]), Buffer.alloc(1));
}

/** Removes some of what was dropped; true when there is more. Must run in a write. */
export function sweep({ storage }: Catalogue, limit: number): boolean {
  const low = metaKey(GARBAGE).subarray(0, 2);
  const [marker] = storage.some(rangeOf(low), 1);
  if (!marker) return false;
  const keys = storage.some(rangeOf(marker.subarray(2)), limit);
  for (const key of keys) storage.remove(key);
  if (keys.length < limit) storage.remove(marker);
  return true;
}

export function hasGarbage({ storage }: Catalogue): boolean {
  return storage.some(rangeOf(metaKey(GARBAGE).subarray(0, 2)), 1).length > 0;
}

export function rename(catalogue: Catalogue, collection: Collection, database: string, name: string): void {
  checkName(database, name);
  detach(catalogue, collection);
  collection.database = database;
  collection.name = name;
  attach(catalogue, collection);
  saveCollection(catalogue, collection);
}
