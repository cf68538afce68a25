// Workers are killed with -9 while rules fire: each rule has fired once on each ticket, all of it or nothing of it.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import type { Entry } from '../../src/history/entry.ts';
import { check } from '../support/checker.ts';
import { openPeer, type Peer } from '../support/peer.ts';
import { type Desk, startDesk } from '../support/processes.ts';
import { ADD, rulesOf } from '../support/rules.ts';
import { hireStaff } from '../support/staff.ts';
import { until } from '../support/talk.ts';
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
  world = await openWorld({ roles: 'api' });
}, 60_000);
afterEach(async () => {
  for (const desk of desks.splice(0)) {
    desk.child.kill('SIGKILL');
    await desk.ended;
  }
});
afterAll(async () => {
  await closeAll(world, peer);
});

const db = () => mongoose.connection;
const history = (filter: object) =>
  db().collection('history').find(filter).toArray() as unknown as Promise<Entry[]>;
const waiting = () =>
  db()
    .collection('tickets')
    .countDocuments({ pendingAt: { $type: 'date' } });

test('a rule that was firing when its worker died has fired once', async () => {
  const rules = rulesOf(await hireStaff(world));
  const note = { do: 'note', text: 'Once.' };
  const first = await rules.make({ then: [note, ADD('first'), { do: 'set', priority: 'high' }] });
  const second = await rules.make({ when: { events: ['priority_change'] }, then: [note, ADD('second')] });
  const ids: string[] = [];
  let over = false;
  const clients = Array.from({ length: 4 }, async () => {
    while (!over)
      if ((await waiting()) < 25) ids.push(await rules.file());
      else await pause(20);
  });
  for (let kill = 0; kill < 3; kill++) {
    const victim = await worker();
    const before = await db().collection('automation_runs').countDocuments();
    await until(async () => (await db().collection('automation_runs').countDocuments()) > before + 5, 30_000);
    victim.child.kill('SIGKILL');
  }
  over = true;
  await Promise.all(clients);
  await Promise.all([worker(), worker()]);
  await until(async () => (await waiting()) === 0, 60_000);

  const entries = await history({ via: 'automation' });
  for (const rule of [first, second]) {
    const fired = entries.filter((one) => one.action === 'rule_applied' && one.facts?.rule === rule);
    const notes = entries.filter((one) => one.comment && one.facts?.rule === rule);
    expect(fired.map((one) => one.ticket).sort()).toEqual([...ids].sort());
    expect(notes.map((one) => one.ticket).sort()).toEqual([...ids].sort());
    const runs = await db().collection('automation_runs').countDocuments({ rule, outcome: 'fired' });
    expect(runs).toBe(ids.length);
  }
  for (const entry of entries.filter((one) => one.action === 'rule_applied' && one.facts?.rule === second))
    expect(entry.facts?.rules).toEqual([first, second]);
  const tickets = await db().collection('tickets').find().toArray();
  for (const ticket of tickets) expect(ticket.tags).toEqual(['first', 'second']);
  expect((await check(world.config.MONGODB_URI, world.database)).problems).toEqual([]);
}, 240_000);
