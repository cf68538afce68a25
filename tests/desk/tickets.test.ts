// The life of a ticket over the wire: who may change it, where it may go, who has it.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { forgetDesks, hireStaff, openDeskOf, type Person, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;

beforeAll(async () => {
  world = await openWorld();
  staff = await hireStaff(world);
  await openDeskOf('OPS', 'devops');
  await openDeskOf('SIM', 'simple');
});
afterAll(() => world.close());

const filed = async (by: Person, more: Record<string, unknown> = {}) =>
  (await by.call('POST', 'tickets', { title: 'The printer burns', ...more })).body;

test('a title is one line that shows something, whatever was sent', async () => {
  const { title } = await filed(staff.customer, { title: ' a\nb\r\nBcc: x\u0007\u001b[31m\u2028c ' });
  expect(title).toBe('a b Bcc: x [31m c');
  for (const nothing of ['\u200b\u2060', ' \n ', '\u0007'])
    expect((await staff.customer.call('POST', 'tickets', { title: nothing })).status).toBe(400);
});

describe('who may correct a ticket', () => {
  test('its requester, in title, description and tags, as long as nobody works on it', async () => {
    const { id } = await filed(staff.customer);
    const given = { title: 'The printer smokes', tags: ['Fire'], description: 'since nine' };
    const answer = await staff.customer.call('PATCH', `tickets/${id}`, given);
    expect(answer.body).toMatchObject({ title: 'The printer smokes', tags: ['fire'], version: 2 });
    expect((await staff.customer.call('PATCH', `tickets/${id}`, { priority: 'P1' })).status).toBe(403);
    expect((await staff.customer.call('PATCH', `tickets/${id}`, { assignee_id: 'me' })).status).toBe(403);
    await staff.agent.call('POST', `tickets/${id}/claim`);
    expect((await staff.customer.call('PATCH', `tickets/${id}`, { title: 'No' })).status).toBe(409);
  });

  test('nobody else who is a customer: for them it is not there', async () => {
    const { id } = await filed(staff.customer);
    expect((await staff.otherCustomer.call('PATCH', `tickets/${id}`, { title: 'No' })).status).toBe(404);
  });

  test('agents what is theirs or nobody else has; leads their team’s; managers any', async () => {
    const { id } = await filed(staff.customer);
    await staff.agent.call('POST', `tickets/${id}/claim`);
    await staff.lead.call('PUT', `tickets/${id}/assign`, { team_id: staff.team });
    const as = async (who: Person) => (await who.call('PATCH', `tickets/${id}`, { title: who.name })).status;
    expect(await as(staff.otherAgent)).toBe(403);
    expect(await as(staff.agent)).toBe(200);
    expect(await as(staff.lead)).toBe(200);
    expect(await as(staff.manager)).toBe(200);
  });
});

