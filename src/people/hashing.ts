// Threads for the costly work of passwords, AT_ONCE of them, begun when first needed and ended when idle. Where the system
// can do it, they run at a lower priority: a flood of logins may take all processors, and still nobody else waits.
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { busy } from '../errors.ts';

const AT_ONCE = 2;
/** One is worked on and one lies ready: no processor waits while the next is asked whether they are still welcome. */
const ADMITTED_EACH = 2;
const MOST_WAITING = 48;
const IDLE_MS = 30_000;
/** On Linux, 0 names the thread that asks; elsewhere it would be the whole process. */
const NICE = process.platform === 'linux' ? 10 : null;

const THREAD = `
const { parentPort, workerData } = require('node:worker_threads');
if (workerData.nice !== null) try { require('node:os').setPriority(0, workerData.nice); } catch {}
const { hashSync, verifySync } = require(workerData.argon2);
parentPort.on('message', ({ hashed, password, cost }) => {
  try {
    parentPort.postMessage({ done: hashed === null ? hashSync(password, cost) : verifySync(hashed, password) });
  } catch (error) {
    parentPort.postMessage({ failed: String(error) });
  }
});`;

export interface Task {
  /** To verify against; null: to be hashed. */
  hashed: string | null;
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
const waiting: (() => void)[] = [];

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

function ask(task: Task): Promise<Answer> {
  const { worker, asked } = leastBusy();
  return new Promise((resolve) => {
    asked.push(resolve);
    worker.ref();
    worker.postMessage(task);
  });
}

/** Too many wait already: said before anything else is done for the caller. */
export function refuseWhenCrowded(): void {
  if (waiting.length >= MOST_WAITING)
    throw busy('auth.busy', 'Too many people are signing in just now. Try again in a moment.', 2);
}

/** Waits for its turn, asks then whether it is `stillWelcome` (which may throw), and only then works. */
export async function inTurn(task: Task, stillWelcome: () => Promise<void>): Promise<string | boolean> {
  refuseWhenCrowded();
  const isFull = admitted >= AT_ONCE * ADMITTED_EACH;
  if (isFull) await new Promise<void>((resolve) => waiting.push(resolve));
  else admitted += 1;
  try {
    if (isFull) await stillWelcome();
    const answer = await ask(task);
    restLater();
    if ('failed' in answer) throw new Error(answer.failed);
    return answer.done;
  } finally {
    const next = waiting.shift();
    if (next) next();
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
