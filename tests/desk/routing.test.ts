// Tickets find somebody by themselves: fairly, within limits, never against what a person decided, and once, however
// many workers give them out and whenever one of them dies.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { newId } from '../../src/id.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { nextBatch } from '../../src/routing/batch.ts';
import { enter, openBook } from '../../src/routing/book.ts';
import { readFacts } from '../../src/routing/facts.ts';
import type { StoredBook } from '../../src/routing/model.ts';
import { openRouter } from '../../src/routing/router.ts';
import { ruleInput } from '../../src/routing/rule.ts';
import { setRouting } from '../../src/routing/rules.ts';
import { change } from '../../src/tickets/change.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import {
  ctx,
  disband,
  filed,
  follow,
  formCrew,
  giveAll,
  log,
  many,
  now,
  presence,
  relayed,
  route,
  share,
  story,
} from '../support/crew.ts';
import { hire, type Person } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let manager: Person;

beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
  manager = await hire(world, 'Mona', 'manager');
});
afterAll(() => world?.close());

const crew = (names: string[], rule?: Record<string, unknown>) => formCrew(world, names, rule);
afterEach(disband);

describe('round robin', () => {
  test('sixty tickets over three agents are twenty each, with several routers at once', async () => {
    const desk = await crew(['Ana', 'Bo', 'Mei']);
    const made = await many(desk, 60);
    await Promise.all(Array.from({ length: 4 }, () => giveAll()));
    expect(await share(desk)).toEqual({ Ana: 20, Bo: 20, Mei: 20 });
    for (const ticket of made.slice(0, 5)) {
      const entries = await story(ticket);
      expect(entries.map((entry) => entry.action)).toEqual(['created', 'assignment_change']);
      expect(entries[1]).toMatchObject({ by: { kind: 'system' }, via: 'system' });
      expect(entries[1]?.notes).toMatch(/^Round robin: \w+ (is next, after \w+|begins)\./);
    }
  });

  test('goes on where it stopped, whoever goes on', async () => {
    const desk = await crew(['Ana', 'Bo', 'Mei']);
    const order: (string | null)[] = [];
    for (let at = 0; at < 7; at++) {
      const ticket = await filed(desk);
      await route();
      order.push((await now(ticket)).assignee);
    }
    const ids = desk.people.map(({ id }) => id);
    expect(order).toEqual([...ids, ...ids, ids[0]]);
  });

  test('somebody who comes new or back gets one turn, not all that they missed', async () => {
    const desk = await crew(['Ana', 'Bo']);
    await many(desk, 8);
    await route();
    desk.people.push(await hire(world, 'Mei', 'agent', { teams: [desk.team] }));
    await many(desk, 6);
    await route();
    expect(await share(desk)).toEqual({ Ana: 6, Bo: 6, Mei: 2 });
  });
});

describe('a limit', () => {
  test('holds, however many give out at once, and what is left waits', async () => {
    const desk = await crew(['Ana', 'Bo'], { capacity: 5, strategy: 'least_loaded' });
    await many(desk, 14);
    await Promise.all(Array.from({ length: 4 }, () => giveAll()));
    expect(await share(desk)).toEqual({ Ana: 5, Bo: 5, nobody: 4 });
  });

  test('of a person goes before the one of the desk, and counts what they have on all desks', async () => {
    const first = await crew(['Ana'], { capacity: 9 });
    const [ana] = first.people as [Person];
    const second = { ...(await crew([], { teamId: first.team, capacity: 9 })), people: first.people };
    await manager.call('PUT', `users/${ana.id}/availability`, { capacity: 3 });
    await many(first, 2);
    await route();
    await many(second, 4);
    await route();
    expect([await share(first), await share(second)]).toEqual([{ Ana: 2 }, { Ana: 1, nobody: 3 }]);
  });

  test('leaves room when a ticket waits for others, and the oldest of the queue gets it', async () => {
    const desk = await crew(['Ana'], { capacity: 1 });
    const hour = (ago: number) => new Date(Date.now() - ago * 3_600_000);
    const young = await filed(desk, {}, hour(1));
    const old = await filed(desk, {}, hour(3));
    const middle = await filed(desk, { priority: 'critical' }, hour(2));
    await route();
    const holders = async () =>
      (await Promise.all([old, middle, young].map(now))).map(({ assignee }) => assignee !== null);
    expect(await holders()).toEqual([true, false, false]);
    await change(ctx, old._id, () => ({ action: 'status_change', set: { status: 'pending' } }));
    await route();
    expect(await holders()).toEqual([true, true, false]);
    await change(ctx, middle._id, () => ({ action: 'status_change', set: { status: 'pending' } }));
    await route();
    expect(await holders()).toEqual([true, true, true]);
  });
});

