// The desk under strain: waiting times at half load (P3), what a call costs the stores and what the data layer adds to
// the driver (P15), logins beside other work (P16), memory (RSS). Each alone: `npm run bench -- --only P3`.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { hash } from '@node-rs/argon2';
import { MongoClient } from 'mongodb';
import type { Ctx } from '../../src/context.ts';
import { newId } from '../../src/id.ts';
import { openLog } from '../../src/log.ts';
import { connectStore, disconnectStore } from '../../src/store.ts';
import { ticketCollection } from '../../src/tickets/model.ts';
import { create, createInput, read } from '../../src/tickets/tickets.ts';
import { redisOptions } from '../../src/workers/redis.ts';
import {
  callFrom,
  type Desk,
  fire,
  inTurns,
  login,
  named,
  residentMb,
  type Stand,
  say,
  shown,
  TICKET,
} from './stand.ts';

export interface Strain {
  stand: Stand;
  desk: Desk;
  /** The bare work's door. */
  bare: string;
  seconds: number;
  rounds: number;
  wants: (name: string) => boolean;
}

export async function strain(given: Strain): Promise<void> {
  if (given.wants('P3')) await waiting(given);
  if (given.wants('P15')) {
    await commands(given);
    await dataLayer(given);
  }
  if (given.wants('P16')) await logins(given);
  if (given.wants('RSS')) await memory(given);
}

/** Open loop: requests come at their times, however long the answers take. */
async function waiting({ desk, bare, seconds, rounds }: Strain): Promise<void> {
  const create = { url: `${desk.url}/api/v1/tickets`, token: desk.token, seconds };
  const ground = { url: `${bare}/`, seconds };
  const rate = Math.max(1, Math.round((await fire(create)).rate / 2));
  const waits: number[] = [];
  await inTurns({
    name: `P3 create p99 / floor p99, both at ${rate}/s`,
    bar: '<= 5',
    rounds,
    product: async () => {
      const { p99 } = await fire({ ...create, rate });
      waits.push(p99);
      return p99;
    },
    ground: async () => (await fire({ ...ground, rate })).p99,
  });
  say(`P3 create p99 at half load: ${waits.map(shown).join(' ')} ms (bar <= 50)`);
}

const OURS = new Set(['hello', 'isMaster', 'ismaster', 'ping', 'serverStatus', 'endSessions', 'buildInfo']);

async function mongoCommands(mongo: MongoClient): Promise<number> {
  const { metrics } = await mongo.db('admin').command({ serverStatus: 1 });
  const asked = Object.entries(metrics.commands as Record<string, { total: number }>);
  return asked.reduce((sum, [name, { total }]) => sum + (OURS.has(name) ? 0 : Number(total)), 0);
}

/** Hears every command, as text: one a line. */
async function redisCommands(uri: string, hear: (command: string) => void): Promise<Socket> {
  const { url, options } = redisOptions(uri);
  const { hostname: host, port } = new URL(url ?? 'redis://localhost');
  const socket = connect(options.path ? { path: options.path } : { host, port: Number(port || 6_379) });
  let rest = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\r\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '+OK') hear(line);
  });
  await once(socket, 'connect');
  socket.write('MONITOR\r\n');
  return socket;
}

/**
 * One at a time, each relayed before the next. Of MongoDB's commands those are taken off that the desk asks by itself in
 * the same time; of Redis' those of its rounds, which are far more, are told apart by their keys.
 */
