// Gives out what waits: woken by what the relay sees, and every few seconds regardless. The queue is the tickets
// themselves, so that nothing has to be remembered: whoever dies, what still waits is found again.
import { setTimeout as pause } from 'node:timers/promises';
import { storeTime } from '../clock.ts';
import type { Entry } from '../history/entry.ts';
import type { Logger } from '../log.ts';
import { listen } from '../signals.ts';
import type { StoredTicket } from '../tickets/ticket.ts';
import { isAnyWaiting } from '../tickets/waiting.ts';
import { companiesHandingOver } from './absence.ts';
import { type Batch, nextBatch } from './batch.ts';
import { type Book, enter, openBook, settle } from './book.ts';
import { type Facts, readFacts } from './facts.ts';
import { keepLooks, lookAgain } from './looks.ts';
import type { Intent } from './model.ts';
import { automaticRules, companiesRouting, routesByItself } from './rules.ts';

const MOST_BATCHES = 40;
const MOST_LOST = 60;

/** One batch: decided on the book as it stands, entered, carried out. Null: somebody else was quicker, look again. */
export async function giveOut(
  company: string,
  log: Logger,
  decide: (book: Book, now: Date) => Promise<Intent[]>,
): Promise<number | null> {
  const now = await storeTime();
  const { book } = await settle(await openBook(company), log, { now, isOwn: false });
  if (!book) return null;
  const intents = await decide(book, now);
  if (!intents.length) return 0;
  const entered = await enter(book, intents);
  if (!entered) return null;
  return (await settle(entered, log, { now: await storeTime(), isOwn: true })).written;
}

async function routeNow(company: string, log: Logger, isLeaving: () => boolean): Promise<number> {
  let written = 0;
  let lost = 0;
  let known: Known | null = null;
  for (let batches = 0; batches < MOST_BATCHES && !isLeaving(); ) {
    let batch: Batch | undefined;
    const given = await giveOut(company, log, async (book, now) => {
      known = await knownOr(known, book, now);
      batch = await nextBatch(known.facts);
      return batch.intents;
    });
    if (given === null) {
      lost += 1;
      known = null;
      if (lost > MOST_LOST) break;
      await pause(Math.random() * Math.min(10 * lost, 100));
      continue;
    }
    if (batch) keepLooks(company, batch.looked);
    if (batch?.intents.length !== given) known = null;
    written += given;
    batches += 1;
    const isStuck = given === 0 && batch && batch.intents.length > 0;
    if (!batch?.more || isStuck) break;
  }
  return written;
}

const FRESH_MS = 500;
/** Entering a batch and clearing it. */
const PAGES = 2;

interface Known {
  facts: Facts;
  at: number;
  /** The book's, if nobody else has written into it since the last batch that was made from these facts. */
  next: number;
}

/** What was read a moment ago and counted on since, as long as nobody else has given anything out. */
async function knownOr(known: Known | null, book: Book, now: Date): Promise<Known> {
  const isGood = known?.next === book.version && performance.now() - known.at < FRESH_MS;
  const { facts, at } =
    known && isGood ? known : { facts: await readFacts(book, now), at: performance.now() };
  return { facts, at, next: book.version + PAGES };
}

interface Underway {
  again: boolean;
  done: Promise<number>;
}
const underway = new Map<string, Underway>();

/** One at a time in this process; what comes meanwhile is seen to afterwards. */
function route(company: string, log: Logger, isLeaving: () => boolean): Promise<number> {
  const current = underway.get(company);
  if (current) {
    current.again = true;
    return current.done;
  }
  const mine: Underway = { again: false, done: Promise.resolve(0) };
  mine.done = (async () => {
    let written = 0;
    try {
      do {
        mine.again = false;
        written += await routeNow(company, log, isLeaving);
      } while (mine.again && !isLeaving());
      return written;
    } finally {
      underway.delete(company);
    }
  })();
  underway.set(company, mine);
  return mine.done;
}

const quietly = (log: Logger, work: Promise<unknown>): void =>
  void work.catch((error: Error) => log.warn({ reason: error.message }, 'tickets could not be given out'));

/** A ticket waits now, or somebody has a hand free. */
function concerns({ assignee, statusKind }: StoredTicket, entries: readonly Entry[]): boolean {
  if (assignee === null && (statusKind === 'new' || statusKind === 'open')) return true;
  return entries.some(({ fields }) => fields.assignee?.[0] || (fields.statusKind && assignee !== null));
}

export interface Router {
  follow: (ticket: StoredTicket, entries: readonly Entry[]) => Promise<void>;
  /** All companies; those where nothing came of it lately only now and then. Returns how many tickets were given out. */
  round: (options?: { patient?: boolean }) => Promise<number>;
  stop: () => Promise<void>;
}

const LEAST_IDLE_MS = 1_000;
const MOST_IDLE_MS = 10_000;
const MOST_SEEN = 10_000;

export function openRouter(log: Logger): Router {
  let stopped = false;
  const isLeaving = () => stopped;
  const start = (company: string) => {
    if (!stopped) quietly(log, route(company, log, isLeaving));
  };
  const idle = new Map<string, { until: number; ms: number }>();
  const round: Router['round'] = async ({ patient = false } = {}) => {
    const [routing, leaving] = await Promise.all([companiesRouting(), companiesHandingOver()]);
    let written = 0;
    for (const company of new Set([...routing, ...leaving])) {
      if (stopped) break;
      const known = idle.get(company);
      if (patient && known && known.until > performance.now()) continue;
      const desks = [...(await automaticRules(company)).keys()];
      const isDue = leaving.includes(company) || (desks.length > 0 && (await isAnyWaiting(company, desks)));
      const given = isDue ? await route(company, log, isLeaving) : 0;
      const ms = Math.min(2 * (known?.ms ?? LEAST_IDLE_MS), MOST_IDLE_MS);
      if (isDue && !given) idle.set(company, { until: performance.now() + ms, ms });
      else idle.delete(company);
      written += given;
    }
    return written;
  };
  // A ticket is given out when all that follows from its entries has followed: rules go first.
  const seen = new Map<string, Parameters<typeof lookAgain>[0]>();
  const unlisten = [
    listen('inbound', ({ kind }) => {
      if (kind === 'routing' && !stopped) quietly(log, round());
    }),
    listen('change', ({ ticket }, origin) => {
      const one = origin === 'here' && ticket ? seen.get(ticket) : undefined;
      if (!ticket || !one) return;
      seen.delete(ticket);
      lookAgain(one);
      quietly(
        log,
        routesByItself(one.company).then((does) => does && start(one.company)),
      );
    }),
  ];
  return {
    follow: async (ticket, entries) => {
      if (!concerns(ticket, entries)) return;
      if (seen.size > MOST_SEEN) seen.clear();
      const { _id, company, desk, createdAt } = ticket;
      seen.set(_id, { company, desk, createdAt });
    },
    round,
    stop: async () => {
      stopped = true;
      for (const stop of unlisten) stop();
      await Promise.allSettled([...underway.values()].map(({ done }) => done));
    },
  };
}
