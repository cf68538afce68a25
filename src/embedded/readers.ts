// Threads for searches that take long, so that nobody else waits for them. One is always ready, because starting it would
// make others wait; a second is started when the first is busy, and ended when idle.
import { Worker } from 'node:worker_threads';
import { type Doc, decode, encode } from './documents.ts';
import { fault, MongoFault } from './errors.ts';

export type Job =
  | { kind: 'run'; command: string; database: string; body: Uint8Array; cursor: bigint }
  | { kind: 'next'; cursor: bigint; batchSize: number | undefined }
  | { kind: 'close'; cursor: bigint };

export type Asked = Job & { id: number };

export type Answered =
  | { id: number; reply: Uint8Array; open: boolean }
  | { id: number; fault: { code: number; message: string; extra: Uint8Array } };

export type Result = { reply: Buffer; open: boolean };

type Waiter = { cursor: bigint; done: (result: Result) => void; failed: (error: unknown) => void };
type Thread = {
  worker: Worker;
  waiting: Map<number, Waiter>;
  cursors: Set<bigint>;
  idle: NodeJS.Timeout | undefined;
};

export type Readers = {
  /** Starts the first thread before it is needed. */
  prepare(): void;
  run(command: string, database: string, body: Doc, cursor: bigint): Promise<Result>;
  next(cursor: bigint, batchSize: number | undefined): Promise<Result>;
  close(cursor: bigint): void;
  stop(): Promise<void>;
};

const MOST_THREADS = 2;
const IDLE_MS = 20_000;

export function createReaders(directory: string, log: (line: string) => void): Readers {
  let threads: Thread[] = [];
  let asked = 0;
  let stopped = false;

  function start(): Thread {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: { directory } });
    const thread: Thread = { worker, waiting: new Map(), cursors: new Set(), idle: undefined };
    worker.on('message', (answer: Answered) => settle(thread, answer));
    worker.on('error', (error) => {
      log(`a reading thread failed: ${error.message}`);
      end(thread, new MongoFault(1, `the search was ended: ${error.message}`));
    });
    worker.on('exit', () => end(thread, new MongoFault(11601, 'the search was interrupted')));
    threads.push(thread);
    return thread;
  }

  function end(thread: Thread, reason: MongoFault): void {
    threads = threads.filter((each) => each !== thread);
    for (const { failed } of thread.waiting.values()) failed(reason);
    thread.waiting.clear();
  }

  function settle(thread: Thread, answer: Answered): void {
    const waiter = thread.waiting.get(answer.id);
    thread.waiting.delete(answer.id);
    const open = 'reply' in answer && answer.open;
    if (waiter && !open) thread.cursors.delete(waiter.cursor);
    if (threads.length > 1 && thread.waiting.size === 0 && thread.cursors.size === 0)
      thread.idle = setTimeout(() => void thread.worker.terminate(), IDLE_MS).unref();
    if ('reply' in answer) waiter?.done({ reply: Buffer.from(answer.reply), open });
    else {
      const { code, message, extra } = answer.fault;
      waiter?.failed(new MongoFault(code, message, decode(extra)));
    }
  }

  function ask(thread: Thread, job: Job): Promise<Result> {
    clearTimeout(thread.idle);
    thread.cursors.add(job.cursor);
    const id = ++asked;
    return new Promise((done, failed) => {
      thread.waiting.set(id, { cursor: job.cursor, done, failed });
      thread.worker.postMessage({ ...job, id } satisfies Asked);
    });
  }

  function leastBusy(): Thread {
    const [first] = [...threads].sort((a, b) => a.waiting.size - b.waiting.size);
    return !first || (first.waiting.size > 0 && threads.length < MOST_THREADS) ? start() : first;
  }

  const holder = (cursor: bigint): Thread | undefined => threads.find(({ cursors }) => cursors.has(cursor));

  return {
    prepare() {
      if (threads.length === 0 && !stopped) start();
    },
    run: (command, database, body, cursor) =>
      ask(leastBusy(), { kind: 'run', command, database, body: encode(body), cursor }),
    next: async (cursor, batchSize) =>
      ask(holder(cursor) ?? fault(43, `cursor id ${cursor} not found`), { kind: 'next', cursor, batchSize }),
    close(cursor) {
      const thread = holder(cursor);
      if (thread) void ask(thread, { kind: 'close', cursor }).catch(() => undefined);
    },
    async stop() {
      stopped = true;
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}
