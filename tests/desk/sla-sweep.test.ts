// What falls due by itself: never early, once however many look, by the database's time and nobody else's.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import mongoose from 'mongoose';
import { storeTime } from '../../src/clock.ts';
import { type Actor, type Ctx, systemCtx } from '../../src/context.ts';
import { type Entry, fold } from '../../src/history/entry.ts';
import { same } from '../../src/history/parts.ts';
import { openLog } from '../../src/log.ts';
import { planFor } from '../../src/notify/plan.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { installWorkspace } from '../../src/places/workspaces.ts';
import { rotaInput } from '../../src/routing/rota.ts';
import { setRota } from '../../src/routing/rotas.ts';
import { sweep } from '../../src/sla/deadlines.ts';
import type { StoredRules } from '../../src/sla/model.ts';
import { removePolicy, updatePolicy } from '../../src/sla/policies.ts';
import { patched, policyPatch } from '../../src/sla/policy.ts';
import { change } from '../../src/tickets/change.ts';
import { due } from '../../src/tickets/due.ts';
import { entriesOf, load } from '../../src/tickets/find.ts';
import type { StoredTicket, Ticket } from '../../src/tickets/ticket.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { formTeam, hire } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

const MINUTE = 60_000;
const log = openLog('silent');
let world: World;
const company = FIRST_COMPANY;
const mei: Actor = { kind: 'user', id: 'mei', name: 'Mei', company, role: 'agent', teams: [] };

beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
});
afterAll(() => world?.close());
afterEach(() => {
  jest.useRealTimers();
});

const tickets = () =>
  mongoose.connection.collection<StoredTicket>(
    'tickets',
  ) as unknown as mongoose.mongo.Collection<StoredTicket>;
const ctxAt = (at: Date): Ctx => systemCtx({ log, now: () => at }, company);
const admin = (): Ctx => systemCtx({ log }, company);
const ago = async (ms: number): Promise<Date> => new Date((await storeTime()).getTime() - ms);
/** A ticket as it was filed so long ago. */
const filed = async (ms: number, more: Record<string, unknown> = {}): Promise<Ticket> =>
  create(ctxAt(await ago(ms)), createInput.parse({ title: 'It smokes', priority: 'critical', ...more }));
const history = async ({ _id }: Ticket): Promise<Entry[]> => entriesOf(await load(admin(), _id));
const happened = async (ticket: Ticket): Promise<unknown[]> =>
  (await history(ticket)).slice(1).map((entry) => [entry.action, entry.facts?.clock ?? null]);
const isFoldOfItsEntries = async (ticket: Ticket): Promise<boolean> => {
  const { pending: _, pendingAt: __, words: ___, ...stored } = await load(admin(), ticket._id);
  return same({ ...fold(await history(ticket)), _id: stored._id }, stored);
};
const drain = async (): Promise<number> => (await sweep({ log })).fired;
const set = (ticket: Ticket, draft: Partial<Ticket>, at: Date) =>
  change(ctxAt(at), ticket._id, () => ({ action: 'update', set: draft }));

describe('a deadline', () => {
  test('fires at its instant, and never before it', async () => {
    const soon = await Promise.all([300, 600, 900].map((ms) => filed(45 * MINUTE - ms)));
    for (let fired = 0; fired < soon.length; await pause(20)) fired += await drain();
    for (const ticket of soon) {
      const warning = (await history(ticket))[1];
      expect(warning).toMatchObject({
        action: 'sla_warning',
        facts: { clock: 'first_response', percent: 75 },
      });
      const late = Number(warning?.at) - Number(warning?.facts?.due_at);
      expect(late).toBeGreaterThanOrEqual(0);
      expect(late).toBeLessThan(10_000);
    }
  });

  test('fires once, though ten sweeps go at it at the same time', async () => {
    const overdue = await Promise.all(Array.from({ length: 60 }, () => filed(61 * MINUTE)));
    await Promise.all(Array.from({ length: 10 }, drain));
    for (const ticket of overdue) expect(await happened(ticket)).toEqual([['sla_breach', 'first_response']]);
    expect(await drain()).toBe(0);
    for (const ticket of overdue.slice(0, 5)) expect(await isFoldOfItsEntries(ticket)).toBe(true);
  });

  test.each([
    ['an hour ahead', 60 * MINUTE],
    ['an hour behind', -60 * MINUTE],
  ])('comes by the database time when the clock of the worker is %s', async (_, skew) => {
    const overdue = await filed(60 * MINUTE + 50);
    const notYet = await filed(59 * MINUTE);
    const warned = await filed(44 * MINUTE);
    jest.useFakeTimers({
      now: Date.now() + skew,
      doNotFake: [
        'hrtime',
        'nextTick',
        'performance',
        'queueMicrotask',
        'setImmediate',
        'clearImmediate',
      ].concat(['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout']) as never,
    });
    await drain();
    jest.useRealTimers();
    expect(await happened(overdue)).toEqual([['sla_breach', 'first_response']]);
    expect(await happened(notYet)).toEqual([['sla_warning', 'first_response']]);
    expect(await happened(warned)).toEqual([]);
    const [breach] = (await history(overdue)).slice(1);
    expect(Math.abs(Number(breach?.at) - Date.now())).toBeLessThan(5_000);
  });

  test('after hours of silence everything that was missed is made up for, the oldest first', async () => {
    const ages = [300, 100, 200, 250, 150];
    const made: Ticket[] = [];
    for (const age of ages) made.push(await filed(age * MINUTE));
    const order = (await due(await storeTime(), 10)).map((each) =>
      made.findIndex(({ _id }) => _id === each._id),
    );
    expect(order).toEqual([0, 3, 2, 4, 1]);
    await drain();
    const [oldest] = made;
    expect(oldest && (await happened(oldest))).toEqual([
      ['sla_breach', 'first_response'],
      ['sla_breach', 'resolution'],
    ]);
    const shown = await world.call('GET', `/api/v1/tickets/${oldest?._id}`, { as: await world.admin() });
    expect(shown.body.sla).toMatchObject({ breached: true, breaches: 2 });
  });

  test('of a ticket that cannot be written does not hold up the others', async () => {
    const broken = await filed(90 * MINUTE);
    await tickets().updateOne({ _id: broken._id }, { $set: { desk: 'gone' } });
    const fine = await filed(61 * MINUTE);
    expect(await drain()).toBe(1);
    expect(await happened(fine)).toEqual([['sla_breach', 'first_response']]);
    await tickets().deleteOne({ _id: broken._id });
  });
});

