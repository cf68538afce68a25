// A reading thread: the same searches over the same environment, with time. It never writes.
import { parentPort, workerData } from 'node:worker_threads';
import { load, openCatalogue, storedVersion } from './catalogue.ts';
import { type Batches, inBatches } from './cursors.ts';
import { decode } from './documents.ts';
import { encode } from './encoding.ts';
import { fault } from './errors.ts';
import type { Answered, Asked, Result } from './readers.ts';
import { asFault } from './requests.ts';
import { openSearch, runSearch } from './searches.ts';
import { openStorage } from './storage.ts';
import { cursorReply } from './wire.ts';

const { directory } = workerData as { directory: string };
const storage = openStorage(directory);
const catalogue = openCatalogue(storage);
const cursors = new Map<bigint, { batches: Batches; namespace: string }>();

function deadline(most: number): (() => void) | undefined {
  const until = performance.now() + most;
  const check = (): void => {
    if (performance.now() > until) fault(50, 'operation exceeded time limit');
  };
  return most > 0 ? check : undefined;
}

function run({ command, database, body, cursor }: Extract<Asked, { kind: 'run' }>): Result {
  storage.refresh();
  if (storedVersion(storage) !== catalogue.version) load(catalogue);
  const asked = decode(body);
  const tick = deadline(Number(asked.maxTimeMS ?? 0));
  const direct = runSearch(command, { storage, catalogue }, database, asked, tick);
  if (direct) return { reply: encode(direct), open: false };
  const opened = openSearch(command, { storage, catalogue }, database, asked, tick);
  const { namespace, batchSize, singleBatch } = opened;
  const batches = inBatches(opened.rows);
  const { batch, done } = batches.next(batchSize);
  const open = !done && !singleBatch;
  if (open) cursors.set(cursor, { batches, namespace });
  return { reply: cursorReply(open ? cursor : 0n, namespace, 'firstBatch', batch), open };
}

function next({ cursor, batchSize }: Extract<Asked, { kind: 'next' }>): Result {
  const { batches, namespace } = cursors.get(cursor) ?? fault(43, `cursor id ${cursor} not found`);
  const { batch, done } = batches.next(batchSize);
  if (done) cursors.delete(cursor);
  return { reply: cursorReply(done ? 0n : cursor, namespace, 'nextBatch', batch), open: !done };
}

function close({ cursor }: Extract<Asked, { kind: 'close' }>): Result {
  cursors.delete(cursor);
  return { reply: Buffer.alloc(0), open: false };
}

function answer(asked: Asked): Answered {
  const { id } = asked;
  try {
    return {
      id,
      ...(asked.kind === 'run' ? run(asked) : asked.kind === 'next' ? next(asked) : close(asked)),
    };
  } catch (error) {
    const { code, message, extra } = asFault(error);
    return { id, fault: { code, message, extra: encode(extra) } };
  }
}

parentPort?.on('message', (asked: Asked) => parentPort?.postMessage(answer(asked)));
