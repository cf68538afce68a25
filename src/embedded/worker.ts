// A reading thread: the same searches over the same environment, with time. It never writes.
import { parentPort, workerData } from 'node:worker_threads';
import { load, openCatalogue, storedVersion } from './catalogue.ts';
import { type Batches, inBatches } from './cursors.ts';
import { type Doc, decode } from './documents.ts';
import { encode } from './encoding.ts';
import { fault } from './errors.ts';
import type { Answered, Asked } from './readers.ts';
import { asFault } from './requests.ts';
import { openSearch, runSearch } from './searches.ts';
import { openStorage } from './storage.ts';
import { cursorReply } from './wire.ts';

const { directory } = workerData as { directory: string };
const storage = openStorage(directory);
const catalogue = openCatalogue(storage);
const cursors = new Map<bigint, { batches: Batches; namespace: string }>();

function deadline(body: Doc): (() => void) | undefined {
  const most = Number(body.maxTimeMS ?? 0);
  if (most <= 0) return undefined;
  const until = performance.now() + most;
  return () => {
    if (performance.now() > until) fault(50, 'operation exceeded time limit');
  };
}

type Outcome = { reply: Buffer; open: boolean };

function run(command: string, database: string, body: Doc, cursor: bigint): Outcome {
  storage.refresh();
  if (storedVersion(storage) !== catalogue.version) load(catalogue);
  const side = { storage, catalogue };
  const tick = deadline(body);
  const direct = runSearch(command, side, database, body, tick);
  if (direct) return { reply: encode(direct), open: false };
  const { rows, namespace, batchSize, singleBatch } = openSearch(command, side, database, body, tick);
  const batches = inBatches(rows);
  const { batch, done } = batches.next(batchSize);
  const open = !done && !singleBatch;
  if (open) cursors.set(cursor, { batches, namespace });
  return { reply: cursorReply(open ? cursor : 0n, namespace, 'firstBatch', batch), open };
}

function next(cursor: bigint, batchSize: number | undefined): Outcome {
  const known = cursors.get(cursor);
  if (!known) fault(43, `cursor id ${cursor} not found`);
  const { batch, done } = known.batches.next(batchSize);
  if (done) cursors.delete(cursor);
  return { reply: cursorReply(done ? 0n : cursor, known.namespace, 'nextBatch', batch), open: !done };
}

function answer(asked: Asked): Answered {
  const { id } = asked;
  try {
    if (asked.kind === 'close') {
      cursors.delete(asked.cursor);
      return { id, reply: Buffer.alloc(0), open: false };
    }
    const outcome =
      asked.kind === 'run'
        ? run(asked.command, asked.database, decode(asked.body), asked.cursor)
        : next(asked.cursor, asked.batchSize);
    return { id, ...outcome };
  } catch (error) {
    const { code, message, extra } = asFault(error);
    return { id, fault: { code, message, extra: encode(extra) } };
  }
}

parentPort?.on('message', (asked: Asked) => {
  parentPort?.postMessage(answer(asked));
});