describe('a change of the rules', () => {
  test('reaches the open tickets though the process that made it died at once', async () => {
    const before = await filed(MINUTE);
    const rules = mongoose.connection.collection<StoredRules>('sla_rules');
    await updatePolicy(admin(), 'default', { description: 'written once' });
    const stored = await rules.findOne({ _id: company });
    const policies = stored?.policies.map((one) => ({
      ...patched(one, { targets: { critical: { resolutionMinutes: 300 } } }),
      version: (stored?.version ?? 0) + 1,
    }));
    const spread = { at: await ago(1_000), after: null };
    const version = (stored?.version ?? 0) + 1;
    await rules.updateOne({ _id: company }, { $set: { version, policies: policies ?? [], spread } });
    for (let due = 240; due !== 300; await pause(100)) {
      await drain();
      const { dueAt, createdAt } = await load(admin(), before._id);
      due = (Number(dueAt) - Number(createdAt)) / MINUTE;
    }
    expect(await rules.findOne({ _id: company })).not.toHaveProperty('spread');
    await removePolicy(admin(), 'default');
    expect(await isFoldOfItsEntries(before)).toBe(true);
  });
});

describe('the life of a ticket', () => {
  test('moves its deadlines: waiting holds them, an answer keeps them, all told by the explanation', async () => {
    const start = await ago(100 * MINUTE);
    const at = (minutes: number): Date => new Date(start.getTime() + minutes * MINUTE);
    const ticket = await create(ctxAt(start), createInput.parse({ title: 'x', priority: 'critical' }));
    await change(ctxAt(at(10)), ticket._id, () => ({ action: 'status_change', set: { status: 'pending' } }));
    await change(ctxAt(at(60)), ticket._id, () => ({ action: 'status_change', set: { status: 'open' } }));
    const answer = { id: 'c1', audience: 'public', text: 'On it.' } as const;
    await change({ ...ctxAt(at(90)), actor: mei }, ticket._id, () => ({
      action: 'comment_added',
      comment: answer,
    }));
    await drain();
    expect(await happened(ticket)).toEqual([
      ['status_change', null],
      ['status_change', null],
      ['comment_added', null],
    ]);
    const told = await world.call('GET', `/api/v1/tickets/${ticket._id}/sla/explain`, {
      as: await world.admin(),
    });
    const [first, resolution] = told.body.clocks;
    expect(first).toMatchObject({ target: 'first_response', state: 'met', used_ms: 40 * MINUTE });
    expect(resolution).toMatchObject({
      target: 'resolution',
      state: 'running',
      due_at: at(290).toISOString(),
    });
    expect(
      resolution.rows
        .map((row: { because: string; ms: number }) => [row.because, row.ms / MINUTE])
        .slice(0, 2),
    ).toEqual([
      ['working_hours', 10],
      ['paused', 50],
    ]);
    expect(await isFoldOfItsEntries(ticket)).toBe(true);
  });

  test('one that was put to sleep wakes up at its time, and its clocks go on', async () => {
    const ticket = await filed(30 * MINUTE);
    await set(ticket, { snoozedUntil: await ago(10 * MINUTE) }, await ago(20 * MINUTE));
    await drain();
    const awake = await load(admin(), ticket._id);
    expect([awake.snoozedUntil, awake.sla?.clocks[0]?.dueAt === null]).toEqual([null, false]);
    expect((await history(ticket)).at(-1)).toMatchObject({ action: 'snoozed', facts: { woken: true } });
  });

  test('one that is resolved closes by itself after a week, and not before', async () => {
    const week = 168 * 60 * MINUTE;
    const done = await filed(week + 60 * MINUTE);
    await change(ctxAt(await ago(week + 1_000)), done._id, () => ({
      action: 'resolved',
      set: { status: 'resolved' },
    }));
    const fresh = await filed(week + 60 * MINUTE);
    await change(ctxAt(await ago(week - MINUTE)), fresh._id, () => ({
      action: 'resolved',
      set: { status: 'resolved' },
    }));
    await drain();
    expect((await load(admin(), done._id)).status).toBe('closed');
    expect((await load(admin(), fresh._id)).status).toBe('resolved');
    expect(await isFoldOfItsEntries(done)).toBe(true);
  });
});