describe('changing a ticket', () => {
  test('writes an entry of its own for words, priority, assignment and status, together', async () => {
    const { id } = await filed(staff.customer);
    const answer = await staff.agent.call('PATCH', `tickets/${id}`, {
      ...{ priority: 'P1', category: 'Billing', status: 'IN_PROGRESS', assignee_id: 'me' },
      ...{
        estimated_hours: 2.5,
        actual_hours: 1,
        due_date: '2999-01-01T00:00:00Z',
        environment: 'Production',
      },
    });
    expect(answer.body).toMatchObject({
      ...{ priority: 'critical', category: 'billing', status: 'in_progress', assignee_id: staff.agent.id },
      ...{ estimated_hours: 2.5, actual_hours: 1, environment: 'production', version: 5 },
    });
    const { body } = await staff.agent.call('GET', `tickets/${id}/history`);
    expect(body.items.map((one: { action: string }) => one.action)).toEqual([
      ...['created', 'update', 'priority_change', 'assignment_change', 'status_change'],
    ]);
    const priority = await staff.agent.call('GET', `tickets/${id}/history?action=PRIORITY_CHANGE`);
    expect(priority.body.items).toHaveLength(1);
    expect(priority.body.items[0].changes).toContainEqual({
      field: 'priority',
      old_value: 'medium',
      new_value: 'critical',
    });
  });

  test('PUT says all of it anew, and leaves status and people alone', async () => {
    const { id } = await filed(staff.customer, { description: 'long', tags: ['a'], external_ref: 'E-1' });
    await staff.agent.call('POST', `tickets/${id}/claim`);
    const { body } = await staff.agent.call('PUT', `tickets/${id}`, { title: 'Short', tags: ['b'] });
    expect(body).toMatchObject({ title: 'Short', description: '', tags: ['b'], external_ref: null });
    expect(body).toMatchObject({ assignee_id: staff.agent.id, status: 'new' });
    expect((await staff.agent.call('PUT', `tickets/${id}`, { tags: [] })).status).toBe(400);
  });

  test('If-Match refuses what somebody else was quicker with', async () => {
    const { id } = await filed(staff.customer);
    const patch = (title: string) =>
      staff.agent.call('PATCH', `tickets/${id}`, { title }, { 'if-match': '"1"' });
    expect((await patch('First')).headers.get('etag')).toBe('"2"');
    expect((await patch('Second')).status).toBe(412);
    const among = (tags: string) =>
      staff.agent.call('PATCH', `tickets/${id}`, { title: 'C' }, { 'if-match': tags });
    expect((await among('"1", W/"7",nonsense')).status).toBe(412);
    expect((await among('"1" , "2"')).status).toBe(200);
  });

  test('nor is whoever asks again, because we died before we answered, told that they were slower', async () => {
    const { id } = await filed(staff.customer);
    const once = { 'if-match': '"1"', 'idempotency-key': `close-${id}` };
    const close = () => staff.agent.call('POST', `tickets/${id}/close`, {}, once);
    expect((await close()).status).toBe(200);
    const receipt = { _id: { $regex: `close-${id}$` } as never };
    const died = { $set: { state: 'running', until: new Date(0) }, $unset: { answer: '' } };
    await mongoose.connection.collection('receipts').updateOne(receipt, died as never);
    const again = await close();
    expect([again.status, again.body.status, again.body.version]).toEqual([200, 'closed', 2]);
    const other = { 'if-match': '"1"', 'idempotency-key': `other-${id}` };
    expect((await staff.agent.call('POST', `tickets/${id}/reopen`, {}, other)).status).toBe(412);
  });

  test.each(['company_id', 'number', 'key', 'created_at', 'sla', 'seq', 'replies'])(
    '%s is nobody’s to set',
    async (field) => {
      const { id } = await filed(staff.customer);
      const answer = await staff.admin.call('PATCH', `tickets/${id}`, { [field]: 'x' });
      expect(answer.status).toBe(400);
      expect(answer.body.details).toContainEqual({ path: field, message: 'is not a known field' });
    },
  );
});

describe('who filed a ticket', () => {
  const by = (who: { created_by: { id: string; name: string }; created_by_id: string }) => {
    expect(who.created_by_id).toBe(who.created_by.id);
    return who.created_by.name;
  };

  test('is its requester, or the agent who filed it on their behalf, whoever asks', async () => {
    const own = (await staff.customer.call('POST', 'tickets', { title: 'Mine' })).body;
    expect(own.created_by).toEqual({ kind: 'user', id: staff.customer.id, name: 'Carla' });
    const theirs = { title: 'Theirs', requester: staff.customer.id };
    const filed = (await staff.agent.call('POST', 'tickets', theirs)).body;
    expect([by(filed), filed.requester.name]).toEqual(['Anna', 'Carla']);
    expect(by((await staff.customer.call('GET', `tickets/${filed.id}`)).body)).toBe('Anna');
    await staff.agent.call('PATCH', `tickets/${own.id}`, { requester: staff.otherCustomer.id });
    const given = (await staff.agent.call('GET', `tickets/${own.id}`)).body;
    expect([by(given), given.requester.name]).toEqual(['Carla', 'Cyrus']);
  });
});

describe('custom fields', () => {
  test('are typed, required per category, and internal ones are not for customers', async () => {
    await mongoose.connection.collection('desks').updateOne(
      { key: 'OPS' },
      {
        $set: {
          customFields: [
            {
              name: 'host',
              label: 'Host',
              type: 'text',
              options: [],
              requiredFor: ['incident'],
              internal: false,
            },
            { name: 'cost', label: 'Cost', type: 'number', options: [], requiredFor: [], internal: true },
          ],
        },
      },
    );
    forgetDesks();
    const file = (by: Person, custom_fields: Record<string, unknown>, category = 'incident') =>
      by.call('POST', 'tickets', { title: 'Down', desk: 'OPS', category, custom_fields });
    expect((await file(staff.customer, {})).body.details).toContainEqual({
      path: 'custom_fields.host',
      message: 'is required',
    });
    expect((await file(staff.customer, { host: 'a', cost: 3 })).status).toBe(400);
    expect((await file(staff.agent, { host: 7 })).status).toBe(400);
    const { id } = (await file(staff.customer, { host: 'a' })).body;
    const priced = await staff.agent.call('PATCH', `tickets/${id}`, { custom_fields: { cost: 3 } });
    expect(priced.body.custom_fields).toEqual({ host: 'a', cost: 3 });
    expect((await staff.customer.call('GET', `tickets/${id}`)).body.custom_fields).toEqual({ host: 'a' });
    const without = await staff.agent.call('PATCH', `tickets/${id}`, { custom_fields: { host: null } });
    expect(without.status).toBe(400);
  });
});

