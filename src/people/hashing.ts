// The costly work of passwords, on threads of its own, begun when first needed and ended when idle. A flood of logins may
// take all processors while nobody else wants them, and still nobody else waits: the threads have a lower priority where
// the system can do it, and who signs in waits for a turn before anything is read for them, since it is fifty of those
// beginning at once that would hold up the thread which serves all others.
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { busy } from '../errors.ts';
import { openLine } from '../line.ts';

const AT_ONCE = Math.min(availableParallelism(), 4);
/** One is worked on and one lies ready or is read for: no processor waits meanwhile. */
const ADMITTED_EACH = 2;
const MOST_WAITING = 48;
const IDLE_MS = 30_000;
/** On Linux, 0 names the thread that asks; elsewhere it would be the whole process. */
const NICE = process.platform === 'linux' ? 10 : null;

const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
if (workerData.nice !== null) try { require('node:os').setPriority(0, workerData.nice); } catch {}
const { hashSync, verifySync } = require(workerData.argon2);
parentPort.on('message', ({ against, password, cost }) => {
  try {
    parentPort.postMessage({ done: against === null ? hashSync(password, cost) : verifySync(against, password) });
  } catch (error) {
    parentPort.postMessage({ failed: String(error) });
  }
});`;

export interface Task {
  /** What it is held against; null: it is to be hashed. */
  against: string | null;
  password: string;
  cost: { memoryCost: number; timeCost: number; parallelism: number };
}
type Answer = { done: string | boolean } | { failed: string };

interface Hasher {
  worker: Worker;
  /** Who waits for an answer, in the order of their tasks. */
  asked: ((answer: Answer) => void)[];
}
const hashers: Hasher[] = [];
let admitted = 0;
/** Places take turns: one from which a flood comes holds up itself. */
const line = openLine();

function begin(): Hasher {
  const argon2 = createRequire(import.meta.url).resolve('@node-rs/argon2');
  const worker = new Worker(THREAD, { eval: true, workerData: { argon2, nice: NICE } });
  worker.unref();
  const hasher: Hasher = { worker, asked: [] };
  const lost = (why: string) => {
    const at = hashers.indexOf(hasher);
    if (at >= 0) hashers.splice(at, 1);
    for (const hear of hasher.asked.splice(0)) hear({ failed: why });
  };
  worker.on('message', (answer: Answer) => {
    hasher.asked.shift()?.(answer);
    if (!hasher.asked.length) worker.unref();
  });
  worker.on('error', (error) => lost(String(error)));
  worker.on('exit', () => lost('the hashing thread ended'));
  hashers.push(hasher);
  return hasher;
}

/** The one with the least to do; what it has to do next lies before it when it is done. */
function leastBusy(): Hasher {
  const [first, ...others] = hashers;
  if (!first || (hashers.length < AT_ONCE && hashers.every((one) => one.asked.length))) return begin();
  return others.reduce((least, one) => (one.asked.length < least.asked.length ? one : least), first);
}

/** The work itself; to be asked for in a turn. */
export async function hashed(task: Task): Promise<string | boolean> {
  const { worker, asked } = leastBusy();
  const answer = await new Promise<Answer>((resolve) => {
    asked.push(resolve);
    worker.ref();
    worker.postMessage(task);
  });
  restLater();
  if ('failed' in answer) throw new Error(answer.failed);
  return answer.done;
}

/** Somebody from a place where nobody waits yet still finds room when others have filled the line. */
const hasRoom = (place: string): boolean =>
  line.size < MOST_WAITING || (line.size < 2 * MOST_WAITING && !line.has(place));

export async function inTurn<T>(place: string, work: () => Promise<T>): Promise<T> {
  if (admitted >= AT_ONCE * ADMITTED_EACH) {
    if (!hasRoom(place))
      throw busy('auth.busy', 'Too many people are signing in just now. Try again in a moment.', 2);
    await new Promise<void>((letIn) => line.join({ caller: place, letIn }));
  } else admitted += 1;
  try {
    return await work();
  } finally {
    const next = line.next();
    if (next) next.letIn();
    else admitted -= 1;
  }
}

let rest: NodeJS.Timeout | undefined;
function restLater(): void {
  clearTimeout(rest);
  rest = setTimeout(() => {
    if (hashers.some((one) => one.asked.length)) return restLater();
    for (const { worker } of hashers.splice(0)) void worker.terminate();
  }, IDLE_MS);
  rest.unref();
}
