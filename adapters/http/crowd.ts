// More requests than we can do: a burst waits for its turn, but when it lasts, who comes is told at once to come later,
// so that those who are let in are served as quickly as ever (the newest first: the oldest have given up soonest).
import { Refusal } from '../../src/errors.ts';

export interface Crowding {
  /** So many are worked on abreast; more would only make each of them slower. */
  atOnce?: number;
  mostWaiting?: number;
  /** A queue that stands for longer than this is no burst any more. */
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

interface Waiting {
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
  burstMs = 2_000,
  patienceMs = 3_000,
  calmMs = 2_000,
}: Crowding = {}): Gate {
  const waiting: Waiting[] = [];
  let working = 0;
  let standingSince = 0;
  let flooded = false;
  let fullAt = 0;

  const isFull = () => {
    if (working < atOnce) return false;
    const now = performance.now();
    if (flooded && now - fullAt > calmMs) flooded = false;
    else if (!flooded && waiting.length && now - standingSince > burstMs) turnAllAway();
    fullAt = now;
    return true;
  };
  const turnAllAway = () => {
    flooded = true;
    for (const one of waiting.splice(0)) {
      clearTimeout(one.timer);
      one.turnAway();
    }
  };
  const wait = () =>
    new Promise<void>((resolve, reject) => {
      if (flooded || waiting.length >= mostWaiting) throw crowded();
      if (!waiting.length) standingSince = performance.now();
      const leave = () => {
        waiting.splice(waiting.indexOf(one), 1);
        one.turnAway();
      };
      const timer = setTimeout(leave, patienceMs);
      const one: Waiting = { timer, letIn: resolve, turnAway: () => reject(crowded()) };
      waiting.push(one);
    });
  const letIn = () => {
    while (working < atOnce) {
      const one = waiting.pop();
      if (!one) return;
      clearTimeout(one.timer);
      working++;
      one.letIn();
    }
  };

  return {
    isShut: () => flooded && isFull(),
    async through(work) {
      if (isFull()) await wait();
      else working++;
      try {
        return await work();
      } finally {
        working--;
        letIn();
      }
    },
  };
}
