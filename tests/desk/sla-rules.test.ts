// What is promised, and that a change of it reaches every open ticket: priority, policy, desk, calendar.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Ctx, systemCtx } from '../../src/context.ts';
import { openLog } from '../../src/log.ts';
import type { Role } from '../../src/people/access.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { explainTicket } from '../../src/sla/explanations.ts';
import { listPolicies, removePolicy } from '../../src/sla/policies.ts';
import { hireStaff, type Person } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let as: string;
const api = '/api/v1';
const call = (method: string, path: string, body?: unknown) =>
  world.call(method, `${api}${path}`, { as, ...(body === undefined ? {} : { body }) });

beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
  as = await world.admin();
});
afterAll(() => world?.close());

interface Drawn {
  id: string;
  created_at: string;
  sla: { clocks: { target: string; due_at: string | null; state: string }[] };
}
const file = async (body: Record<string, unknown> = {}): Promise<Drawn> => {
  const answer = await call('POST', '/tickets', { title: 'The printer is on fire', ...body });
  expect(answer.status).toBe(201);
  return answer.body;
};
/** Minutes from the filing to the deadline. */
const due = (ticket: Drawn, target: string): number | null => {
  const at = ticket.sla.clocks.find((clock) => clock.target === target)?.due_at;
  return at ? (Date.parse(at) - Date.parse(ticket.created_at)) / 60_000 : null;
};
const reread = async ({ id }: Drawn): Promise<Drawn> => (await call('GET', `/tickets/${id}`)).body;

describe('the default policy', () => {
  test.each([
    ['P1', 60, 240],
    ['urgent', 120, 720],
    ['P2', 240, 1_440],
    ['P3', 480, 4_320],
    ['P4', 1_440, 10_080],
  ])(
    'promises a %s ticket an answer in %d and an end in %d minutes',
    async (priority, response, resolution) => {
      const ticket = await file({ priority });
      expect([due(ticket, 'first_response'), due(ticket, 'resolution')]).toEqual([response, resolution]);
    },
  );

  test('is changed by whom it concerns: open tickets are due anew at once, and their history says why', async () => {
    const ticket = await file({ priority: 'critical' });
    const patch = { targets: { P1: { resolution_minutes: 300 } } };
    const changed = await call('PATCH', '/sla-policies/default', patch);
    expect(changed.status).toBe(200);
    expect(changed.body.targets.critical).toMatchObject({
      first_response_minutes: 60,
      resolution_minutes: 300,
    });
    expect(due(await reread(ticket), 'resolution')).toBe(300);
    const told = await call('GET', `/tickets/${ticket.id}/sla/explain`);
    const clock = told.body.clocks.find((each: { target: string }) => each.target === 'resolution');
    expect(clock.changes.at(-1).sentence).toMatch(
      /^Target changed to 5 h \(the policy or its calendar changed\)/,
    );
  });

  test('said again as it stands, it touches no ticket', async () => {
    const { body } = await call('GET', '/sla-policies/default');
    const { warn_at_percent, pause_while, targets } = body;
    const again = await call('PATCH', '/sla-policies/default', { warn_at_percent, pause_while, targets });
    expect([again.status, again.body]).toEqual([200, body]);
  });

  test('removed, it is as it was in the beginning', async () => {
    const ticket = await file({ priority: 'critical' });
    await call('PATCH', '/sla-policies/default', { targets: { critical: { first_response_minutes: 10 } } });
    expect(due(await reread(ticket), 'first_response')).toBe(10);
    expect((await call('DELETE', '/sla-policies/default')).status).toBe(204);
    expect(due(await reread(ticket), 'first_response')).toBe(60);
    const list = await call('GET', '/sla-policies');
    expect(list.body).toMatchObject({ total: 1, items: [{ id: 'default', desk: null, calendar: null }] });
  });
});

