// Tickets and the desks they are on: moving to another one, and categories that get another name.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { finishRenames } from '../../src/desks/renaming.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { change } from '../../src/tickets/change.ts';
import { entriesOf, load } from '../../src/tickets/find.ts';
import { finishPending } from '../../src/tickets/followups.ts';
import { check } from '../support/checker.ts';
import { hireStaff, openDeskOf, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
const log = openLog('silent');

beforeAll(async () => {
  world = await openWorld();
  staff = await hireStaff(world);
  await openDeskOf('OPS', 'devops');
  await openDeskOf('SIM', 'simple');
  await staff.manager.call('PATCH', 'desks/SIM', {
    fields: [
      { name: 'room', label: 'Room', type: 'text' },
      { name: 'floor', label: 'Floor', type: 'number', required_for: ['*'] },
    ],
  });
});
afterAll(async () => {
  await world.drain();
  expect((await check(world.config.MONGODB_URI, world.database)).problems).toEqual([]);
  await world.close();
});

const filed = async (more: Record<string, unknown> = {}) =>
  (await staff.customer.call('POST', 'tickets', { title: 'The printer burns', ...more })).body;
const move = (ref: string, body: Record<string, unknown>, headers = {}) =>
  staff.agent.call('POST', `tickets/${ref}/move`, body, headers);

describe('a ticket that moves to another desk', () => {
  test('gets the next key there, and its old key leads to it, for whoever may see it', async () => {
    const before = await filed();
    await staff.agent.call('POST', `tickets/${before.id}/comments`, { content: 'Hello', is_internal: false });
    const there = await move(before.key, { desk: 'ops' });
    expect([there.status, there.body.id, there.body.desk]).toEqual([200, before.id, 'OPS']);
    expect(there.body.key).toMatch(/^OPS-\d{6}$/);
    expect(there.body.former_keys).toEqual([before.key]);
    for (const ref of [before.key, there.body.key])
      expect((await staff.customer.call('GET', `tickets/${ref}`)).body).toMatchObject({
        id: before.id,
        key: there.body.key,
      });
    expect((await staff.otherCustomer.call('GET', `tickets/${before.key}`)).status).toBe(404);
    const { body } = await staff.agent.call('GET', `tickets/${before.key}/history?action=moved`);
    expect(body.items[0].facts).toMatchObject({ from: 'TKT', fromKey: before.key, to: 'OPS' });
    expect((await staff.agent.call('GET', `tickets/${before.key}/comments`)).body.items).toHaveLength(1);
    const listed = (await staff.agent.call('GET', 'tickets?desk=OPS')).body.items;
    expect(listed.map((one: { id: string }) => one.id)).toContain(before.id);
    for (const q of [before.key, there.body.key, before.key.toLowerCase()]) {
      const found = (await staff.agent.call('GET', `tickets?q=${q}`)).body;
      expect([q, found.total, found.items[0]?.id]).toEqual([q, 1, before.id]);
      expect((await staff.otherCustomer.call('GET', `tickets?q=${q}`)).body.total).toBe(0);
    }
  });

  test('is known by its new key to the tickets that are linked with it', async () => {
    const [mine, other] = [await filed(), await filed()];
    await staff.agent.call('POST', `tickets/${other.id}/links`, { kind: 'parent', ticket_id: mine.id });
    const { key } = (await move(mine.id, { desk: 'OPS' })).body;
    const { items } = (await staff.agent.call('GET', `tickets/${other.id}/links`)).body;
    expect(items).toEqual([{ kind: 'parent', ticket_id: mine.id, key }]);
    const old = `tickets/${other.id}/links?ticket_id=${mine.key}`;
    expect((await staff.agent.call('DELETE', old)).status).toBe(204);
    expect((await staff.agent.call('GET', `tickets/${other.id}/links`)).body.total).toBe(0);
  });

  test('left half moved is told to them by the relay', async () => {
    const [mine, other] = [await filed(), await filed()];
    await staff.agent.call('POST', `tickets/${other.id}/links`, { ticket_id: mine.id });
    const { key } = (await move(mine.id, { desk: 'OPS' })).body;
    const ctx = systemCtx({ log }, FIRST_COMPANY);
    await change(ctx, other.id, ({ links }) => ({
      action: 'linked',
      set: { links: links.map((one) => ({ ...one, key: mine.key })) },
    }));
    const entries = await entriesOf(await load(ctx, mine.id));
    await finishPending(
      log,
      entries.filter((one) => one.action === 'moved'),
    );
    expect((await staff.agent.call('GET', `tickets/${other.id}`)).body.links).toMatchObject([{ key }]);
  });

  test('goes on by the words of the new desk, and by its workflow', async () => {
    const { id } = await filed();
    await staff.agent.call('PATCH', `tickets/${id}/status`, { status: 'pending' });
    const there = await move(id, { desk: 'OPS' });
    expect(there.body).toMatchObject({ status: 'pending_info', status_kind: 'pending' });
    expect((await staff.agent.call('PATCH', `tickets/${id}/status`, { status: 'pending' })).status).toBe(400);
    expect((await staff.agent.call('PATCH', `tickets/${id}/status`, { status: 'in_progress' })).status).toBe(
      200,
    );
  });

  test('gets its old key back when it returns', async () => {
    const { id, key } = await filed();
    const there = (await move(id, { desk: 'OPS' })).body.key;
    const back = await move(id, { desk: 'TKT' });
    expect(back.body).toMatchObject({ key, former_keys: [there] });
    expect((await staff.agent.call('GET', `tickets/${there}`)).body.id).toBe(id);
  });

  test('is asked for what the new desk cannot know, all at once', async () => {
    const { id } = await filed({ category: 'feature_request' });
    await staff.agent.call('PATCH', `tickets/${id}/status`, { status: 'pending' });
    const refused = await move(id, { desk: 'SIM' });
    expect(refused.status).toBe(400);
    const paths = refused.body.details.map((one: { path: string }) => one.path);
    expect(paths.sort()).toEqual(['category', 'custom_fields.floor', 'status']);
    expect((await staff.agent.call('GET', `tickets/${id}`)).body).toMatchObject({ desk: 'TKT', version: 2 });
    const given = { desk: 'SIM', category: 'general', status: 'in_progress', custom_fields: { floor: 3 } };
    expect((await move(id, given)).body).toMatchObject({
      ...{
        desk: 'SIM',
        category: 'general',
        status: 'in_progress',
        status_kind: 'open',
        custom_fields: { floor: 3 },
      },
    });
  });

  test('keeps what the new desk has a field for; the rest stands in the history', async () => {
    const { id } = await filed({ desk: 'SIM', custom_fields: { floor: 2, room: 'Blue' } });
    const there = await move(id, { desk: 'TKT', category: null });
    expect(there.body.custom_fields).toEqual({});
    const { body } = await staff.agent.call('GET', `tickets/${id}/history?action=moved`);
    expect(body.items[0].facts.dropped.sort()).toEqual(['floor', 'room']);
    const change = body.items[0].changes.find((one: { field: string }) => one.field === 'custom_fields');
    expect(change.old_value).toEqual({ floor: 2, room: 'Blue' });
  });

  test('was resolved when it was resolved', async () => {
    const { id } = await filed();
    await staff.agent.call('POST', `tickets/${id}/resolve`, { resolution_notes: 'done' });
    const at = (await staff.agent.call('GET', `tickets/${id}`)).body.resolved_at;
    const there = await move(id, { desk: 'OPS' });
    expect(there.body).toMatchObject({ status: 'resolved', resolved_at: at });
    expect((await move(id, { desk: 'TKT', status: 'open' })).status).toBe(400);
  });

  test('is moved by who may edit it, once, and never to where it is', async () => {
    const { id, version } = await filed();
    expect((await staff.customer.call('POST', `tickets/${id}/move`, { desk: 'OPS' })).status).toBe(403);
    expect((await move(id, { desk: 'TKT' })).status).toBe(409);
    expect((await move(id, { desk: 'NONE' })).status).toBe(404);
    expect((await move(id, { desk: 'OPS' }, { 'if-match': `"${version + 7}"` })).status).toBe(412);
    const key = { 'idempotency-key': `move-${id}` };
    const [first, again] = [await move(id, { desk: 'OPS' }, key), await move(id, { desk: 'OPS' }, key)];
    expect([first.status, again.body.key]).toEqual([200, first.body.key]);
    const { body } = await staff.agent.call('GET', `tickets/${id}/history?action=moved`);
    expect(body.items).toHaveLength(1);
  });

  test('gets a number of its own, though the counter there was set back, and many move at once', async () => {
    const desk = await openDeskOf('MOV', 'support');
    const ids = await Promise.all(Array.from({ length: 12 }, async () => (await filed()).id as string));
    await filed({ desk: 'MOV' });
    await filed({ desk: 'MOV' });
    await mongoose.connection
      .collection('counters')
      .updateOne({ _id: desk.id as never }, { $set: { last: 0 } });
    const moved = await Promise.all(ids.map((id) => move(id, { desk: 'MOV' })));
    expect(moved.map((one) => one.status)).toEqual(ids.map(() => 200));
    expect(new Set(moved.map((one) => one.body.key)).size).toBe(12);
  });
});

describe('a category that gets another name', () => {
  const countOf = async (category: string) =>
    (await staff.agent.call('GET', `tickets?category=${category}&desk=TKT`)).body.total as number;

  test('takes its tickets along, and tells nobody', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => (await filed({ category: 'billing' })).id),
    );
    const elsewhere = await filed({ category: 'billing', desk: 'SIM', custom_fields: { floor: 1 } });
    const macro = {
      name: 'To billing',
      body: '',
      desk: 'TKT',
      actions: [{ do: 'category', value: 'billing' }],
    };
    const made = await staff.lead.call('POST', 'macros', macro);
    const rule = async (desk: string | null) => {
      const made = await staff.manager.call('POST', 'workflows', {
        ...{ name: 'Money', desk, enabled: false, when: { events: ['created'] } },
        if: {
          any: [
            { field: 'category', op: 'equals', value: 'Billing' },
            { field: 'title', op: 'contains', value: 'billing' },
          ],
        },
        then: [{ do: 'add_tags', tags: ['money'] }, ...(desk ? [{ do: 'set', category: 'billing' }] : [])],
      });
      expect(made.status).toBe(201);
      return made.body.id as string;
    };
    const [ours, everybodys, others] = [await rule('TKT'), await rule(null), await rule('SIM')];
    await world.drain();
    const heard = await mongoose.connection.collection('notifications').countDocuments();
    const { items } = (await staff.agent.call('GET', 'categories?desk=TKT')).body;
    const { id } = items.find((one: { name: string }) => one.name === 'billing');
    expect((await staff.manager.call('PATCH', `categories/${id}`, { name: 'Invoices' })).status).toBe(200);
    await finishRenames(log);
    await world.drain();
    expect([await countOf('billing'), await countOf('invoices')]).toEqual([0, 20]);
    expect((await staff.agent.call('GET', `tickets/${elsewhere.id}`)).body.category).toBe('billing');
    const { body } = await staff.agent.call('GET', `tickets/${ids[0]}/history`);
    expect(body.items.at(-1)).toMatchObject({
      ...{ action: 'update', actor: { kind: 'system' }, facts: { because: 'category renamed' } },
      changes: [{ field: 'category', old_value: 'billing', new_value: 'Invoices' }],
    });
    expect(await mongoose.connection.collection('notifications').countDocuments()).toBe(heard);
    expect((await staff.lead.call('GET', `macros/${made.body.id}`)).body.actions[0].value).toBe('Invoices');
    const about = async (one: string) => {
      const { if: asked, then: done } = (await staff.manager.call('GET', `workflows/${one}`)).body;
      return [asked.any[0].op, asked.any[0].value, asked.any[1].value, done[1]?.category];
    };
    expect([await about(ours), await about(everybodys), await about(others)]).toEqual([
      ['equals', 'Invoices', 'billing', 'Invoices'],
      ['in', ['Billing', 'Invoices'], 'billing', undefined],
      ['equals', 'Billing', 'billing', 'billing'],
    ]);
    const early = await staff.manager.call('POST', 'categories', { name: 'Billing', desk: 'TKT' });
    expect([early.status, early.body.error_code]).toEqual([409, 'E_CATEGORY_RENAMING']);
  });

  test('is finished by another process when the first one died half-way', async () => {
    await filed({ category: 'technical' });
    const { items } = (await staff.agent.call('GET', 'categories?desk=TKT')).body;
    const { id } = items.find((one: { name: string }) => one.name === 'technical');
    await staff.manager.call('PATCH', `categories/${id}`, { name: 'gadgets' });
    // Somebody files by the old name in that moment: the desk's words were remembered.
    const straggler = await filed({});
    await world.drain();
    await mongoose.connection
      .collection('desks')
      .updateOne({ key: 'TKT' }, { $set: { 'renames.$[].at': new Date(Date.now() - 60_000) } });
    await staff.agent.call('PATCH', `tickets/${straggler.id}`, { category: 'gadgets' });
    await finishRenames(log);
    expect([await countOf('technical'), await countOf('gadgets')]).toEqual([0, 2]);
    const desk = await mongoose.connection.collection('desks').findOne({ key: 'TKT' });
    expect([desk?.renames, desk?.renamingSince]).toEqual([undefined, undefined]);
    expect((await staff.manager.call('POST', 'categories', { name: 'technical', desk: 'TKT' })).status).toBe(
      201,
    );
  });
});
