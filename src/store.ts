// The one connection to MongoDB: connecting with patience, saying whether it answers, building indexes.
import { createRequire } from 'node:module';
import mongoose from 'mongoose';
import { Refusal } from './errors.ts';
import type { Logger } from './log.ts';

mongoose.set('strictQuery', 'throw');
mongoose.set('sanitizeFilter', true);
mongoose.set('autoIndex', false);
mongoose.set('autoCreate', false);
mongoose.set('bufferCommands', false);

interface Wire {
  closed: boolean;
  error: Error | null;
  once(event: 'close', heard: () => void): unknown;
  off(event: 'close', heard: () => void): unknown;
  writeCommand(...given: unknown[]): Promise<unknown>;
}
const { Connection } = createRequire(import.meta.url)('mongodb/lib/cmap/connection.js') as {
  Connection: { prototype: Wire };
};
const { writeCommand } = Connection.prototype;
// NOTE: the driver (7.8) waits for a socket to drain, and hears nothing of it when that socket is closed just then: the
// command would never be answered, by a result or an error, and whoever waits for it would wait for ever.
Connection.prototype.writeCommand = async function (this: Wire, ...given) {
  let heard = () => {};
  const cut = () =>
    new mongoose.mongo.MongoNetworkError('the connection was closed', { cause: this.error ?? undefined });
  const closing = new Promise<never>((_, reject) => {
    heard = () => reject(cut());
    this.once('close', heard);
    if (this.closed) heard();
  });
  try {
    return await Promise.race([writeCommand.apply(this, given), closing]);
  } finally {
    this.off('close', heard);
  }
};

const plain = (uri: string) => uri.replace(/\/\/[^@/]*@/, '//***@');

export interface StoreOptions {
  uri: string;
  database?: string;
  log: Logger;
  /** How long to wait for the first answer before giving up. */
  patienceMs?: number;
}

/** `mongoose.model` without the inference of its document types, which is dear and which nothing here uses. */
export const plainModel = mongoose.model.bind(mongoose) as unknown as (
  name: string,
  schema: object,
) => { readonly collection: unknown };

