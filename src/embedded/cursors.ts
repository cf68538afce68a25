// Cursors that wait for getMore. Each is either rows of this thread or the name of one in a reader's thread.
import { randomInt } from 'node:crypto';
import { fault } from './errors.ts';

export const LARGEST_BATCH = 16 * 1024 * 1024;
export const FIRST_BATCH = 101;
const IDLE_MS = 10 * 60_000;

export type Rows = Iterator<Buffer, unknown>;

export type Cursor = {
  id: bigint;
  namespace: string;
  /** The next documents, and whether those were the last. */
  next(batchSize: number | undefined): Promise<Buffer> | Buffer;
  close(): void;
};

export type Cursors = {
  take(): bigint;
  keep(cursor: Cursor): void;
  find(id: bigint, namespace: string): Cursor;
  /** Whether it was there. */
  remove(id: bigint): boolean;
  /** Closes those that nobody asked for in ten minutes. */
  expire(now: number): void;
  readonly size: number;
};

export function createCursors(): Cursors {
  const kept = new Map<bigint, { cursor: Cursor; used: number }>();
  return {
    take: () => (BigInt(randomInt(2 ** 31 - 1)) << 32n) + BigInt(1 + randomInt(2 ** 31 - 1)),
    keep: (cursor) => {
      kept.set(cursor.id, { cursor, used: Date.now() });
    },
    find(id, namespace) {
      const entry = kept.get(id);
      if (!entry) fault(43, `cursor id ${id} not found`);
      if (entry.cursor.namespace !== namespace)
        fault(
          13,
          `Requested getMore on namespace '${namespace}', but cursor belongs to a different namespace ${entry.cursor.namespace}`,
        );
      entry.used = Date.now();
      return entry.cursor;
    },
    remove(id) {
      kept.get(id)?.cursor.close();
      return kept.delete(id);
    },
    expire(now) {
      for (const [id, { cursor, used }] of kept)
        if (now - used > IDLE_MS) {
          cursor.close();
          kept.delete(id);
        }
    },
    get size() {
      return kept.size;
    },
  };
}

/** Rows with one held back, so that a batch knows whether it is the last. */
export type Batches = { next(batchSize: number | undefined): { batch: Buffer[]; done: boolean } };

export function inBatches(rows: Rows): Batches {
  let held: Buffer | undefined;
  let done = false;
  const pull = (): Buffer | undefined => {
    if (done) return undefined;
    const { value, done: ended } = rows.next() as IteratorResult<Buffer, unknown>;
    if (ended) done = true;
    return ended ? undefined : (value as Buffer);
  };
  return {
    next(batchSize) {
      const batch: Buffer[] = [];
      let bytes = 0;
      if (batchSize === 0) return { batch, done: false };
      for (;;) {
        const row = held ?? pull();
        held = undefined;
        if (!row) return { batch, done: true };
        const full = batch.length === batchSize || (batch.length > 0 && bytes + row.length > LARGEST_BATCH);
        if (full) {
          held = row;
          return { batch, done: false };
        }
        batch.push(row);
        bytes += row.length;
      }
    },
  };
}
