// Rehearsal: what a rule would have done, with each ticket as it then was, and not one word of it written.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { addComment } from '../../src/tickets/comments.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { ADD, byRules, relayed, rulesOf } from '../support/rules.ts';
import { hire, hireStaff, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
let rules: ReturnType<typeof rulesOf>;
beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
  staff = await hireStaff(world);
  rules = rulesOf(staff);
}, 60_000);
afterEach(() => rules.clear());
afterAll(() => world?.close());

const HOUR = 3_600_000;
/** All that the database holds, by collection. */
async function everything(): Promise<Record<string, unknown[]>> {
  const db = mongoose.connection.db;
  const names = ((await db?.listCollections().toArray()) ?? []).map(({ name }) => name).sort();
  const out: Record<string, unknown[]> = {};
  for (const name of names) out[name] = (await db?.collection(name).find().sort({ _id: 1 }).toArray()) ?? [];
  return out;
}
const agoCtx = (hours: number, customer = false) => {
  const { id, name } = customer ? staff.customer : staff.agent;
  const role = customer ? ('customer' as const) : ('admin' as const);
  const actor = { kind: 'user' as const, id, name, company: FIRST_COMPANY, role, teams: [] };
  const now = () => new Date(Date.now() - hours * HOUR);
  return { ...systemCtx({ log: openLog('silent'), now }, FIRST_COMPANY), actor, via: 'api' as const };
};
const filed = async (hours: number, more: object = {}) =>
  create(agoCtx(hours, true), createInput.parse({ title: 'The printer smokes', ...more }));
const rehearse = async (rule: object, days = 7) => {
  const { status, body } = await staff.lead.call('POST', 'workflows/rehearse', {
    rule: { name: 'Draft', when: { events: ['created'] }, then: [ADD('x')], ...rule },
    days,
  });
  expect([status, body.error_code]).toEqual([200, undefined]);
  return body;
};

describe('a rehearsal', () => {
  test('tells what would have changed from what to what, on the tickets as they were, and writes nothing', async () => {
    const hot = await filed(3, { priority: 'high' });
    const cold = await filed(2);
    await staff.agent.call('PATCH', `tickets/${cold._id}`, { priority: 'high', title: 'Changed since' });
    await staff.agent.call('PATCH', `tickets/${hot._id}`, { priority: 'low' });
    await relayed();
    const id = await rules.make({
      if: { field: 'priority', op: 'equals', value: 'high' },
      then: [
        ADD('hot'),
        { do: 'set', priority: 'critical' },
        { do: 'assign', assignee_id: staff.agent.id },
        { do: 'reply', text: 'Hello {{ requester.first_name }}, about “{{ ticket.title }}”' },
        { do: 'notify', to: ['lead'], text: 'Look' },
      ],
    });
    const before = await everything();
    const { status, body } = await staff.lead.call('POST', `workflows/${id}/rehearse`, { days: 1 });
    expect(await everything()).toEqual(before);
    expect(status).toBe(200);
    expect(body).toMatchObject({ occasions: 2, matched: 1, not_matched: 1, nothing_to_do: 0, cut: null });
    expect(body.matches).toHaveLength(1);
    expect(body.matches[0]).toMatchObject({
      ...{ ticket_id: hot._id, entry_id: `${hot._id}-1`, event: 'created', problems: [] },
      changes: expect.arrayContaining([
        { field: 'tags', old_value: [], new_value: ['hot'] },
        { field: 'priority', old_value: 'high', new_value: 'critical' },
        { field: 'assignee', old_value: null, new_value: staff.agent.id },
      ]),
      says: [{ audience: 'public', text: 'Hello Carla, about “The printer smokes”' }],
      notifies: [{ to: ['lead'], text: 'Look' }],
    });
    expect(body.reasons).toEqual([
      { field: 'priority', count: 1, sentence: 'priority is “medium”: not “high”' },
    ]);
    expect(await byRules(hot._id)).toEqual([]);
  });

  test('looks no further back than it was asked, and at other desks and companies not at all', async () => {
    await filed(50, { tags: ['old'] });
    await relayed();
    const only = { if: { field: 'tags', op: 'has', value: 'old' } };
    expect((await rehearse(only, 3)).matched).toBe(1);
    expect((await rehearse(only, 1)).matched).toBe(0);
    const company = (await staff.admin.call('POST', 'companies', { name: 'Elsewhere' })).body.id;
    const stranger = await hire(world, 'Otto', 'admin', { company });
    const { body } = await stranger.call('POST', 'workflows/rehearse', {
      rule: { name: 'x', when: { events: ['any'] }, then: [ADD('x')] },
      days: 90,
    });
    expect(body).toMatchObject({ tickets: 0, occasions: 0, matches: [] });
  });

  test('counts what had nothing to do, and what the rule itself would have set holds', async () => {
    const { _id } = await filed(1, { tags: ['tagged'] });
    for (const content of ['a', 'b'])
      await staff.agent.call('POST', `tickets/${_id}/comments`, { content, is_internal: true });
    await relayed();
    const only = { when: { events: ['comment_added'] }, if: { field: 'tags', op: 'has', value: 'tagged' } };
    expect(await rehearse({ ...only, then: [ADD('tagged')] })).toMatchObject({
      matched: 0,
      nothing_to_do: 2,
    });
    expect(await rehearse({ ...only, then: [ADD('new')] })).toMatchObject({ matched: 1, nothing_to_do: 1 });
    const note = { do: 'note', text: 'x' };
    expect((await rehearse({ ...only, then: [note] })).matched).toBe(2);
    expect((await rehearse({ ...only, then: [note], run_once: true })).matched).toBe(1);
  });

  test('tells what could not have been done', async () => {
    await filed(1, { tags: ['odd'] });
    await relayed();
    const body = await rehearse({
      if: { field: 'tags', op: 'has', value: 'odd' },
      then: [{ do: 'set', status: 'reopened' }],
    });
    expect(body.matches).toMatchObject([{ changes: [], problems: [expect.stringContaining('reopened')] }]);
  });

  test('of a rule of time finds when each ticket lay still', async () => {
    const { _id } = await filed(30, { tags: ['still'] });
    await addComment(agoCtx(20), _id, { content: 'a', isInternal: false });
    await addComment(agoCtx(19), _id, { content: 'b', isInternal: false });
    await relayed();
    const body = await rehearse({
      when: { idle_for: { minutes: 300 } },
      if: { field: 'tags', op: 'has', value: 'still' },
    });
    const hours = body.matches.map((one: { at: string }) =>
      Math.round((Date.now() - Date.parse(one.at)) / HOUR),
    );
    expect(hours).toEqual([25]);
    const noted = await rehearse({
      when: { idle_for: { minutes: 300 } },
      if: { field: 'tags', op: 'has', value: 'still' },
      then: [{ do: 'note', text: 'x' }],
    });
    expect(
      noted.matches.map((one: { at: string }) => Math.round((Date.now() - Date.parse(one.at)) / HOUR)),
    ).toEqual([25, 14]);
  });

  test('is for leads, and refuses a rule that could not be saved', async () => {
    const rule = { name: 'x', when: { events: ['created'] }, then: [{ do: 'set', status: 'baked' }] };
    expect((await staff.lead.call('POST', 'workflows/rehearse', { rule })).status).toBe(400);
    expect((await staff.agent.call('POST', 'workflows/rehearse', { rule })).status).toBe(403);
    expect((await staff.lead.call('POST', `workflows/${'f'.repeat(24)}/rehearse`, { days: 1 })).status).toBe(
      404,
    );
  });
});