export async function connectStore({ uri, database, log, patienceMs = 30_000 }: StoreOptions): Promise<void> {
  const until = Date.now() + patienceMs;
  for (let attempt = 1; ; attempt++) {
    try {
      await mongoose.connect(uri, {
        ...(database ? { dbName: database } : {}),
        serverSelectionTimeoutMS: Math.min(2_000, patienceMs),
        // A server that is there and says nothing is found out by its heartbeat, and nobody waits for it any longer.
        connectTimeoutMS: 10_000,
        heartbeatFrequencyMS: 5_000,
        socketTimeoutMS: 60_000,
        maxPoolSize: 50,
        waitQueueTimeoutMS: 5_000,
        retryWrites: false,
        ignoreUndefined: true,
        writeConcern: { w: 'majority', journal: true },
      });
      return;
    } catch (error) {
      const words = (error as Error).message.split('\n')[0];
      if (Date.now() >= until)
        throw new Refusal(
          'away',
          'store.away',
          `MONGODB_URI: no MongoDB answers at ${plain(uri)} (${words}). Start it, mend the address, or leave MONGODB_URI out to use the embedded one.`,
        );
      if (attempt % 10 === 1)
        log.warn({ attempt, at: plain(uri), reason: words }, 'mongodb does not answer yet');
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

export async function disconnectStore(): Promise<void> {
  await mongoose.disconnect();
}

/** Throws when MongoDB does not answer within the time. */
export async function pingStore(timeoutMs = 1_000): Promise<void> {
  const { db } = mongoose.connection;
  if (mongoose.connection.readyState !== 1 || !db) throw new Error('not connected');
  await Promise.race([
    db.command({ ping: 1 }),
    new Promise((_, reject) => setTimeout(reject, timeoutMs, new Error('no answer')).unref()),
  ]);
}

/** What time it is by the database. */
export async function askStoreTime(): Promise<Date> {
  const { db } = mongoose.connection;
  if (!db) throw new Error('not connected');
  const { localTime } = await db.command({ hello: 1 });
  if (!(localTime instanceof Date)) throw new Error('the database does not tell its time');
  return localTime;
}

/** Indexes are built in the background of the first start; what could not be built is told by name. */
export async function buildIndexes(log: Logger): Promise<string[]> {
  const failed: string[] = [];
  for (const model of Object.values(mongoose.models)) {
    try {
      await model.createIndexes().catch((error) => replaceIndexes(model, error, log));
    } catch (error) {
      failed.push(model.modelName);
      log.error({ model: model.modelName, reason: (error as Error).message }, 'indexes could not be built');
    }
  }
  log.debug({ models: Object.keys(mongoose.models).length, failed }, 'indexes are in place');
  return failed;
}

const CONFLICTS: readonly unknown[] = [85, 86];

/** An earlier version had an index of that name, or on those fields, of another kind: ours takes its place. */
async function replaceIndexes(model: mongoose.Model<unknown>, error: unknown, log: Logger): Promise<void> {
  if (!CONFLICTS.includes((error as { code?: unknown }).code)) throw error;
  const { toDrop } = await model.diffIndexes();
  const wanted = model.schema.indexes();
  const names = new Set(wanted.map(([fields, options]) => nameOf(fields, options)));
  const keys = new Set(wanted.map(([fields]) => JSON.stringify(fields)));
  for (const { name, key } of await model.collection.listIndexes().toArray()) {
    if (!toDrop.includes(name) || !(names.has(name) || keys.has(JSON.stringify(key)))) continue;
    log.info({ model: model.modelName, index: name }, 'an index of an earlier version is built anew');
    await model.collection.dropIndex(name);
  }
  await model.createIndexes();
}

const nameOf = (fields: object, { name }: { name?: string | undefined }): string =>
  name ??
  Object.entries(fields)
    .map(([field, way]) => `${field}_${way}`)
    .join('_');

/** What buildIndexes would still have to build: `tickets: company_1_key_1`. */
export async function missingIndexes(): Promise<string[]> {
  const missing: string[] = [];
  for (const model of Object.values(mongoose.models)) {
    const there = await model.collection
      .listIndexes()
      .toArray()
      .catch(() => []);
    const names = new Set(there.map((one) => one.name));
    for (const [fields, options] of model.schema.indexes()) {
      const name = nameOf(fields, options);
      if (!names.has(name)) missing.push(`${model.collection.name}: ${name}`);
    }
  }
  return missing;
}

const DUPLICATE = 11_000;
export const isDuplicate = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === DUPLICATE;

/** Rows of a bulk write were written, but may not last. */
export const isUnsafe = (error: unknown): boolean =>
  error instanceof mongoose.mongo.MongoBulkWriteError && Boolean(error.result?.getWriteConcernError());

/** An unordered bulk write of which some, and nothing worse, was there already. (A lost connection comes without any.) */
export const onlyDuplicates = (error: unknown): boolean => {
  if (!(error instanceof mongoose.mongo.MongoBulkWriteError)) return isDuplicate(error);
  const errors = [error.writeErrors].flat();
  return (
    errors.length > 0 &&
    errors.every((one) => one.code === DUPLICATE) &&
    !error.result?.getWriteConcernError()
  );
};

const AWAY = [
  'MongoNetworkError',
  'MongoServerSelectionError',
  'MongoNotConnectedError',
  'MongoTopologyClosedError',
  'MongoWaitQueueTimeoutError',
  'MongoPoolClearedError',
  'MongoNetworkTimeoutError',
  'PoolClearedOnNetworkError',
  'MongoExpiredSessionError',
];
/** A full disk, a server that stops, a primary that steps down: nothing was written. */
const AWAY_CODES = new Set([14_031, 91, 189, 10_107, 11_600, 11_602, 13_435, 13_436]);
/** The store does not answer just now: the caller should come back, nothing is wrong with what it sent. */
export const isAway = (error: unknown): boolean =>
  error instanceof Error &&
  !(error instanceof Refusal && error.kind !== 'away') &&
  (isAway((error as { errorResponse?: unknown }).errorResponse) ||
    AWAY.includes(error.name) ||
    ('code' in error && AWAY_CODES.has(Number(error.code))) ||
    /buffering timed out|not connected|initial connection is complete/.test(error.message));
