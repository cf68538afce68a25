// The relay: entries that still travel with their tickets are filed into the history, what they set in motion is
// planned, and only then are they struck off the ticket. Dying anywhere in between repeats steps that do nothing the
// second time; two relays at once cost nothing but the work, and share it (sharing.ts). What cannot be digested is set
// aside, and the rest flows.
import { setTimeout as pause } from 'node:timers/promises';
import { takeBreath } from '../breath.ts';
import { storeNow } from '../clock.ts';
import type { Entry } from '../history/entry.ts';
import { file } from '../history/history.ts';
import type { Logger } from '../log.ts';
import { addDeliveries, type Due, redrawCards } from '../notify/deliveries.ts';
import { addNotifications, readByDoing, signalNotifications } from '../notify/notifications.ts';
import { type Plan, type PlanOptions, planFor } from '../notify/plan.ts';
import { setAside } from '../notify/poison.ts';
import { putRight } from '../notify/retracting.ts';
import { listen, signal } from '../signals.ts';
import { isAway } from '../store.ts';
import { finishPending } from '../tickets/followups.ts';
import type { StoredTicket } from '../tickets/ticket.ts';
import { strike, unfiled, unfiledOf, unseen } from '../tickets/unfiled.ts';
import { traced } from '../tracing.ts';
import { type About, watchCompanies } from './crowd.ts';
import { breachesTotal, poisonedTotal, relayedTotal, relayLag } from './metrics.ts';
import type { Share } from './sharing.ts';

const BATCH = 100;
/** So many of a crowd at a time while others want something too; between two such rounds it rests as long as one took. */
const SHORT = 12;
const LOOK_EVERY_MS = 2_000;
/** Between two rounds, so that what happens together is relayed together. */
const GATHER_MS = 25;
const GUESTS_GATHER_MS = 5;
/** So many are planned before others get their turn in our thread. */
const SLICE = 10;
const MOST_BORN = 2_000;
const MOST_GUESTS = 1_000;
const MOST_HEARD = 2_000;
const MOST_TRIES = 3;
/** What was written so recently is seen to by whoever wrote it, or heard of it. */
const FRESH_MS = 1_000;

/** Somebody else who acts on entries (rules, knowledge, hooks). Must do nothing the second time. */
export type Follower = (ticket: StoredTicket, entries: readonly Entry[]) => Promise<void>;

export interface RelayOptions {
  log: Logger;
  plan: PlanOptions;
  enqueue: (due: readonly Due[]) => Promise<unknown>;
  followers: readonly Follower[];
  /** Of these, which are for this relay and no other. */
  mine?: Share;
  /** What these ask for later. */
  expect?: (tickets: readonly StoredTicket[], plans: readonly Plan[]) => void;
  about?: About;
}

export interface Relay {
  /** Resolves when nothing is left to relay. */
  drain: () => Promise<void>;
  stop: () => Promise<void>;
}

