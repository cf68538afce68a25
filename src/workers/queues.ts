// Queues. A job only says "look at this now": what is to be done stands in MongoDB, so a queue may be lost at any
// moment. Adding never waits for a Redis that is away; the sweeps make the jobs when it is back.
import { type Job, Queue, Worker, type WorkerOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Logger } from '../log.ts';

export interface QueueOptions {
  /** For adding: must not queue commands while it is offline. */
  redis: Redis;
  prefix: string;
  log: Logger;
}

/** Jobs leave no trace in Redis: their outcome stands in MongoDB, and an id can be used again. */
export const JOB_OPTIONS = { removeOnComplete: true, removeOnFail: true } as const;
/** A worker that dies is noticed within these. */
export const WORKER_OPTIONS = {
  lockDuration: 10_000,
  stalledInterval: 5_000,
  maxStalledCount: 3,
} as const satisfies Partial<WorkerOptions>;

export interface NewJob {
  id: string;
  name: string;
  data: unknown;
}

export interface Queues {
  queue: (name: string) => Queue;
  /** False when Redis is away: nothing was added, or it is not known. */
  add: (name: string, jobs: readonly NewJob[]) => Promise<boolean>;
  close: () => Promise<void>;
}

const PATIENCE_MS = 3_000;

export function openQueues({ redis, prefix, log }: QueueOptions): Queues {
  const queues = new Map<string, Queue>();
  const queue = (name: string): Queue => {
    const known = queues.get(name);
    if (known) return known;
    const made = new Queue(name, { connection: redis, prefix, defaultJobOptions: JOB_OPTIONS });
    made.on('error', (error) => log.debug({ queue: name, reason: error.message }, 'a queue'));
    queues.set(name, made);
    return made;
  };
  return {
    queue,
    add: async (name, jobs) => {
      if (!jobs.length) return true;
      if (redis.status !== 'ready') return false;
      let timer: NodeJS.Timeout | undefined;
      try {
        const added = queue(name).addBulk(
          jobs.map((job) => ({ name: job.name, data: job.data, opts: { jobId: job.id } })),
        );
        added.catch(() => undefined);
        await Promise.race([
          added,
          new Promise((_, reject) => {
            timer = setTimeout(reject, PATIENCE_MS, new Error('redis takes too long'));
          }),
        ]);
        return true;
      } catch (error) {
        log.warn({ queue: name, jobs: jobs.length, reason: (error as Error).message }, 'jobs wait for redis');
        return false;
      } finally {
        clearTimeout(timer);
      }
    },
    close: async () => {
      await Promise.all([...queues.values()].map((one) => one.close().catch(() => undefined)));
    },
  };
}

export interface WorkOptions {
  redis: Redis;
  prefix: string;
  log: Logger;
  concurrency: number;
}

export type Stop = () => Promise<void>;

/** Works on a queue until stopped; stopping waits for what is under way. */
export function workOn<Data>(
  name: string,
  { redis, prefix, log, concurrency }: WorkOptions,
  work: (data: Data, job: Job<Data>) => Promise<unknown>,
): Stop {
  const worker = new Worker<Data>(name, (job) => work(job.data, job), {
    connection: redis,
    prefix,
    concurrency,
    ...WORKER_OPTIONS,
  });
  worker.on('error', (error) => log.debug({ queue: name, reason: error.message }, 'a worker'));
  worker.on('failed', (job, error) =>
    log.error({ queue: name, job: job?.id, err: error }, 'a job failed; the sweep takes it up again'),
  );
  return async () => {
    const away = redis.status !== 'ready';
    await worker.close(away).catch(() => undefined);
  };
}
