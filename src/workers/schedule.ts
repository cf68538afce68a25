// What is done again and again: one repeating job is the beat of all rounds (each job costs several trips), so that of
// many workers one does what is due at each. Each round is safe with several at once. The schedule is put back when
// Redis lost it. A plain timer keeps it while Redis is away, or when no beat came for some seconds (Redis' schedules
// trust the clocks of our machines).
import type { Redis } from 'ioredis';
import type { Logger } from '../log.ts';
import { type Queues, type Stop, workOn } from './queues.ts';

export interface Round {
  name: string;
  /** No oftener than the beat. */
  everyMs: number;
  run: () => Promise<unknown>;
  /** Does what is due at once; true when there was anything, so that the rest is looked at again. */
  drain?: () => Promise<boolean>;
}

export const ROUNDS = 'rounds';
const MEND_EVERY_MS = 2_000;
const PATIENCE_MS = 3_000;

const BEAT_MS = 2_000;
const BEAT = `every-${BEAT_MS}-ms`;
/** A beat that comes a little early is the one that was waited for. */
const EARLY_MS = BEAT_MS / 2;

export function startSchedule(
  rounds: readonly Round[],
  { redis, queues, prefix, log }: { redis: Redis; queues: Queues; prefix: string; log: Logger },
): Stop {
  const running = new Map<string, Promise<void>>();
  const last = new Map<string, number>();
  const sinceLast = ({ name }: Round) => performance.now() - (last.get(name) ?? 0);
  let isMended = false;
  let heardAt = Number.NEGATIVE_INFINITY;
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
    async (_, { name }) => {
      if (isMended && name === BEAT) heardAt = performance.now();
      await Promise.all(rounds.filter((one) => sinceLast(one) >= one.everyMs - EARLY_MS).map(go));
    },
  );
  const mend = async () => {
    if (redis.status !== 'ready' || performance.now() - heardAt < BEAT_MS + MEND_EVERY_MS) return;
    const queue = queues.queue(ROUNDS);
    const known = await queue.getJobSchedulers();
    const next = known.find((one) => one.key === BEAT)?.next ?? 0;
    if (Math.abs(next - Date.now()) > 2 * BEAT_MS + PATIENCE_MS)
      await queue.upsertJobScheduler(BEAT, { every: BEAT_MS }, { name: BEAT });
    // Those of an earlier version, which knew other beats.
    for (const { key } of known) if (key !== BEAT) await queue.removeJobScheduler(key);
    isMended = true;
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
    for (const round of rounds) if (sinceLast(round) >= round.everyMs + patience) void go(round);
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
