// Long work in our one thread, and in the one store: whoever does it stops now and then, and does less at once while
// somebody else is served, so that everybody else's requests come through.
import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises';

const LONGEST_MS = 4;

/** To be awaited between pieces; it stops only when the piece since the last stop was long. */
export function takeBreath(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < LONGEST_MS) return undefined;
    return turn().then(() => {
      since = performance.now();
    });
  };
}

/** So long after somebody was served we are alone again. */
const QUIET_MS = 1_000;
let servedAt = Number.NEGATIVE_INFINITY;

/** To be told of every request that somebody waits for. */
export function noteServed(): void {
  servedAt = performance.now();
}
export const isAlone = (): boolean => performance.now() - servedAt > QUIET_MS;

const LONGEST_REST_MS = 200;

/** Half of the time is for others while there are any: after work that took so long, as long a rest. */
export const restAfter = (workMs: number): Promise<void> | undefined =>
  isAlone() ? undefined : pause(Math.min(workMs, LONGEST_REST_MS));
