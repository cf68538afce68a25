// What leads set and people see of routing: by the API, with the workers running.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { isOnCall } from '../../src/routing/rotas.ts';
import { formTeam, hire, hireStaff, type Person, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
beforeAll(async () => {
  world = await openWorld();
  staff = await hireStaff(world);
});
afterAll(() => world?.close());

const file = async (more: Record<string, unknown> = {}, by: Person = staff.customer) => {
  const { status, body } = await by.call('POST', 'tickets', { title: 'It smokes', ...more });
  expect(status).toBe(201);
  return body;
};
const read = async (ticket: { key: string }) => (await staff.admin.call('GET', `tickets/${ticket.key}`)).body;
const rule = async (body: Record<string, unknown>, by = staff.lead) =>
  by.call('PUT', 'desks/TKT/routing', body);

describe('a desk', () => {
  test('gives nothing out until somebody says so', async () => {
    const ticket = await file();
    await world.drain();
    expect((await read(ticket)).assignee_id).toBeNull();
    expect((await staff.agent.call('GET', 'desks/TKT/routing')).body).toMatchObject({
      ...{ strategy: 'manual', automatic: false, source: 'company' },
    });
  });

  test('that was given a rule gives out what waits and what comes, and says why', async () => {
    const counted = async () =>
      Number(
        /^switchboard_routed_tickets_total\{outcome="given"\} (\d+)/m.exec(
          (await world.call('GET', '/metrics')).body,
        )?.[1] ?? 0,
      );
    const before = await counted();
    expect((await rule({ strategy: 'Round_Robin', team_id: staff.team })).status).toBe(200);
    const ticket = await file();
    await world.drain();
    // And the one that waited.
    expect((await counted()) - before).toBe(2);
    const { assignee_id, team_id } = await read(ticket);
    expect([team_id, [staff.agent.id, staff.lead.id].includes(assignee_id)]).toEqual([staff.team, true]);
    const told = await staff.agent.call('GET', `tickets/${ticket.key}/history?action=assignment_change`);
    expect(told.body.items).toEqual([
      expect.objectContaining({
        actor: { kind: 'system', id: 'system', name: 'Switchboard' },
        notes: expect.stringMatching(/^Round robin: (Anna|Lena) is next, after (Anna|Lena)\.$/),
        facts: expect.objectContaining({ because: 'routing', strategy: 'round_robin' }),
      }),
    ]);
    const seen = await staff.customer.call('GET', `tickets/${ticket.key}/history`);
    expect(JSON.stringify(seen.body)).not.toContain('Round robin');
    const heard = await (assignee_id === staff.agent.id ? staff.agent : staff.lead).call(
      'GET',
      'notifications',
    );
    expect(heard.body.items).toContainEqual(
      expect.objectContaining({ event: 'assigned', ticket_id: ticket.id }),
    );
  });

  test.each([
    ['a team that is not there', { strategy: 'round_robin', team_id: 'f'.repeat(24) }, 'team_id'],
    ['on call for nobody', { strategy: 'on_call' }, 'team_id'],
    [
      'a category that it does not have',
      { strategy: 'by_category', categories: [{ category: 'moon' }] },
      'category',
    ],
    ['a way that is not known', { strategy: 'dice' }, 'strategy'],
    ['fields that are not known', { strategy: 'manual', dice: 6 }, 'dice'],
  ])('takes no rule with %s', async (_, body, path) => {
    const answer = await rule(body);
    expect([answer.status, answer.body.details[0].path]).toEqual([400, path]);
  });

  test('is set by leads and nobody less', async () => {
    const answer = await rule({ strategy: 'manual' }, staff.agent);
    expect(answer.status).toBe(403);
  });

  test('goes by the company again when its rule is taken away: to the team whose description fits', async () => {
    await mongoose.connection
      .collection('teams')
      .updateOne(
        { _id: staff.otherTeam as never },
        { $set: { description: 'VPN, wifi and slow connections' } },
      );
    expect((await staff.lead.call('DELETE', 'desks/TKT/routing')).status).toBe(204);
    const quiet = await file({ title: 'The VPN drops all the time' });
    await world.drain();
    expect((await read(quiet)).team_id).toBeNull();
    await staff.admin.call('POST', `companies/${FIRST_COMPANY}/toggle/auto_assign`, {});
    const other = await file({ title: 'Coffee is cold' });
    await world.drain();
    expect(await read(quiet)).toMatchObject({ team_id: staff.otherTeam, assignee_id: null });
    expect((await read(other)).team_id).toBeNull();
    const [entry] = (await staff.agent.call('GET', `tickets/${quiet.key}/history?action=assignment_change`))
      .body.items;
    expect(entry.notes).toBe('Fits best: Second line by vpn (100 %).');
    const moved = await staff.admin.call('PATCH', `tickets/${other.key}`, { title: 'Wifi is slow' });
    expect(moved.status).toBe(200);
    await world.drain();
    expect((await read(other)).team_id).toBe(staff.otherTeam);
    await staff.admin.call('POST', `companies/${FIRST_COMPANY}/toggle/auto_assign`, {});
  });
});

describe('a ticket', () => {
  test('says who would get it and why, and who not, before anybody does', async () => {
    await rule({ strategy: 'manual' });
    const ticket = await file();
    expect((await staff.agent.call('GET', `tickets/${ticket.key}/routing`)).body).toMatchObject({
      ...{ outcome: 'leave', why: 'The tickets of this desk are given out by hand.' },
    });
    expect((await staff.lead.call('POST', `tickets/${ticket.key}/route`, {})).status).toBe(409);
    await staff.lead.call('PUT', `users/${staff.agent.id}/availability`, { away: true });
    await rule({ strategy: 'least_loaded', team_id: staff.team, skip_away: true });
    await world.drain();
    const next = await file({ assignee_id: staff.lead.id }, staff.manager);
    const told = (await staff.agent.call('GET', `tickets/${next.key}/routing`)).body;
    expect(told).toMatchObject({ outcome: 'assign', user_id: staff.lead.id, team_name: 'First line' });
    expect(told.current).toMatchObject({ user_id: staff.lead.id, user_name: 'Lena', why: null });
    expect(told.candidates).toContainEqual(
      expect.objectContaining({ user_name: 'Anna', able: false, because: 'away' }),
    );
    expect((await staff.lead.call('POST', `tickets/${next.key}/route`, {})).body.detail).toBe(
      `Somebody has ${next.key}: release it first.`,
    );
    await staff.lead.call('PUT', `users/${staff.agent.id}/availability`, { away: false });
  });

  test('is given out at once on the word of a lead, also where nobody looks', async () => {
    await rule({ strategy: 'round_robin', team_id: staff.team });
    await world.drain();
    const ticket = await file({}, staff.manager);
    const answer = await staff.lead.call('POST', `tickets/${ticket.key}/route`, {});
    const routed = answer.status === 200 || answer.body.detail.startsWith('Somebody has');
    expect([routed, (await read(ticket)).assignee_id !== null]).toEqual([true, true]);
    const { current } = (await staff.agent.call('GET', `tickets/${ticket.key}/routing`)).body;
    expect(current.why).toMatch(/^Round robin:|turn/);
    expect((await staff.customer.call('POST', `tickets/${ticket.key}/route`, {})).status).toBe(403);
  });

  test('goes where the rules say that it belongs: rules go first, and it moves once', async () => {
    const money = await formTeam('Money');
    const clerk = await hire(world, 'Clerk', 'agent', { teams: [money] });
    const made = await staff.manager.call('POST', 'workflows', {
      ...{ name: 'Invoices', when: { events: ['created'] } },
      ...{
        if: { field: 'title', op: 'contains', value: 'invoice' },
        then: [{ do: 'set', category: 'billing' }],
      },
    });
    expect(made.status).toBe(201);
    const of = { strategy: 'by_category', team_id: staff.team };
    const set = await rule({ ...of, categories: [{ category: 'billing', team_id: money }] });
    expect([set.status, set.body.detail]).toEqual([200, undefined]);
    const tickets = await Promise.all(
      Array.from({ length: 5 }, () => file({ title: 'My invoice is wrong' })),
    );
    await world.drain();
    for (const ticket of tickets) {
      expect(await read(ticket)).toMatchObject({
        category: 'billing',
        team_id: money,
        assignee_id: clerk.id,
      });
      const moves = await staff.agent.call('GET', `tickets/${ticket.key}/history?action=assignment_change`);
      expect(moves.body.total).toBe(1);
    }
    await staff.manager.call('DELETE', `workflows/${made.body.id}`);
    const desk = (await staff.lead.call('GET', 'desks/TKT')).body;
    await staff.manager.call('PATCH', `categories/${desk.id}.billing`, { name: 'Invoices' });
    const renamed = (await staff.lead.call('GET', 'desks/TKT/routing')).body;
    expect(renamed.categories).toEqual([{ category: 'Invoices', team_id: money, user_id: null, skills: [] }]);
  });

  test('that its holder closes makes room for the next in the queue', async () => {
    const team = await formTeam('Small');
    const solo = await hire(world, 'Solo', 'agent', { teams: [team] });
    await rule({ strategy: 'round_robin', team_id: team, capacity: 1 });
    const [first, second] = [await file(), await file()];
    await world.drain();
    const order = [(await read(first)).assignee_id, (await read(second)).assignee_id];
    expect(order).toEqual([solo.id, null]);
    await solo.call('POST', `tickets/${first.key}/resolve`, { resolution_notes: 'Done' });
    await world.drain();
    expect((await read(second)).assignee_id).toBe(solo.id);
  });
});

describe('who is away', () => {
  test('is said by oneself, and of others by leads', async () => {
    const until = '2099-01-07T08:00:00.000Z';
    const own = await staff.agent.call('PUT', 'users/me/availability', { away: true, until });
    expect(own.body).toMatchObject({ user_id: staff.agent.id, away: true, until, capacity: null });
    const others = `users/${staff.agent.id}/availability`;
    expect((await staff.otherAgent.call('PUT', others, { away: false })).status).toBe(403);
    expect((await staff.otherAgent.call('GET', others)).body.away).toBe(true);
    expect((await staff.agent.call('PUT', 'users/me/availability', { capacity: 3 })).status).toBe(403);
    const led = await staff.lead.call('PUT', others, { away: false, capacity: 3 });
    expect(led.body).toMatchObject({ away: false, until: null, capacity: 3 });
    const kept = await staff.agent.call('PUT', 'users/me/availability', { away: true });
    expect(kept.body).toMatchObject({ away: true, capacity: 3 });
    expect((await staff.lead.call('PUT', others, { away: false })).body.capacity).toBe(3);
    expect((await staff.customer.call('GET', 'users/me/availability')).status).toBe(403);
    expect((await staff.agent.call('GET', `users/${staff.customer.id}/availability`)).status).toBe(404);
  });
});

describe('a rota', () => {
  const path = () => `teams/${staff.team}`;
  const set = (by: Person, more: Record<string, unknown> = {}) =>
    by.call('PUT', `${path()}/rota`, {
      ...{ time_zone: 'Europe/Berlin', starts_on: '2026-10-19', handover_time: '09:00' },
      ...{ member_ids: [staff.agent.id, staff.lead.id], ...more },
    });
  const onCall = async (at?: string) =>
    (await staff.agent.call('GET', `${path()}/on-call${at ? `?at=${at}` : ''}`)).body;

  test('says who is on call, until when, and who is next', async () => {
    expect((await staff.agent.call('GET', `${path()}/on-call`)).status).toBe(404);
    const shown = (await set(staff.lead)).body;
    expect(shown).toMatchObject({
      team_id: staff.team,
      starts_on: '2026-10-19',
      turn_days: 7,
      overrides: [],
    });
    expect((await staff.agent.call('GET', `${path()}/rota`)).body).toEqual(shown);
    expect(await onCall('2026-10-25T12:00:00Z')).toMatchObject({
      on_call: {
        ...{ user_id: staff.agent.id, user_name: 'Anna', overridden: false },
        ...{ from: '2026-10-19T07:00:00.000Z', to: '2026-10-26T08:00:00.000Z' },
      },
      stands_in: false,
      next: { user_id: staff.lead.id, from: '2026-10-26T08:00:00.000Z' },
    });
  });

  test('gives way to an override, and to the next in order when somebody has left', async () => {
    const override = {
      user_id: staff.manager.id,
      from: '2026-10-24T00:00:00+02:00',
      to: '2026-10-25T00:00:00Z',
    };
    await set(staff.manager, { overrides: [override] });
    expect((await onCall('2026-10-24T12:00:00Z')).on_call).toMatchObject({
      ...{ user_id: staff.manager.id, overridden: true, from: '2026-10-23T22:00:00.000Z' },
    });
    const users = mongoose.connection.collection('users');
    const mine = { _id: staff.agent.id as never };
    await users.updateOne(mine, { $set: { active: false } });
    expect(await onCall('2026-10-25T12:00:00Z')).toMatchObject({
      ...{ stands_in: true, on_call: { user_id: staff.lead.id } },
    });
    await set(staff.manager, { member_ids: [staff.lead.id] });
    await users.updateOne({ _id: staff.lead.id as never }, { $set: { active: false } });
    expect(await onCall('2026-10-25T12:00:00Z')).toMatchObject({
      ...{ on_call: null, next: null, stands_in: false },
    });
    for (const one of [staff.agent, staff.lead])
      await users.updateOne({ _id: one.id as never }, { $set: { active: true } });
  });

  test('is set by leads of the team, with people who are there, in a zone that is there', async () => {
    const stranger = await hire(world, 'Lars', 'lead', { teams: [staff.otherTeam] });
    expect((await set(stranger)).status).toBe(403);
    for (const more of [
      { member_ids: [] },
      { member_ids: [staff.customer.id] },
      { time_zone: 'Europe/Atlantis' },
      { handover_time: '25:00' },
      { overrides: [{ user_id: staff.agent.id, from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }] },
    ])
      expect([more, (await set(staff.lead, more)).status]).toEqual([more, 400]);
  });

  test('decides who is told in quiet hours, and who gets the tickets of a desk that is routed by it', async () => {
    await set(staff.lead, { starts_on: new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10) });
    expect([
      await isOnCall(FIRST_COMPANY, staff.agent.id),
      await isOnCall(FIRST_COMPANY, staff.lead.id),
    ]).toEqual([true, false]);
    await rule({ strategy: 'on_call', team_id: staff.team });
    const hour = (after: number) => new Date(Date.now() + after * 3_600_000).toISOString().slice(11, 16);
    const quiet = { quiet_hours: { from: hour(-2), to: hour(2), time_zone: 'UTC' } };
    for (const one of [staff.agent, staff.lead])
      expect((await one.call('PUT', 'notifications/preferences', quiet)).status).toBe(200);
    const ticket = await file();
    await world.drain();
    expect((await read(ticket)).assignee_id).toBe(staff.agent.id);
    await staff.agent.call('PUT', 'users/me/availability', { away: true, hand_over: true });
    await world.drain();
    expect((await read(ticket)).assignee_id).toBe(staff.lead.id);
    const told = await mongoose.connection
      .collection('notifications')
      .find({ ticket: ticket.id, event: 'assigned' })
      .toArray();
    const waits = (who: Person) => told.filter((one) => one.person.id === who.id).map(({ digest }) => digest);
    expect([waits(staff.agent), waits(staff.lead)]).toEqual([[false, false], [true]]);
    expect((await staff.lead.call('DELETE', `${path()}/rota`)).status).toBe(204);
    expect((await staff.agent.call('GET', `${path()}/rota`)).status).toBe(404);
  });
});
