// Nobody waits for somebody else's dead endpoint: how many attempts run at once to each, and when one that keeps failing
// is left alone. Pauses stand in MongoDB, so that all workers keep them.
import { storeNow } from '../clock.ts';
import { type Due, pauseEndpoint } from '../notify/deliveries.ts';

/** So many more of each company may stand in line here; the others come back later. Companies take turns. */
const IN_LINE = 64;
const FAILURES_UNTIL_PAUSE = 5;
const FIRST_PAUSE_S = 2;
const LONGEST_PAUSE_S = 120;

interface Slots {
  active: number;
  /** By company: whoever was served last goes to the end. */
  line: Map<string, (() => Promise<void>)[]>;
}

export interface Endpoints {
  /** Does it when a place is free: at once, and resolves when it is done, or in line. Null: the line is too long. */
  run: (
    at: Pick<Due, 'endpoint' | 'company'>,
    abreast: number,
    work: () => Promise<void>,
  ) => Promise<void> | null;
  /** Resolves when nothing is under way and nobody stands in line. */
  settled: () => Promise<void>;
  /** Until when this process knows it to be left alone. */
  paused: (endpoint: string) => Date | null;
  worked: (endpoint: string) => void;
  /** `weight` 3 for a timeout: it costs more than an answer. Returns the pause, if there is one now. */
  failed: (endpoint: string, reason: string, weight?: number) => Promise<Date | null>;
}

function nextOf({ line }: Slots): (() => Promise<void>) | undefined {
  for (const [company, works] of line) {
    const next = works.shift();
    line.delete(company);
    if (works.length) line.set(company, works);
    if (next) return next;
  }
  return undefined;
}

export function openEndpoints(): Endpoints {
  const slots = new Map<string, Slots>();
  const failing = new Map<string, { failures: number; pauses: number; until: Date | null }>();
  const paused = (endpoint: string): Date | null => {
    const until = failing.get(endpoint)?.until ?? null;
    return until && until > storeNow() ? until : null;
  };
  const underWay = new Set<Promise<void>>();
  const go = (endpoint: string, mine: Slots, work: () => Promise<void>): Promise<void> => {
    const going = (async () => {
      try {
        await work();
      } finally {
        const next = nextOf(mine);
        // What fails is looked at again by the sweep.
        if (next) go(endpoint, mine, next).catch(() => undefined);
        else if (--mine.active === 0) slots.delete(endpoint);
      }
    })();
    underWay.add(going);
    const gone = () => void underWay.delete(going);
    going.then(gone, gone);
    return going;
  };
  return {
    run: ({ endpoint, company }, abreast, work) => {
      const mine = slots.get(endpoint) ?? { active: 0, line: new Map() };
      slots.set(endpoint, mine);
      if (mine.active < abreast) {
        mine.active++;
        return go(endpoint, mine, work);
      }
      const line = mine.line.get(company) ?? [];
      if (line.length >= IN_LINE) return null;
      line.push(work);
      mine.line.set(company, line);
      return Promise.resolve();
    },
    settled: async () => {
      while (underWay.size) await Promise.allSettled(underWay);
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
