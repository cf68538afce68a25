// Ticket numbers: each once, also when the counter was restored to what it was before.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { hireStaff, openDeskOf, type Staff } from '../support/staff.ts';
import { until } from '../support/talk.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
beforeAll(async () => {
  world = await openWorld();
  staff = await hireStaff(world);
});
afterAll(() => world.close());

const fileOn = async (desk: string) => {
  const { status, body } = await staff.agent.call('POST', 'tickets', { title: 'The lamp flickers', desk });
  return { status, key: body.key as string, id: body.id as string };
};
const counterTo = (desk: string, last: number) =>
  mongoose.connection.collection('counters').updateOne({ _id: desk as never }, { $set: { last } });

test('a counter that was set back costs nobody their ticket, and no number is given twice', async () => {
  const desk = await openDeskOf('NUM', 'simple');
  const before: string[] = [];
  for (let at = 0; at < 5; at++) before.push((await fileOn('NUM')).key);
  await counterTo(desk.id, 1);
  const after = await Promise.all(Array.from({ length: 24 }, () => fileOn('NUM')));
  expect(after.map((one) => one.status)).toEqual(Array.from({ length: 24 }, () => 201));
  expect(new Set([...before, ...after.map((one) => one.key)]).size).toBe(29);
  const next = await fileOn('NUM');
  expect(Number(next.key.split('-')[1])).toBeGreaterThan(28);
});

test('far behind, it comes up with the tickets at once', async () => {
  const desk = await openDeskOf('FAR', 'simple');
  const first = await fileOn('FAR');
  await world.drain();
  const tickets = mongoose.connection.collection('tickets');
  const model = (await tickets.findOne({ _id: first.id as never })) as unknown as Record<string, unknown>;
  const key = (number: number) => `FAR-${String(number).padStart(6, '0')}`;
  await tickets.insertMany(
    Array.from({ length: 2_500 }, (_, at) => ({
      ...model,
      _id: `${'f'.repeat(18)}${String(at).padStart(6, '0')}` as never,
      number: at + 2,
      key: key(at + 2),
    })),
  );
  await counterTo(desk.id, 1);
  expect((await fileOn('FAR')).key).toBe(key(2_502));
  expect((await fileOn('FAR')).key).toBe(key(2_503));
});

test('the same message still makes one ticket', async () => {
  const desk = await openDeskOf('ONE', 'simple');
  await fileOn('ONE');
  await counterTo(desk.id, 0);
  const ask = () =>
    staff.agent.call('POST', 'tickets', { title: 'Once', desk: 'ONE' }, { 'idempotency-key': 'once-1' });
  const [first, again] = [await ask(), await ask()];
  expect([first.status, again.body.id]).toEqual([201, first.body.id]);
  expect(first.body.key).toBe('ONE-000002');
});

test('filed in a stream, numbers run without gaps, and what was kept ready is given back when it ends', async () => {
  const desk = await openDeskOf('RUN', 'simple');
  const numbers: number[] = [];
  for (let burst = 0; burst < 4; burst++)
    for (const { key } of await Promise.all(Array.from({ length: 16 }, () => fileOn('RUN'))))
      numbers.push(Number(key.split('-')[1]));
  expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, at) => at + 1));
  const counter = () => mongoose.connection.collection('counters').findOne({ _id: desk.id as never });
  await until(async () => (await counter())?.last === 64);
  expect((await fileOn('RUN')).key).toBe('RUN-000065');
});