describe('status', () => {
  test('is read in any letter case, and a wrong move names the right ones', async () => {
    const { id } = await filed(staff.customer, { desk: 'ops', category: 'problem' });
    const wrong = await staff.agent.call('PATCH', `tickets/${id}/status`, { status: 'Resolved' });
    expect(wrong.status).toBe(409);
    expect(wrong.body.error_code).toBe('E_TICKET_TRANSITION');
    expect(wrong.body.details.map((one: { message: string }) => one.message)).toEqual([
      ...['open', 'in_progress', 'closed'],
    ]);
    const right = await staff.agent.call('PATCH', `tickets/${id}/status`, { status: 'In Progress' });
    expect(right.body).toMatchObject({ status: 'in_progress', status_kind: 'open' });
    const unknown = await staff.agent.call('PATCH', `tickets/${id}/status`, { status: 'sleeping' });
    expect(unknown.status).toBe(400);
    expect((await staff.agent.call('POST', `tickets/${id}/escalate`)).body).toMatchObject({
      ...{ status: 'escalated', escalated: true },
    });
  });

  test('a simple desk closes only what is resolved, by the customer too', async () => {
    const { id } = await filed(staff.customer, { desk: 'SIM' });
    expect((await staff.customer.call('POST', `tickets/${id}/close`)).status).toBe(409);
    expect(
      (await staff.customer.call('POST', `tickets/${id}/resolve`, { resolution_notes: 'x' })).status,
    ).toBe(403);
    expect((await staff.agent.call('POST', `tickets/${id}/resolve`, {})).status).toBe(400);
    const resolved = await staff.agent.call('POST', `tickets/${id}/resolve`, {
      resolution_notes: 'new drum',
    });
    expect(resolved.body).toMatchObject({ status: 'resolved', resolution_notes: 'new drum' });
    expect(resolved.body.resolved_at).toEqual(expect.any(String));
    const closed = await staff.customer.call('POST', `tickets/${id}/close`);
    expect(closed.body).toMatchObject({ status: 'closed', status_kind: 'closed' });
  });

  test('a closed ticket is reopened within the window, and not after it', async () => {
    const { id } = await filed(staff.customer);
    await staff.customer.call('POST', `tickets/${id}/close`);
    expect((await staff.customer.call('POST', `tickets/${id}/reopen`)).body.status).toBe('reopened');
    await staff.agent.call('POST', `tickets/${id}/close`);
    await world.drain();
    const longAgo = new Date(Date.now() - 8 * 86_400_000);
    await mongoose.connection.collection('tickets').updateOne({ _id: id }, { $set: { closedAt: longAgo } });
    const late = await staff.customer.call('POST', `tickets/${id}/reopen`);
    expect([late.status, late.body.error_code]).toEqual([409, 'E_TICKET_REOPEN_WINDOW']);
    const byStatus = await staff.agent.call('PATCH', `tickets/${id}/status`, { status: 'reopened' });
    expect(byStatus.status).toBe(409);
  });

  test('advances step by step to the last one', async () => {
    const { id } = await filed(staff.customer, { desk: 'SIM' });
    const seen: string[] = [];
    for (let step = 0; step < 3; step++)
      seen.push((await staff.agent.call('POST', `tickets/${id}/advance`)).body.status);
    expect(seen).toEqual(['in_progress', 'resolved', 'closed']);
    expect((await staff.agent.call('POST', `tickets/${id}/advance`)).status).toBe(409);
  });

  test('a snoozed ticket wakes when it moves, and is snoozed only into the future', async () => {
    const { id } = await filed(staff.customer);
    const until = new Date(Date.now() + 3_600_000).toISOString();
    expect((await staff.agent.call('POST', `tickets/${id}/snooze`, { until })).body.snoozed_until).toBe(
      until,
    );
    const past = await staff.agent.call('POST', `tickets/${id}/snooze`, { until: '2020-01-01T00:00:00Z' });
    expect(past.status).toBe(400);
    const moved = await staff.agent.call('PATCH', `tickets/${id}/status`, { status: 'open' });
    expect(moved.body.snoozed_until).toBeNull();
  });
});

