// What is done to two tickets at once: merging, splitting, linking. Whoever dies after the first half, the relay
// finishes the second, and doing it again does nothing.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import type { Ctx } from '../../src/context.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { change } from '../../src/tickets/change.ts';
import { finishMerge } from '../../src/tickets/merging.ts';
import { hireStaff, type Person, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;

beforeAll(async () => {
  world = await openWorld();
  staff = await hireStaff(world);
});
afterAll(() => world.close());

const filed = async (by: Person, title: string) => (await by.call('POST', 'tickets', { title })).body;
const say = async (who: Person, ticket: string, content: string, is_internal = false) =>
  (await who.call('POST', `tickets/${ticket}/comments`, { content, is_internal })).body;
const read = async (ref: string) => (await staff.admin.call('GET', `tickets/${ref}`)).body;
const thread = async (who: Person, ref: string): Promise<[string, string][]> =>
  (await who.call('GET', `tickets/${ref}/comments`)).body.items.map(
    (one: { author: { name: string }; content: string }) => [one.author.name, one.content],
  );
const stored = (id: string) => mongoose.connection.collection('tickets').findOne({ _id: id as never });
const agentCtx = (): Ctx => ({
  actor: { kind: 'user', id: staff.agent.id, name: 'Anna', company: FIRST_COMPANY, role: 'agent', teams: [] },
  via: 'api',
  now: () => new Date(),
  log: openLog('silent'),
  request: 'test',
});

describe('merging', () => {
  test('moves comments, watchers and conversations; the old key leads to the new', async () => {
    const [from, into] = [
      await filed(staff.otherCustomer, 'Same'),
      await filed(staff.customer, 'Same thing'),
    ];
    await say(staff.otherCustomer, from.id, 'first');
    await say(staff.customer, into.id, 'second');
    await say(staff.agent, from.id, 'third', true);
    const thread1 = {
      id: 'slack:C1:1',
      surface: 'slack',
      audience: 'public' as const,
      at: { channel: 'C1' },
    };
    await change(agentCtx(), from.id, () => ({ action: 'bound', set: { conversations: [thread1] } }));
    const before = (await staff.agent.call('GET', `tickets/${from.id}/comments`)).body.items;

    const merged = await staff.agent.call('POST', `tickets/${from.key}/merge`, { into: into.key });
    expect(merged.body).toMatchObject({ id: into.id, key: into.key, conversations: [thread1] });
    expect(merged.body.merged_from).toEqual([{ ticket_id: from.id, key: from.key }]);
    expect(merged.body.watchers).toEqual([staff.otherCustomer.id]);
    expect(await read(from.key)).toMatchObject({ id: into.id, key: into.key });
    expect(await thread(staff.agent, into.id)).toEqual([
      ...[
        ['Cyrus', 'first'],
        ['Carla', 'second'],
        ['Anna', 'third'],
      ],
    ]);
    expect(await thread(staff.otherCustomer, from.key)).toEqual([
      ['Cyrus', 'first'],
      ['Carla', 'second'],
    ]);
    const after = (await staff.agent.call('GET', `tickets/${into.id}/comments`)).body.items;
    expect(after[0].created_at).toBe(before[0].created_at);
    await world.drain();
    const found = await staff.agent.call('GET', 'tickets?q=third');
    expect(found.body.items.map((one: { id: string }) => one.id)).toContain(into.id);
    expect(await stored(from.id)).toMatchObject({ mergedInto: into.id, status: 'closed', conversations: [] });
    await say(staff.otherCustomer, from.key, 'fourth');
    expect(await thread(staff.customer, into.id)).toHaveLength(3);
    const edited = await staff.otherCustomer.call('PUT', `comments/${before[0].id}`, { content: 'first!' });
    expect(edited.body).toMatchObject({ content: 'first!', ticket_id: into.id });
  });

  test('goes through chains, and never twice, never into itself, never for customers', async () => {
    const [a, b, c] = [
      await filed(staff.customer, 'a'),
      await filed(staff.customer, 'b'),
      await filed(staff.customer, 'c'),
    ];
    await say(staff.customer, a.id, 'from a');
    const merge = (who: Person, from: string, into: string) =>
      who.call('POST', `tickets/${from}/merge`, { into }).then((answer) => answer.status);
    expect(await merge(staff.customer, a.id, b.id)).toBe(403);
    expect(await merge(staff.agent, a.id, a.id)).toBe(409);
    expect(await merge(staff.agent, a.id, b.id)).toBe(200);
    expect(await merge(staff.agent, a.id, c.id)).toBe(409);
    expect(await merge(staff.agent, b.id, a.id)).toBe(409);
    expect(await merge(staff.agent, b.id, c.id)).toBe(200);
    expect(await read(a.key)).toMatchObject({ id: c.id });
    expect(await thread(staff.customer, a.key)).toEqual([['Carla', 'from a']]);
  });

  test('the other way round at the same instant leaves two tickets that can still be read', async () => {
    for (let round = 0; round < 5; round++) {
      const [a, b] = [await filed(staff.customer, 'a'), await filed(staff.customer, 'b')];
      await Promise.all([
        staff.agent.call('POST', `tickets/${a.id}/merge`, { into: b.id }),
        staff.otherAgent.call('POST', `tickets/${b.id}/merge`, { into: a.id }),
      ]);
      await world.drain();
      const [left, right] = [await stored(a.id), await stored(b.id)];
      expect([left?.mergedInto === b.id, right?.mergedInto === a.id]).not.toEqual([true, true]);
      for (const one of [a, b]) expect((await staff.agent.call('GET', `tickets/${one.id}`)).status).toBe(200);
    }
  });

  test('left half done is finished by the relay, once', async () => {
    const [from, into] = [await filed(staff.customer, 'half'), await filed(staff.otherCustomer, 'whole')];
    await say(staff.customer, from.id, 'do not lose me');
    await change(agentCtx(), from.id, () => ({
      action: 'merged',
      set: { mergedInto: into.id, status: 'closed' },
      facts: { into: into.id, intoKey: into.key },
    }));
    await world.drain();
    const told = await stored(into.id);
    expect(told).toMatchObject({
      mergedFrom: [{ ticket: from.id, key: from.key }],
      watchers: [staff.customer.id],
    });
    expect(await thread(staff.agent, into.id)).toEqual([['Carla', 'do not lose me']]);
    await finishMerge(agentCtx(), from.id);
    expect((await stored(into.id))?.seq).toBe(told?.seq);
  });
});

describe('splitting', () => {
  test('carries chosen comments into a ticket of their own, with authors, times and audiences', async () => {
    const source = await filed(staff.customer, 'Two things');
    await say(staff.customer, source.id, 'the lamp');
    const printer = await say(staff.customer, source.id, 'and the printer');
    const note = await say(staff.agent, source.id, 'printer is old', true);
    const comment_ids = [printer.id, note.id];
    const { status, body: born } = await staff.agent.call('POST', `tickets/${source.id}/split`, {
      ...{ comment_ids, title: 'The printer' },
    });
    expect(status).toBe(201);
    expect(born).toMatchObject({
      title: 'The printer',
      description: 'and the printer',
      requester_id: staff.customer.id,
    });
    expect(born.links).toEqual([{ kind: 'related', ticket_id: source.id, key: source.key }]);
    expect((await read(source.id)).links).toEqual([{ kind: 'related', ticket_id: born.id, key: born.key }]);
    expect(await thread(staff.agent, source.id)).toEqual([['Carla', 'the lamp']]);
    expect(await thread(staff.agent, born.id)).toEqual([
      ['Carla', 'and the printer'],
      ['Anna', 'printer is old'],
    ]);
    expect(await thread(staff.customer, born.id)).toEqual([['Carla', 'and the printer']]);
    const moved = (await staff.customer.call('GET', `comments/${printer.id}`)).body;
    expect(moved).toMatchObject({ ticket_id: born.id, created_at: printer.created_at });
    const again = await staff.agent.call('POST', `tickets/${source.id}/split`, { comment_ids });
    expect(again.status).toBe(400);
    await staff.agent.call('POST', `tickets/${born.id}/merge`, { into: source.id });
    expect(await thread(staff.agent, source.id)).toHaveLength(3);
  });

  test('the same comment at the same moment carries it off once', async () => {
    const source = await filed(staff.customer, 'Wanted by two');
    const { id } = await say(staff.customer, source.id, 'once only');
    const answers = await Promise.all(
      [staff.agent, staff.otherAgent, staff.lead].map((one) =>
        one.call('POST', `tickets/${source.id}/split`, { comment_ids: [id] }),
      ),
    );
    const born = answers.filter((one) => one.status === 201);
    expect(born).toHaveLength(1);
    expect(answers.every(({ status }) => [201, 400, 409].includes(status))).toBe(true);
    const { items } = (await staff.agent.call('GET', 'tickets?q=wanted&page_size=100')).body;
    expect(items.map((one: { id: string }) => one.id).sort()).toEqual([source.id, born[0]?.body.id].sort());
    expect((await read(source.id)).links).toHaveLength(1);
    expect(await thread(staff.agent, source.id)).toEqual([]);
  });
});

describe('links', () => {
  test('are told from both ends, until they are taken away from either', async () => {
    const [child, parent] = [await filed(staff.customer, 'wheel'), await filed(staff.customer, 'car')];
    const linked = await staff.agent.call('POST', `tickets/${child.id}/links`, {
      kind: 'PARENT',
      ticket_id: parent.key,
    });
    expect(linked.body.links).toEqual([{ kind: 'parent', ticket_id: parent.id, key: parent.key }]);
    const { body } = await staff.agent.call('GET', `tickets/${parent.id}/links`);
    expect(body.items).toEqual([{ kind: 'child', ticket_id: child.id, key: child.key }]);
    const circle = await staff.agent.call('POST', `tickets/${parent.id}/links`, {
      kind: 'parent',
      ticket_id: child.id,
    });
    expect(circle.status).toBe(409);
    expect((await staff.customer.call('GET', `tickets/${child.id}`)).body.links).toEqual([]);
    const gone = await staff.agent.call('DELETE', `tickets/${parent.id}/links?ticket_id=${child.key}`);
    expect(gone.status).toBe(204);
    await world.drain();
    expect([(await read(child.id)).links, (await read(parent.id)).links]).toEqual([[], []]);
  });

  test('that one side is just taking away are not put back by the relay', async () => {
    const [child, parent] = [await filed(staff.customer, 'wheel'), await filed(staff.customer, 'car')];
    const given = { kind: 'parent', ticket_id: parent.id };
    expect((await staff.agent.call('POST', `tickets/${child.id}/links`, given)).status).toBe(201);
    await change(agentCtx(), parent.id, () => ({
      action: 'linked',
      set: { links: [] },
      facts: { linkedWith: child.id, removed: true },
    }));
    await world.drain();
    expect([(await read(child.id)).links, (await read(parent.id)).links]).toEqual([[], []]);
  });

  test('left half done are finished by the relay', async () => {
    const [here, there] = [await filed(staff.customer, 'here'), await filed(staff.customer, 'there')];
    const one = { kind: 'duplicate' as const, ticket: there.id, key: there.key };
    await change(agentCtx(), here.id, () => ({
      action: 'linked',
      set: { links: [one] },
      facts: { linkedWith: there.id },
    }));
    await world.drain();
    expect((await read(there.id)).links).toEqual([{ kind: 'duplicate', ticket_id: here.id, key: here.key }]);
    const { seq } = (await stored(there.id)) as unknown as { seq: number };
    await world.drain();
    expect((await stored(there.id))?.seq).toBe(seq);
  });
});
