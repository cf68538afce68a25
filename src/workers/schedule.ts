// What is done again and again: repeating jobs, so that of many workers one does each round; rounds of the same beat
// share a job, for each costs several trips. Each round is safe with several at once. The schedule is put back when
// Redis lost it. A plain timer keeps it while Redis is away, or when no round came for some seconds (Redis' schedules
// trust the clocks of our machines).
import type { Redis } from 'ioredis';
import type { Logger } from '../log.ts';
import { type Queues, type Stop, workOn } from './queues.ts';

export interface Round {
  name: string;
  everyMs: number;
  run: () => Promise<unknown>;
  /** Does what is due at once; true when there was anything, so that the rest is looked at again. */
  drain?: () => Promise<boolean>;
}

export const ROUNDS = 'rounds';
const MEND_EVERY_MS = 2_000;
const PATIENCE_MS = 3_000;

const beatOf = (everyMs: number): string => `every-${everyMs}-ms`;
const everyOf = (beat: string): number => Number(/^every-(\d+)-ms$/.exec(beat)?.[1]);

export function startSchedule(
  rounds: readonly Round[],
  { redis, queues, prefix, log }: { redis: Redis; queues: Queues; prefix: string; log: Logger },
): Stop {
  const running = new Map<string, Promise<void>>();
  const last = new Map<string, number>();
  const go = (round: Round): Promise<void> => {
    const current = running.get(round.name);
    if (current) return current;
    last.set(round.name, performance.now());
    const work = (async () => {
      try {
        await round.run();
      } catch (error) {
        log.warn({ round: round.name, reason: (error as Error).message }, 'a round failed');
      } finally {
        running.delete(round.name);
      }
    })();
    running.set(round.name, work);
    return work;
  };
  const stopWorking = workOn<unknown>(
    ROUNDS,
    { redis, prefix, log, concurrency: rounds.length + 1 },
    async (_, job) => {
      const due = rounds.filter((one) => beatOf(one.everyMs) === job.name && !running.has(one.name));
      await Promise.all(due.map(go));
    },
  );
  const mend = async () => {
    if (redis.status !== 'ready') return;
    const queue = queues.queue(ROUNDS);
    const known = await queue.getJobSchedulers();
    const beats = new Set(rounds.map((round) => round.everyMs));
    for (const every of beats) {
      const name = beatOf(every);
      const next = known.find((one) => one.key === name)?.next ?? 0;
      if (Math.abs(next - Date.now()) > 2 * every + PATIENCE_MS)
        await queue.upsertJobScheduler(name, { every }, { name });
    }
    // Those of an earlier version, which knew other beats.
    for (const { key } of known) if (!beats.has(everyOf(key))) await queue.removeJobScheduler(key);
  };
  let mending: Promise<void> | null = null;
  const mendOnce = () => {
    mending ??= mend()
      .catch((error: Error) => log.debug({ reason: error.message }, 'the schedule could not be mended'))
      .finally(() => {
        mending = null;
      });
  };
  const mender = setInterval(mendOnce, MEND_EVERY_MS);
  const keeper = setInterval(() => {
    const patience = redis.status === 'ready' ? PATIENCE_MS : 0;
    for (const round of rounds)
      if (performance.now() - (last.get(round.name) ?? 0) >= round.everyMs + patience) void go(round);
  }, 500);
  mendOnce();
  return async () => {
    clearInterval(mender);
    clearInterval(keeper);
    await stopWorking();
    await mending;
    await Promise.all(running.values());
  };
}
