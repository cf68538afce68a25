// One writer. Writes that arrive together commit together, with one fsync, and are answered after it: what was
// acknowledged is on the disk. A job either throws before it has written or its writes belong to the commit.
import { type Catalogue, load, saveStatistics } from './catalogue.ts';
import { MongoFault } from './errors.ts';

type Job = { work: () => unknown; done: (value: unknown) => void; failed: (error: unknown) => void };
type Outcome = { job: Job; value?: unknown; error?: unknown };

export type Writer = {
  write<T>(work: () => T): Promise<T>;
  /** Resolves when everything asked for so far is committed. */
  settled(): Promise<void>;
};

/** One commit takes no more jobs after this long, so that others get their turn. */
const SLICE_MS = 8;

export function createWriter(catalogue: Catalogue): Writer {
  let waiting: Job[] = [];
  let running = false;

  async function commit(take: () => Job[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    await catalogue.storage.transact(() => {
      const until = performance.now() + SLICE_MS;
      for (const job of take()) {
        if (outcomes.length > 0 && performance.now() > until) break;
        try {
          outcomes.push({ job, value: job.work() });
        } catch (error) {
          if (!(error instanceof MongoFault)) throw error;
          outcomes.push({ job, error });
        }
      }
      saveStatistics(catalogue);
    });
    return outcomes;
  }

  /** After a commit that failed nothing of it is there: the jobs are tried one by one, the culprit alone fails. */
  async function commitOneByOne(jobs: Job[], failure: unknown): Promise<Outcome[]> {
    load(catalogue);
    if (jobs.length === 1) return jobs.map((job) => ({ job, error: failure }));
    const outcomes: Outcome[] = [];
    for (const job of jobs) {
      try {
        outcomes.push(...(await commit(() => [job])));
      } catch (error) {
        load(catalogue);
        outcomes.push({ job, error });
      }
    }
    return outcomes;
  }

  async function drain(): Promise<void> {
    running = true;
    while (waiting.length > 0) {
      let jobs: Job[] = waiting;
      let outcomes: Outcome[];
      try {
        outcomes = await commit(() => {
          jobs = waiting;
          waiting = [];
          return jobs;
        });
      } catch (error) {
        outcomes = await commitOneByOne(jobs, error);
      }
      waiting = [...jobs.slice(outcomes.length), ...waiting];
      for (const { job, value, error } of outcomes) {
        if (error === undefined) job.done(value);
        else job.failed(error);
      }
    }
    running = false;
  }

  const write = <T>(work: () => T): Promise<T> =>
    new Promise<T>((done, failed) => {
      waiting.push({ work, done: done as (value: unknown) => void, failed });
      if (!running) void drain();
    });

  return { write, settled: () => write(() => undefined) };
}

const LONG_SLICE_MS = 10;

/**
 * Long work in slices that others get between, each of them one commit: runs `step` until it answers true. A slice may be
 * run again when its commit fails, so it works on a copy of the progress and hands the copy on.
 */
export async function inSlices<P extends object>(
  writer: Writer,
  begin: P,
  step: (progress: P) => boolean,
): Promise<P> {
  let progress = begin;
  for (;;) {
    const { next, done } = await writer.write(() => {
      const next = { ...progress };
      const until = performance.now() + LONG_SLICE_MS;
      let done = step(next);
      while (!done && performance.now() < until) done = step(next);
      return { next, done };
    });
    progress = next;
    if (done) return progress;
  }
}
