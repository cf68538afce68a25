// Keeping automation rules over HTTP: whose they are to see and to change, and what is refused before it can do harm.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hireStaff, openDeskOf, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
  staff = await hireStaff(world);
  await openDeskOf('OPS', 'devops');
}, 60_000);
afterAll(() => world?.close());

const rule = {
  name: 'Hot ones',
  when: { events: ['created', 'PRIORITY_CHANGE'] },
  if: { all: [{ field: 'priority', op: 'in', value: ['P1', 'urgent'] }] },
  then: [
    { do: 'add_tags', tags: ['HOT', 'hot'] },
    { do: 'set', priority: 'P1', due_in_minutes: 60, custom_fields: {} },
    { do: 'notify', to: ['lead'], text: '{{ ticket.key }} is hot' },
  ],
};
const add = async (given: object = rule) => (await staff.manager.call('POST', 'workflows', given)).body;

describe('a rule', () => {
  test('is read as it was meant, and comes after the ones before', async () => {
    const first = await add();
    const second = await add({ ...rule, name: 'Second' });
    expect(first).toMatchObject({
      ...{ name: 'Hot ones', desk: null, enabled: true, stop_here: false, run_once: false, version: 1 },
      when: { events: ['created', 'priority_change'] },
      if: { all: [{ field: 'priority', op: 'in', value: ['critical', 'urgent'] }] },
      then: [{ do: 'add_tags' }, { do: 'set', priority: 'critical', due_in_minutes: 60 }, { do: 'notify' }],
    });
    expect(second.position).toBe(first.position + 1);
    const { body } = await staff.lead.call('GET', `workflows/${first.id}`);
    expect(body).toEqual({ ...first, warnings: undefined });
  });

  test('is said anew by PUT, changed in part by PATCH, and gone after DELETE', async () => {
    const { id, position } = await add({ ...rule, description: 'why', stop_here: true });
    const off = await staff.manager.call('PATCH', `workflows/${id}`, { enabled: false });
    expect(off.body).toMatchObject({ enabled: false, description: 'why', stop_here: true, version: 2 });
    const anew = await staff.admin.call('PUT', `workflows/${id}`, { ...rule, desk: 'ops' });
    expect(anew.body).toMatchObject({ enabled: true, description: '', stop_here: false, position });
    const ops = await staff.lead.call('GET', 'workflows?desk=TKT&enabled=true');
    expect(ops.body.items.map((one: { id: string }) => one.id)).not.toContain(id);
    expect((await staff.manager.call('DELETE', `workflows/${id}`)).status).toBe(204);
    expect((await staff.lead.call('GET', `workflows/${id}`)).status).toBe(404);
    expect((await staff.manager.call('DELETE', `workflows/${id}`)).status).toBe(404);
  });

  test('two who change it at the same time both have their way', async () => {
    const { id } = await add();
    await Promise.all([
      staff.manager.call('PATCH', `workflows/${id}`, { run_once: true }),
      staff.admin.call('PATCH', `workflows/${id}`, { stop_here: true }),
    ]);
    const { body } = await staff.lead.call('GET', `workflows/${id}`);
    expect(body).toMatchObject({ run_once: true, stop_here: true, version: 3 });
  });

  test('is listed in order, page by page', async () => {
    const { body } = await staff.lead.call('GET', 'workflows?page_size=2');
    expect(body.items).toHaveLength(2);
    const next = await staff.lead.call('GET', `workflows?page_size=2&cursor=${body.next_cursor}`);
    const positions = [...body.items, ...next.body.items].map((one: { position: number }) => one.position);
    expect(positions).toEqual([...positions].sort((a, b) => a - b));
  });
});

test('leads see them, managers change them, and agents and customers neither', async () => {
  const { id } = await add();
  const status = async (who: Staff['lead'], method: string, path: string, body?: object) =>
    (await who.call(method, path, body)).status;
  expect(await status(staff.lead, 'GET', 'workflows')).toBe(200);
  expect(await status(staff.lead, 'POST', 'workflows', rule)).toBe(403);
  expect(await status(staff.lead, 'PATCH', `workflows/${id}`, { enabled: false })).toBe(403);
  for (const who of [staff.agent, staff.customer]) {
    expect(await status(who, 'GET', 'workflows')).toBe(403);
    expect(await status(who, 'GET', `workflows/${id}`)).toBe(403);
  }
});

