// A ticket's own fields say what it was born as, until somebody changes it; then its entry does, in the same write.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { file, filed } from '../../src/history/history.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { asRow, fromRow, type TicketRow } from '../../src/tickets/birth.ts';
import { change, changeRead } from '../../src/tickets/change.ts';
import { entriesOf, load } from '../../src/tickets/find.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { strike, unfiledOf } from '../../src/tickets/unfiled.ts';
import { check } from '../support/checker.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
});
afterAll(() => world?.close());

const ctx = systemCtx({ log: openLog('silent') }, FIRST_COMPANY);
const rows = () => mongoose.connection.collection<TicketRow>('tickets');
const rowOf = async (id: string) => (await rows().findOne({ _id: id })) as TicketRow;
const born = (title: string) => create(ctx, createInput.parse({ title, priority: 'high', tags: ['lamp'] }));
const retitled = (id: string, title: string) => change(ctx, id, () => ({ action: 'update', set: { title } }));
const problems = async () =>
  (await check(world.config.MONGODB_URI, world.database, { settled: false })).problems;

test('a new ticket carries nothing twice, and its history is whole before anybody has filed it', async () => {
  const { _id } = await born('The lamp flickers');
  const row = await rowOf(_id);
  expect(row.pending).toHaveLength(1);
  expect(row.pending[0]).not.toHaveProperty('fields');
  expect(row.pending[0]).not.toHaveProperty('born');
  const [entry, ...others] = await entriesOf(await load(ctx, _id));
  expect(others).toEqual([]);
  expect(entry?.fields.title).toEqual([null, 'The lamp flickers']);
  expect(entry?.fields.assignee).toEqual([null, null]);
  expect(await problems()).toEqual([]);
});

test('changed before it was filed, its entry still says how it was born', async () => {
  const { _id } = await born('The lamp hums');
  await retitled(_id, 'The lamp is silent');
  await retitled(_id, 'The lamp is gone');
  const entries = await entriesOf(await load(ctx, _id));
  expect(entries.map((one) => one.fields.title)).toEqual([
    [null, 'The lamp hums'],
    ['The lamp hums', 'The lamp is silent'],
    ['The lamp is silent', 'The lamp is gone'],
  ]);
  expect(await problems()).toEqual([]);
});

test('filed while it was changed: the birth is struck off, and the change stays for the next round', async () => {
  const { _id } = await born('The lamp buzzes');
  const [stored] = await unfiledOf([_id]);
  if (!stored) throw new Error('it was filed already');
  await retitled(_id, 'The lamp is quiet');
  await file(stored.pending);
  await strike([stored]);
  expect((await rowOf(_id)).pending.map((one) => one.seq)).toEqual([2]);
  expect(await problems()).toEqual([]);
});

test('struck off between reading and writing, what was read is not written: it is read again', async () => {
  const { _id } = await born('The lamp sways');
  const [stored] = await unfiledOf([_id]);
  if (!stored) throw new Error('it was filed already');
  await file(stored.pending);
  await strike([stored]);
  const rename = () => ({ action: 'update', set: { title: 'The lamp stands' } }) as const;
  expect(await changeRead(() => ctx, [stored], rename)).toEqual({ written: 0, failed: [] });
  await change(ctx, _id, rename);
  const row = await rowOf(_id);
  expect([row.title, row.pending.map((one) => one.seq)]).toEqual(['The lamp stands', [2]]);
  expect(await problems()).toEqual([]);
});

test('rows and entries of an earlier version, which say everything twice, are read as they were meant', async () => {
  const { _id } = await born('The lamp is old');
  const row = await rowOf(_id);
  const whole = fromRow(row);
  await rows().replaceOne({ _id }, whole as never);
  expect(fromRow(await rowOf(_id))).toEqual(whole);
  const [entry] = whole.pending;
  await mongoose.connection.collection('history').insertOne(entry as never);
  expect(await filed(_id)).toEqual([entry]);
  await retitled(_id, 'The lamp is new');
  expect((await entriesOf(await load(ctx, _id))).map((one) => one.seq)).toEqual([1, 2]);
  expect(asRow(whole).pending[0]?.fields).toBeUndefined();
  expect(await problems()).toEqual([]);
});
