// Desks, their workflows, categories and fields, and macros.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fillIn } from '../../src/desks/macros.ts';
import { hireStaff, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
  staff = await hireStaff(world);
});
afterAll(() => world.close());

const open = (body: object) => staff.manager.call('POST', 'desks', body);

describe('a desk', () => {
  test('is opened with the words of its preset', async () => {
    const { status, body } = await open({ key: 'ops', name: 'Operations', preset: 'DEVOPS' });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      key: 'OPS',
      is_default: false,
      active: true,
      workflow: { preset: 'devops' },
    });
    expect(body.categories).toContain('incident');
    expect((await open({ key: 'OPS', name: 'Again' })).status).toBe(409);
    for (const key of ['', 'A', 'TOOLONGAKEY', '1AB', 'A-B', 'Ä1'])
      expect((await open({ key, name: 'Odd' })).status).toBe(400);
    expect((await staff.customer.call('GET', 'desks/ops')).body.id).toBe(body.id);
    expect((await staff.lead.call('POST', 'desks', { key: 'NO', name: 'No' })).status).toBe(403);
  });

  test('that is the default changes hands and is never lost', async () => {
    const { id } = (await open({ key: 'DEF', name: 'New default', is_default: true })).body;
    const defaults = async () =>
      (await staff.agent.call('GET', 'desks?page_size=100')).body.items.filter(
        (one: { is_default: boolean }) => one.is_default,
      );
    expect(await defaults()).toMatchObject([{ id }]);
    expect((await staff.agent.call('POST', 'tickets', { title: 'Where to' })).body.key).toBe('DEF-000001');
    expect((await staff.admin.call('DELETE', `desks/${id}`)).status).toBe(409);
    expect((await staff.manager.call('PATCH', 'desks/DEF', { active: false })).status).toBe(409);
    await staff.manager.call('PATCH', 'desks/TKT', { is_default: true });
    expect(await defaults()).toMatchObject([{ key: 'TKT' }]);
  });

  test('several that are made the default at once leave exactly one', async () => {
    const keys = ['ONE', 'TWO', 'SIX', 'TEN'];
    for (const key of keys) await open({ key, name: key });
    for (let round = 0; round < 3; round++) {
      await Promise.all(keys.map((key) => staff.manager.call('PATCH', `desks/${key}`, { is_default: true })));
      const { items } = (await staff.agent.call('GET', 'desks?page_size=100')).body;
      expect(items.filter((one: { is_default: boolean }) => one.is_default)).toHaveLength(1);
    }
    await staff.manager.call('PATCH', 'desks/TKT', { is_default: true });
  });

  test('that had tickets is closed and they stay; one that never had any is gone', async () => {
    await open({ key: 'OLD', name: 'Old' });
    await open({ key: 'NEVER', name: 'Never used' });
    const { key } = (await staff.agent.call('POST', 'tickets', { title: 'Keep me', desk: 'OLD' })).body;
    for (const desk of ['OLD', 'NEVER'])
      expect((await staff.admin.call('DELETE', `desks/${desk}`)).status).toBe(204);
    expect((await staff.agent.call('GET', 'desks/NEVER')).status).toBe(404);
    expect((await staff.agent.call('GET', 'desks/OLD')).body.active).toBe(false);
    expect((await staff.agent.call('GET', `tickets/${key}`)).status).toBe(200);
    const late = await staff.agent.call('POST', 'tickets', { title: 'Too late', desk: 'OLD' });
    expect(late).toMatchObject({ status: 409, body: { error_code: 'E_DESK_CLOSED' } });
  });

  test('has fields of its own, required by category, some for agents only', async () => {
    await open({ key: 'FLD', name: 'Fields', preset: 'support' });
    const fields = [
      { name: 'serial', label: 'Serial number', type: 'text', required_for: ['technical'] },
      { name: 'cost', label: 'Cost', type: 'number', internal: true },
      { name: 'colour', label: 'Colour', type: 'choice', options: ['red', 'blue'] },
      { name: 'since', label: 'Since', type: 'date' },
      { name: 'parts', label: 'Parts', type: 'choices', options: ['lid', 'drum'] },
    ];
    const set = await staff.manager.call('PATCH', 'desks/FLD', { fields });
    expect(set.body.fields).toMatchObject(fields);
    expect(
      (await staff.customer.call('GET', 'desks/FLD')).body.fields.map((one: { name: string }) => one.name),
    ).toEqual(['serial', 'colour', 'since', 'parts']);
    const file = (body: object) =>
      staff.customer.call('POST', 'tickets', { title: 'x', desk: 'FLD', ...body });
    expect((await file({ category: 'technical' })).body.details).toMatchObject([
      { path: 'custom_fields.serial' },
    ]);
    expect((await file({ category: 'billing', custom_fields: { colour: 'green' } })).status).toBe(400);
    expect(
      (await file({ category: 'technical', custom_fields: { serial: 'A1', colour: 'red' } })).status,
    ).toBe(201);
    for (const since of ['2026-02-30', '7', 'May 1', '2026-13-01'])
      expect((await file({ custom_fields: { since } })).status).toBe(400);
    const dated = await file({ custom_fields: { since: '2028-02-29', parts: ['lid', 'lid'] } });
    expect(dated.body.custom_fields).toEqual({ since: '2028-02-29', parts: ['lid'] });
    for (const blank of ['', '  '])
      expect((await file({ category: 'technical', custom_fields: { serial: blank } })).status).toBe(400);
    for (const odd of [
      [{ name: 'x', label: 'x', type: 'text', required_for: ['tecnical'] }],
      [{ name: 'Bad Name', label: 'x', type: 'text' }],
      [{ name: 'x', label: 'x', type: 'magic' }],
      [{ name: 'x', label: 'x', type: 'choice' }],
      [
        { name: 'x', label: 'x', type: 'text' },
        { name: 'x', label: 'y', type: 'text' },
      ],
      [{ name: 'x', label: 'x', type: 'text', sudo: true }],
    ])
      expect((await staff.manager.call('PATCH', 'desks/FLD', { fields: odd })).status).toBe(400);
  });
});