describe('an escalation', () => {
  test('goes step by step after the breach: tells, raises, hands over, pages', async () => {
    const users = mongoose.connection.collection<{ _id: string }>('users');
    const lead = {
      _id: 'lena',
      company,
      role: 'lead',
      active: true,
      teams: ['night'],
      username: 'l',
      email: 'l@x',
    };
    await users.insertOne(lead as never);
    await installWorkspace('slack', 'T0', 'Acme', null, { company });
    const step = (afterMinutes: number, more: Record<string, unknown>) => ({
      afterMinutes,
      targets: ['resolution'],
      ...more,
    });
    await updatePolicy(
      admin(),
      'default',
      policyPatch.parse({
        warnAtPercent: [],
        escalation: [
          step(0, { notify: ['assignee', 'lead'] }),
          step(10, { raisePriority: true }),
          step(20, { reassign: 'lead', page: 'slack:C0FIRE' }),
        ],
      }),
    );
    const ticket = await filed(24 * 60 * MINUTE + 15 * MINUTE, { priority: 'high' });
    await set(ticket, { team: 'night' }, await ago(60 * MINUTE));
    await drain();
    expect((await happened(ticket)).slice(1)).toEqual([
      ['sla_breach', 'first_response'],
      ['sla_breach', 'resolution'],
      ['escalated', 'resolution'],
      ['escalated', 'resolution'],
    ]);
    expect(await load(admin(), ticket._id)).toMatchObject({
      priority: 'urgent',
      escalated: true,
      assignee: null,
    });

    const later = await filed(24 * 60 * MINUTE + 30 * MINUTE, { priority: 'high' });
    await set(later, { team: 'night' }, await ago(60 * MINUTE));
    await drain();
    const last = (await history(later)).at(-1);
    expect(last).toMatchObject({
      action: 'escalated',
      fields: { assignee: [null, 'lena'] },
      facts: { step: 3, after_minutes: 20, page: 'slack:T0:C0FIRE', reassigned: 'lead' },
    });
    expect(await isFoldOfItsEntries(later)).toBe(true);

    const options = { channels: new Map(), now: () => new Date(), bundleMs: 0, notifies: true };
    const plan = await planFor(await load(admin(), later._id), last ? [last] : [], options);
    expect(plan.deliveries).toMatchObject([
      { surface: 'slack', to: { at: { workspace: 'T0', channel: 'C0FIRE' } }, audience: 'internal' },
    ]);
    expect(plan.notifications.map((one) => [one.person.id, one.event])).toEqual([['lena', 'escalated']]);
  });

  test("reaches who is on call in the ticket's team; of a team without a rota, its lead is told", async () => {
    const [team, other] = [await formTeam('Night'), await formTeam('Day')];
    const [gone, olga] = [await hire(world, 'Gone', 'agent'), await hire(world, 'Olga', 'agent')];
    const lead = await hire(world, 'Lea', 'lead', { teams: [other] });
    const startsOn = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
    const rota = { timeZone: 'UTC', startsOn, handoverTime: '00:00', memberIds: [gone.id, olga.id] };
    await setRota(admin(), team, rotaInput.parse(rota));
    const left = { _id: gone.id as never };
    await mongoose.connection.collection('users').updateOne(left, { $set: { active: false } });
    const step = { afterMinutes: 0, targets: ['resolution'], notify: ['on_call'], reassign: 'on_call' };
    await updatePolicy(admin(), 'default', policyPatch.parse({ warnAtPercent: [], escalation: [step] }));
    const [ticket, without] = [await filed(24 * 60 * MINUTE), await filed(24 * 60 * MINUTE)];
    await set(ticket, { team }, await ago(60 * MINUTE));
    await set(without, { team: other }, await ago(60 * MINUTE));
    await drain();
    const told = async (of: Ticket) => {
      const last = (await history(of)).at(-1);
      const options = { channels: new Map(), now: () => new Date(), bundleMs: 0, notifies: true };
      const plan = await planFor(await load(admin(), of._id), last ? [last] : [], options);
      return [last?.facts?.reassigned, plan.notifications.map((one) => one.person.id)];
    };
    expect(await told(ticket)).toEqual(['on_call', expect.arrayContaining([olga.id])]);
    expect((await load(admin(), ticket._id)).assignee).toBe(olga.id);
    expect(await told(without)).toEqual(['nobody: the team has no one on call', [lead.id]]);
    await removePolicy(admin(), 'default');
  });
});
