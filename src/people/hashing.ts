// Threads for the costly work of passwords, AT_ONCE of them, begun when first needed and ended when idle. Where the system
// can do it, they run at a lower priority: a flood of logins may take all processors, and still nobody else waits.
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { busy } from '../errors.ts';

const AT_ONCE = 2;
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

const idle: Worker[] = [];
let running = 0;
const waiting: (() => void)[] = [];

function begin(): Worker {
  const argon2 = createRequire(import.meta.url).resolve('@node-rs/argon2');
  const worker = new Worker(THREAD, { eval: true, workerData: { argon2, nice: NICE } });
  worker.unref();
  return worker;
}

function ask(worker: Worker, task: Task): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      worker.off('message', answered).off('error', broken).off('exit', gone);
      worker.unref();
      act();
    };
    const answered = (answer: Answer) => settle(() => resolve(answer));
    const broken = (error: Error) => settle(() => reject(error));
    const gone = () => settle(() => reject(new Error('the hashing thread ended')));
    worker.on('message', answered).on('error', broken).on('exit', gone);
    worker.ref();
    worker.postMessage(task);
  });
}

/** Too many wait already: said before anything else is done for the caller. */
export function refuseWhenCrowded(): void {
  if (waiting.length >= MOST_WAITING)
    throw busy('auth.busy', 'Too many people are signing in just now. Try again in a moment.', 2);
}

/** Waits for its turn, asks `stillWelcome` (which may throw), and only then works. */
export async function inTurn(task: Task, stillWelcome: () => Promise<void>): Promise<string | boolean> {
  refuseWhenCrowded();
  if (running >= AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
  try {
    await stillWelcome();
    const worker = idle.pop() ?? begin();
    const answer = await ask(worker, task);
    idle.push(worker);
    restLater();
    if ('failed' in answer) throw new Error(answer.failed);
    return answer.done;
  } finally {
    const next = waiting.shift();
    if (next) next();
    else running -= 1;
  }
}

let rest: NodeJS.Timeout | undefined;
function restLater(): void {
  clearTimeout(rest);
  rest = setTimeout(() => void Promise.all(idle.splice(0).map((worker) => worker.terminate())), IDLE_MS);
  rest.unref();
}
