// More requests than can be done: a burst waits, a flood is turned away at once.
import { expect, test } from '@jest/globals';
import { openGate } from '../../adapters/http/crowd.ts';

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
/** Asks so many times a second for so long; how long each took, and how many were turned away when. */
async function offered(gate: ReturnType<typeof openGate>, everyMs: number, forMs: number, workMs: number) {
  const began = performance.now();
  const done: { at: number; took: number; ok: boolean }[] = [];
  const asked: Promise<void>[] = [];
  while (performance.now() - began < forMs) {
    const at = performance.now() - began;
    const since = performance.now();
    const settle = (ok: boolean) => void done.push({ at, took: performance.now() - since, ok });
    asked.push(
      gate
        .through(() => pause(workMs))
        .then(
          () => settle(true),
          () => settle(false),
        ),
    );
    await pause(everyMs);
  }
  await Promise.all(asked);
  return done;
}

test('a burst that is done soon is done whole', async () => {
  const gate = openGate({ atOnce: 4 });
  const done = await Promise.allSettled(Array.from({ length: 100 }, () => gate.through(() => pause(5))));
  expect(done.filter((one) => one.status === 'rejected')).toEqual([]);
});

test('a crowd that always has somebody waiting, but never for long, is served whole', async () => {
  const gate = openGate({ atOnce: 4, longMs: 500, burstMs: 50, patienceMs: 600 });
  let refused = 0;
  let longest = 0;
  const until = performance.now() + 800;
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      while (performance.now() < until) {
        const since = performance.now();
        await gate.through(() => pause(10)).catch(() => refused++);
        longest = Math.max(longest, performance.now() - since);
      }
    }),
  );
  expect(refused).toBe(0);
  expect(longest).toBeLessThan(500);
});

test('a flood that lasts is turned away quickly, and who is let in does not wait', async () => {
  const gate = openGate({ atOnce: 2, longMs: 100, burstMs: 200, calmMs: 100 });
  const done = await offered(gate, 4, 1_500, 20);
  const late = done.filter((one) => one.at > 600);
  const refused = late.filter((one) => !one.ok);
  expect(refused.length).toBeGreaterThan(late.length / 5);
  expect(late.length - refused.length).toBeGreaterThan(20);
  expect(Math.max(...late.map((one) => one.took))).toBeLessThan(300);
  await expect(gate.through(async () => 'calm again')).resolves.toBe('calm again');
});