export function startRelay(options: RelayOptions): Relay {
  const { log, about = watchCompanies() } = options;
  const failures = new Map<string, number>();
  let stopped = false;
  let again = false;
  let running: Promise<void> | null = null;
  /** Born in this process, and in our hands: not asked for. Whatever is lost of them is found by looking. */
  const born: StoredTicket[] = [];
  /** Changed in this process, which therefore sees to them, or in one that has no relay: whoever is first does. */
  const ours = new Set<string>();
  const heard = new Set<string>();
  let isDue = true;
  let lookedAt = 0;

  /** A company with more news than one round takes. What others want is seen to beside it, in rounds of their own. */
  let crowd: string | null = null;
  const guests = new Map<string, Share>();
  let hosting: Promise<void> | null = null;
  /** In the hands of the one kind of rounds: for the other it is for later. */
  const inHand = new Set<string>();
  let size = BATCH;

  const share: Share = async (tickets) => {
    const tried = tickets.filter(({ _id }) => failures.has(_id));
    const rest = tickets.filter(({ _id }) => !failures.has(_id));
    return [...tried, ...((await options.mine?.(rest)) ?? rest)];
  };
  /** What we have had in our hands for long, others have found by now. */
  const kept: Share = async (tickets) => {
    const old = tickets.filter((one) => !isFresh(one));
    return old.length ? [...tickets.filter(isFresh), ...(await share(old))] : [...tickets];
  };

  const next = async (all: boolean): Promise<StoredTicket[]> => {
    if (all) return unfiled(BATCH);
    size = isCrowded() ? SHORT : BATCH;
    const tickets = await fromTheCrowd();
    if (tickets.length >= SHORT) crowd = mostOf(tickets);
    else if (!tickets.length) crowd = null;
    return tickets;
  };
  const isCrowded = () => crowd !== null && about.isBeside(crowd);
  const fromTheCrowd = async (): Promise<StoredTicket[]> => {
    // What a dead process left does not wait until we have nothing else to do.
    const left = isDue && performance.now() - lookedAt > LOOK_EVERY_MS ? await find() : [];
    if (left.length) return left;
    for (; born.length; ) {
      const tickets = await kept(born.splice(0, size));
      if (tickets.length) return tickets;
    }
    for (const [ids, which] of [
      [ours, kept],
      [heard, share],
    ] as const)
      for (; ids.size; ) {
        const tickets = await which(await unfiledOf(takeOut(ids, size)));
        if (tickets.length) return tickets;
      }
    return isDue ? find() : [];
  };
  const find = async (): Promise<StoredTicket[]> => {
    isDue = false;
    lookedAt = performance.now();
    for (let after = new Date(0); ; ) {
      const found = await unfiled(size, after);
      if (found.length < size)
        for (const id of failures.keys()) if (!found.some(({ _id }) => _id === id)) failures.delete(id);
      const tickets = await share(found.filter((one) => !isFresh(one)));
      const last = found.at(-1)?.pendingAt;
      if (found.length === size) isDue = true;
      if (tickets.length || found.length < size || !last) return tickets;
      after = last;
    }
  };

  /** One round. Returns how many tickets it settled. */
  const round = async (all = false): Promise<number> => {
    const found = await next(all);
    const oldest = found[0]?.pendingAt;
    relayLag.set(oldest ? Math.max(0, (storeNow().getTime() - oldest.getTime()) / 1_000) : 0);
    return see(found);
  };
  const see = async (found: readonly StoredTicket[]): Promise<number> => {
    const tickets = found.filter(({ _id }) => !inHand.has(_id));
    for (const { _id } of found) if (inHand.has(_id)) ours.add(_id);
    if (!tickets.length) return 0;
    for (const { _id, company } of tickets) {
      inHand.add(_id);
      about.came(company);
    }
    try {
      return await settleAll(tickets);
    } finally {
      for (const { _id } of tickets) inHand.delete(_id);
    }
  };
  const settleAll = async (tickets: readonly StoredTicket[]): Promise<number> => {
    try {
      await relay(tickets, options);
      for (const { _id } of tickets) failures.delete(_id);
      return tickets.length;
    } catch (error) {
      if (isAway(error)) throw error;
    }
    let settled = 0;
    for (const ticket of tickets) if (await alone(ticket)) settled++;
    return settled;
  };
  const alone = async (ticket: StoredTicket): Promise<boolean> => {
    try {
      await relay([ticket], options);
      failures.delete(ticket._id);
      return true;
    } catch (error) {
      if (isAway(error)) throw error;
      const count = (failures.get(ticket._id) ?? 0) + 1;
      failures.set(ticket._id, count);
      if (count < MOST_TRIES) return false;
      failures.delete(ticket._id);
      poisonedTotal.inc();
      log.error({ ticket: ticket.key, err: error }, 'a change could not be relayed and is set aside');
      await setAside(ticket, error);
      await strike([ticket]);
      return true;
    }
  };
  const run = async () => {
    do {
      again = false;
      try {
        for (;;) {
          const began = performance.now();
          if (stopped || !(await round())) break;
          if (isCrowded()) await pause(Math.max(performance.now() - began, GATHER_MS));
          else if (!isDue && born.length < BATCH) await pause(GATHER_MS);
        }
      } catch (error) {
        cannot(error);
      }
    } while (again && !stopped);
    running = null;
  };
  const host = async () => {
    try {
      while (guests.size && !stopped) {
        const some = new Map([...guests].slice(0, BATCH));
        for (const id of some.keys()) guests.delete(id);
        const found = await unfiledOf([...some.keys()]);
        for (const which of [kept, share])
          await see(await which(found.filter(({ _id }) => some.get(_id) === which)));
        await pause(GUESTS_GATHER_MS);
      }
    } catch (error) {
      cannot(error);
    }
    hosting = null;
    if (ours.size) wake();
  };
  const cannot = (error: unknown) =>
    log.warn({ reason: (error as Error).message }, 'the relay could not work just now');
  const wake = () => {
    if (stopped) return;
    if (guests.size) hosting ??= host();
    if (running) again = true;
    else running = run();
  };
  const look = () => {
    isDue = true;
    wake();
  };
  const unlisten = listen('entry', ({ company, ticket: id, born: ticket }, origin) => {
    const guest = ticket?._id ?? id;
    if (guest) about.came(company);
    const ids = origin === 'here' ? ours : heard;
    if (guest && crowd && company !== crowd && guests.size < MOST_GUESTS)
      guests.set(guest, origin === 'here' ? kept : share);
    else if (ticket && born.length < MOST_BORN) born.push(ticket);
    else if (guest && ids.size < MOST_HEARD) ids.add(guest);
    else isDue = true;
    setImmediate(wake);
  });
  const timer = setInterval(look, LOOK_EVERY_MS);
  wake();
  /** One round with all there is, fresh or not, while no other is under way. */
  const settle = async (): Promise<number> => {
    while (running || hosting) await (running ?? hosting);
    const settling = round(true);
    const over = () => {
      running = null;
      if (again) wake();
    };
    running = settling.then(over, over);
    return settling;
  };
  return {
    drain: async () => {
      while ((await settle()) || running || hosting || failures.size) await (running ?? hosting);
    },
    stop: async () => {
      stopped = true;
      unlisten();
      clearInterval(timer);
      await Promise.all([running, hosting]);
    },
  };
}