describe('who has a ticket', () => {
  test('of fifty who claim it at once one gets it, and the others are told who and when', async () => {
    const { id } = await filed(staff.customer);
    const crowd = [staff.agent, staff.otherAgent, staff.lead, staff.manager, staff.admin];
    const claims = Array.from({ length: 50 }, (_, nth) => {
      const who = crowd[nth % crowd.length] as Person;
      return who.call('POST', `tickets/${id}/claim`).then((answer) => ({ who, answer }));
    });
    const all = await Promise.all(claims);
    const winner = all.find(({ answer }) => answer.status === 200)?.who as Person;
    for (const { who, answer } of all) {
      if (who.id === winner.id) expect(answer.body.assignee_id).toBe(winner.id);
      else {
        expect([answer.status, answer.body.error_code]).toEqual([409, 'E_TICKET_CLAIMED']);
        expect(answer.body.detail).toMatch(new RegExp(`^${winner.name} claimed TKT-\\d+ at 20`));
      }
    }
    const { body } = await winner.call('GET', `tickets/${id}/history?action=assignment_change`);
    expect(body.total).toBe(1);
  });

  test('an agent takes what is free and puts back their own, nothing else', async () => {
    const { id } = await filed(staff.customer);
    const assign = async (who: Person, assignee_id: string | null) =>
      (await who.call('PUT', `tickets/${id}/assign`, { assignee_id })).status;
    expect(await assign(staff.agent, staff.otherAgent.id)).toBe(403);
    expect(await assign(staff.agent, staff.agent.id)).toBe(200);
    expect(await assign(staff.otherAgent, staff.otherAgent.id)).toBe(403);
    expect(await assign(staff.otherAgent, null)).toBe(403);
    expect((await staff.otherAgent.call('POST', `tickets/${id}/release`)).status).toBe(403);
    expect((await staff.agent.call('POST', `tickets/${id}/release`)).body.assignee_id).toBeNull();
    expect((await staff.agent.call('POST', `tickets/${id}/release`)).status).toBe(409);
  });

  test('a lead moves work within the team, a manager anywhere, a customer nowhere', async () => {
    const { id } = await filed(staff.customer);
    const assign = async (who: Person, body: Record<string, unknown>) =>
      (await who.call('PUT', `tickets/${id}/assign`, body)).status;
    expect(await assign(staff.customer, { assignee_id: staff.agent.id })).toBe(403);
    expect(await assign(staff.lead, { assignee_id: staff.otherAgent.id })).toBe(403);
    expect(
      await assign(staff.lead, { assignee_id: staff.agent.id, team_id: staff.team, notes: 'yours' }),
    ).toBe(200);
    expect(await assign(staff.lead, { team_id: staff.otherTeam })).toBe(403);
    expect(await assign(staff.manager, { assignee_id: staff.otherAgent.id, team_id: staff.otherTeam })).toBe(
      200,
    );
    expect(await assign(staff.lead, { assignee_id: null })).toBe(403);
    expect(await assign(staff.manager, { assignee_id: staff.customer.id })).toBe(400);
    const { body } = await staff.lead.call('GET', `tickets/${id}/history?action=assignment_change`);
    expect(body.items[0]).toMatchObject({ notes: 'yours', actor: { id: staff.lead.id } });
  });
});

