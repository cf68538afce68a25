// Calls that travel together: who leaves with whom.
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { type Travel, together } from '../../src/batch.ts';

async function groupsOf(travel: Travel, calls: number): Promise<number[]> {
  const sizes: number[] = [];
  const run = together<number, number>(async (items) => {
    sizes.push(items.length);
    for (let at = 0; at < 5; at++) await turn();
    return items;
  }, travel);
  const all = Array.from({ length: calls }, (_, at) => at);
  expect(await Promise.all(all.map(run))).toEqual(all);
  return sizes;
}

test('those who come at once leave at once, up to the most', async () => {
  expect(await groupsOf({}, 32)).toEqual([32]);
  expect(await groupsOf({ most: 20 }, 32)).toEqual([20, 12]);
});

test('where they are shared out, half of them leave while the other half is made ready, and a few stay together', async () => {
  expect(await groupsOf({ least: 8 }, 32)).toEqual([16, 16]);
  expect(await groupsOf({ least: 8 }, 7)).toEqual([7]);
});
