// The one LMDB environment of a data folder: ordered keys, one writer, snapshots for readers. Everything that the
// engine keeps is a key here, under one byte that says what it is. Only this file knows lmdb.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { open, type RootDatabase } from 'lmdb';
import { MongoFault } from './errors.ts';

export const SPACE = { meta: 1, records: 16, index: 64 } as const;

export type Range = { low: Buffer; high: Buffer };
export type Entry = { key: Buffer; value: Buffer };

const FIRST_CHUNK = 32;
const CHUNK = 512;
/** Address space, not disk: the file grows with what is in it. */
const MAP_SIZE = 1 << 30;

export type Storage = {
  directory: string;
  get(key: Buffer): Buffer | undefined;
  /** Valid until the next read: to be decoded or copied at once. */
  peek(key: Buffer): Buffer | undefined;
  put(key: Buffer, value: Buffer): void;
  remove(key: Buffer): void;
  /** Keys of a range in order. Reads in chunks, so that no snapshot is held between them. */
  keys(range: Range, reverse?: boolean): Generator<Buffer, void>;
  entries(range: Range, reverse?: boolean): Generator<Entry, void>;
  count(range: Range): number;
  /** At most `limit` keys of the range, fetched at once. */
  some(range: Range, limit: number): Buffer[];
  /** All that `work` writes, or if it throws nothing; resolves when it is on the disk. */
  transact(work: () => void): Promise<void>;
  /** Makes the next read see the latest commit. */
  refresh(): void;
  size(): number;
  close(): Promise<void>;
};

/** A commit that takes no longer than this is done in the serving thread: to hand it to another one costs more. */
const QUICK_MS = 1;

const COMMIT_FAILED = /^Commit failed/;
const FULL = /MDB_MAP_FULL|ENOSPC|No space left|Input\/output error|File too large|Disk quota/i;

/** lmdb also leaves promises of a failed commit that nobody can wait for; whoever owns the process knows them by this. */
export const isCommitFailure = (error: unknown): boolean =>
  error instanceof Error && (COMMIT_FAILED.test(error.message) || FULL.test(error.message));

async function asFault(error: unknown): Promise<unknown> {
  if (error instanceof MongoFault) return error;
  const isFailed = error instanceof Error && 'commitError' in error;
  const cause = isFailed
    ? await Promise.resolve(error.commitError).catch((reason: unknown) => reason)
    : error;
  const text = cause instanceof Error ? cause.message : String(cause);
  if (!FULL.test(text)) return cause;
  const sentence = `The disk is full or failing, nothing of this was written (${text}).`;
  return new MongoFault(14031, `${sentence} Reading goes on; make room and write again`);
}

export function openStorage(directory: string): Storage {
  const db: RootDatabase<Buffer, Buffer> = open({
    path: join(directory, 'data.mdb'),
    keyEncoding: 'binary',
    encoding: 'binary',
    overlappingSync: false,
    mapSize: MAP_SIZE * 256,
    maxDbs: 1,
    noMemInit: true,
  });

  const nothing = Buffer.alloc(0);
  /** How long a commit usually takes here, in milliseconds. */
  let usual = 0;

  function chunk(range: Range, reverse: boolean, limit: number, values: boolean): Entry[] {
    const options = reverse
      ? { start: range.high, end: range.low, reverse, limit, exclusiveStart: true, inclusiveEnd: true }
      : { start: range.low, end: range.high, limit };
    const found: Entry[] = [];
    if (values) for (const { key, value } of db.getRange(options)) found.push({ key: key as Buffer, value });
    else for (const key of db.getKeys(options)) found.push({ key: key as Buffer, value: nothing });
    return found;
  }

  function* scan(range: Range, reverse: boolean, values: boolean): Generator<Entry, void> {
    let { low, high } = range;
    for (let limit = FIRST_CHUNK; ; limit = CHUNK) {
      if (low.compare(high) >= 0) return;
      const found = chunk({ low, high }, reverse, limit, values);
      yield* found;
      const last = found.at(-1);
      if (!last || found.length < limit) return;
      if (reverse) high = last.key;
      else low = Buffer.concat([last.key, Buffer.from([0])]);
    }
  }

  return {
    directory,
    get: (key) => db.getBinary(key as never),
    peek: (key) => db.getBinaryFast(key as never),
    put: (key, value) => {
      db.putSync(key as never, value);
    },
    remove: (key) => {
      db.removeSync(key as never);
    },
    *keys(range, reverse = false) {
      for (const { key } of scan(range, reverse, false)) yield key;
    },
    entries: (range, reverse = false) => scan(range, reverse, true),
    count: ({ low, high }) =>
      low.compare(high) >= 0 ? 0 : db.getKeysCount({ start: low as never, end: high as never }),
    some: (range, limit) => chunk(range, false, limit, false).map(({ key }) => key),
    async transact(work) {
      let worked = 0;
      const measured = (): void => {
        work();
        worked = performance.now();
      };
      try {
        await nextTurn();
        if (usual < QUICK_MS) db.transactionSync(measured);
        else await db.childTransaction(measured);
        usual += (performance.now() - worked - usual) / 8;
      } catch (error) {
        throw await asFault(error);
      }
    },
    refresh: () => db.resetReadTxn(),
    size: () => statSync(join(directory, 'data.mdb')).size,
    close: async () => {
      await db.close();
    },
  };
}

const numbered = (space: number, id: number): Buffer => {
  const bytes = Buffer.alloc(5);
  bytes[0] = space;
  bytes.writeUInt32BE(id, 1);
  return bytes;
};

export const recordsPrefix = (collection: number): Buffer => numbered(SPACE.records, collection);
export const indexPrefix = (index: number): Buffer => numbered(SPACE.index, index);

export const RECORD_ID_BYTES = 6;

export function recordKey(prefix: Buffer, record: number): Buffer {
  const key = Buffer.allocUnsafe(prefix.length + RECORD_ID_BYTES);
  key.set(prefix, 0);
  key.writeUIntBE(record, prefix.length, RECORD_ID_BYTES);
  return key;
}

/** The record that a key ends in, and the one that a value of a unique index names. */
export const recordOf = (key: Buffer): number =>
  key.readUIntBE(key.length - RECORD_ID_BYTES, RECORD_ID_BYTES);
export const recordIn = (value: Buffer): number => value.readUIntBE(0, RECORD_ID_BYTES);

export function metaKey(kind: string, id = 0): Buffer {
  const key = Buffer.alloc(6);
  key[0] = SPACE.meta;
  key.write(kind, 1, 'latin1');
  key.writeUInt32BE(id, 2);
  return key;
}