describe('watching, rating, deleting', () => {
  test('a customer who was invited to watch sees the ticket, until no longer', async () => {
    const { id } = await filed(staff.customer);
    const watched = `tickets/${id}/watchers/${staff.otherCustomer.id}`;
    expect((await staff.agent.call('PUT', watched)).body.watchers).toEqual([staff.otherCustomer.id]);
    expect((await staff.otherCustomer.call('GET', `tickets/${id}`)).status).toBe(200);
    expect((await staff.agent.call('DELETE', watched)).status).toBe(204);
    expect((await staff.otherCustomer.call('GET', `tickets/${id}`)).status).toBe(404);
    expect((await staff.customer.call('PUT', watched)).status).toBe(403);
  });

  test('only the requester rates, from one to five, once it is resolved', async () => {
    const { id } = await filed(staff.customer);
    const rate = (who: Person, rating: number) =>
      who.call('POST', `tickets/${id}/feedback`, { rating, comment: 'thanks' });
    expect((await rate(staff.customer, 5)).status).toBe(409);
    await staff.agent.call('POST', `tickets/${id}/resolve`, { resolution_notes: 'done' });
    expect((await rate(staff.agent, 5)).status).toBe(403);
    expect((await rate(staff.customer, 6)).status).toBe(400);
    expect((await rate(staff.customer, 4)).body.satisfaction).toMatchObject({ rating: 4, comment: 'thanks' });
  });

  test('an administrator deletes; then it is gone for everybody', async () => {
    const { id, key } = await filed(staff.customer);
    expect((await staff.manager.call('DELETE', `tickets/${id}`)).status).toBe(403);
    expect((await staff.admin.call('DELETE', `tickets/${id}`)).status).toBe(204);
    expect((await staff.admin.call('GET', `tickets/${key}`)).status).toBe(404);
    const { body } = await staff.admin.call('GET', 'tickets?page_size=100');
    expect(body.items.map((one: { id: string }) => one.id)).not.toContain(id);
  });

  test('a macro replies, notes and does its deeds in one change', async () => {
    const { body: macro } = await staff.lead.call('POST', 'macros', {
      name: 'On it',
      body: 'Hello {{ requester.first_name }}, we look at {{ ticket.key }}.{{ ticket.words }}',
      actions: [
        { do: 'status', value: 'In progress' },
        { do: 'assignee', value: 'me' },
        { do: 'priority', value: 'p1' },
        { do: 'add_tag', value: 'Seen' },
        { do: 'note', value: 'by {{ agent.name }}' },
      ],
    });
    const { id, key } = await filed(staff.customer);
    const used = await staff.agent.call('POST', `tickets/${id}/macro`, { macro_id: macro.id });
    expect(used.body).toMatchObject({
      ...{ status: 'in_progress', priority: 'critical', tags: ['seen'], assignee_id: staff.agent.id },
    });
    const { body } = await staff.agent.call('GET', `tickets/${id}/comments`);
    expect(
      body.items.map((one: { content: string; is_internal: boolean }) => [one.content, one.is_internal]),
    ).toEqual([
      [`Hello Carla, we look at ${key}.`, false],
      ['by Anna', true],
    ]);
    expect((await staff.customer.call('POST', `tickets/${id}/macro`, { macro_id: macro.id })).status).toBe(
      403,
    );
  });

  test('many at once, each with its own outcome', async () => {
    const one = await filed(staff.customer);
    const done = await filed(staff.customer);
    await staff.agent.call('POST', `tickets/${done.id}/close`);
    const ids = [one.id, done.key, 'TKT-999999'];
    const resolve = { ids, action: 'Resolve', resolution_notes: 'all of them' };
    const { body } = await staff.agent.call('POST', 'tickets/bulk', resolve);
    expect(body).toMatchObject({ succeeded: 1, failed: 2 });
    expect(body.results.map((row: { id: string; status: number }) => [row.id, row.status])).toEqual([
      [one.id, 200],
      [done.key, 409],
      ['TKT-999999', 404],
    ]);
    const tagged = { ids: [one.id], action: 'tag', tags: ['x'] };
    expect((await staff.agent.call('POST', 'tickets/bulk', tagged)).body.results[0].ticket.tags).toEqual([
      'x',
    ]);
    expect((await staff.agent.call('POST', 'tickets/bulk', { ids, action: 'resolve' })).status).toBe(400);
    expect((await staff.customer.call('POST', 'tickets/bulk', tagged)).status).toBe(403);
    const twice = { ids: [one.id, one.key, one.key.toLowerCase()], action: 'comment', content: 'Hello' };
    const said = (await staff.agent.call('POST', 'tickets/bulk', twice)).body;
    expect([said.succeeded, said.results[2].ticket.replies]).toEqual([3, 1]);
    const withFiles = { ids, action: 'comment', content: 'See here', attachment_ids: ['0'.repeat(24)] };
    expect((await staff.agent.call('POST', 'tickets/bulk', withFiles)).body.details).toMatchObject([
      { path: 'attachment_ids' },
    ]);
  });
});
