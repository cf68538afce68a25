// P11 and P12 of the speed bars: how late deadlines fire and how fast a heap of them drains, beside raw BullMQ in the
// same run, with 100,000 open clocks and with none. Run by itself: MONGODB_URI and REDIS_URL say where the stores are.
import os from 'node:os';
import { pathToFileURL } from 'node:url';
import { Queue, Worker } from 'bullmq';
import mongoose from 'mongoose';
import { storeTime } from '../../src/clock.ts';
import { loadConfig } from '../../src/config.ts';
import { type Ctx, systemCtx } from '../../src/context.ts';
import { newId } from '../../src/id.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY, firstStart } from '../../src/people/companies.ts';
import { sweep } from '../../src/sla/deadlines.ts';
import { buildIndexes, connectStore, disconnectStore } from '../../src/store.ts';
import type { StoredTicket } from '../../src/tickets/ticket.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';

const log = openLog('silent');
const MINUTE = 60_000;
const ctx = (at?: Date): Ctx => systemCtx({ log, ...(at ? { now: () => at } : {}) }, FIRST_COMPANY);
const input = createInput.parse({ title: 'A ticket of the bench', priority: 'critical' });
const tickets = () =>
  mongoose.connection.collection('tickets') as unknown as mongoose.mongo.Collection<StoredTicket>;

const quantile = (list: number[], share: number): number =>
  list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))] ?? Number.NaN;
const told = (list: number[]) => ({
  ...{ p50: quantile(list, 0.5), p99: quantile(list, 0.99), max: Math.max(...list), min: Math.min(...list) },
});

const said = <T>(what: string, figure: T): T => {
  console.error(what, JSON.stringify(figure));
  return figure;
};

/** Copies of a real ticket, so many ms before or after their first warning is due. */
export async function plant(count: number, dueIn: (index: number) => number, letter = 'B'): Promise<number> {
  const born = await create(ctx(), input);
  const model = await tickets().findOneAndDelete({ _id: born._id });
  if (!model) throw new Error('no model');
  const now = (await storeTime()).getTime();
  for (let done = 0; done < count; done += 1_000) {
    const copies = Array.from({ length: Math.min(1_000, count - done) }, (_, index): StoredTicket => {
      const shift = now + dueIn(done + index) - (model.nextDeadlineAt?.getTime() ?? 0);
      const moved = shifted(model, shift) as StoredTicket;
      const number = 1_000_000 + done + index + Math.floor(Math.random() * 1e12);
      return {
        ...moved,
        _id: newId(),
        number,
        key: `${letter}-${number}-${newId()}`,
        pending: [],
        pendingAt: undefined,
      } as never;
    });
    await tickets().insertMany(copies, { ordered: false });
  }
  return now;
}

/** The same ticket, as if everything had happened earlier or later. */
function shifted(value: unknown, ms: number): unknown {
  if (value instanceof Date) return new Date(value.getTime() + ms);
  if (Array.isArray(value)) return value.map((each) => shifted(each, ms));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, shifted(each, ms)]));
}

/**
 * A thousand deadlines spread over five seconds: ms from the instant each was due to the end of its commit. (A batch
 * was committed by the time of the next one, which is read after it.)
 */
async function lateness(): Promise<number[]> {
  const start = await plant(1_000, (index) => 1_500 + index * 5);
  let fired = 0;
  let end = start;
  while (fired < 1_000) {
    const swept = await sweep({ log });
    end = (await storeTime()).getTime();
    fired += swept.fired;
    const wait = swept.next ? swept.next.getTime() - end : 20;
    await new Promise((resolve) => setTimeout(resolve, Math.min(1_000, Math.max(1, wait))));
  }
  const found = await tickets()
    .find(
      { 'pending.at': { $gte: new Date(start) }, 'pending.action': 'sla_warning' },
      { projection: { pending: 1 } },
    )
    .toArray();
  const entries = found.flatMap(({ pending }) => pending.filter((entry) => entry.action === 'sla_warning'));
  const batches = [...new Set(entries.map((entry) => entry.at.getTime()))].sort((a, b) => a - b);
  const committed = new Map(batches.map((at, index) => [at, batches[index + 1] ?? end]));
  return entries.map(({ at, facts }) => (committed.get(at.getTime()) ?? end) - Number(facts?.due_at));
}

async function rawLateness(queue: Queue, url: string): Promise<number[]> {
  const late: number[] = [];
  const due = Date.now() + 1_500;
  await queue.addBulk(
    Array.from({ length: 1_000 }, (_, index) => ({
      name: 'timer',
      data: { due: due + index * 5 },
      opts: { delay: due + index * 5 - Date.now(), removeOnComplete: true },
    })),
  );
  await work(queue, url, 1_000, 8, (data) => late.push(Date.now() - data.due));
  return late;
}

async function work(
  queue: Queue,
  url: string,
  count: number,
  concurrency: number,
  see: (data: { due: number }) => unknown,
) {
  let seen = 0;
  await new Promise<void>((resolve, reject) => {
    const worker = new Worker(
      queue.name,
      async (job) => {
        await see(job.data);
        if (++seen === count) setImmediate(() => worker.close().then(resolve, reject));
      },
      { connection: { ...connection(url), maxRetriesPerRequest: null }, concurrency },
    );
  });
}

