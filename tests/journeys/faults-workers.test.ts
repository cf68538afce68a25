// Workers that die, freeze and leave in the middle of their work: nothing is lost, nothing is said twice.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { newId } from '../../src/id.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { doubled, openPeer, type Peer, peerChannel } from '../support/peer.ts';
import { type Desk, startDesk } from '../support/processes.ts';
import { bind, type Filed, file, receipts, say, until } from '../support/talk.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

let peer: Peer;
let world: World;
const desks: Desk[] = [];
const worker = async (): Promise<Desk> => {
  const desk = await startDesk(world, { PEER_URL: peer.url });
  desks.push(desk);
  return desk;
};
beforeAll(async () => {
  peer = await openPeer();
  world = await openWorld({ roles: 'api', channels: [peerChannel(peer.url)] });
}, 60_000);
afterEach(async () => {
  peer.manner = null;
  for (const desk of desks.splice(0)) {
    desk.child.kill('SIGKILL');
    await desk.ended;
  }
});
afterAll(async () => {
  await closeAll(world, peer);
});

const words = (place: string) =>
  peer.heard.filter((one) => one.place === place && one.kind === 'post').map((one) => one.text);
const talkedAbout = async (place: string): Promise<Filed> => {
  const ticket = await file(world, place);
  await bind(ticket, place, 'public');
  return ticket;
};
/** The peer takes the message at once and answers late: a worker that dies meanwhile does not know. */
const answersLate = (ms: number) => {
  peer.manner = (one, _, res) => {
    peer.heard.push(one);
    setTimeout(() => res.end('{}'), ms);
    return true;
  };
};

test('workers are killed in the middle of sending, again and again, and each message arrives once and in order', async () => {
  const places = ['kill-1', 'kill-2', 'kill-3', 'kill-4'];
  const tickets = await Promise.all(places.map(talkedAbout));
  const said = Array.from({ length: 6 }, (_, n) => `word ${n}`);
  answersLate(150);
  await worker();
  for (const word of said) for (const ticket of tickets) await say(world, ticket, word);
  for (let round = 0; round < 2; round++) {
    const before = peer.tried.length;
    const victim = desks.at(-1);
    await until(() => peer.tried.length > before || peer.heard.length > 60, 30_000);
    victim?.child.kill('SIGKILL');
    await worker();
  }
  await until(() => places.every((place) => words(place).length >= said.length), 60_000);
  for (const place of places) expect(words(place)).toEqual(said);
  expect(doubled(peer.heard)).toEqual([]);
}, 180_000);

test('several relays and workers at once say everything once', async () => {
  await Promise.all([worker(), worker()]);
  const places = Array.from({ length: 10 }, (_, n) => `many-${n}`);
  const tickets = await Promise.all(places.map(talkedAbout));
  const said = Array.from({ length: 8 }, (_, n) => `word ${n}`);
  await Promise.all(
    tickets.map(async (ticket) => {
      for (const word of said) await say(world, ticket, word);
    }),
  );
  await until(() => places.every((place) => words(place).length >= said.length), 60_000);
  for (const place of places) expect(words(place)).toEqual(said);
  expect(doubled(peer.heard)).toEqual([]);
}, 120_000);

test('a worker that froze while sending finds on waking that another has seen to it', async () => {
  const ticket = await talkedAbout('frozen');
  const sleeper = await worker();
  peer.manner = (one) => one.place === 'frozen' && one.kind === 'post';
  await say(world, ticket, 'only once');
  await until(() => peer.tried.some((one) => one.place === 'frozen' && one.kind === 'post'), 30_000);
  process.kill(sleeper.pid, 'SIGSTOP');
  peer.manner = null;
  await worker();
  await until(() => words('frozen').length === 1, 45_000);
  process.kill(sleeper.pid, 'SIGCONT');
  await until(async () => (await receipts(world, ticket)).some((one) => one.state === 'sent'), 40_000);
  const post = (await receipts(world, ticket)).find((one) => one.kind === 'post');
  expect(post?.state).toBe('sent');
  expect(words('frozen')).toEqual(['only once']);
}, 120_000);

