// Ticket numbers run per desk, without duplicates. Filings that arrive together take their numbers in one trip, and
// while they come in a stream the trip brings those of the next ones along, so that these wait for none. What nobody
// came for is given back; a process that dies just then leaves a gap of as many.
import { counterCollection } from './model.ts';

const STREAM_MS = 50;
const MOST_AHEAD = 64;
const KEPT_MS = 100;

interface Line {
  next: () => Promise<number>;
  passed: (last: number) => void;
}
const lines = new Map<string, Line>();

export function nextNumber(desk: string): Promise<number> {
  let line = lines.get(desk);
  if (!line) {
    line = openLine(desk);
    lines.set(desk, line);
  }
  return line.next();
}

function openLine(desk: string): Line {
  /** Ours, in order, and nobody's yet. */
  let hand: number[] = [];
  const waiting: { resolve: (number: number) => void; reject: (error: unknown) => void }[] = [];
  const wanted = openCount(STREAM_MS);
  let isAway = false;
  let timer: NodeJS.Timeout | undefined;

  const serve = () => {
    while (waiting.length && hand.length) waiting.shift()?.resolve(hand.shift() as number);
    if (hand.length) keepAWhile();
    if (isAway || (!waiting.length && hand.length >= aheadOf(wanted.lately()) / 2)) return;
    isAway = true;
    setImmediate(() => void fetch());
  };
  const fetch = async () => {
    const those = waiting.length;
    const count = those + aheadOf(wanted.lately());
    try {
      hand.push(...(await nextNumbers(desk, count)));
    } catch (error) {
      for (const one of waiting.splice(0, those)) one.reject(error);
    }
    isAway = false;
    serve();
  };
  const keepAWhile = () => {
    if (timer) timer.refresh();
    else timer = setTimeout(() => void giveBack(), KEPT_MS).unref();
  };
  const giveBack = async () => {
    timer = undefined;
    const [first, last] = [hand[0], hand.at(-1)];
    if (isAway || first === undefined || last === undefined || last - first + 1 !== hand.length) return;
    const mine = hand;
    hand = [];
    isAway = true;
    // Were others given numbers since, these are for whoever comes next; is it not known, for nobody.
    const { matchedCount } = await counterCollection()
      .updateOne({ _id: desk, last }, { $set: { last: first - 1 } })
      .catch(() => ({ matchedCount: 1 }));
    if (!matchedCount) hand = mine;
    isAway = false;
    if (waiting.length) serve();
  };

  return {
    next: () =>
      new Promise((resolve, reject) => {
        wanted.add();
        waiting.push({ resolve, reject });
        serve();
      }),
    passed: (last) => {
      hand = hand.filter((number) => number > last);
    },
  };
}

/** Two or three at once are no stream. */
const aheadOf = (lately: number): number => (lately > 3 ? Math.min(lately, MOST_AHEAD) : 0);

/** How often something happened lately: within the current and the last window of so long. */
function openCount(windowMs: number): { add: () => void; lately: () => number } {
  let [began, before, now] = [0, 0, 0];
  const turn = () => {
    const passed = performance.now() - began;
    if (passed < windowMs) return;
    before = passed < 2 * windowMs ? now : 0;
    now = 0;
    began = performance.now();
  };
  return {
    add: () => {
      turn();
      now++;
    },
    lately: () => {
      turn();
      return before + now;
    },
  };
}

/** So many at once, one after the other. */
export async function nextNumbers(desk: string, count: number): Promise<number[]> {
  const counter = await counterCollection().findOneAndUpdate(
    { _id: desk },
    { $inc: { last: count } },
    { upsert: true, returnDocument: 'after' },
  );
  const last = counter?.last ?? count;
  return Array.from({ length: count }, (_, at) => last - count + 1 + at);
}

/** The next number comes after this one. */
export async function passNumbers(desk: string, last: number): Promise<void> {
  await counterCollection().updateOne({ _id: desk }, { $max: { last } }, { upsert: true });
  lines.get(desk)?.passed(last);
}