describe("a desk's own policy and calendar", () => {
  test('hold for its tickets, follow each other, and give way when they are removed', async () => {
    const ticket = await file({ priority: 'high' });
    const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
    const halfDay = Object.fromEntries(days.map((day) => [day, [{ from: '00:00', to: '12:00' }]]));
    const calendar = await call('POST', '/calendars', {
      name: 'Mornings',
      time_zone: 'UTC',
      hours: halfDay,
      holidays: [{ date: '2026-12-25', yearly: true, name: 'Christmas Day' }],
    });
    expect(calendar.status).toBe(201);
    const made = await call('POST', '/sla-policies', {
      name: 'Gold',
      desk: 'tkt',
      calendar: calendar.body.id,
    });
    expect(made.status).toBe(201);
    const { id } = made.body;
    const [halved] = [due(await reread(ticket), 'resolution')];
    expect(halved).toBeGreaterThan(1_440); // 24 hours of mornings are two days and more
    expect(
      (await call('PATCH', `/calendars/${calendar.body.id}`, { hours: '24x7', holidays: [] })).status,
    ).toBe(200);
    expect(due(await reread(ticket), 'resolution')).toBe(1_440);

    expect((await call('DELETE', `/calendars/${calendar.body.id}`)).status).toBe(409);
    expect((await call('POST', '/sla-policies', { name: 'Second', desk: 'TKT' })).status).toBe(409);
    await call('PATCH', `/sla-policies/${id}`, { targets: { high: { resolution_minutes: 30 } } });
    expect(due(await reread(ticket), 'resolution')).toBe(30);
    expect((await call('DELETE', `/sla-policies/${id}`)).status).toBe(204);
    expect(due(await reread(ticket), 'resolution')).toBe(1_440);
    expect((await call('DELETE', `/calendars/${calendar.body.id}`)).status).toBe(204);
    expect((await call('GET', `/calendars/${calendar.body.id}`)).status).toBe(404);
  });

  test('a change that five people make at once is made five times', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const all = await Promise.all(
      names.map((name) => call('POST', '/calendars', { name, time_zone: 'UTC', hours: '24x7' })),
    );
    expect(all.map((answer) => answer.status)).toEqual(names.map(() => 201));
    const again = await call('POST', '/calendars', { name: 'A ', time_zone: 'UTC', hours: '24x7' });
    expect([again.status, again.body.error_code]).toEqual([409, 'E_CALENDAR_TAKEN']);
    const [first, other] = all.map((answer) => `/calendars/${answer.body.id}`);
    const renamed = [
      await call('PATCH', `${first}`, { name: 'B' }),
      await call('PATCH', `${other}`, { name: 'B' }),
    ];
    expect(renamed.map((answer) => answer.status)).toEqual([409, 200]);
    const { body } = await call('GET', '/calendars?page_size=2');
    expect([body.total, body.items.length]).toEqual([5, 2]);
    const second = await call('GET', `/calendars?page_size=2&cursor=${body.next_cursor}`);
    expect(second.body.items).toHaveLength(2);
    expect(second.body.items[0].id).not.toBe(body.items[1].id);
    const last = await call('GET', `/calendars?page_size=2&cursor=${second.body.next_cursor}`);
    expect([last.body.items.length, last.body.next_cursor]).toEqual([1, null]);
  });
});