test('a change that cannot be digested is set aside and told, the rest flows, and mended it goes through once more', async () => {
  const [sick, well] = [await talkedAbout('sick'), await talkedAbout('well')];
  const client = await mongoose.mongo.MongoClient.connect(world.config.MONGODB_URI);
  const db = client.db(world.database);
  const entry = {
    _id: `${sick.id}-99`,
    ticket: sick.id,
    company: FIRST_COMPANY,
    seq: 99,
    action: 'comment_added',
    at: new Date(),
    comment: { id: newId(), audience: 'public', text: 'well again' },
  };
  await db
    .collection<{ _id: string }>('tickets')
    .updateOne({ _id: sick.id }, { $set: { pending: [entry], pendingAt: new Date(1), seq: 99 } });
  const desk = await worker();
  await say(world, well, 'still here');
  await until(() => words('well').length === 1, 40_000);
  const aside = await until(
    () => db.collection<{ _id: string }>('poisoned').findOne({ _id: sick.id }),
    30_000,
  );
  expect(aside).toMatchObject({ entries: [`${sick.id}-99`], settledAt: null });
  await until(() => desk.said().includes('set aside'));
  expect(words('sick')).toEqual([]);
  const mended = {
    fields: {},
    via: 'api',
    request: 'test',
    by: { kind: 'system', id: 'test', name: 'Test' },
  };
  await db.collection<{ _id: string }>('history').updateOne({ _id: entry._id }, { $set: mended });
  await client.close();
  const uri = new URL(world.config.MONGODB_URI);
  uri.pathname = `/${world.database}`;
  const { DATA_DIR, REDIS_URL } = world.config;
  const env = { ...process.env, MONGODB_URI: String(uri), DATA_DIR, REDIS_URL };
  const replay = promisify(execFile)(process.execPath, ['dist/scripts/replay.js', '--ticket', sick.id], {
    env: { ...env, SWITCHBOARD_ENV: 'test' },
  });
  expect((await replay).stdout).toContain('1 entries go through the relay again');
  await until(() => words('sick').length > 0, 30_000);
  expect(words('sick')).toEqual(['well again']);
}, 120_000);

test('a message that kills whoever sends it is set aside, and the rest flows', async () => {
  const [sick, well] = [await talkedAbout('fatal'), await talkedAbout('fine')];
  await say(world, sick, 'Marker-11: fatal');
  const client = await mongoose.mongo.MongoClient.connect(world.config.MONGODB_URI);
  const deliveries = client.db(world.database).collection('deliveries');
  for (let death = 1; death <= 3; death++) {
    expect(await (await worker()).ended).toBe('SIGKILL');
    // Its lease runs out.
    await deliveries.updateMany({ state: 'sending' }, { $set: { nextAttemptAt: new Date() } });
  }
  await client.close();
  await worker();
  await say(world, well, 'still here');
  await say(world, sick, 'and here');
  await until(() => words('fine').length === 1 && words('fatal').length === 1, 30_000);
  const aside = (await receipts(world, sick)).find((one) => one.kind === 'post');
  expect(aside).toMatchObject({ state: 'failed', error: expect.stringContaining('died each time') });
  expect(aside?.attempts).toHaveLength(1);
  // The same words to the person, on the same surface, would kill the next sender.
  expect((await receipts(world, sick)).filter((one) => one.fallback_of_id)).toEqual([]);
}, 120_000);

test('a worker that is told to go leaves within ten seconds, in good order, and another finishes', async () => {
  const tickets = await Promise.all(['leave-1', 'leave-2', 'leave-3'].map(talkedAbout));
  const leaver = await worker();
  answersLate(300);
  for (const ticket of tickets) for (const word of ['a', 'b', 'c', 'd']) await say(world, ticket, word);
  await until(() => words('leave-1').length > 0, 30_000);
  const asked = Date.now();
  leaver.child.kill('SIGTERM');
  expect(await leaver.ended).toBe(0);
  expect(Date.now() - asked).toBeLessThan(10_000);
  await worker();
  for (const place of ['leave-1', 'leave-2', 'leave-3'])
    expect(await until(() => words(place).length >= 4 && words(place), 40_000)).toEqual(['a', 'b', 'c', 'd']);
  expect(doubled(peer.heard)).toEqual([]);
}, 120_000);