const isFresh = ({ pendingAt }: StoredTicket): boolean => {
  const age = storeNow().getTime() - (pendingAt?.getTime() ?? 0);
  return age >= 0 && age < FRESH_MS;
};

function takeOut(ids: Set<string>, most: number): string[] {
  const taken = [...ids].slice(0, most);
  for (const id of taken) ids.delete(id);
  return taken;
}

/** Of which company more than half of them are. */
function mostOf(tickets: readonly StoredTicket[]): string | null {
  const counts = new Map<string, number>();
  for (const { company } of tickets) counts.set(company, (counts.get(company) ?? 0) + 1);
  return [...counts].find(([, count]) => count > tickets.length / 2)?.[0] ?? null;
}

async function relay(tickets: readonly StoredTicket[], options: RelayOptions): Promise<void> {
  const news = await Promise.all(tickets.map(async (ticket) => ({ ticket, entries: await unseen(ticket) })));
  const entries = news.flatMap((one) => one.entries);
  await file(entries);
  await finishPending(options.log, entries);
  const plans: Plan[] = [];
  const breathe = takeBreath();
  for (let from = 0; from < news.length; from += SLICE) {
    await breathe();
    plans.push(...(await Promise.all(news.slice(from, from + SLICE).map((one) => planned(one, options)))));
  }
  const due = await record(plans);
  await putRight(entries);
  const deeds = entries.flatMap(({ seq, by, ticket, company, at }) =>
    options.plan.notifies && seq > 1 && by.kind === 'user' ? { ticket, company, at, user: by.id } : [],
  );
  await Promise.all([strike(tickets), options.enqueue(due), readByDoing(deeds)]);
  for (const { _id, company, ticket } of entries) signal('change', { company, ticket, id: _id });
  options.expect?.(tickets, plans);
  signalNotifications(plans.flatMap((plan) => plan.notifications));
  relayedTotal.inc(entries.length);
  breachesTotal.inc(entries.filter((entry) => entry.action === 'sla_breach').length);
}

interface News {
  ticket: StoredTicket;
  entries: readonly Entry[];
}

async function planned({ ticket, entries }: News, { plan: how, followers }: RelayOptions): Promise<Plan> {
  const facts = { ticket: ticket.key, entries: entries.length };
  const origin = entries.findLast((entry) => entry.trace)?.trace;
  const plan = await traced('relay', facts, () => planFor(ticket, entries, how), origin);
  for (const follow of followers) await follow(ticket, entries);
  return plan;
}

/** Writes what was planned. Returns what can be sent at once. */
export async function record(plans: readonly Plan[]): Promise<Due[]> {
  const deliveries = plans.flatMap((plan) => plan.deliveries);
  const cards = plans.flatMap((plan) => plan.cards);
  await Promise.all([
    addDeliveries(deliveries),
    redrawCards(cards),
    addNotifications(plans.flatMap((plan) => plan.notifications)),
  ]);
  return [...deliveries, ...cards];
}
