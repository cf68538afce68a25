// find, aggregate, count, distinct and their cursors. What must stay true: the thread that serves people searches for a
// few milliseconds; what takes longer begins again in a reading thread, and its cursor lives there.
import { type Batches, inBatches, LARGEST_BATCH } from './cursors.ts';
import type { Doc } from './documents.ts';
import { fault } from './errors.ts';
import { budget, TooLong } from './finding.ts';
import { writeResult, writesResult } from './output.ts';
import { type Command, checkFields, docOf, type Reply, type Request, wholeOf } from './requests.ts';
import { openSearch, runSearch } from './searches.ts';
import { cursorReply } from './wire.ts';

const BUDGET_MS = 4;

/** The rest of a cursor that was worth keeping here: all of it already read, or cheap to go on with. */
function keep(request: Request, namespace: string, batches: Batches): bigint {
  const { cursors } = request.engine;
  const id = cursors.take();
  cursors.keep({
    id,
    namespace,
    next(batchSize) {
      const { batch, done } = batches.next(batchSize);
      if (done) cursors.remove(id);
      return cursorReply(done ? 0n : id, namespace, 'nextBatch', batch);
    },
    close() {},
  });
  return id;
}

function readToEnd(batches: Batches): Batches {
  const rows: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const { batch, done } = batches.next(64);
    rows.push(...batch);
    bytes += batch.reduce((sum, { length }) => sum + length, 0);
    if (done) return inBatches(rows.values());
    if (bytes > LARGEST_BATCH) throw new TooLong();
  }
}

function searchHere(request: Request): Reply {
  const { engine, name, database, body } = request;
  const { tick, lift } = budget(BUDGET_MS);
  const direct = runSearch(name, engine, database, body, tick);
  if (direct) return direct;
  const { rows, namespace, batchSize, singleBatch, cheap } = openSearch(name, engine, database, body, tick);
  const batches = inBatches(rows);
  const { batch, done } = batches.next(batchSize);
  const ended = done || singleBatch;
  if (cheap) lift();
  const id = ended ? 0n : keep(request, namespace, cheap ? batches : readToEnd(batches));
  return cursorReply(id, namespace, 'firstBatch', batch);
}

async function searchThere(request: Request): Promise<Reply> {
  const { engine, name, database, body } = request;
  const { cursors, readers } = engine;
  const id = cursors.take();
  const { reply, open } = await readers.run(name, database, body, id);
  if (open)
    cursors.keep({
      id,
      namespace: `${database}.${name === 'find' || typeof body.aggregate === 'string' ? body[name] : '$cmd.aggregate'}`,
      async next(batchSize) {
        const more = await readers.next(id, batchSize);
        if (!more.open) cursors.remove(id);
        return more.reply;
      },
      close: () => readers.close(id),
    });
  return reply;
}

async function search(request: Request): Promise<Reply> {
  if (request.name === 'aggregate' && writesResult(request.body)) return writeResult(request, searchQuietly);
  return searchQuietly(request);
}

export async function searchQuietly(request: Request): Promise<Reply> {
  try {
    return searchHere(request);
  } catch (error) {
    if (error instanceof TooLong) return searchThere(request);
    throw error;
  }
}

/** Answers a list that is wholly known as a cursor. */
export function listReply(request: Request, namespace: string, rows: Buffer[]): Buffer {
  const size = wholeOf(docOf(request.body, request.name, 'cursor') ?? {}, request.name, 'batchSize');
  const batches = inBatches(rows.values());
  const { batch, done } = batches.next(size);
  return cursorReply(done ? 0n : keep(request, namespace, batches), namespace, 'firstBatch', batch);
}

function cursorId(value: unknown): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return BigInt(value);
  return fault(14, "BSON field 'getMore.getMore' is the wrong type, expected type 'long'");
}

async function getMore({ engine, database, body }: Request): Promise<Reply> {
  checkFields('getMore', body, ['collection', 'batchSize', 'term', 'lastKnownCommittedOpTime']);
  const size = wholeOf(body, 'getMore', 'batchSize');
  const cursor = engine.cursors.find(cursorId(body.getMore), `${database}.${body.collection}`);
  return cursor.next(size === 0 ? undefined : size);
}

function killCursors({ engine, body }: Request): Doc {
  const killed: bigint[] = [];
  const missing: bigint[] = [];
  for (const value of Array.isArray(body.cursors) ? body.cursors : []) {
    const id = cursorId(value);
    (engine.cursors.remove(id) ? killed : missing).push(id);
  }
  return { cursorsKilled: killed, cursorsNotFound: missing, cursorsAlive: [], cursorsUnknown: [], ok: 1 };
}

export const READ_COMMANDS: Record<string, Command> = {
  find: { run: search },
  aggregate: { run: search },
  count: { run: search },
  distinct: { run: search },
  getMore: { run: getMore },
  killCursors: { run: killCursors },
  explain: { run: search },
};
