// More requests than we can do. As many are worked on abreast as keep the work from taking much longer than usual. Who
// comes beyond that waits: a burst that is done within about a second is done whole. When people have waited for too
// long, the newest go first (the others have given up soonest); when that lasts it is a flood, and who finds no place in
// a short line is told at once to come later, so that those who are let in are served about as quickly as ever.
import { noteServed } from '../../src/breath.ts';
import { Refusal } from '../../src/errors.ts';
import { type Waiting as Anybody, openLine } from '../../src/line.ts';

/** A kind of work, and what it takes while nobody waits, which is learnt. */
export interface Errand {
  bulk: boolean;
  usualMs: number;
}

export interface Crowding {
  /** So many are worked on abreast at first, and never fewer or more than these. */
  atOnce?: number;
  least?: number;
  most?: number;
  mostWaiting?: number;
  /** Who has waited for longer has waited too long; by default, some times what the work takes. */
  longMs?: number;
  /** Too long for longer than this is no burst any more. */
  burstMs?: number;
  /** A flood is over when nobody was turned away for so long. */
  calmMs?: number;
  /** Told once a second while people are turned away. */
  tell?: (facts: { turnedAway: number; atOnce: number; waiting: number }) => void;
}

export interface Gate {
  isFlooded(): boolean;
  /** Whether there is a place for one more just now; asked before anything is done for them. */
  hasRoom(errand: Errand, caller: string): boolean;
  through<T>(errand: Errand, caller: string, work: () => Promise<T>): Promise<T>;
}

interface Waiting extends Anybody {
  since: number;
  turnAway: () => void;
}

/** Work that takes so much longer than usual is done too much abreast; but that it takes some ms is nothing to avoid. */
const SLOW = { times: 1.15, leastMs: 12, most: 4 };
const LONG = { times: 2, leastMs: 30, mostMs: 1_000 };
/** So many are turned away in one go; the others come between. */
const GO = 50;
const LOOK_MS = 50;
const STALL = 3;

export const crowded = (): Refusal =>
  new Refusal('away', 'server.crowded', 'Too much is asked at once just now: ask again in a moment.', {
    retryAfter: 1,
  });

export function openGate({
  atOnce = 40,
  least = 8,
  most = 160,
  mostWaiting = 2_000,
  longMs,
  burstMs = 1_000,
  calmMs = 1_000,
  tell = () => {},
}: Crowding = {}): Gate {
  const line = openLine<Waiting>();
  /** How many each has inside, working or waiting. */
  const inside = new Map<string, number>();
  let abreast = atOnce;
  let working = 0;
  let flooded = false;
  /** Since when somebody has been waiting too long; null: nobody is. */
  let lateSince: number | null = null;
  /** So many have waited since then. */
  let crowd = 0;
  let [turnedAway, turnedAwayAt, toldAt] = [0, 0, 0];
  let [usualMs, recentMs] = [25, 25];
  /** Of those done since the number abreast was last looked at: how many, and how much slower than usual. */
  let [done, slowness, wasFull] = [0, 0, false];
  let looking: NodeJS.Timeout | undefined;

  const long = () => longMs ?? Math.min(Math.max(usualMs * LONG.times, LONG.leastMs), LONG.mostMs);
  const isFull = () => working >= abreast;
  const isLate = (now: number): boolean => {
    const oldest = line.oldest();
    if (!oldest || now - oldest.since < long()) lateSince = null;
    else if (lateSince === null) [lateSince, crowd] = [now, line.size];
    return lateSince !== null;
  };

  /** It has lasted, or it is already more than can be done in the time of a burst. */
  const isFlood = (now: number): boolean =>
    isLate(now) &&
    lateSince !== null &&
    (now - lateSince > burstMs || (crowd * recentMs) / abreast > burstMs);

  const hasRoom = ({ bulk }: Errand, caller: string): boolean => {
    if (!flooded || !isFull()) return line.size < mostWaiting * (line.has(caller) ? 1 : 2);
    const room = Math.max(2, Math.ceil(abreast / 8));
    const own = inside.get(caller) ?? 0;
    const share = (abreast + room) / (inside.size + (own ? 0 : 1));
    return line.size < room * (1 + (own < share ? 1 : 0) + (bulk ? 0 : 1));
  };
  const refused = (): Refusal => {
    turnedAway++;
    turnedAwayAt = performance.now();
    return crowded();
  };
  const turnAway = (all: Waiting[]) => {
    for (const one of all.splice(0, GO)) one.turnAway();
    if (all.length) setImmediate(turnAway, all);
  };
  /** While anybody waits or is turned away: time passes also when nothing comes and nothing is done. */
  const look = () => {
    const now = performance.now();
    // In a flood the line is so short that only a stall lets somebody wait: not a reason to turn them away at once.
    const most = flooded ? STALL * long() : long();
    if (isFlood(now)) flooded = true;
    if (flooded) turnAway(line.leave(({ since }) => now - since > most));
    if (turnedAway && now - toldAt > 1_000) {
      tell({ turnedAway, atOnce: abreast, waiting: line.size });
      [turnedAway, toldAt] = [0, now];
    }
    if (flooded && now - turnedAwayAt > calmMs) {
      flooded = false;
      abreast = Math.max(abreast, atOnce);
    }
    if (flooded || turnedAway || line.size) return;
    clearInterval(looking);
    looking = undefined;
  };
  const wait = (errand: Errand, caller: string) =>
    new Promise<void>((resolve, reject) => {
      looking ??= setInterval(look, LOOK_MS).unref();
      crowd++;
      line.join({
        ...{ caller, bulk: errand.bulk, since: performance.now(), letIn: resolve },
        turnAway: () => reject(refused()),
      });
    });
  const letIn = () => {
    while (!isFull()) {
      const one = line.next(isLate(performance.now()));
      if (!one) return;
      working++;
      one.letIn();
    }
  };
  /** As in a road: a little more while it flows, a good deal less when it does not. */
  const adapt = (errand: Errand, ms: number, waited: boolean) => {
    if (!waited && !flooded) {
      errand.usualMs += (ms - errand.usualMs) / 50;
      usualMs += (ms - usualMs) / 50;
    }
    recentMs += (ms - recentMs) / 50;
    slowness += Math.min(ms / Math.max(errand.usualMs, SLOW.leastMs), SLOW.most);
    if (++done < abreast) return;
    if (slowness / done > SLOW.times) {
      if (wasFull) abreast = Math.max(least, Math.floor(abreast * 0.9));
    } else if (wasFull) abreast = Math.min(most, abreast + 1);
    [done, slowness, wasFull] = [0, 0, false];
  };
  const count = (caller: string, by: number) => {
    const own = (inside.get(caller) ?? 0) + by;
    if (own) inside.set(caller, own);
    else inside.delete(caller);
  };

  return {
    isFlooded: () => flooded,
    hasRoom(errand, caller) {
      const has = hasRoom(errand, caller);
      if (!has) refused();
      return has;
    },
    async through(errand, caller, work) {
      noteServed();
      const waits = isFull() || line.size > 0;
      if (waits && !hasRoom(errand, caller)) throw refused();
      count(caller, 1);
      try {
        if (waits) await wait(errand, caller);
        else working++;
        if (isFull()) wasFull = true;
        const began = performance.now();
        try {
          return await work();
        } finally {
          working--;
          adapt(errand, performance.now() - began, waits);
          letIn();
        }
      } finally {
        count(caller, -1);
      }
    },
  };
}
