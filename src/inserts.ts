// Inserts that arrive together travel in one command; each caller hears of its own row.
import mongoose from 'mongoose';
import { together } from './batch.ts';
import type { Table } from './table.ts';

export function insertsTogether<T>(
  table: () => Table<T>,
  atOnce?: { abreast: number },
): (row: T) => Promise<true> {
  return together<T, true>(async (rows) => {
    try {
      await table().insertMany(rows, { ordered: false });
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
  }, atOnce);
}

const isUnsafe = (error: unknown): boolean =>
  error instanceof mongoose.mongo.MongoBulkWriteError && Boolean(error.result?.getWriteConcernError());

function writeErrors(error: unknown): { index: number; code: number; errmsg: string }[] {
  const list = (error as { writeErrors?: unknown }).writeErrors;
  return Array.isArray(list)
    ? list.map((one) => ({ index: one.index, code: one.code, errmsg: one.errmsg ?? String(one) }))
    : [];
}