describe('what people decided', () => {
  test('goes first, and so does what follows from it: a ticket that the relay has not seen is not ready', async () => {
    const desk = await crew(['Ana']);
    const ticket = await filed(desk);
    const router = openRouter(log);
    expect([await router.round(), (await now(ticket)).assignee]).toEqual([0, null]);
    await router.stop();
    expect([await route(), (await now(ticket)).assignee]).toEqual([1, desk.people[0]?.id]);
  });

  test('stays: a ticket with somebody is never given to another', async () => {
    const desk = await crew(['Ana', 'Bo']);
    const [ana] = desk.people as [Person];
    const ticket = await filed(desk, { assigneeId: ana.id });
    await manager.call('PUT', `tickets/${ticket.key}/assign`, { assignee_id: manager.id });
    await route();
    expect((await now(ticket)).assignee).toBe(manager.id);
  });

  test('put back, it goes to somebody else, and to nobody when there is nobody else', async () => {
    const desk = await crew(['Ana', 'Bo']);
    const ticket = await filed(desk);
    await route();
    const holder = async () => desk.people.find(({ id }) => id === ticketNow.assignee) as Person;
    let ticketNow = await now(ticket);
    const first = await holder();
    expect((await first.call('POST', `tickets/${ticket.key}/release`, {})).status).toBe(200);
    await follow(ticket);
    ticketNow = await now(ticket);
    const second = await holder();
    expect(second.id).not.toBe(first.id);
    await second.call('POST', `tickets/${ticket.key}/release`, {});
    await follow(ticket);
    expect(await route()).toBe(0);
    expect((await now(ticket)).assignee).toBeNull();
  });

  test('a claim at the same moment wins or loses, and its turn is not lost', async () => {
    const desk = await crew(['Ana', 'Bo']);
    const [ana] = desk.people as [Person];
    const ticket = await filed(desk);
    await relayed();
    const book = await openBook(FIRST_COMPANY);
    const { intents } = await nextBatch(await readFacts(book, new Date()));
    expect(intents.map((one) => one.ticket)).toEqual([ticket._id]);
    expect(intents[0]?.set.assignee).toBe(ana.id);
    await manager.call('POST', `tickets/${ticket.key}/claim`, {});
    await enter(book, intents);
    const next = await filed(desk);
    await route();
    expect((await now(ticket)).assignee).toBe(manager.id);
    expect((await now(next)).assignee).toBe(ana.id);
  });
});

describe('who is away', () => {
  test('is left out, says until when, and is back by themselves', async () => {
    const desk = await crew(['Ana', 'Bo']);
    const [ana, bo] = desk.people as [Person, Person];
    const until = new Date(Date.now() + 3_600_000);
    expect((await presence(bo, { away: true, until })).body).toMatchObject({ away: true, user_id: bo.id });
    const made = await many(desk, 4);
    await route();
    expect(await share(desk)).toEqual({ Ana: 4 });
    const [last] = made as [Ticket];
    expect((await story(last))[1]?.notes).toContain(`Left out: ${bo.name} (away until `);
    await mongoose.connection
      .collection('routing_presences')
      .updateOne({ _id: bo.id as never }, { $set: { until: new Date(Date.now() - 1_000) } });
    expect((await bo.call('GET', 'users/me/availability')).body.away).toBe(false);
    await many(desk, 1);
    await route();
    expect(await share(desk)).toEqual({ Ana: 4, Bo: 1 });
    expect((await presence(ana, { away: false, until })).status).toBe(400);
  });

  test('hands over what they have, once: what they are given afterwards stays', async () => {
    const desk = await crew(['Ana', 'Bo', 'Mei']);
    const [ana] = desk.people as [Person];
    const made = await Promise.all([1, 2, 3, 4].map(() => filed(desk, { assigneeId: ana.id })));
    const [waits] = made as [Ticket];
    await change(ctx, waits._id, () => ({ action: 'status_change', set: { status: 'pending' } }));
    await presence(ana, { away: true, hand_over: true });
    await Promise.all(Array.from({ length: 3 }, route));
    expect(await share(desk)).toEqual({ Bo: 2, Mei: 2 });
    for (const ticket of made) {
      const moves = (await story(ticket)).filter(({ action }) => action === 'assignment_change');
      expect(moves.map(({ notes }) => notes?.split('. ')[0])).toEqual([`${ana.name} is away`]);
    }
    const later = await filed(desk, { assigneeId: ana.id });
    await route();
    const until = new Date(Date.now() + 3_600_000);
    await setRouting(ctx, desk.desk, ruleInput.parse({ strategy: 'round_robin', handOver: true }));
    expect((await presence(ana, { away: true, until })).status).toBe(200);
    await route();
    expect((await now(later)).assignee).toBe(ana.id);
    expect((await ana.call('GET', 'users/me/availability')).body.handing_over).toBe(false);
  });

  test('where nobody else can take them, they wait in the queue; by hand elsewhere, they go back into it', async () => {
    const desk = await crew(['Ana'], { handOver: true });
    const byHand = await crew([]);
    await mongoose.connection.collection('routing_rules').deleteOne({ _id: byHand.desk as never });
    const [ana] = desk.people as [Person];
    const mine = await filed(desk, { assigneeId: ana.id });
    const other = await filed(byHand, { assigneeId: ana.id });
    await presence(ana, { away: true });
    await route();
    expect([(await now(mine)).assignee, (await now(other)).assignee]).toEqual([null, ana.id]);
    await presence(ana, { away: true, hand_over: true });
    await route();
    expect((await now(other)).assignee).toBeNull();
    await presence(ana, { away: false });
    await route();
    expect((await now(mine)).assignee).toBe(ana.id);
  });
});

