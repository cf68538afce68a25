// Rules of time: each fires once in each stretch of stillness and for each due date, by the database's clock, however
// many workers look, and whatever died between the deed and its being noted.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { takeTurns } from '../../src/automation/turns.ts';
import { storeTime } from '../../src/clock.ts';
import { systemCtx } from '../../src/context.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { change } from '../../src/tickets/change.ts';
import { addComment } from '../../src/tickets/comments.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { check } from '../support/checker.ts';
import { ADD, byRules, relayed, rulesOf } from '../support/rules.ts';
import { hireStaff, type Person, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

const MINUTE = 60_000;
const log = openLog('silent');
let world: World;
let staff: Staff;
let rules: ReturnType<typeof rulesOf>;
beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
  staff = await hireStaff(world);
  rules = rulesOf(staff);
}, 60_000);
afterEach(async () => {
  await rules.clear();
  expect(await rows().countDocuments({})).toBe(0);
});
afterAll(async () => {
  await relayed();
  expect((await check(world.config.MONGODB_URI, world.database)).problems).toEqual([]);
  await world.close();
}, 60_000);

const rows = () => mongoose.connection.collection<{ _id: string }>('automation_turns');
const ago = async (minutes: number) => new Date((await storeTime()).getTime() - minutes * MINUTE);
const asWas = async (who: Person, minutes: number) => {
  const at = await ago(minutes);
  const role = who === staff.customer ? ('customer' as const) : ('admin' as const);
  const actor = {
    kind: 'user' as const,
    id: who.id,
    name: who.name,
    company: FIRST_COMPANY,
    role,
    teams: [],
  };
  return { ...systemCtx({ log, now: () => at }, FIRST_COMPANY), actor, via: 'api' as const };
};
/** The customer's ticket, filed so many minutes ago. */
const filed = async (minutes: number, more: object = {}) =>
  (await create(await asWas(staff.customer, minutes), createInput.parse({ title: 'Quiet', ...more })))._id;
const said = async (who: Person, id: string, minutes: number, isInternal = false) =>
  addComment(await asWas(who, minutes), id, { content: 'x', isInternal });
const fired = async (id: string) =>
  (await byRules(id)).filter((entry) => entry.action === 'rule_applied').length;
const NUDGE = { do: 'note', text: 'Still there?' };
const idle = (minutes: number, more: object = {}) => ({
  ...{ when: { idle_for: { minutes, ...more } }, then: [NUDGE] },
});
/** As much as is due now, by so many workers at once. */
const turns = async (workers = 1): Promise<void> => {
  await relayed();
  while ((await Promise.all(Array.from({ length: workers }, () => takeTurns(log)))).some(Boolean));
  await relayed();
};

