// P10, P12 and P14 of the speed bars, and how long a change takes until it is handed over: our queue wrapper beside raw
// BullMQ in the same run, filing with a heap of jobs waiting and with none, healthy places with and without a hung one.
// Run by itself: MONGODB_URI and REDIS_URL say where the stores are.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Queue, Worker } from 'bullmq';
import mongoose from 'mongoose';
import { loadConfig } from '../../src/config.ts';
import { systemCtx } from '../../src/context.ts';
import { newId } from '../../src/id.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY, firstStart } from '../../src/people/companies.ts';
import { useSecretKey } from '../../src/secrets.ts';
import { buildIndexes, connectStore, disconnectStore } from '../../src/store.ts';
import { change } from '../../src/tickets/change.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { JOB_OPTIONS, openQueues, WORKER_OPTIONS, workOn } from '../../src/workers/queues.ts';
import { openRedis } from '../../src/workers/redis.ts';
import { carrySignals } from '../../src/workers/signals.ts';
import { openPeer, type Peer } from '../support/peer.ts';
import { burst, heap, redisBytes, timers } from './crowd.ts';

const log = openLog('silent');
const ctx = () => systemCtx({ log }, FIRST_COMPANY);
const quantile = (list: readonly number[], share: number): number =>
  list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))] ?? Number.NaN;
const median = (list: readonly number[]) => quantile(list, 0.5);
const said = <T>(what: string, figure: T): T => {
  console.error(what, JSON.stringify(figure));
  return figure;
};
const JOBS = 4_000;
const CONCURRENCY = 32;
const BULK = 200;

interface Hop {
  rate: number;
  startMs: number;
}

/** Jobs that do nothing: how many a second, and how long one waits from being added to being begun. */
async function hop(
  add: (jobs: { id: string; at: number }[]) => Promise<unknown>,
  work: (seen: (at: number) => void) => Promise<() => Promise<unknown>>,
): Promise<Hop> {
  let count = 0;
  const waits: number[] = [];
  const stop = await work((at) => {
    count++;
    waits.push(performance.now() - at);
  });
  for (let one = 0; one < 100; one++) {
    await add([{ id: newId(), at: performance.now() }]);
    while (count <= one) await pause(0);
  }
  const startMs = median(waits);
  const began = performance.now();
  count = 0;
  for (let done = 0; done < JOBS; done += BULK)
    await add(Array.from({ length: BULK }, () => ({ id: newId(), at: performance.now() })));
  while (count < JOBS) await pause(1);
  const rate = JOBS / ((performance.now() - began) / 1_000);
  await stop();
  return { rate, startMs };
}

async function hops(url: string): Promise<{ ours: Hop[]; raw: Hop[] }> {
  const redis = openRedis(url, log, { enableOfflineQueue: false, maxRetriesPerRequest: 1 });
  const patient = openRedis(url, log);
  while (redis.status !== 'ready' || patient.status !== 'ready') await pause(10);
  const prefix = `bench-${newId()}`;
  const queues = openQueues({ redis, prefix, log });
  const rawQueue = new Queue('raw', { connection: redis, prefix, defaultJobOptions: JOB_OPTIONS });
  const ours = () =>
    hop(
      (jobs) =>
        queues.add(
          'ours',
          jobs.map(({ id, at }) => ({ id, name: 'job', data: { at } })),
        ),
      async (seen) =>
        workOn<{ at: number }>(
          'ours',
          { redis: patient, prefix, log, concurrency: CONCURRENCY },
          async ({ at }) => seen(at),
        ),
    );
  const raw = () =>
    hop(
      (jobs) =>
        rawQueue.addBulk(jobs.map(({ id, at }) => ({ name: 'job', data: { at }, opts: { jobId: id } }))),
      async (seen) => {
        const worker = new Worker('raw', async (job) => seen(job.data.at), {
          connection: patient,
          prefix,
          concurrency: CONCURRENCY,
          ...WORKER_OPTIONS,
        });
        return () => worker.close();
      },
    );
  const out = { ours: [] as Hop[], raw: [] as Hop[] };
  await raw();
  for (let round = 0; round < 3; round++) {
    out.raw.push(said('raw BullMQ', await raw()));
    out.ours.push(said('through our queue', await ours()));
    out.ours.push(said('through our queue', await ours()));
    out.raw.push(said('raw BullMQ', await raw()));
  }
  for (const name of ['ours', 'raw']) await queues.queue(name).obliterate({ force: true });
  await queues.close();
  await rawQueue.close();
  redis.disconnect();
  patient.disconnect();
  return out;
}

const input = createInput.parse({ title: 'A ticket of the bench' });
async function createRate(count = 800, abreast = 32): Promise<number> {
  let left = count;
  const began = performance.now();
  const file = async () => {
    while (left-- > 0) await create(ctx(), input);
  };
  await Promise.all(Array.from({ length: abreast }, file));
  return count / ((performance.now() - began) / 1_000);
}

