// More requests than we can do: a crowd that moves waits for its turn, first come first served, however many they are.
// When people wait too long, the newest go first (the oldest have given up soonest), and when that lasts, who comes is
// told at once to come later, so that those who are let in are served as quickly as ever.
import { noteServed } from '../../src/breath.ts';
import { Refusal } from '../../src/errors.ts';

export interface Crowding {
  /** So many are worked on abreast; more would only make each of them slower. */
  atOnce?: number;
  mostWaiting?: number;
  /** Somebody who has waited for longer than this has waited too long; by default some times what the work takes. */
  longMs?: number;
  /** Too long for longer than this is no burst any more. */
  burstMs?: number;
  patienceMs?: number;
  /** After a flood nobody waits until it has been calm for so long. */
  calmMs?: number;
}

export interface Gate {
  through<T>(work: () => Promise<T>): Promise<T>;
  /** Nobody gets in just now, however patient. */
  isShut(): boolean;
}

/** Who waits three times as long as work takes when nobody waits is served four times as slowly: that is the most. */
const LONG = { times: 3, least: 250, most: 1_000 };
/** So many are turned away in one go; the others come between. */
const GO = 50;

interface Waiting {
  since: number;
  timer: NodeJS.Timeout;
  letIn: () => void;
  turnAway: () => void;
}

export const crowded = (): Refusal =>
  new Refusal('away', 'server.crowded', 'Too much is asked at once just now: ask again in a moment.', {
    retryAfter: 1,
  });

export function openGate({
  atOnce = 40,
  mostWaiting = 2_000,
  longMs,
  burstMs = 500,
  patienceMs = 3_000,
  calmMs = 2_000,
}: Crowding = {}): Gate {
  /** The one who came first stands first. */
  const waiting: Waiting[] = [];
  let working = 0;
  /** Since when somebody has been waiting too long; null: nobody is. */
  let lateSince: number | null = null;
  let flooded = false;
  let fullAt = 0;
  /** What the work takes while nobody waits. */
  let usualMs = 100;

  const long = () => longMs ?? Math.min(Math.max(usualMs * LONG.times, LONG.least), LONG.most);
  const isFull = () => {
    if (working < atOnce) return false;
    const now = performance.now();
    if (flooded && now - fullAt > calmMs) flooded = false;
    if (isLate(now) && lateSince !== null && now - lateSince > burstMs) turnAllAway();
    fullAt = now;
    return true;
  };
  const isLate = (now: number): boolean => {
    const [first] = waiting;
    if (!first || now - first.since < long()) lateSince = null;
    else lateSince ??= now;
    return lateSince !== null;
  };
  const turnAllAway = () => {
    flooded = true;
    lateSince = null;
    const all = waiting.splice(0);
    for (const one of all) clearTimeout(one.timer);
    turnAway(all);
  };
  const turnAway = (all: Waiting[]) => {
    for (const one of all.splice(0, GO)) one.turnAway();
    if (all.length) setImmediate(turnAway, all);
  };
  const wait = () =>
    new Promise<void>((resolve, reject) => {
      if (flooded || waiting.length >= mostWaiting) throw crowded();
      const leave = () => {
        waiting.splice(waiting.indexOf(one), 1);
        one.turnAway();
      };
      const timer = setTimeout(leave, patienceMs);
      const turnAway = () => reject(crowded());
      const one: Waiting = { since: performance.now(), timer, letIn: resolve, turnAway };
      waiting.push(one);
    });
  const letIn = () => {
    while (working < atOnce) {
      const one = isLate(performance.now()) ? waiting.pop() : waiting.shift();
      if (!one) return;
      clearTimeout(one.timer);
      working++;
      one.letIn();
    }
  };

  return {
    isShut: () => flooded && isFull(),
    async through(work) {
      noteServed();
      const waits = isFull();
      if (waits) await wait();
      else working++;
      const began = performance.now();
      try {
        return await work();
      } finally {
        if (!waits && !flooded) usualMs += (performance.now() - began - usualMs) / 50;
        working--;
        letIn();
      }
    },
  };
}