describe('what was reckoned before', () => {
  test('somebody went away, or the rule was changed, is thrown away or done by the time they are told so', async () => {
    const desk = await crew(['Ana', 'Bo']);
    const [ana] = desk.people as [Person];
    const reckoned = async () => {
      await relayed();
      const book = await openBook(FIRST_COMPANY);
      return { book, ...(await nextBatch(await readFacts(book, new Date()))) };
    };
    const first = await filed(desk);
    const early = await reckoned();
    expect(early.intents[0]?.set.assignee).toBe(ana.id);
    await presence(ana, { away: true });
    expect(await enter(early.book, early.intents)).toBeNull();
    await presence(ana, { away: false });
    const late = await reckoned();
    await enter(late.book, late.intents);
    await setRouting(ctx, desk.desk, ruleInput.parse({ strategy: 'manual' }));
    expect((await now(first)).assignee).toBe(ana.id);
  });
});

describe('whoever dies while giving out', () => {
  test('holds up nobody: what was entered is carried out by the next one, once', async () => {
    const desk = await crew(['Ana', 'Bo']);
    const made = await many(desk, 6);
    await relayed();
    const book = await openBook(FIRST_COMPANY);
    const { intents } = await nextBatch(await readFacts(book, new Date()));
    const entered = (await enter(book, intents)) as StoredBook;
    expect(entered.intents).toHaveLength(6);
    expect(await enter(book, intents)).toBeNull();
    await Promise.all([route(), route(), giveAll()]);
    expect(await share(desk)).toEqual({ Ana: 3, Bo: 3 });
    for (const ticket of made)
      expect((await story(ticket)).map(({ action }) => action)).toEqual(['created', 'assignment_change']);
    expect((await openBook(FIRST_COMPANY)).intents).toEqual([]);
  });

  test('what was entered for somebody whose account is closed by then goes to another', async () => {
    const desk = await crew(['Ana', 'Bo']);
    const ticket = await filed(desk);
    await relayed();
    const book = await openBook(FIRST_COMPANY);
    await enter(book, (await nextBatch(await readFacts(book, new Date()))).intents);
    const [ana, bo] = desk.people as [Person, Person];
    await mongoose.connection
      .collection('users')
      .updateOne({ _id: ana.id as never }, { $set: { active: false } });
    await route();
    expect((await now(ticket)).assignee).toBe(bo.id);
  });
});

describe('the queue', () => {
  test('is not held up by what nobody may have: behind thousands of them one that somebody may have is found', async () => {
    const desk = await crew(['Ana'], {
      strategy: 'by_skill',
      categories: [{ category: 'billing', skills: ['invoices'] }],
    });
    const first = await filed(desk, { category: 'billing' });
    const { _id, pending: _, pendingAt: __, ...rest } = await now(first);
    const at = (n: number) => new Date(Date.now() - 3_600_000 + n);
    const copies = Array.from({ length: 2_500 }, (_, n) => ({
      ...{ ...rest, _id: newId(), key: `COPY-${n}`, createdAt: at(n), pending: [] },
    }));
    await mongoose.connection.collection('tickets').insertMany(copies as never);
    const last = await filed(desk, { category: 'technical' });
    for (let rounds = 0; rounds < 3 && (await now(last)).assignee === null; rounds++) await route();
    expect((await now(last)).assignee).toBe(desk.people[0]?.id);
    expect((await now(first)).assignee).toBeNull();
    expect(_id).toBe(first._id);
  });

  test('and what people have are found by index, whatever else there is', async () => {
    const tickets = mongoose.connection.collection('tickets');
    const live = { statusKind: { $in: ['new', 'open'] } };
    const queue = await tickets
      .find({ company: FIRST_COMPANY, assignee: null, desk: 'x', team: { $in: [null, 'a', 'b'] }, ...live })
      .sort({ createdAt: 1, _id: 1 })
      .explain();
    const counts = await tickets
      .find({ company: FIRST_COMPANY, assignee: { $in: ['a', 'b'] }, ...live })
      .explain();
    for (const plan of [queue, counts].map((one) => JSON.stringify(one.queryPlanner.winningPlan))) {
      expect(plan).toContain('company_1_assignee_1_statusKind_1_desk_1_team_1_createdAt_1__id_1');
      expect(plan).not.toMatch(/COLLSCAN|"SORT"/);
    }
  });
});
