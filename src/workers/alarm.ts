// Rounds come every few seconds. What is known to be due before the next one is looked at in its time by whoever knows
// of it. An alarm may be lost (its process dies): then a round finds what was due.
import { storeNow } from '../clock.ts';

/** What is due later than this is found by a round. */
const AHEAD_MS = 5_000;
/** What is due so close together is looked at together. */
const TOGETHER_MS = 20;

export interface Alarm {
  /** Something is due then. */
  at: (time: Date | null | undefined) => void;
  stop: () => void;
}

/** Rings one at a time, and rests between two as long as the one took, or so long at least. */
export function openAlarm(ring: () => Promise<unknown>, leastMs = TOGETHER_MS): Alarm {
  const times = new Set<number>();
  let timer: NodeJS.Timeout | undefined;
  let set = Number.POSITIVE_INFINITY;
  let rest = 0;
  let isRinging = false;
  let stopped = false;
  const arm = () => {
    const first = Math.min(...times);
    if (stopped || isRinging || first >= set) return;
    clearTimeout(timer);
    set = first;
    timer = setTimeout(() => void go(), Math.max(first - storeNow().getTime(), rest - performance.now(), 0));
  };
  const go = async () => {
    set = Number.POSITIVE_INFINITY;
    const now = storeNow().getTime();
    for (const time of times) if (time <= now) times.delete(time);
    const began = performance.now();
    isRinging = true;
    await ring().catch(() => undefined);
    isRinging = false;
    rest = performance.now() + Math.max(performance.now() - began, leastMs);
    arm();
  };
  return {
    at: (time) => {
      const now = storeNow().getTime();
      if (!time || time.getTime() > now + AHEAD_MS) return;
      times.add(Math.ceil(Math.max(time.getTime(), now) / TOGETHER_MS) * TOGETHER_MS);
      arm();
    },
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