function connection(url: string): { path: string } | { host: string; port: number } {
  const path = /^unix:(?:\/\/)?(\/.*)$/.exec(url)?.[1];
  if (path) return { path };
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port || 6379) };
}

/** Ten thousand due at one instant: how many a second. */
async function drainRate(): Promise<number> {
  await plant(10_000, () => -MINUTE);
  const began = performance.now();
  let fired = 0;
  while (fired < 10_000) fired += (await sweep({ log })).fired;
  return fired / ((performance.now() - began) / 1_000);
}

/** Jobs that do nothing; `written`: each makes one durable write of one small document. */
async function rawRate(queue: Queue, url: string, written = false): Promise<number> {
  const floor = mongoose.connection.collection<{ _id: number; n: number }>('floor');
  let n = 0;
  const write = () => floor.updateOne({ _id: n++ % 100 }, { $inc: { n: 1 } }, { upsert: true });

  for (let done = 0; done < 10_000; done += 1_000)
    await queue.addBulk(
      Array.from({ length: 1_000 }, () => ({
        name: 'job',
        data: { due: 0 },
        opts: { removeOnComplete: true },
      })),
    );
  const began = performance.now();
  await work(queue, url, 10_000, 8, written ? write : () => {});
  return 10_000 / ((performance.now() - began) / 1_000);
}

async function createRate(count = 1_500, abreast = 32): Promise<number> {
  let left = count;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: abreast }, async () => {
      while (left-- > 0) await create(ctx(), input);
    }),
  );
  return count / ((performance.now() - began) / 1_000);
}

interface Round {
  create: number;
  late: ReturnType<typeof told>;
  rawLate: ReturnType<typeof told>;
  drain: number;
  raw: number;
  rawWritten: number;
}

async function round(queue: Queue, redis: string): Promise<Round> {
  const late = said('ms late', told(await lateness()));
  const rawLate = said('ms late, raw BullMQ', told(await rawLateness(queue, redis)));
  const drain = said('drained a second', await drainRate());
  const raw = said('drained a second, raw BullMQ', await rawRate(queue, redis));
  const rawWritten = said('the same, with one write for each', await rawRate(queue, redis, true));
  const create = said('created a second', await createRate());
  await tickets().deleteMany({ key: { $gte: 'B', $lt: 'V' } });
  return { create, late, rawLate, drain, raw, rawWritten };
}

/** Two databases of one store, one with a crowd of waiting clocks, taken in turns: full, empty, empty, full ... */
export async function benchSla(
  mongodb: string,
  redis: string,
  { waiting = 100_000, rounds = 3 } = {},
): Promise<Record<string, unknown>> {
  const mark = newId();
  const config = loadConfig({
    SWITCHBOARD_ENV: 'test',
    MONGODB_URI: mongodb,
    REDIS_URL: redis,
    DATA_DIR: os.tmpdir(),
  });
  const queue = new Queue(`bench_${mark}`, { connection: connection(redis) });
  const within = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
    await connectStore({ uri: mongodb, database: `bench_${mark}_${name}`, log });
    await new Promise((resolve) => setTimeout(resolve, 2_500)); // what was kept of the other database is forgotten
    try {
      return await work();
    } finally {
      await disconnectStore();
    }
  };
  const prepare = async (count: number) => {
    await buildIndexes(log);
    await firstStart(config, log);
    await createRate(300);
    if (count) await plant(count, (index) => 60 * MINUTE + index, 'W');
  };
  const results: Record<'empty' | 'full', Round[]> = { empty: [], full: [] };
  try {
    await within('empty', () => prepare(0));
    await within('full', () => prepare(waiting));
    for (let turn = 0; turn < rounds; turn++)
      for (const name of turn % 2 ? (['empty', 'full'] as const) : (['full', 'empty'] as const))
        results[name].push(await within(said('database', name), () => round(queue, redis)));
  } finally {
    for (const name of ['empty', 'full']) await within(name, () => mongoose.connection.dropDatabase());
    await queue.obliterate({ force: true });
    await queue.close();
  }
  const { empty, full } = results;
  const median = (ratio: (full: Round, empty: Round) => number): number =>
    quantile(
      full.flatMap((one, index) => (empty[index] ? ratio(one, empty[index]) : [])),
      0.5,
    );
  return {
    ...{ empty, full, waiting },
    p11_lateness: median((one) => one.late.p99 / one.rawLate.p99),
    p11_drain: median((one) => one.drain / one.raw),
    p11_drain_written: median((one) => one.drain / one.rawWritten),
    p12_create: median((one, other) => one.create / other.create),
    p12_timer: median((one, other) => one.late.p99 / other.late.p99),
    load: os.loadavg(),
  };
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { MONGODB_URI, REDIS_URL, WAITING, ROUNDS } = process.env;
  if (!MONGODB_URI || !REDIS_URL) throw new Error('MONGODB_URI and REDIS_URL say which stores to measure');
  const results = await benchSla(MONGODB_URI, REDIS_URL, {
    waiting: Number(WAITING ?? 100_000),
    rounds: Number(ROUNDS ?? 3),
  });
  console.log(JSON.stringify(results, null, 2));
}
