// The engine: storage, catalogue, writer and server put together, and what runs by itself beside them: what has expired
// goes every minute, what was dropped gives its space back.
import { forgetUnfinished, hasGarbage, openCatalogue, sweep } from './catalogue.ts';
import { execute } from './changing.ts';
import { createCursors } from './cursors.ts';
import { type DataFolder, openFolder } from './folder.ts';
import { checkFile, markClean } from './integrity.ts';
import { createReaders } from './readers.ts';
import type { Engine } from './requests.ts';
import { type Listening, type Serving, startServer } from './server.ts';
import { openStorage } from './storage.ts';
import { toNumber } from './values.ts';
import { createWriter } from './writing.ts';

export type EngineOptions = Listening & {
  dataDir: string;
  /** How long to wait for a former process on the folder that is about to go. */
  patienceMs?: number;
  log: (line: string) => void;
  expireEveryMs?: number;
};

export type Running = { port: number | undefined; stop(): Promise<void> };

/** What is there can be read on a full disk too. */
const LEAST_FREE_MB = 0;
const SWEEP_KEYS = 500;
/** A moment after the start, which should be quick. */
const PREPARE_MS = 300;

/** Deletes what a TTL index says is over. */
export async function expire(engine: Engine): Promise<void> {
  for (const collections of engine.catalogue.databases.values())
    for (const c of collections.values())
      for (const { spec, fields } of c.indexes) {
        if (spec.expireAfterSeconds === undefined) continue;
        const before = new Date(Date.now() - toNumber(spec.expireAfterSeconds) * 1000);
        const filter = { [fields[0] as string]: { $lt: before } };
        await execute(engine, {
          database: c.database,
          collection: c.name,
          query: { filter, env: {} },
          many: true,
        });
      }
}

function housekeeping(engine: Engine, everyMs: number): () => void {
  const failed = (error: unknown): void =>
    engine.log(`housekeeping failed: ${error instanceof Error ? error.message : error}`);
  const expiring = setInterval(() => {
    engine.cursors.expire(Date.now());
    expire(engine).catch(failed);
  }, everyMs);
  const sweeping = setInterval(() => {
    if (!hasGarbage(engine.catalogue)) return;
    engine.writer.write(() => sweep(engine.catalogue, SWEEP_KEYS)).catch(failed);
  }, 50);
  const preparing = setTimeout(() => engine.readers.prepare(), PREPARE_MS);
  return () => {
    clearTimeout(preparing);
    clearInterval(expiring);
    clearInterval(sweeping);
  };
}

export async function startEngine(options: EngineOptions): Promise<Running> {
  const folder = await openFolder(options.dataDir, LEAST_FREE_MB, options.patienceMs);
  try {
    return await serveFolder(folder, options);
  } catch (error) {
    folder.release();
    throw error;
  }
}

async function serveFolder({ path: dataDir, release }: DataFolder, options: EngineOptions): Promise<Running> {
  const { log } = options;
  checkFile(dataDir);
  const storage = openStorage(dataDir);
  const catalogue = openCatalogue(storage);
  const writer = createWriter(catalogue);
  const engine: Engine = {
    storage,
    catalogue,
    writer,
    cursors: createCursors(),
    readers: createReaders(dataDir, log),
    started: Date.now(),
    asked: new Map(),
    connections: new Set(),
    log,
  };
  await writer.write(() => forgetUnfinished(catalogue));
  const serving: Serving = await startServer(engine, options);
  const rest = housekeeping(engine, options.expireEveryMs ?? 60_000);
  return {
    port: serving.port,
    async stop() {
      rest();
      await serving.stop();
      await engine.readers.stop();
      await storage.close();
      markClean(dataDir);
      release();
    },
  };
}