describe('the clocks of a ticket, as people work on it', () => {
  test('wait with the customer, are kept by answers and ends, and begin again when it comes back', async () => {
    const staff = await hireStaff(world);
    const { id } = (await staff.customer.call('POST', 'tickets', { title: 'No light', priority: 'high' }))
      .body;
    const states = async (): Promise<Record<string, string>> => {
      const { clocks } = (await staff.agent.call('GET', `tickets/${id}`)).body.sla;
      return Object.fromEntries(clocks.map((one: Record<string, string>) => [one.target, one.state]));
    };
    const say = (who: Person, content: string, is_internal = false) =>
      who.call('POST', `tickets/${id}/comments`, { content, is_internal });
    const move = (status: string) => staff.agent.call('PATCH', `tickets/${id}/status`, { status });

    await say(staff.customer, 'Anybody?');
    await say(staff.agent, 'Looking at it.', true);
    expect(await states()).toEqual({ first_response: 'running', resolution: 'running' });
    await say(staff.agent, 'Which lamp is it?');
    await move('pending');
    expect(await states()).toEqual({ first_response: 'met', resolution: 'paused' });
    await say(staff.customer, 'The red one.');
    expect(await states()).toEqual({
      ...{ first_response: 'met', resolution: 'running', next_response: 'running' },
    });
    await say(staff.agent, 'New bulb is in.');
    await staff.agent.call('POST', `tickets/${id}/resolve`, { resolution_notes: 'new bulb' });
    expect(await states()).toEqual({ first_response: 'met', resolution: 'met', next_response: 'met' });
    await say(staff.customer, 'It failed again.');
    expect(await states()).toEqual({
      ...{ first_response: 'met', resolution: 'running', next_response: 'running' },
    });
    const told = (await staff.agent.call('GET', `tickets/${id}/sla/explain`)).body;
    const resolution = told.clocks.find((one: { target: string }) => one.target === 'resolution');
    expect(resolution.changes.map((one: { sentence: string }) => one.sentence.split(',')[0])).toEqual([
      'Started',
      'Paused (status pending)',
      'Resumed',
      'Met (status resolved)',
      'Started again from zero (reopened)',
    ]);
    expect((await staff.customer.call('GET', `tickets/${id}/sla/explain`)).status).toBe(403);
    expect((await staff.customer.call('GET', `tickets/${id}`)).body.sla).toBeNull();

    await staff.agent.call('POST', `tickets/${id}/snooze`, { until: '2030-01-01T00:00:00Z' });
    expect((await states()).resolution).toBe('paused');
  });
});

describe('what cannot be promised', () => {
  test.each([
    ['a calendar without hours', '/calendars', { name: 'x', time_zone: 'UTC', hours: { mon: [] } }, 'hours'],
    [
      'a zone of another planet',
      '/calendars',
      { name: 'x', time_zone: 'Mars/1', hours: '24x7' },
      'time_zone',
    ],
    ['a priority that is none', '/sla-policies', { name: 'x', targets: { huge: {} } }, 'targets.huge'],
    ['a calendar that is not there', '/sla-policies', { name: 'x', calendar: 'nope' }, 'calendar'],
    ['a share of 100 %', '/sla-policies', { name: 'x', warn_at_percent: [100] }, 'warn_at_percent.0'],
    [
      'no time at all',
      '/sla-policies',
      { name: 'x', targets: { low: { resolution_minutes: 0 } } },
      'targets.low',
    ],
    ['a field that is none', '/sla-policies', { name: 'x', colour: 'red' }, 'colour'],
  ])('%s is refused, saying where', async (_, path, body, where) => {
    const answer = await call('POST', path, body);
    expect(answer.status).toBe(400);
    expect(answer.body.details[0].path).toContain(where);
  });

  test('a desk that is not there, an escalation to nobody', async () => {
    expect((await call('POST', '/sla-policies', { name: 'x', desk: 'NOPE' })).status).toBe(404);
    const step = { after_minutes: 5, reassign: { team: 'nobody' } };
    expect((await call('PATCH', '/sla-policies/default', { escalation: [step] })).status).toBe(400);
    const other = { after_minutes: 5, notify: ['lead', 'who is that'] };
    const answer = await call('PATCH', '/sla-policies/default', { escalation: [other] });
    expect([answer.status, answer.body.details[0].path]).toEqual([400, 'escalation.0.notify.1']);
  });

  test('the rules are not for customers to read, nor for agents to change', async () => {
    const company = FIRST_COMPANY;
    const someone = (role: Role): Ctx => ({
      ...systemCtx({ log: openLog('silent') }, company),
      actor: { kind: 'user', id: 'someone', name: 'Someone', company, role, teams: [] },
    });
    await expect(listPolicies(someone('customer'))).rejects.toMatchObject({ kind: 'forbidden' });
    await expect(explainTicket(someone('customer'), 'TKT-000001')).rejects.toMatchObject({
      kind: 'forbidden',
    });
    expect(await listPolicies(someone('agent'))).toHaveLength(1);
    await expect(removePolicy(someone('lead'), 'default')).rejects.toMatchObject({ kind: 'forbidden' });
  });
});
