// Long work in our one thread: whoever does it stops now and then, so that everybody else's requests come through.
import { setImmediate as turn } from 'node:timers/promises';

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
