// Two workers give tickets out at the same time, and are killed while they do: everybody gets their share, nobody more
// than they take, and each ticket finds somebody once.
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { fold } from '../../src/history/entry.ts';
import { same } from '../../src/history/parts.ts';
import { entriesOf } from '../../src/tickets/find.ts';
import type { StoredTicket } from '../../src/tickets/ticket.ts';
import { openPeer, type Peer } from '../support/peer.ts';
import { type Desk, startDesk } from '../support/processes.ts';
import { formTeam, hire, openDeskOf, type Person } from '../support/staff.ts';
import { until } from '../support/talk.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

let peer: Peer;
let world: World;
let manager: Person;
const workers: Desk[] = [];
const worker = async () => workers.push(await startDesk(world, { PEER_URL: peer.url }));
const end = async (one: Desk | undefined) => {
  one?.child.kill('SIGKILL');
  await one?.ended;
};

beforeAll(async () => {
  peer = await openPeer();
  world = await openWorld({ roles: 'api' });
  manager = await hire(world, 'Mona', 'manager');
}, 60_000);
afterEach(async () => {
  for (const one of workers.splice(0)) await end(one);
});
afterAll(async () => {
  await closeAll(world, peer);
});

const tickets = () => mongoose.connection.collection<StoredTicket>('tickets');
async function deskOf(key: string, names: string[], rule: Record<string, unknown>): Promise<string> {
  const team = await formTeam(key);
  for (const name of names) await hire(world, name, 'agent', { teams: [team] });
  const { id } = await openDeskOf(key, 'support');
  const answer = await manager.call('PUT', `desks/${key}/routing`, { team_id: team, ...rule });
  expect(answer.body).toMatchObject({ automatic: true, source: 'desk', team_id: team });
  return id;
}
const file = async (desk: string, title: string) =>
  expect((await manager.call('POST', 'tickets', { title, desk })).status).toBe(201);
async function shares(desk: string): Promise<number[]> {
  const rows = await tickets()
    .aggregate([
      { $match: { desk, assignee: { $ne: null } } },
      { $group: { _id: '$assignee', n: { $sum: 1 } } },
    ])
    .toArray();
  return rows.map(({ n }) => n).sort();
}
const given = async (desk: string) => (await shares(desk)).reduce((sum, one) => sum + one, 0);

async function eachOnce(desk: string): Promise<void> {
  for (const stored of (await tickets().find({ desk }).toArray()) as unknown as StoredTicket[]) {
    const entries = await entriesOf(stored);
    expect(entries.map(({ action }) => action)).toEqual(['created', 'assignment_change']);
    const { pending: _, pendingAt: __, words: ___, untold: ____, ...ticket } = stored;
    expect(same({ ...fold(entries), _id: stored._id }, ticket)).toBe(true);
  }
}

test('sixty tickets over three agents by two workers are twenty each', async () => {
  const desk = await deskOf('RR', ['Ana', 'Bo', 'Mei'], { strategy: 'round_robin' });
  await Promise.all([worker(), worker()]);
  for (let from = 0; from < 60; from += 12)
    await Promise.all(Array.from({ length: 12 }, (_, n) => file('RR', `Ticket ${from + n}`)));
  await until(async () => (await given(desk)) === 60, 60_000);
  expect(await shares(desk)).toEqual([20, 20, 20]);
  await until(async () => !(await tickets().findOne({ desk, pendingAt: { $type: 'date' } })), 60_000);
  await eachOnce(desk);
}, 120_000);

test('killed again and again while they give out, they leave nothing undone and nothing twice', async () => {
  const desk = await deskOf('KILL', ['Kim', 'Lee', 'Pat'], { strategy: 'least_loaded', capacity: 30 });
  await Promise.all([worker(), worker()]);
  let filed = 0;
  const filing = (async () => {
    for (; filed < 100; filed += 10)
      await Promise.all(Array.from({ length: 10 }, (_, n) => file('KILL', `Ticket ${filed + n}`)));
  })();
  for (let kills = 1; kills <= 3; kills++) {
    await until(async () => (await given(desk)) >= kills * 12 || filed >= 100, 60_000);
    await end(workers.shift());
    await worker();
  }
  await filing;
  await until(async () => (await given(desk)) >= 90, 60_000);
  await until(async () => !(await tickets().findOne({ desk, pendingAt: { $type: 'date' } })), 60_000);
  expect(await shares(desk)).toEqual([30, 30, 30]);
  expect(await tickets().countDocuments({ desk, assignee: null as never })).toBe(10);
  await tickets().deleteMany({ desk, assignee: null as never });
  await eachOnce(desk);
}, 180_000);
