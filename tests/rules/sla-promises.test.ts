import { describe, expect, test } from '@jest/globals';
import { howLong, openPromises } from '../../src/sla/promises.ts';

const now = new Date('2026-11-20T10:00:00Z');
const after = (ms: number): Date => new Date(now.getTime() + ms);
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

describe('how long there is left', () => {
  test.each([
    ['in 0 min', 30_000],
    ['in 59 min', 59 * MINUTE],
    ['in 2 h', 2 * HOUR],
    ['in 2 h 5 min', 2 * HOUR + 5 * MINUTE],
    ['in 3 d', 3 * DAY + 10 * MINUTE],
    ['in 3 d 4 h', 3 * DAY + 4 * HOUR],
    ['1 h 1 min late', -(HOUR + MINUTE)],
  ])('%s', (words, ms) => {
    expect(howLong(after(ms), now)).toBe(words);
  });
});

describe('what is promised still', () => {
  const clock = (target: 'first_response' | 'resolution', dueAt: Date | null, metAt: Date | null = null) => ({
    ...{ target, ms: HOUR, ledger: [], dueAt, metAt, breachedAt: null, breachedMs: null },
    ...{ fired: [], owed: [], nextAt: null },
  });
  const sla = (clocks: ReturnType<typeof clock>[]) => ({
    ...{ terms: '', version: 1, policy: '', clocks, answered: false, awaiting: true },
    ...{ breached: false, breaches: 0 },
  });

  test('is told soonest first, without what was kept or is held', () => {
    const clocks = [
      clock('resolution', after(DAY)),
      clock('first_response', after(-HOUR)),
      clock('first_response', after(HOUR), now),
      clock('resolution', null),
    ];
    const open = openPromises({ sla: sla(clocks), dueDate: after(HOUR), resolvedAt: null }, now);
    expect(open.map(({ target, broken, left }) => [target, broken, left])).toEqual([
      ['first_response', true, '1 h late'],
      ['due', false, 'in 1 h'],
      ['resolution', false, 'in 1 d'],
    ]);
  });

  test('is nothing once it is solved', () => {
    expect(openPromises({ sla: null, dueDate: after(HOUR), resolvedAt: now }, now)).toEqual([]);
  });
});
