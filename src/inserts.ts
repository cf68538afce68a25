// Inserts that arrive together travel in one command; each caller hears of its own row.
import { type Travel, together } from './batch.ts';
import { isUnsafe } from './store.ts';
import type { Table } from './table.ts';

export const insertsTogether = <T>(table: () => Table<T>, travel?: Travel): ((row: T) => Promise<true>) =>
  together<T, true>((rows) => insertRows(table(), rows), travel);

/** One command; what became of each row, in order. */
export async function insertRows<T>(table: Table<T>, rows: readonly T[]): Promise<(true | Error)[]> {
  if (!rows.length) return [];
  try {
    await table.insertMany(rows, { ordered: false });
    return rows.map(() => true as const);
  } catch (error) {
    const failed = new Map<number, Error>();
    for (const one of writeErrors(error))
      failed.set(one.index, Object.assign(new Error(one.errmsg), { code: one.code }));
    if (!failed.size) throw error;
    // What was written beside them may not last: nobody is told that it is there, or was there before.
    if (isUnsafe(error)) throw new Error('rows were written, but not safely', { cause: error });
    return rows.map((_, at) => failed.get(at) ?? true);
  }
}

function writeErrors(error: unknown): { index: number; code: number; errmsg: string }[] {
  const list = (error as { writeErrors?: unknown }).writeErrors;
  return Array.isArray(list)
    ? list.map((one) => ({ index: one.index, code: one.code, errmsg: one.errmsg ?? String(one) }))
    : [];
}
