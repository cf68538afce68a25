// The database killed and away under the workers: what was accepted is there and told once, what could not be stored
// was refused so that the sender comes back, and nobody has to start anything again.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { check } from '../support/checker.ts';
import { doubled, openPeer, type Peer, peerChannel } from '../support/peer.ts';
import { type OwnEngine, openEngineServer } from '../support/processes.ts';
import { bind, type Filed, file, until } from '../support/talk.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

const AWAY_MS = Number(process.env.AWAY_MS ?? 6_000);
let peer: Peer;
let engine: OwnEngine;
let world: World;
beforeAll(async () => {
  [peer, engine] = await Promise.all([openPeer(), openEngineServer()]);
  world = await openWorld({
    channels: [peerChannel(peer.url, { delays: [0.2, 0.5, 1, 1, 1, 1, 1, 1], kinds: ['post'], abreast: 8 })],
    env: { MONGODB_URI: engine.uri, NOTIFICATIONS_ENABLED: 'false', LOG_LEVEL: 'warn' },
  });
}, 60_000);
afterAll(async () => {
  await closeAll(world, peer, engine);
}, 60_000);

const posts = (place: string) =>
  peer.heard.filter((one) => one.place === place && one.kind === 'post').map((one) => one.text);
const talkedAbout = async (place: string): Promise<Filed> => {
  const ticket = await file(world, place);
  await bind(ticket, place, 'public');
  return ticket;
};

interface Said {
  status: number;
  ms: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an answer
  body: any;
}
/** As a careful client does: with one key, until it is taken. */
async function insist(at: string, body: object, refusals: Said[] = []): Promise<Said> {
  const as = await world.admin();
  const key = randomUUID();
  for (const end = Date.now() + 60_000; Date.now() < end; await pause(50)) {
    const began = performance.now();
    const said = await world
      .call('POST', at, { as, body, headers: { 'idempotency-key': key } })
      .catch(() => null);
    const inFlight = said?.body?.error_code === 'E_IDEMPOTENCY_IN_FLIGHT';
    if (said && said.status < 300)
      return { status: said.status, body: said.body, ms: performance.now() - began };
    if (said && !inFlight) {
      refusals.push({ status: said.status, body: said.body, ms: performance.now() - began });
      if (said.status !== 503) throw new Error(`${said.status} ${JSON.stringify(said.body)}`);
      expect(said.headers.get('retry-after')).toMatch(/^\d+$/);
    }
  }
  throw new Error('not taken within a minute');
}

test('the database is killed again and again under load: all that was taken is there, and told once, in order', async () => {
  const places = ['db-1', 'db-2', 'db-3', 'db-4'];
  const tickets = await Promise.all(places.map(talkedAbout));
  let isOver = false;
  const counts = places.map(() => 0);
  const filed: string[] = [];
  const talking = tickets.map(async (ticket, n) => {
    while (!isOver) {
      const content = `word ${counts[n]}`;
      await insist(`/api/v1/tickets/${ticket.id}/comments`, { content });
      counts[n] = (counts[n] ?? 0) + 1;
      const { body } = await insist('/api/v1/tickets', { title: `${places[n]} ${content}` });
      filed.push(body.key);
    }
  });
  for (let death = 0; death < 3; death++) {
    const before = filed.length;
    await until(() => filed.length > before + 3, 30_000);
    await engine.kill();
    await pause(200);
    await engine.start();
  }
  isOver = true;
  await Promise.all(talking);
  await until(() => places.every((place, n) => posts(place).length >= (counts[n] ?? 0)), 45_000);
  for (const [n, place] of places.entries())
    expect(posts(place)).toEqual(Array.from({ length: counts[n] ?? 0 }, (_, word) => `word ${word}`));
  expect(doubled(peer.heard)).toEqual([]);
  expect(new Set(filed).size).toBe(filed.length);
  await world.drain();
  const { problems, tickets: all } = await check(engine.uri, world.database);
  expect(problems).toEqual([]);
  expect(all).toBe(places.length + filed.length);
}, 150_000);

test('the database is away for a while: senders are told to come back, what fell due fires once, nothing is started again', async () => {
  const ticket = await talkedAbout('db-away');
  const due = await file(world, 'falls due meanwhile', { priority: 'critical' });
  const client = await mongoose.mongo.MongoClient.connect(engine.uri);
  const tickets = client.db(world.database).collection<{ _id: string }>('tickets');
  const asleep = new Date(Date.now() + 1_500);
  await tickets.updateOne({ _id: due.id }, { $set: { snoozedUntil: asleep, nextDeadlineAt: asleep } });
  await client.close();
  await world.drain();
  await engine.kill();
  expect((await world.call('GET', '/health')).status).toBe(200);
  const ready = await world.call('GET', '/ready');
  expect([ready.status, ready.body.detail]).toEqual([503, 'Not ready: mongodb.']);
  const refusals: Said[] = [];
  const words = Array.from({ length: 10 }, (_, n) => `held ${n}`);
  const taken = Promise.all(
    words.map((content) => insist(`/api/v1/tickets/${ticket.id}/comments`, { content }, refusals)),
  );
  await pause(AWAY_MS);
  await engine.start();
  await taken;
  expect(refusals.length).toBeGreaterThan(0);
  expect(Math.max(...refusals.map((one) => one.ms))).toBeLessThan(5_000);
  const as = await world.admin();
  const woken = async () => {
    const history = await world.call('GET', `/api/v1/tickets/${due.id}/history?action=snoozed`, { as });
    return history.status === 200 ? history.body.items : [];
  };
  await until(async () => (await woken()).length > 0, 60_000);
  await until(() => posts('db-away').length >= words.length, 30_000);
  await world.drain();
  expect(await woken()).toHaveLength(1);
  expect(posts('db-away').sort()).toEqual(words);
  expect(doubled(peer.heard)).toEqual([]);
  expect((await world.call('GET', '/ready')).status).toBe(200);
}, 120_000);
