// More requests than can be done: a burst waits and is done whole, a flood is turned away at once, and neither holds up
// those who ask for little.
import { expect, test } from '@jest/globals';
import { type Crowding, type Errand, openGate } from '../../adapters/http/crowd.ts';
import { openLine } from '../../src/line.ts';

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const filing: Errand = { bulk: true, usualMs: 10 };
const reading: Errand = { bulk: false, usualMs: 10 };
const fixed = (atOnce: number, more: Crowding = {}) =>
  openGate({ atOnce, least: atOnce, most: atOnce, ...more });

/** Work that is done when it is said so, in the order in which it was begun. */
function workshop() {
  const begun: { name: string; finish: () => void }[] = [];
  const work = (name: string) => () =>
    new Promise<string>((resolve) => begun.push({ name, finish: () => resolve(name) }));
  const names = () => begun.map((one) => one.name);
  const finish = async (name: string) => {
    begun.find((one) => one.name === name)?.finish();
    await pause(0);
  };
  return { work, names, finish };
}

test('a burst that is done soon is done whole', async () => {
  const gate = fixed(4);
  const done = await Promise.allSettled(
    Array.from({ length: 120 }, () => gate.through(filing, 'partner', () => pause(5))),
  );
  expect(done.filter((one) => one.status === 'rejected')).toEqual([]);
});

test('a crowd that always has somebody waiting, but never for long, is served whole', async () => {
  const gate = fixed(4, { longMs: 500, burstMs: 50 });
  let refused = 0;
  const until = performance.now() + 600;
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      while (performance.now() < until)
        await gate.through(filing, 'partner', () => pause(10)).catch(() => refused++);
    }),
  );
  expect(refused).toBe(0);
  expect(gate.isFlooded()).toBe(false);
});

test('a flood that lasts is turned away at the door until it is over', async () => {
  const told: { turnedAway: number }[] = [];
  const gate = fixed(2, { longMs: 20, burstMs: 100, calmMs: 100, tell: (facts) => told.push(facts) });
  const { work, finish } = workshop();
  const asked = ['a', 'b', 'c', 'd'].map((name) => gate.through(filing, 'partner', work(name)));
  const settled = Promise.allSettled(asked);
  while (!gate.isFlooded()) await pause(5);
  await finish('a');
  await finish('b');
  expect((await settled).map(({ status }) => status)).toEqual([
    ...['fulfilled', 'fulfilled'],
    ...['rejected', 'rejected'],
  ]);
  expect(told).toEqual([{ turnedAway: 2, atOnce: 2, waiting: 0 }]);
  for (const name of ['e', 'f']) void gate.through(filing, 'partner', work(name));
  expect(gate.hasRoom(filing, 'partner')).toBe(true);
  for (const name of ['g', 'h']) void gate.through(filing, 'partner', work(name)).catch(() => {});
  expect(gate.hasRoom(filing, 'partner')).toBe(false);
  expect(gate.hasRoom(filing, 'somebody else')).toBe(true);
  expect(gate.hasRoom(reading, 'partner')).toBe(true);
  for (const name of ['e', 'f', 'g', 'h']) await finish(name);
  while (gate.isFlooded()) await pause(5);
  await expect(gate.through(filing, 'partner', async () => 'calm again')).resolves.toBe('calm again');
});

test('of those who wait too long the newest goes first', async () => {
  const gate = fixed(1, { longMs: 20, burstMs: 5_000 });
  const { work, names, finish } = workshop();
  const asked = ['a', 'b', 'c'].map((name) => gate.through(filing, 'partner', work(name)));
  await pause(40);
  await finish('a');
  await finish('c');
  await finish('b');
  await Promise.all(asked);
  expect(names()).toEqual(['a', 'c', 'b']);
});

test('who asks for one thing is not behind all that another asks for, and reading not behind filing', () => {
  const line = openLine<{ caller: string; bulk: boolean; name: string; letIn: () => void }>();
  const join = (caller: string, bulk: boolean, name: string) =>
    line.join({ caller, bulk, name, letIn: () => {} });
  for (const name of ['f1', 'f2', 'f3', 'f4']) join('flood', true, name);
  for (const name of ['p1', 'p2']) join('partner', true, name);
  for (const name of ['r1', 'r2', 'r3', 'r4', 'r5']) join('agent', false, name);
  const order = Array.from({ length: 11 }, () => line.next()?.name).join(' ');
  expect(order).toBe('r1 r2 r3 f1 r4 r5 p1 f2 p2 f3 f4');
  expect(line.size).toBe(0);
});

test('who has waited longest leaves, and those who are left keep their turns', () => {
  const line = openLine<{ caller: string; since: number; letIn: () => void }>();
  for (const [since, caller] of ['a', 'b', 'a', 'b', 'a'].entries())
    line.join({ caller, since, letIn: () => {} });
  expect(line.leave(({ since }) => since < 3).map(({ since }) => since)).toEqual([0, 1, 2]);
  expect([line.next(), line.next(), line.next()].map((one) => one?.since)).toEqual([4, 3, undefined]);
});

test('as many are worked on abreast as keep the work from taking much longer than usual', async () => {
  const gate = openGate({ atOnce: 20, least: 4, burstMs: 60_000 });
  let working = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++working);
    // One hand does it all: each takes as long as there are others beside it.
    await pause(working * 4);
    working--;
  };
  const errand = { bulk: false, usualMs: 10 };
  const rounds = async (times: number) => {
    most = 0;
    await Promise.all(Array.from({ length: times }, () => gate.through(errand, 'partner', work)));
    return most;
  };
  expect(await rounds(100)).toBe(20);
  expect(await rounds(100)).toBeLessThan(20);
});
