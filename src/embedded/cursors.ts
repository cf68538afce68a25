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
  /** The answer with the next documents. */
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
};

export function createCursors(): Cursors {
  const kept = new Map<bigint, { cursor: Cursor; used: number }>();
  const remove = (id: bigint): boolean => {
    kept.get(id)?.cursor.close();
    return kept.delete(id);
  };
  return {
    take: () => (BigInt(randomInt(2 ** 31 - 1)) << 32n) + BigInt(1 + randomInt(2 ** 31 - 1)),
    keep: (cursor) => void kept.set(cursor.id, { cursor, used: Date.now() }),
    find(id, namespace) {
      const entry = kept.get(id) ?? fault(43, `cursor id ${id} not found`);
      const { namespace: its } = entry.cursor;
      if (its !== namespace)
        fault(13, `Requested getMore on namespace '${namespace}', but cursor belongs to ${its}`);
      entry.used = Date.now();
      return entry.cursor;
    },
    remove,
    expire(now) {
      for (const [id, { used }] of kept) if (now - used > IDLE_MS) remove(id);
    },
  };
}

/** Rows with one held back, so that a batch knows whether it is the last. */
export type Batches = { next(batchSize: number | undefined): { batch: Buffer[]; done: boolean } };

export function inBatches(rows: Rows): Batches {
  let held: IteratorResult<Buffer, unknown> | undefined;
  return {
    next(batchSize) {
      const batch: Buffer[] = [];
      if (batchSize === 0) return { batch, done: false };
      for (let bytes = 0; ; ) {
        held ??= rows.next();
        if (held.done) return { batch, done: true };
        const { length } = held.value;
        if (batch.length === batchSize || (batch.length > 0 && bytes + length > LARGEST_BATCH))
          return { batch, done: false };
        batch.push(held.value);
        bytes += length;
        held = undefined;
      }
    },
  };
}
