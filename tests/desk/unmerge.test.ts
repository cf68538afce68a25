// Taking a merge apart.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { check } from '../support/checker.ts';
import { hireStaff, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
beforeAll(async () => {
  world = await openWorld();
  staff = await hireStaff(world);
});
afterAll(async () => {
  await world.drain();
  expect((await check(world.config.MONGODB_URI, world.database)).problems).toEqual([]);
  await world.close();
});

const filed = async (title: string) => (await staff.customer.call('POST', 'tickets', { title })).body;
const deed = (id: string, name: string, body: unknown = {}) =>
  staff.agent.call('POST', `tickets/${id}/${name}`, body);
const say = (id: string, content: string) => deed(id, 'comments', { content, is_internal: false });
const thread = async (id: string) =>
  (await staff.agent.call('GET', `tickets/${id}/comments`)).body.items.map(
    (one: { content: string }) => one.content,
  );

test('a ticket that was merged by mistake stands by itself again, as it stood', async () => {
  const [one, two] = [await filed('One'), await filed('Two')];
  await staff.agent.call('PATCH', `tickets/${one.id}/status`, { status: 'in_progress' });
  await say(one.id, 'of one');
  await say(two.id, 'of two');
  await deed(one.id, 'merge', { into: two.key });
  await say(two.id, 'since');
  expect(await thread(two.id)).toEqual(['of one', 'of two', 'since']);
  const apart = await deed(one.key, 'unmerge');
  expect([apart.status, apart.body.id, apart.body.status, apart.body.merged_into]).toEqual([
    ...[200, one.id, 'in_progress', null],
  ]);
  expect((await staff.customer.call('GET', `tickets/${one.key}`)).body.id).toBe(one.id);
  expect([await thread(one.id), await thread(two.id)]).toEqual([['of one'], ['of two', 'since']]);
  const left = (await staff.agent.call('GET', `tickets/${two.id}`)).body;
  expect([left.merged_from, left.replies]).toEqual([[], 2]);
  expect((await deed(one.key, 'unmerge')).status).toBe(409);
  expect((await staff.customer.call('POST', `tickets/${one.id}/unmerge`)).status).toBe(403);
  expect((await deed(one.id, 'merge', { into: two.key })).status).toBe(200);
});

test('out of a chain it takes what had become part of it along', async () => {
  const [one, two, three] = [await filed('1'), await filed('2'), await filed('3')];
  for (const ticket of [one, two, three]) await say(ticket.id, `of ${ticket.title}`);
  await deed(one.id, 'merge', { into: two.id });
  await deed(two.id, 'merge', { into: three.id });
  expect((await deed(two.id, 'unmerge')).status).toBe(200);
  expect((await staff.agent.call('GET', `tickets/${one.key}`)).body.id).toBe(two.id);
  expect([(await thread(two.id)).sort(), await thread(three.id)]).toEqual([['of 1', 'of 2'], ['of 3']]);
});

test('from the middle of a chain it goes alone', async () => {
  const [one, two, three] = [await filed('1'), await filed('2'), await filed('3')];
  for (const ticket of [one, two, three]) await say(ticket.id, `of ${ticket.title}`);
  await deed(one.id, 'merge', { into: two.id });
  await deed(two.id, 'merge', { into: three.id });
  expect((await deed(one.key, 'unmerge')).body.id).toBe(one.id);
  expect([await thread(one.id), (await thread(three.id)).sort()]).toEqual([['of 1'], ['of 2', 'of 3']]);
});

test('what a dead process left half apart, the relay takes apart', async () => {
  const [one, two] = [await filed('One'), await filed('Two')];
  await deed(one.id, 'merge', { into: two.id });
  await world.drain();
  await deed(one.id, 'unmerge');
  await world.drain();
  // As if it had died in between: the other still believes that it has it.
  const tickets = mongoose.connection.collection('tickets');
  const history = mongoose.connection.collection('history');
  const stored = (await tickets.findOne({ _id: two.id as never })) as unknown as Record<
    'seq' | 'shownSeq',
    number
  >;
  const last = await history.findOneAndDelete({ ticket: two.id, seq: stored.seq });
  expect(last?.facts).toMatchObject({ gaveBack: one.id });
  await tickets.updateOne(
    { _id: two.id as never },
    {
      $set: {
        seq: stored.seq - 1,
        shownSeq: stored.shownSeq - 1,
        mergedFrom: [{ ticket: one.id, key: one.key }],
        updatedAt: (await history.findOne({ ticket: two.id, seq: stored.seq - 1 }))?.at,
      },
    },
  );
  const undone = await history.findOne({ ticket: one.id, 'facts.takenOutOf': two.id });
  await tickets.updateOne({ _id: one.id as never }, { $set: { pending: [undone], pendingAt: new Date() } });
  await world.drain();
  expect((await staff.agent.call('GET', `tickets/${two.id}`)).body.merged_from).toEqual([]);
});
