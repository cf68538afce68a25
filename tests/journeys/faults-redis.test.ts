// Redis emptied, killed and away while work is going on: the API goes on accepting, and everything arrives once.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { openLog } from '../../src/log.ts';
import { change } from '../../src/tickets/change.ts';
import { watchRedis } from '../../src/workers/redis.ts';
import { doubled, openPeer, type Peer, peerChannel } from '../support/peer.ts';
import { type OwnRedis, openRedisServer } from '../support/processes.ts';
import { bind, type Filed, file, say, system, until } from '../support/talk.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

let peer: Peer;
let redis: OwnRedis;
let world: World;
beforeAll(async () => {
  [peer, redis] = await Promise.all([openPeer(), openRedisServer()]);
  world = await openWorld({
    channels: [peerChannel(peer.url, { delays: [0.2, 0.5, 1, 1, 1, 1, 1, 1, 1], abreast: 8 })],
    env: { REDIS_URL: redis.url, NOTIFICATIONS_ENABLED: 'false', LOG_LEVEL: 'warn' },
  });
}, 60_000);
afterEach(async () => {
  peer.manner = null;
  // What failed in the middle leaves the others a Redis to fail by.
  await redis.start();
});
afterAll(async () => {
  await closeAll(world, peer, redis);
}, 60_000);

const posts = (place: string) => peer.heard.filter((one) => one.place === place && one.kind === 'post');
const talkedAbout = async (place: string): Promise<Filed> => {
  const ticket = await file(world, place);
  await bind(ticket, place, 'public');
  return ticket;
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('Redis is emptied with work waiting: all of it is found again, and done once', async () => {
  const places = Array.from({ length: 20 }, (_, n) => `flush-${n}`);
  const tickets = await Promise.all(places.map(talkedAbout));
  peer.manner = (one, _, res) => {
    if (one.kind !== 'post') return false;
    res.statusCode = 503;
    res.end();
    return true;
  };
  await Promise.all(tickets.map((ticket) => say(world, ticket, 'before')));
  await until(() => peer.tried.some((one) => one.kind === 'post'));
  await redis.flush();
  await Promise.all(tickets.map((ticket) => say(world, ticket, 'after')));
  await redis.flush();
  peer.manner = null;
  await until(() => places.every((place) => posts(place).length === 2), 60_000);
  for (const place of places) expect(posts(place).map((one) => one.text)).toEqual(['before', 'after']);
  expect(doubled(peer.heard)).toEqual([]);
}, 90_000);

test('the disk of Redis is full: changes are accepted and told, and it is said that something is missing', async () => {
  const ticket = await talkedAbout('no-disk');
  await world.drain();
  await redis.fill();
  const ready = () => world.call('GET', '/ready');
  await until(async () => (await ready()).status === 503, 40_000);
  const words = Array.from({ length: 10 }, (_, n) => `word ${n}`);
  for (const word of words) {
    const began = performance.now();
    await say(world, ticket, word);
    expect(performance.now() - began).toBeLessThan(10_000);
  }
  await redis.clear();
  await until(async () => (await ready()).status === 200, 40_000);
  await until(() => posts('no-disk').length >= words.length, 30_000);
  expect(posts('no-disk').map((one) => one.text)).toEqual(words);
  expect(doubled(peer.heard)).toEqual([]);
}, 90_000);

test('Redis is killed under load: every change is accepted quickly, and told once Redis is back', async () => {
  const tickets = await Promise.all(Array.from({ length: 5 }, (_, n) => talkedAbout(`away-${n}`)));
  await world.drain();
  const asleep = await file(world, 'Asleep');
  const at = new Date(Date.now() + 3_000);
  await change(system(), asleep.id, () => ({ action: 'snoozed', set: { snoozedUntil: at } }));
  await redis.kill();
  const ready = await world.call('GET', '/ready');
  expect(ready.status).toBe(503);
  expect(ready.body.detail).toBe('Not ready: redis.');
  const times: number[] = [];
  let count = 0;
  for (const end = Date.now() + 8_000; Date.now() < end; ) {
    const began = performance.now();
    const ticket = tickets[count % tickets.length];
    if (ticket) await say(world, ticket, `word ${count++}`);
    times.push(performance.now() - began);
    await pause(50);
  }
  times.sort((a, b) => a - b);
  expect(times[Math.floor(times.length * 0.99)]).toBeLessThan(5_000);
  const as = await world.admin();
  const woken = await world.call('GET', `/api/v1/tickets/${asleep.id}/history?action=snoozed`, { as });
  const [, wake] = woken.body.items.map((one: { at: string }) => Date.parse(one.at)).sort();
  expect(wake - at.getTime()).toBeGreaterThanOrEqual(0);
  expect(wake - at.getTime()).toBeLessThan(20_000);
  await redis.start();
  const all = () => tickets.flatMap((_, n) => posts(`away-${n}`));
  await until(() => all().length === count, 30_000);
  expect(doubled(peer.heard)).toEqual([]);
  tickets.forEach((_, n) => {
    const said = posts(`away-${n}`).map((one) => Number(one.text.slice(5)));
    expect(said).toEqual([...said].sort((a, b) => a - b));
  });
  await until(async () => (await world.call('GET', '/ready')).status === 200, 40_000);
}, 90_000);

/** With a setting of its own for as long as this takes. */
async function setTo(
  name: string,
  value: string,
  back: string,
  work: (client: Redis) => Promise<void>,
): Promise<void> {
  const client = new Redis(redis.url);
  try {
    await client.config('SET', name, value);
    await work(client);
  } finally {
    await client.config('SET', name, back);
    await client.quit();
  }
}

test('a Redis that is full is not ready and says so once, and changes are taken all the same', async () => {
  const lines = () => world.logged.filter((line) => /redis takes/.test(String(line.msg)));
  const before = lines().length;
  await setTo('maxmemory', '1', '0', async () => {
    const ready = await world.call('GET', '/ready');
    expect(ready.body.detail).toBe('Not ready: redis.');
    const ticket = await talkedAbout('full');
    await say(world, ticket, 'heard when there is room');
    await until(() => lines().length > before);
    expect(lines().at(-1)).toMatchObject({ level: 'error', reason: expect.stringMatching(/^OOM/) });
  });
  await until(async () => (await world.call('GET', '/ready')).status === 200);
  await until(() => posts('full').length === 1);
  expect(
    lines()
      .slice(before)
      .filter((line) => line.level === 'error'),
  ).toHaveLength(1);
}, 90_000);

test('a Redis that may throw jobs away is told of in every process, whatever its roles', async () => {
  await setTo('maxmemory-policy', 'allkeys-lru', 'noeviction', async (client) => {
    const said: string[] = [];
    const log = openLog('info', { write: (line: string) => void said.push(line) });
    const unwatch = watchRedis(client, 'test', log);
    try {
      await until(() => said.length > 0);
    } finally {
      unwatch();
    }
    expect(JSON.parse(String(said[0]))).toMatchObject({ level: 'error', policy: 'allkeys-lru' });
  });
});
