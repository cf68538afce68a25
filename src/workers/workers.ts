// The workers of this process, started and stopped together. Several processes may run them: every step is safe with
// others doing the same.
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { storeNow, tuneClock } from '../clock.ts';
import { settleInbox, sweepInbox } from '../inbox.ts';
import type { Logger } from '../log.ts';
import type { Channel } from '../notify/channel.ts';
import { countUnsettled, type Due, dueDeliveries } from '../notify/deliveries.ts';
import { bundleDue, countWaiting } from '../notify/digests.ts';
import type { PlanOptions } from '../notify/plan.ts';
import { listen } from '../signals.ts';
import { sweep } from '../sla/deadlines.ts';
import { startDelivering } from './deliver.ts';
import { openEndpoints } from './endpoints.ts';
import { deadlineLag, queueDepth, waitingDeliveries } from './metrics.ts';
import { type Queues, workOn } from './queues.ts';
import { type Follower, startRelay } from './relay.ts';
import { ROUNDS, type Round, startSchedule } from './schedule.ts';

export interface Workers {
  /** Everything that is due has been done. */
  drain: () => Promise<void>;
  stop: () => Promise<void>;
}

export interface WorkersOptions {
  /** For adding jobs; refuses at once while Redis is away. */
  queues: Queues;
  /** For working on them; waits for Redis. */
  redis: Redis;
  prefix: string;
  log: Logger;
  channels: readonly Channel[];
  /** How long news of one ticket is gathered into one message. */
  bundleMs: number;
  notifies: boolean;
  isOnCall?: PlanOptions['isOnCall'];
  followers?: readonly Follower[];
  rounds?: readonly Round[];
}

/** All queues there are, for whoever looks at them. */
export const queueNames = (channels: readonly Pick<Channel, 'surface'>[]): string[] => [
  ROUNDS,
  ...channels.map(({ surface }) => deliverQueue(surface)),
];
const deliverQueue = (surface: string) => `deliver-${surface}`;

const SWEEP_BATCH = 2_000;
const CONCURRENCY = 200;
const AT_ONCE = 64;
const GRACE_MS = 4_000;

export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const { queues, redis, prefix, log, bundleMs, notifies, isOnCall, followers = [] } = options;
  const channels = new Map(options.channels.map((channel) => [channel.surface, channel]));
  const surfaces = [...channels.keys()];
  const leaving = new AbortController();
  await tuneClock();

  const endpoints = openEndpoints();
  /** What this process can do at once it does without a detour; the rest is for whichever process has time. */
  const enqueue = async (due: readonly Due[]) => {
    const soon = storeNow().getTime() + 50;
    const now = due.filter((one) => one.nextAttemptAt && one.nextAttemptAt.getTime() <= soon);
    const mine = now.splice(0, Math.max(0, AT_ONCE - delivering.busy()));
    for (const one of mine)
      delivering
        .look(one)
        .catch((error) => log.warn({ reason: error.message }, 'the sweep takes it up again'));
    for (const surface of surfaces)
      await queues.add(
        deliverQueue(surface),
        now
          .filter((one) => one.surface === surface)
          .map((one) => ({ id: `${one._id}-${one.order}`, name: 'deliver', data: one })),
      );
  };
  const delivering = startDelivering({ channels, endpoints, log, enqueue, leaving: leaving.signal });
  const sweepDeliveries = async () => {
    const due = await dueDeliveries(surfaces, storeNow(), SWEEP_BATCH);
    waitingDeliveries.set(due.length);
    await enqueue(due);
  };
  const sweepNotices = async () => enqueue(await bundleDue(channels));
  const deadlines = watchDeadlines(log);

  const working = surfaces.map((surface) =>
    workOn<Due>(deliverQueue(surface), { redis, prefix, log, concurrency: CONCURRENCY }, (due) =>
      delivering.look({ ...due, nextAttemptAt: due.nextAttemptAt && new Date(due.nextAttemptAt) }),
    ),
  );
  const relay = startRelay({
    log,
    enqueue,
    followers,
    plan: { channels, now: storeNow, bundleMs, notifies, ...(isOnCall ? { isOnCall } : {}) },
  });
  const unlisten = listen('inbound', ({ kind }) => {
    if (kind === 'delivery') sweepDeliveries().catch(() => undefined);
  });
  const stopSchedule = startSchedule(
    [
      { name: 'deadlines', everyMs: 1_000, run: deadlines.look },
      { name: 'deliveries', everyMs: 1_000, run: sweepDeliveries },
      { name: 'notices', everyMs: 1_000, run: sweepNotices },
      { name: 'inbox', everyMs: 2_000, run: () => sweepInbox(log) },
      ...(options.rounds ?? []),
    ],
    { redis, queues, prefix, log },
  );
  void checkPolicy(redis, log).catch(() => undefined);
  const tuning = setInterval(() => void tuneClock().catch(() => undefined), 5_000);
  const counting = setInterval(() => void countJobs(queues).catch(() => undefined), 5_000);

  return {
    drain: async () => {
      for (;;) {
        await sweepInbox(log);
        await settleInbox();
        await sweep({ log });
        await relay.drain();
        let more = false;
        for (const { drain } of options.rounds ?? []) if (await drain?.()) more = true;
        if (more) continue;
        await sweepNotices();
        await sweepDeliveries();
        const now = storeNow();
        const left = (await countUnsettled(surfaces, now)) + (await countWaiting(now));
        if (!left && !delivering.busy()) break;
        await pause(15);
      }
    },
    stop: async () => {
      unlisten();
      clearInterval(tuning);
      clearInterval(counting);
      const hurry = setTimeout(() => leaving.abort(new Error('the worker was stopped')), GRACE_MS);
      await relay.stop();
      await Promise.all([stopSchedule(), delivering.stop(), ...working.map((stop) => stop())]);
      deadlines.stop();
      clearTimeout(hurry);
    },
  };
}

/** Looks each time it is told to, and by itself when the next deadline comes before it would be told. */
function watchDeadlines(log: Logger): { look: () => Promise<void>; stop: () => void } {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const look = async () => {
    clearTimeout(timer);
    const { next, lateMs } = await sweep({ log });
    deadlineLag.set(lateMs / 1_000);
    if (!next || stopped) return;
    const wait = next.getTime() - storeNow().getTime();
    if (wait < 1_500) timer = setTimeout(() => void look().catch(() => undefined), Math.max(wait, 20));
  };
  return {
    look,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** A Redis that throws keys away when it is full throws jobs away: the sweeps find them again, late. */
async function checkPolicy(redis: Redis, log: Logger): Promise<void> {
  const [, policy] = (await redis.config('GET', 'maxmemory-policy')) as string[];
  if (policy && policy !== 'noeviction')
    log.error({ policy }, 'redis may throw jobs away: set its maxmemory-policy to noeviction');
}

async function countJobs(queues: Queues): Promise<void> {
  for (const queue of queues.open()) {
    const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized');
    for (const [state, count] of Object.entries(counts)) queueDepth.set({ queue: queue.name, state }, count);
  }
}