describe('a workflow', () => {
  const put = (desk: string, body: object) => staff.manager.call('PUT', `desks/${desk}/workflow`, body);

  test('is a preset, ordered steps, or states and moves; nothing in between', async () => {
    await open({ key: 'FLOW', name: 'Flow' });
    expect((await put('FLOW', { preset: 'simple' })).body).toMatchObject({
      preset: 'simple',
      initial: 'open',
    });
    const steps = await put('FLOW', { steps: [{ name: 'Open' }, { name: 'In Progress' }, { name: 'Done' }] });
    expect(steps.body).toMatchObject({
      preset: 'steps',
      initial: 'open',
      states: [{}, {}, { name: 'done', kind: 'closed' }],
    });
    const whole = {
      initial: 'todo',
      states: [
        { name: 'todo', label: 'To do', kind: 'new' },
        { name: 'done', label: 'Done', kind: 'closed' },
      ],
      moves: { todo: ['done'], done: [] },
    };
    expect((await put('FLOW', whole)).body).toMatchObject(whole);
    expect((await staff.customer.call('GET', 'desks/FLOW/workflow')).body).toMatchObject(whole);
    for (const odd of [
      {},
      { preset: 'magic' },
      { preset: 'simple', steps: [{ name: 'a' }, { name: 'b' }] },
      { steps: [{ name: 'only' }] },
      { steps: [{ name: 'a' }, { name: 'A' }] },
      { ...whole, initial: 'nowhere' },
      { ...whole, moves: { todo: ['nowhere'] } },
      { ...whole, states: whole.states.map((one) => ({ ...one, kind: 'open' })) },
    ])
      expect({ odd, status: (await put('FLOW', odd)).status }).toEqual({ odd, status: 400 });
  });

  test('is not taken from under tickets that stand in it', async () => {
    await open({ key: 'BUSY', name: 'Busy' });
    await staff.agent.call('POST', 'tickets', { title: 'Standing here', desk: 'BUSY' });
    const refused = await put('BUSY', { preset: 'simple' });
    expect(refused).toMatchObject({ status: 409, body: { details: [{ message: 'new' }] } });
    expect((await put('BUSY', { preset: 'devops' })).status).toBe(200);
  });
});