async function talkedAbout(count: number): Promise<Ticket[]> {
  const tickets: Ticket[] = [];
  for (let n = 0; n < count; n++) {
    const ticket = await create(ctx(), input);
    const at = { place: `place-${n}` };
    await change(ctx(), ticket._id, () => ({
      action: 'bound',
      set: { conversations: [{ id: `peer:place-${n}`, surface: 'peer', audience: 'public', at }] },
    }));
    tickets.push(ticket);
  }
  return tickets;
}

/** Replies at an even rate; ms from the beginning of the change to its arrival at the peer. */
async function handOver(
  peer: Peer,
  tickets: readonly Ticket[],
  rate: number,
  seconds: number,
): Promise<number[]> {
  const mark = newId();
  const began = performance.now();
  const total = rate * seconds;
  const changes: Promise<unknown>[] = [];
  for (let n = 0; n < total; n++) {
    const wait = began + (n * 1_000) / rate - performance.now();
    if (wait > 1) await pause(wait);
    const ticket = tickets[n % tickets.length];
    const comment = { id: newId(), audience: 'public' as const, text: `${mark} ${Date.now()}` };
    if (ticket)
      changes.push(change(ctx(), ticket._id, () => ({ action: 'comment_added', set: {}, comment })));
  }
  await Promise.all(changes);
  const isHung = (place: string) => place === 'place-0' && peer.manner !== null;
  const arrived = () =>
    peer.heard.filter((one) => one.kind === 'post' && one.text.startsWith(mark) && !isHung(one.place));
  const wanted = peer.manner ? total - Math.ceil(total / tickets.length) : total;
  for (const end = Date.now() + 60_000; arrived().length < wanted && Date.now() < end; ) await pause(50);
  return arrived().map((one) => one.at - Number(one.text.split(' ')[1]));
}

/** What the store was asked so far, by everybody, and what the worker's process has cost. */
async function spent(pid = 0): Promise<{ counts: Record<string, number>; cpuMs: number }> {
  const status = await mongoose.connection.db?.command({ serverStatus: 1 });
  const ticks = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 15).map(Number);
  const cpuMs = ((ticks[0] ?? 0) + (ticks[1] ?? 0)) * 10;
  return { counts: { ...status?.opcounters }, cpuMs };
}
const relayed = () =>
  mongoose.connection.collection('tickets').countDocuments({ pendingAt: { $gt: new Date(0) } });

const figures = (list: number[]) => ({
  ...{ count: list.length, p50: median(list), p95: quantile(list, 0.95), p99: quantile(list, 0.99) },
});

/** Filing and deadlines with a heap of jobs in Redis and with none, in the order none, heap, heap, none. */
async function crowded(url: string, prefix: string, waiting: number): Promise<Record<string, unknown>> {
  const turn = async (what: string) => {
    const create = said(`created a second, ${what}`, await createRate());
    while ((await relayed()) > 0) await pause(100);
    return { create, late: said(`ms late and told, ${what}`, figures(await timers())) };
  };
  await turn('warming up');
  const clocks = () => mongoose.connection.collection('tickets').countDocuments({ 'sla.breached': false });
  const [bytes, open] = [await redisBytes(url), await clocks()];
  const before = await turn('no jobs');
  const ofEach = ((await redisBytes(url)) - bytes) / ((await clocks()) - open);
  const away = await heap(url, prefix, waiting);
  const full = [await turn(`${waiting} waiting, ${waiting} delayed`), await turn('the same')];
  await away();
  const empty = [before, await turn('no jobs')];
  const sum = (list: number[]) => list.reduce((all, one) => all + one, 0);
  const ratio = (of: (one: (typeof full)[number]) => number) => sum(full.map(of)) / sum(empty.map(of));
  return {
    ...{ empty, full, create: ratio((one) => one.create), timer: ratio((one) => one.late.p99) },
    redis_bytes_per_open_ticket: said('bytes of Redis for each open ticket', ofEach),
  };
}

/** How long our own words take while another company bursts, and while it is silent. */
async function noisy(peer: Peer, tickets: readonly Ticket[], events: number): Promise<unknown> {
  const noise = () => peer.heard.filter((one) => one.place.startsWith('noise')).length;
  const idle = said('ms, alone', figures(await handOver(peer, tickets, 20, 8)));
  await burst(events);
  const began = performance.now();
  const beside = said(`ms, beside a burst of ${events}`, figures(await handOver(peer, tickets, 20, 8)));
  const share = noise();
  while (noise() < events) await pause(100);
  const seconds = (performance.now() - began) / 1_000;
  const again = said('ms, alone', figures(await handOver(peer, tickets, 20, 8)));
  const ratio = (2 * beside.p95) / (idle.p95 + again.p95);
  return said('noisy', { idle, beside, again, ratio, noise_meanwhile: share, burst_done_after_s: seconds });
}

