// Nobody waits for somebody else's dead endpoint: how many attempts run at once to each, and when one that keeps failing
// is left alone. Pauses stand in MongoDB, so that all workers keep them.
import { storeNow } from '../clock.ts';
import { pauseEndpoint } from '../notify/deliveries.ts';

/** So many more may wait here for their turn; the others come back later and hold nobody up. */
const WAITING = 4;
const FAILURES_UNTIL_PAUSE = 5;
const FIRST_PAUSE_S = 2;
const LONGEST_PAUSE_S = 120;

interface Slots {
  active: number;
  waiting: (() => void)[];
}

export interface Endpoints {
  /** Null: too many are waiting already. Otherwise the function that gives the slot back. */
  enter: (endpoint: string, abreast: number) => Promise<(() => void) | null>;
  /** Until when this process knows it to be left alone. */
  paused: (endpoint: string) => Date | null;
  worked: (endpoint: string) => void;
  /** `weight` 3 for a timeout: it costs more than an answer. Returns the pause, if there is one now. */
  failed: (endpoint: string, reason: string, weight?: number) => Promise<Date | null>;
}

export function openEndpoints(): Endpoints {
  const slots = new Map<string, Slots>();
  const failing = new Map<string, { failures: number; pauses: number; until: Date | null }>();
  const paused = (endpoint: string): Date | null => {
    const until = failing.get(endpoint)?.until ?? null;
    return until && until > storeNow() ? until : null;
  };
  const leave = (endpoint: string, mine: Slots) => () => {
    const next = mine.waiting.shift();
    if (next) next();
    else if (--mine.active === 0) slots.delete(endpoint);
  };
  return {
    enter: async (endpoint, abreast) => {
      const mine = slots.get(endpoint) ?? { active: 0, waiting: [] };
      slots.set(endpoint, mine);
      if (mine.active < abreast) {
        mine.active++;
        return leave(endpoint, mine);
      }
      if (mine.waiting.length >= Math.max(WAITING, abreast)) return null;
      await new Promise<void>((resolve) => mine.waiting.push(resolve));
      return leave(endpoint, mine);
    },
    paused,
    worked: (endpoint) => void failing.delete(endpoint),
    failed: async (endpoint, reason, weight = 1) => {
      const known = paused(endpoint);
      if (known) return known;
      const one = failing.get(endpoint) ?? { failures: 0, pauses: 0, until: null };
      failing.set(endpoint, one);
      one.failures += weight;
      if (one.failures < FAILURES_UNTIL_PAUSE) return null;
      const seconds = Math.min(FIRST_PAUSE_S * 2 ** one.pauses++, LONGEST_PAUSE_S);
      one.until = new Date(storeNow().getTime() + seconds * 1_000);
      one.failures = FAILURES_UNTIL_PAUSE - 1;
      await pauseEndpoint(endpoint, one.until, reason);
      return one.until;
    },
  };
}