describe('categories', () => {
  test('that several people add and rename at once are all there', async () => {
    await open({ key: 'MANY', name: 'Many', categories: ['Zero'] });
    const words = ['One', 'Two', 'Three', 'Four', 'Five', 'Six'];
    const [{ id }] = (await staff.agent.call('GET', 'categories?desk=MANY')).body.items;
    await Promise.all([
      ...words.map((name) => staff.manager.call('POST', 'categories', { name, desk: 'MANY' })),
      staff.manager.call('PATCH', `categories/${id}`, { name: 'Nothing' }),
    ]);
    const { categories } = (await staff.agent.call('GET', 'desks/MANY')).body;
    expect([...categories].sort()).toEqual(['Nothing', ...words].sort());
  });

  test('are listed, added, renamed and removed by desk', async () => {
    await open({ key: 'CAT', name: 'Categories', categories: ['Hardware'] });
    const part = (await staff.agent.call('GET', 'categories?page_size=2')).body;
    const rest = await staff.agent.call('GET', `categories?page_size=100&cursor=${part.next_cursor}`);
    expect([part.items.length, rest.status]).toEqual([2, 200]);
    const names = async () =>
      (await staff.customer.call('GET', 'categories?desk=CAT')).body.items.map(
        (one: { name: string }) => one.name,
      );
    expect(await names()).toEqual(['Hardware']);
    const added = await staff.manager.call('POST', 'categories', { desk: 'CAT', name: 'Soft ware' });
    expect(added).toMatchObject({ status: 201, body: { name: 'Soft ware', desk: 'CAT' } });
    expect((await staff.manager.call('POST', 'categories', { desk: 'CAT', name: 'SOFT_WARE' })).status).toBe(
      409,
    );
    const renamed = await staff.manager.call('PATCH', `categories/${added.body.id}`, { name: 'Software' });
    expect(renamed.body.name).toBe('Software');
    expect((await staff.agent.call('DELETE', `categories/${renamed.body.id}`)).status).toBe(403);
    expect((await staff.manager.call('DELETE', `categories/${renamed.body.id}`)).status).toBe(204);
    expect(await names()).toEqual(['Hardware']);
    const ticket = await staff.agent.call('POST', 'tickets', {
      title: 'x',
      desk: 'CAT',
      category: 'HARDWARE',
    });
    expect(ticket.body.category).toBe('Hardware');
  });
});

describe('macros', () => {
  test('are kept by leads, used by agents, and filled in without a way into the program', async () => {
    const macro = {
      name: 'Greeting',
      body: 'Hello {{ requester.name }}, {{ ticket.key }}.',
      actions: [
        { do: 'status', value: 'pending' },
        { do: 'add_tag', value: 'waiting' },
      ],
    };
    const made = await staff.lead.call('POST', 'macros', macro);
    expect(made).toMatchObject({ status: 201, body: { ...macro, desk_id: null } });
    expect((await staff.agent.call('POST', 'macros', macro)).status).toBe(403);
    expect((await staff.lead.call('POST', 'macros', macro)).status).toBe(409);
    expect((await staff.customer.call('GET', 'macros')).status).toBe(403);
    expect((await staff.agent.call('GET', 'macros/Greeting')).body.id).toBe(made.body.id);
    const broken = await staff.lead.call('PATCH', `macros/${made.body.id}`, { body: '{% if %}' });
    expect(broken).toMatchObject({ status: 400, body: { details: [{ path: 'body' }] } });
    for (const odd of [[{ do: 'explode', value: '' }], [{ do: 'status' }], 'status'])
      expect((await staff.lead.call('PATCH', `macros/${made.body.id}`, { actions: odd })).status).toBe(400);
    const gone = ['priority', 'status', 'category', 'assignee', 'team'].map((one) => ({
      do: one,
      value: 'nowhere',
    }));
    const named = await staff.lead.call('POST', 'macros', { name: 'Lost', actions: gone });
    expect([named.status, named.body.details.map((one: { path: string }) => one.path)]).toEqual([
      400,
      gone.map((_, nth) => `actions.${nth}.value`),
    ]);
    const onDesk = { desk: 'TKT', actions: [{ do: 'status', value: 'blocked' }] };
    expect((await staff.lead.call('PATCH', `macros/${made.body.id}`, onDesk)).status).toBe(400);
    expect(await fillIn(macro, { requester: { name: 'Mei' }, ticket: { key: 'TKT-1' } })).toBe(
      'Hello Mei, TKT-1.',
    );
    expect(
      await fillIn({ body: '{{ ticket.constructor.name }}{{ ticket.__proto__ }}' }, { ticket: {} }),
    ).toBe('');
    for (const tag of ['include', 'render', 'layout']) {
      const body = `{% ${tag} "package.json" %}`;
      expect((await staff.lead.call('POST', 'macros', { name: tag, body })).status).toBe(400);
      const note = { name: tag, actions: [{ do: 'note', value: body }] };
      expect((await staff.lead.call('POST', 'macros', note)).status).toBe(400);
      await expect(fillIn({ body }, {})).rejects.toThrow();
    }
    await expect(fillIn({ body: '{% for i in (1..100000000) %}x{% endfor %}' }, {})).rejects.toThrow();
    expect((await staff.lead.call('DELETE', `macros/${made.body.id}`)).status).toBe(204);
  });
});