describe('what a rule names must be there', () => {
  test.each([
    ['a status', [{ do: 'set', status: 'baked' }], 'then.0.status'],
    ['a status of another desk', [{ do: 'set', status: 'escalated' }], 'then.0.status', 'TKT'],
    ['a category', [{ do: 'set', category: 'cheese' }], 'then.0.category'],
    ['a field', [{ do: 'set', custom_fields: { nothing: 1 } }], 'then.0.custom_fields.nothing'],
    ['something at all', [{ do: 'set' }], 'then.0.do'],
    ['an agent', [{ do: 'escalate' }, { do: 'assign', assignee_id: 'f'.repeat(24) }], 'then.1.assignee_id'],
    ['a team', [{ do: 'assign', team_id: 'f'.repeat(24) }], 'then.0.team_id'],
    ['somebody to tell', [{ do: 'notify', to: ['lead', 'team:none'], text: 'x' }], 'then.0.to'],
    ['a macro', [{ do: 'macro', macro_id: 'Nothing' }], 'then.0.macro_id'],
    ['a template that can be read', [{ do: 'reply', text: '{{ ticket.key' }], 'then.0.text'],
  ] as [string, object[], string, string?][])('%s', async (...[, then, path, desk]) => {
    const { status, body } = await staff.manager.call('POST', 'workflows', { ...rule, then, desk });
    expect(status).toBe(400);
    expect(body.details.map((one: { path: string }) => one.path)).toEqual([path]);
  });

  test('and a field that no rule knows is told with its place', async () => {
    const { status, body } = await staff.manager.call('POST', 'workflows', {
      ...rule,
      if: { any: [{ not: { field: 'colour', op: 'equals', value: 'red' } }] },
    });
    expect(status).toBe(400);
    expect(JSON.stringify(body.details)).toContain('is no field that a rule knows');
  });
});

describe('ready-made rules', () => {
  test('are rules that can be saved as they stand, one by one, and none sets off another', async () => {
    const { body } = await staff.lead.call('GET', 'workflows/templates');
    expect(body.items.length).toBeGreaterThan(8);
    const made: string[] = [];
    for (const { id, name, description } of body.items) {
      const { status, body: saved } = await staff.manager.call('POST', `workflows/templates/${id}`, {});
      expect([id, status, saved.warnings]).toEqual([id, 201, []]);
      expect(saved).toMatchObject({ name, description, enabled: true });
      const twice = await staff.manager.call('POST', `workflows/templates/${id}`, {});
      expect([id, twice.status, twice.body.error_code]).toEqual([id, 409, 'E_WORKFLOW_ON_ALREADY']);
      const again = await staff.manager.call('POST', 'workflows', sendable(saved));
      expect([id, again.status]).toEqual([id, 201]);
      made.push(saved.id, again.body.id);
    }
    for (const id of made) await staff.manager.call('DELETE', `workflows/${id}`);
  });

  test('take values of one’s own, and no others', async () => {
    const on = (id: string, given: object) => staff.manager.call('POST', `workflows/templates/${id}`, given);
    const vip = await on('vip', { values: { domains: ['big.example'] }, desk: 'OPS', enabled: false });
    expect(vip.body).toMatchObject({
      ...{ enabled: false, desk: expect.any(String) },
      if: { field: 'requester.domain', op: 'in', value: ['big.example'] },
    });
    expect((await on('vip', { values: { domains: [] } })).status).toBe(400);
    expect((await on('vip', { values: { colour: 'red' } })).status).toBe(400);
    expect((await on('nothing', {})).status).toBe(404);
    const wrong = await on('vip', { values: { tag: '', colour: 'red' } });
    expect([wrong.status, wrong.body.details]).toEqual([
      400,
      [
        { path: 'values.tag', message: 'must not be empty' },
        { path: 'values.colour', message: 'is not a known field' },
      ],
    ]);
    expect((await staff.lead.call('POST', 'workflows/templates/vip', {})).status).toBe(403);
  });
});

/** What was answered, as it may be sent again. */
function sendable(rule: Record<string, unknown>): Record<string, unknown> {
  const {
    id: _,
    company_id: __,
    version: ___,
    created_at: ____,
    updated_at: _____,
    warnings: ______,
    ...rest
  } = rule;
  return rest;
}