export async function benchWorkers(
  mongodb: string,
  url: string,
  {
    waiting = 100_000,
    rate = 200,
    cards = false,
    events = 5_000,
    parts = ['hops', 'create', 'change', 'hung', 'noisy'],
  } = {},
): Promise<Record<string, unknown>> {
  const measures: Record<string, unknown> = { load: os.loadavg() };
  if (parts.includes('hops')) {
    const { ours, raw } = await hops(url);
    Object.assign(measures, {
      hops: { ours, raw },
      p10_rate: median(ours.map((one) => one.rate)) / median(raw.map((one) => one.rate)),
      p10_start: median(ours.map((one) => one.startMs)) / median(raw.map((one) => one.startMs)),
    });
  }
  const database = `bench_workers_${newId()}`;
  const prefix = `bench-${newId()}`;
  const config = loadConfig({
    SWITCHBOARD_ENV: 'test',
    MONGODB_URI: mongodb,
    REDIS_URL: url,
    REDIS_PREFIX: prefix,
    DATA_DIR: os.tmpdir(),
  });
  useSecretKey(config.SECRET_KEY);
  await connectStore({ uri: mongodb, database, log });
  await buildIndexes(log);
  await firstStart(config, log);
  const peer = await openPeer();
  const entry = path.resolve(import.meta.dirname, '..', '..', 'dist', 'tests', 'support', 'desk-process.js');
  const desk = spawn(process.execPath, [entry], {
    env: {
      ...{
        PATH: process.env.PATH,
        SWITCHBOARD_ENV: 'test',
        PORT: '0',
        DATA_DIR: os.tmpdir(),
        ROLES: 'worker',
      },
      ...{ MONGODB_URI: mongodb, REDIS_URL: url, REDIS_PREFIX: prefix, SECRET_KEY: config.SECRET_KEY },
      ...{ LOG_LEVEL: 'warn', NOTIFICATIONS_ENABLED: 'false', DATABASE: database, PEER_URL: peer.url },
      ...{ PEER_CARDS: String(cards), PEER_KEEPS: 'true' },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => desk.stdout?.once('data', resolve));
  const publisher = openRedis(url, log, { enableOfflineQueue: false, maxRetriesPerRequest: 1 });
  const hush = carrySignals(publisher, openRedis(url, log), prefix, log);
  try {
    await createRate(300);
    if (parts.includes('create')) measures.p12 = await crowded(url, prefix, waiting);
    const tickets = await talkedAbout(50);
    const began = performance.now();
    const behind = await relayed();
    while ((await relayed()) > 0) await pause(100);
    said('tickets relayed a second', behind / ((performance.now() - began) / 1_000));
    await handOver(peer, tickets, rate / 4, 2);
    if (parts.includes('change')) {
      const before = await spent(desk.pid);
      const list = await handOver(peer, tickets, rate, 6);
      const after = await spent(desk.pid);
      measures.changed = said(`ms from change to peer, ${rate}/s`, figures(list));
      measures.per_change = said('commands and CPU ms of the worker for each', {
        cpuMs: (after.cpuMs - before.cpuMs) / list.length,
        ...Object.fromEntries(
          Object.entries(after.counts).map(([name, count]) => [
            name,
            (count - (before.counts[name] ?? 0)) / list.length,
          ]),
        ),
      });
    }
    if (parts.includes('hung')) {
      const well = said('ms, all well', figures(await handOver(peer, tickets, rate / 2, 5)));
      peer.manner = (one) => one.place === 'place-0' && one.kind === 'post';
      const hung = said('ms, one of 50 hangs', figures(await handOver(peer, tickets, rate / 2, 5)));
      measures.p14 = { well, hung, ratio: hung.p99 / well.p99 };
    }
    if (parts.includes('noisy')) measures.l7 = await noisy(peer, tickets, events);
    return measures;
  } finally {
    desk.kill('SIGKILL');
    await hush();
    publisher.disconnect();
    await peer.close();
    await mongoose.connection.dropDatabase();
    await disconnectStore();
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { MONGODB_URI, REDIS_URL, WAITING, RATE, EVENTS, PARTS, CARDS } = process.env;
  if (!MONGODB_URI || !REDIS_URL) throw new Error('MONGODB_URI and REDIS_URL say which stores to measure');
  const options = {
    ...(WAITING ? { waiting: Number(WAITING) } : {}),
    ...(RATE ? { rate: Number(RATE) } : {}),
    ...(EVENTS ? { events: Number(EVENTS) } : {}),
    ...(PARTS ? { parts: PARTS.split(',') } : {}),
    cards: CARDS === 'true',
  };
  console.log(JSON.stringify(await benchWorkers(MONGODB_URI, REDIS_URL, options), null, 2));
}
