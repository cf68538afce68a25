// The indexes of a database that an earlier version of Switchboard made.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { openLog } from '../../src/log.ts';
import { buildIndexes, missingIndexes } from '../../src/store.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world.close());

const tickets = () => mongoose.connection.collection('tickets');
const named = async (name: string) => (await tickets().indexes()).find((one) => one.name === name);

test('an index that has changed since is built anew, and what an administrator added stays', async () => {
  const name = 'company_1_externalRef_1';
  const ours = await named(name);
  await tickets().dropIndex(name);
  await tickets().createIndex(
    { company: 1, externalRef: 1 },
    { name, partialFilterExpression: { externalRef: { $type: 'string' } } },
  );
  await tickets().createIndex({ company: 1, title: 1 }, { name: 'ours_of_the_house' });
  expect(await named(name)).not.toEqual(ours);

  expect(await buildIndexes(openLog('silent'))).toEqual([]);

  expect(await named(name)).toEqual(ours);
  expect(await named('ours_of_the_house')).toBeDefined();
  expect(await missingIndexes()).toEqual([]);
});

test('an index that has a new name since is not kept twice', async () => {
  const name = 'company_1_externalRef_1';
  const ours = await named(name);
  await tickets().dropIndex(name);
  await tickets().createIndex({ company: 1, externalRef: 1 }, { name: 'by_reference' });

  expect(await buildIndexes(openLog('silent'))).toEqual([]);

  expect(await named(name)).toEqual(ours);
});
