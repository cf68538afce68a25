// One company's burst beside others: in small steps while somebody else is about, and as fast as it can alone.
import { expect, test } from '@jest/globals';
import { openTurnstile, watchCompanies } from '../../src/workers/crowd.ts';

/** How many of so many are let in at once. */
function letIn(turnstile: ReturnType<typeof openTurnstile>, company: string, count: number): string[] {
  const ids = Array.from({ length: count }, (_, n) => `${company}-${n}`);
  return ids.filter((id) => turnstile.enter(company, id) === undefined);
}

test('somebody is beside a company once another one came, and nobody is beside one that comes alone', () => {
  const about = watchCompanies();
  expect(about.isBeside('loud')).toBe(false);
  about.came('loud');
  about.came('loud');
  expect(about.isBeside('loud')).toBe(false);
  about.came('quiet');
  expect(about.isBeside('loud')).toBe(true);
  about.came('loud');
  expect([about.isBeside('loud'), about.isBeside('quiet')]).toEqual([true, true]);
});

test('alone a company may do all at once, beside others only a few, and each who leaves lets one in', async () => {
  const about = watchCompanies();
  const turnstile = openTurnstile(about);
  about.came('loud');
  expect(letIn(turnstile, 'loud', 100)).toHaveLength(100);
  for (let n = 0; n < 100; n++) turnstile.leave('loud', `loud-${n}`);
  about.came('quiet');
  const first = letIn(turnstile, 'loud', 20);
  expect(first.length).toBeGreaterThan(0);
  expect(first.length).toBeLessThan(20);
  expect(turnstile.enter('quiet', 'ours')).toBeUndefined();
  const next = turnstile.enter('loud', 'the next');
  turnstile.open();
  await next;
  expect(letIn(turnstile, 'loud', 20)).toHaveLength(20);
});

test('whoever stands in line comes in by order', async () => {
  const about = watchCompanies();
  const turnstile = openTurnstile(about);
  for (const company of ['loud', 'quiet']) about.came(company);
  const inside = letIn(turnstile, 'loud', 50);
  const came: string[] = [];
  const entered = ['a', 'b', 'c'].map((id) => turnstile.enter('loud', id)?.then(() => came.push(id)));
  for (const id of inside) turnstile.leave('loud', id);
  for (const id of Array.from({ length: 50 }, (_, n) => `loud-${n}`)) turnstile.leave('loud', id);
  turnstile.leave('loud', 'a');
  turnstile.open();
  await Promise.all(entered);
  expect(came).toEqual(['a', 'b', 'c']);
});
