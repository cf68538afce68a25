// find, aggregate, count, distinct and their cursors. What must stay true: the thread that serves people searches for a
// few milliseconds; what takes longer begins again in a reading thread, and its cursor lives there.
import { type Batches, type Cursor, inBatches, LARGEST_BATCH } from './cursors.ts';
import type { Doc } from './documents.ts';
import { fault } from './errors.ts';
import { budget, TooLong } from './finding.ts';
import { writeResult, writesResult } from './output.ts';
import { type Command, checkFields, docOf, type Reply, type Request, wholeOf } from './requests.ts';
import { begin, goOn } from './searches.ts';
import { cursorReply } from './wire.ts';

const BUDGET_MS = 4;

/** The rest of a cursor that was worth keeping here: all of it already read, or cheap to go on with. */
function keep({ engine: { cursors } }: Request, id: bigint, namespace: string, batches: Batches): void {
  const next: Cursor['next'] = (batchSize) => {
    const { reply, open } = goOn(id, { namespace, batches }, batchSize);
    if (!open) cursors.remove(id);
    return reply;
  };
  cursors.keep({ id, namespace, next, close: () => undefined });
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
  const { reply, id, rest } = begin(engine, { command: name, database, body }, tick, engine.cursors.take);
  if (rest?.cheap) lift();
  if (rest) keep(request, id, rest.namespace, rest.cheap ? rest.batches : readToEnd(rest.batches));
  return reply;
}

async function searchThere({ engine, name, database, body }: Request): Promise<Reply> {
  const { cursors, readers } = engine;
  const id = cursors.take();
  const { reply, open } = await readers.run(name, database, body, id);
  const of = name === 'find' || typeof body.aggregate === 'string' ? body[name] : '$cmd.aggregate';
  const next: Cursor['next'] = async (batchSize) => {
    const more = await readers.next(id, batchSize);
    if (!more.open) cursors.remove(id);
    return more.reply;
  };
  if (open) cursors.keep({ id, namespace: `${database}.${of}`, next, close: () => readers.close(id) });
  return reply;
}

async function searchQuietly(request: Request): Promise<Reply> {
  try {
    return searchHere(request);
  } catch (error) {
    if (error instanceof TooLong) return searchThere(request);
    throw error;
  }
}

const search = (request: Request): Promise<Reply> =>
  request.name === 'aggregate' && writesResult(request.body)
    ? writeResult(request, searchQuietly)
    : searchQuietly(request);

/** Answers a list that is wholly known as a cursor. */
export function listReply(request: Request, namespace: string, rows: Buffer[]): Buffer {
  const size = wholeOf(docOf(request.body, request.name, 'cursor') ?? {}, request.name, 'batchSize');
  const batches = inBatches(rows.values());
  const { batch, done } = batches.next(size);
  const id = done ? 0n : request.engine.cursors.take();
  if (!done) keep(request, id, namespace, batches);
  return cursorReply(id, namespace, 'firstBatch', batch);
}

function cursorId(value: unknown): bigint {
  if (typeof value === 'bigint' || typeof value === 'number') return BigInt(value);
  return fault(14, "BSON field 'getMore.getMore' is the wrong type, expected type 'long'");
}

async function getMore({ engine, database, body }: Request): Promise<Reply> {
  checkFields('getMore', body, ['collection', 'batchSize', 'term', 'lastKnownCommittedOpTime']);
  const size = wholeOf(body, 'getMore', 'batchSize');
  const cursor = engine.cursors.find(cursorId(body.getMore), `${database}.${body.collection}`);
  return cursor.next(size === 0 ? undefined : size);
}

function killCursors({ engine, body }: Request): Doc {
  const ids = Array.isArray(body.cursors) ? body.cursors.map(cursorId) : [];
  const cursorsKilled = ids.filter((id) => engine.cursors.remove(id));
  const cursorsNotFound = ids.filter((id) => !cursorsKilled.includes(id));
  return { cursorsKilled, cursorsNotFound, cursorsAlive: [], cursorsUnknown: [], ok: 1 };
}

export const READ_COMMANDS: Record<string, Command> = {
  ...Object.fromEntries(
    ['find', 'aggregate', 'count', 'distinct', 'explain'].map((name) => [name, { run: search }]),
  ),
  getMore: { run: getMore },
  killCursors: { run: killCursors },
};
