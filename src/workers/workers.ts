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
import { fireDue, spread, sweep } from '../sla/deadlines.ts';
import { openAlarm } from './alarm.ts';
import { watchCompanies } from './crowd.ts';
import { startDelivering } from './deliver.ts';
import { openEndpoints } from './endpoints.ts';
import { deadlineLag, queueDepth, waitingDeliveries } from './metrics.ts';
import { type NewJob, type Queues, workOn } from './queues.ts';
import { type Follower, startRelay } from './relay.ts';
import { ROUNDS, type Round, startSchedule } from './schedule.ts';
import { shareOut } from './sharing.ts';

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
/** With so many in line anyway, one more is for the next round. */
const MANY_WAITING = 500;
const CONCURRENCY = 200;
const GRACE_MS = 4_000;
const ASKED_AGAIN_MS = 4_000;

export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const { queues, redis, prefix, log, bundleMs, notifies, isOnCall, followers = [] } = options;
  const channels = new Map(options.channels.map((channel) => [channel.surface, channel]));
  const surfaces = [...channels.keys()];
  const leaving = new AbortController();
  await tuneClock();

  const endpoints = openEndpoints();
  const about = watchCompanies();
  const jobsFor = rememberJobs();
  /** What this process can do at once it does without a detour; the rest is for whichever process has time. */
  const enqueue = async (due: readonly Due[]) => {
    const at = storeNow().getTime();
    const now: Due[] = [];
    for (const one of due)
      if (one.nextAttemptAt && one.nextAttemptAt.getTime() <= at) now.push(one);
      else alarms.deliveries.at(one.nextAttemptAt);
    const rest: Due[] = [];
    for (const one of now)
      if (!delivering.hasRoom(one.company)) rest.push(one);
      else
        delivering
          .look(one)
          .catch((error) => log.warn({ reason: error.message }, 'the sweep takes it up again'));
    for (const surface of surfaces) await queues.add(deliverQueue(surface), jobsFor(surface, rest));
  };
  const delivering = startDelivering({
    channels,
    endpoints,
    log,
    enqueue,
    leaving: leaving.signal,
    about,
    later: (time) => alarms.deliveries.at(time),
  });
  let waiting = 0;
  const sweepDeliveries = async () => {
    const due = await dueDeliveries(surfaces, storeNow(), SWEEP_BATCH);
    waiting = due.length;
    waitingDeliveries.set(waiting);
    await enqueue(due);
  };
  const sweepNotices = async () => enqueue(await bundleDue(channels));
  const sweepDeadlines = async () => {
    const { next, lateMs } = await fireDue({ log });
    deadlineLag.set(lateMs / 1_000);
    alarms.deadlines.at(next);
  };
  const alarms = {
    deadlines: openAlarm(sweepDeadlines),
    deliveries: openAlarm(async () => waiting < MANY_WAITING && sweepDeliveries(), 250),
    notices: openAlarm(sweepNotices, 250),
  };

  const working = surfaces.map((surface) =>
    workOn<Due>(deliverQueue(surface), { redis, prefix, log, concurrency: CONCURRENCY }, (due) =>
      delivering.look({ ...due, nextAttemptAt: due.nextAttemptAt && new Date(due.nextAttemptAt) }),
    ),
  );
  const relay = startRelay({
    log,
    enqueue,
    followers,
    about,
    expect: (tickets, plans) => {
      for (const { nextDeadlineAt } of tickets) alarms.deadlines.at(nextDeadlineAt);
      for (const { due } of plans.flatMap((plan) => plan.notifications)) alarms.notices.at(due);
    },
    mine: shareOut(redis, prefix),
    plan: { channels, now: storeNow, bundleMs, notifies, ...(isOnCall ? { isOnCall } : {}) },
  });
  const unlisten = listen('inbound', ({ kind }) => {
    if (kind === 'delivery') sweepDeliveries().catch(() => undefined);
  });
  const stopSchedule = startSchedule(
    [
      { name: 'deadlines', everyMs: 2_000, run: sweepDeadlines },
      { name: 'sla-rules', everyMs: 4_000, run: () => spread({ log }) },
      { name: 'deliveries', everyMs: 2_000, run: sweepDeliveries },
      { name: 'notices', everyMs: 2_000, run: sweepNotices },
      { name: 'inbox', everyMs: 4_000, run: () => sweepInbox(log) },
      ...(options.rounds ?? []),
    ],
    { redis, queues, prefix, log },
  );
  const tuning = setInterval(() => void tuneClock().catch(() => undefined), 5_000);
  const count = () => void countJobs(queues, queueNames(options.channels)).catch(() => undefined);
  const counting = setInterval(count, 15_000);
  count();

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
        await pause(Math.min(15 + left, 250));
      }
    },
    stop: async () => {
      unlisten();
      clearInterval(tuning);
      clearInterval(counting);
      const hurry = setTimeout(() => leaving.abort(new Error('the worker was stopped')), GRACE_MS);
      await relay.stop();
      await Promise.all([stopSchedule(), delivering.stop(), ...working.map((stop) => stop())]);
      for (const alarm of Object.values(alarms)) alarm.stop();
      clearTimeout(hurry);
    },
  };
}

/** The jobs for these, but for those that were made a moment ago: a long queue is not asked for again and again. */
function rememberJobs(): (surface: string, due: readonly Due[]) => NewJob[] {
  const made = new Map<string, number>();
  return (surface, due) => {
    const now = performance.now();
    for (const [key, at] of made) {
      if (now - at < ASKED_AGAIN_MS) break;
      made.delete(key);
    }
    return due.flatMap((one) => {
      const key = `${one._id} ${one.order} ${one.nextAttemptAt?.getTime()}`;
      if (one.surface !== surface || made.has(key)) return [];
      made.set(key, now);
      return { id: `${one._id}-${one.order}`, name: 'deliver', data: one };
    });
  };
}

async function countJobs(queues: Queues, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const queue = queues.queue(name);
    const counts = await queue.getJobCounts('waiting', 'active', 'delayed', 'prioritized');
    for (const [state, count] of Object.entries(counts)) queueDepth.set({ queue: queue.name, state }, count);
  }
}
