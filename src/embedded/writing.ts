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
  let scheduled = false;

  function commit(jobs: Job[]): Outcome[] {
    const outcomes: Outcome[] = [];
    const until = performance.now() + SLICE_MS;
    catalogue.storage.transact(() => {
      for (const job of jobs) {
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
  function commitOneByOne(jobs: Job[], failure: unknown): Outcome[] {
    load(catalogue);
    if (jobs.length === 1) return jobs.map((job) => ({ job, error: failure }));
    return jobs.map((job) => {
      try {
        return commit([job])[0] as Outcome;
      } catch (error) {
        load(catalogue);
        return { job, error };
      }
    });
  }

  function flush(): void {
    scheduled = false;
    const jobs = waiting;
    let outcomes: Outcome[];
    try {
      outcomes = commit(jobs);
    } catch (error) {
      outcomes = commitOneByOne(jobs, error);
    }
    waiting = waiting.slice(outcomes.length);
    if (waiting.length > 0) schedule();
    for (const { job, value, error } of outcomes) {
      if (error === undefined) job.done(value);
      else job.failed(error);
    }
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(flush);
  }

  const write = <T>(work: () => T): Promise<T> =>
    new Promise<T>((done, failed) => {
      waiting.push({ work, done: done as (value: unknown) => void, failed });
      schedule();
    });

  return { write, settled: () => write(() => undefined) };
}