async function commands({ stand, desk }: Strain): Promise<void> {
  const mongo = await MongoClient.connect(stand.mongodb);
  let heard = 0;
  const monitor = await redisCommands(stand.redis, (command) => {
    if (!command.includes(`${desk.database}:rounds`)) heard++;
  });
  const CALLS = 40;
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${desk.token}` };
  const spent = async (call: () => Promise<unknown>, restMs: number) => {
    await call();
    await pause(500);
    const before = await mongoCommands(mongo);
    const started = performance.now();
    heard = 0;
    for (let n = 0; n < CALLS; n++) {
      await call();
      await pause(restMs);
    }
    const after = await mongoCommands(mongo);
    const told = heard;
    await pause(performance.now() - started);
    const idle = (await mongoCommands(mongo)) - after;
    return { mongo: (after - before - idle) / CALLS, redis: told / CALLS };
  };
  const filing = { method: 'POST', headers, body: JSON.stringify(TICKET) };
  const create = await spent(async () => (await fetch(`${desk.url}/api/v1/tickets`, filing)).text(), 60);
  const list = await spent(
    async () => (await fetch(`${desk.url}/api/v1/tickets?status=new`, { headers })).text(),
    10,
  );
  say(
    `P15 commands of a create: ${shown(create.mongo)} Mongo, ${shown(create.redis)} Redis (bar <= 6, <= 6)`,
  );
  say(`P15 commands of a list: ${shown(list.mongo)} Mongo, ${shown(list.redis)} Redis (bar <= 2 Mongo)`);
  await mongo.close();
  monitor.destroy();
}

async function perSecond(seconds: number, work: (at: number) => Promise<unknown>): Promise<number> {
  const until = performance.now() + seconds * 1_000;
  let done = 0;
  const one = async () => {
    while (performance.now() < until) await work(done++);
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: 32 }, one));
  return (done * 1_000) / (performance.now() - started);
}

/** Our verbs and the driver, in this process, on a database whose desk has set it up and gone. */
async function dataLayer({ stand, seconds, rounds }: Strain): Promise<void> {
  const { database, pid } = await stand.desk('bench_layer');
  process.kill(pid, 'SIGTERM');
  const uri = named(stand.mongodb, database);
  const log = openLog('warn');
  await connectStore({ uri, log });
  const raw = await MongoClient.connect(uri, {
    writeConcern: { w: 'majority', journal: true },
    retryWrites: false,
    maxPoolSize: 50,
  });
  try {
    const user = await raw.db().collection('users').findOne();
    if (!user) throw new Error('nobody has signed in');
    const ctx: Ctx = {
      actor: {
        ...{ kind: 'user', id: String(user._id), name: String(user.username) },
        ...{ company: String(user.company), role: 'admin', teams: [] },
      },
      ...{ via: 'api', now: () => new Date(), log, request: 'bench' },
    };
    const tickets = await Promise.all(
      Array.from({ length: 100 }, () => create(ctx, createInput.parse(TICKET))),
    );
    const ids = tickets.map(({ _id }) => _id);
    const idAt = (at: number) => ids[at % ids.length] ?? '';
    const stored = await ticketCollection().findOne({ _id: idAt(0) });
    const bare = raw.db().collection<{ _id: string }>('tickets');
    const plain = raw.db().collection('floor');
    // What a list needs is written by whoever inserts: the floor of a write keeps the same indexes, as that of a read does.
    const floor = raw.db().collection('floor_of_writes');
    for (const { key, unique, partialFilterExpression } of await bare.indexes())
      await floor.createIndex(key, {
        ...(unique ? { unique } : {}),
        ...(partialFilterExpression ? { partialFilterExpression } : {}),
      });
    let filed = 0;
    const rowLike = () => ({
      ...stored,
      _id: newId() as never,
      key: `TKT-${++filed}`,
      createdAt: new Date(),
    });
    await inTurns({
      name: 'P15 lean read / driver findOne',
      bar: '>= 0.70',
      rounds,
      product: () => perSecond(seconds, (at) => read(ctx, idAt(at))),
      ground: () => perSecond(seconds, (at) => bare.findOne({ _id: idAt(at) })),
    });
    const write = () => perSecond(seconds, () => create(ctx, createInput.parse(TICKET)));
    await inTurns({
      name: 'P15 validated, numbered, audited write / driver insertOne of the same document and indexes',
      bar: '>= 0.45',
      rounds,
      product: write,
      ground: () => perSecond(seconds, () => floor.insertOne(rowLike())),
    });
    await inTurns({
      name: 'P15 the same write / driver insertOne without any index',
      bar: 'none',
      rounds,
      product: write,
      ground: () => perSecond(seconds, () => plain.insertOne(rowLike())),
    });
  } finally {
    await raw.close();
    await disconnectStore();
  }
}

const FLOOD = 50;

async function logins({ stand, desk, seconds, rounds }: Strain): Promise<void> {
  const hashed = await hash('bench password', { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
  const { bare } = await stand.floor(desk, hashed);
  const signIn = { url: `${desk.url}/api/v1/auth/login`, body: login.body, seconds };
  await inTurns({
    name: 'P16 logins / bare argon2',
    bar: '>= 0.80',
    rounds,
    product: async () => (await fire({ ...signIn, connections: 8 })).rate,
    ground: async () => (await fire({ url: `${bare}/hash`, method: 'GET', connections: 8, seconds })).rate,
  });
  const me = { url: `${desk.url}/api/v1/auth/me`, method: 'GET', token: desk.token, seconds } as const;
  const others = async () => (await callFrom({ ...me, connections: 8, rate: 100 })).p99;
  let answered = 0;
  await inTurns({
    name: `P16 p99 of others in a flood of ${FLOOD} logins/s / idle`,
    bar: '<= 3',
    rounds,
    product: async () => {
      const [p99, flood] = await Promise.all([
        others(),
        callFrom({ ...signIn, connections: 64, rate: FLOOD }),
      ]);
      answered = flood.a_second;
      return p99;
    },
    ground: async () => {
      await pause(1_500);
      return others();
    },
  });
  say(`P16 of ${FLOOD} logins/s ${shown(answered)} were let in, the others told to come back`);
}

const LARGE = 50 * 1024 * 1024;

async function memory({ stand }: Strain): Promise<void> {
  const desk = await stand.desk('bench_memory', { ROLES: 'api' });
  await pause(5_000);
  say(`RSS of an idle API process: ${shown(residentMb(desk.pid))} MB (bar < 150)`);
  const headers = { authorization: `Bearer ${desk.token}` };
  const filing = { method: 'POST', body: JSON.stringify(TICKET) };
  const json = { ...headers, 'content-type': 'application/json' };
  const answer = await fetch(`${desk.url}/api/v1/tickets`, { ...filing, headers: json });
  const { id } = (await answer.json()) as { id: string };
  const send = async (size: number) => {
    const form = new FormData();
    form.set('file', new Blob(['all is well\n'.repeat(size / 12)]), 'system.log');
    const sent = await fetch(`${desk.url}/api/v1/tickets/${id}/attachments`, {
      ...{ method: 'POST', headers, body: form },
    });
    if (!sent.ok) throw new Error(await sent.text());
  };
  for (let time = 0; time < 3; time++) await send(LARGE / 10);
  const before = residentMb(desk.pid);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, residentMb(desk.pid));
  }, 10);
  await send(LARGE - 4_096);
  clearInterval(watch);
  say(`RSS rises during a 50 MB upload by ${shown(most - before)} MB (bar < 20), from ${shown(before)} MB`);
}