describe('a rule for what lies still', () => {
  test('fires once though several workers look at once, and not before its time', async () => {
    const [old, young] = [[] as string[], await filed(20)];
    for (let n = 0; n < 30; n++) old.push(await filed(31 + n));
    const rule = await rules.make(idle(30));
    await turns(4);
    await turns(4);
    for (const id of old) expect(await fired(id)).toBe(1);
    expect(await fired(young)).toBe(0);
    expect(await rules.runs(rule, '&outcome=fired')).toHaveLength(30);
    expect(await rows().countDocuments({ ticket: young, at: { $type: 'date' } })).toBe(1);
  });

  test('learns of tickets that are filed later, and of what happens on them', async () => {
    const rule = await rules.make(idle(30, { since: 'requester_reply' }));
    const id = await filed(40);
    await said(staff.agent, id, 35);
    await turns();
    expect(await fired(id)).toBe(1);
    await said(staff.agent, id, 33);
    await turns();
    expect(await fired(id)).toBe(1);
    await said(staff.customer, id, 32);
    await turns();
    expect(await fired(id)).toBe(1);
    const row = (await rows().findOne({ ticket: id } as object)) as unknown as { at: Date };
    expect(Math.abs(Number(row.at) - Date.now() - 30 * MINUTE)).toBeLessThan(MINUTE);
    expect(await rules.runs(rule, `&outcome=fired&ticket=${id}`)).toHaveLength(1);
  });

  test('is not woken by what machines do, its own note least of all', async () => {
    await rules.make(idle(30));
    const id = await filed(50);
    await turns();
    await change(systemCtx({ log }, FIRST_COMPANY), id, () => ({ action: 'update', set: { title: 'Set' } }));
    await turns();
    expect(await fired(id)).toBe(1);
  });

  test('looks again when something changes: what did not hold then may hold now', async () => {
    const rule = await rules.make({
      ...idle(30, { since: 'agent_reply' }),
      if: { field: 'status_kind', op: 'equals', value: 'pending' },
    });
    const id = await filed(90);
    await said(staff.agent, id, 60);
    await turns();
    expect(await rules.runs(rule)).toMatchObject([{ outcome: 'not_matched', entry_id: null }]);
    await staff.agent.call('PATCH', `tickets/${id}/status`, { status: 'pending' });
    await turns(2);
    expect(await fired(id)).toBe(1);
    expect(await rules.runs(rule)).toMatchObject([{ outcome: 'fired' }]);
  });

  test('and looks again by itself when only time stands between', async () => {
    await rules.make({ ...idle(30), if: { field: 'age_minutes', op: 'at_least', value: 600 } });
    const id = await filed(90);
    await turns();
    const row = await rows().findOne({ ticket: id } as object);
    expect(Number((row as unknown as { at: Date }).at)).toBeGreaterThan(Date.now() + 4 * MINUTE);
    expect(await fired(id)).toBe(0);
  });

  test('does nothing on closed tickets', async () => {
    const id = await filed(90);
    await staff.agent.call('POST', `tickets/${id}/close`, {});
    await rules.make(idle(30));
    await turns();
    expect(await fired(id)).toBe(0);
    expect(await rows().countDocuments({ ticket: id })).toBe(0);
  });
});

describe('a rule for due dates', () => {
  const due = (minutes: number) => ({ when: { until_due: { minutes } }, then: [NUDGE] });

  test('fires once before the date, and anew when the date is another', async () => {
    const rule = await rules.make({ ...due(60), then: [ADD('soon'), NUDGE] });
    const inMinutes = async (minutes: number) => (await ago(-minutes)).toISOString();
    const id = await filed(5, { dueDate: await inMinutes(90) });
    await turns();
    expect(await fired(id)).toBe(0);
    await staff.agent.call('PATCH', `tickets/${id}`, { due_date: await inMinutes(30) });
    await turns(3);
    await turns(3);
    expect(await fired(id)).toBe(1);
    await staff.agent.call('PATCH', `tickets/${id}`, { due_date: await inMinutes(45) });
    await turns(3);
    expect(await fired(id)).toBe(2);
    expect(await rules.runs(rule, '&outcome=fired')).toHaveLength(2);
  });

  test('fires after it, but warns of no date that was past when nobody asked', async () => {
    const past = await filed(500, { dueDate: (await ago(120)).toISOString() });
    const [before, after] = [await rules.make(due(60)), await rules.make(due(-60))];
    await turns();
    expect(await rules.runs(before, `&ticket=${past}`)).toEqual([]);
    expect(await rules.runs(after, `&ticket=${past}`)).toMatchObject([{ outcome: 'fired' }]);
    expect(await fired(past)).toBe(1);
  });
});

test('a worker that died between the deed and noting it has done it once', async () => {
  await rules.make(idle(30));
  const id = await filed(45);
  await turns();
  const row = (await rows().findOne({ ticket: id } as object)) as unknown as { spell: Date };
  await rows().updateOne({ ticket: id } as object, { $set: { at: row.spell }, $unset: { fired: '' } });
  await turns(2);
  expect(await fired(id)).toBe(1);
});
