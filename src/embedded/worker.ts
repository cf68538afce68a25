// A reading thread: the same searches over the same environment, with time. It never writes.
import { parentPort, workerData } from 'node:worker_threads';
import { load, openCatalogue, storedVersion } from './catalogue.ts';
import { decode, encode } from './documents.ts';
import { fault } from './errors.ts';
import type { Answered, Asked, Result } from './readers.ts';
import { asFault } from './requests.ts';
import { begin, goOn, type Rest } from './searches.ts';
import { openStorage } from './storage.ts';

const { directory } = workerData as { directory: string };
const storage = openStorage(directory);
const catalogue = openCatalogue(storage);
const cursors = new Map<bigint, Rest>();

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
  const { reply, rest } = begin(
    { storage, catalogue },
    { command, database, body: asked },
    tick,
    () => cursor,
  );
  if (rest) cursors.set(cursor, rest);
  return { reply: Buffer.isBuffer(reply) ? reply : encode(reply), open: rest !== undefined };
}

function next({ cursor, batchSize }: Extract<Asked, { kind: 'next' }>): Result {
  const result = goOn(cursor, cursors.get(cursor) ?? fault(43, `cursor id ${cursor} not found`), batchSize);
  if (!result.open) cursors.delete(cursor);
  return result;
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
