// The relay: entries that still travel with their tickets are filed into the history, what they set in motion is
// planned, and only then are they struck off the ticket. Dying anywhere in between repeats steps that do nothing the
// second time; two relays at once cost nothing but the work, and share it (sharing.ts). What cannot be digested is set
// aside, and the rest flows.
import { setTimeout as pause } from 'node:timers/promises';
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
import { breachesTotal, poisonedTotal, relayedTotal, relayLag } from './metrics.ts';
import type { Share } from './sharing.ts';

const BATCH = 200;
/** So many of the crowd at a time, while others want something too: they wait for the round that is under way. */
const SHORT = 30;
const CROWDED_MS = 2_000;
const LOOK_EVERY_MS = 2_000;
/** Between two rounds, so that what happens together is relayed together. */
const GATHER_MS = 25;
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
}

export interface Relay {
  /** Resolves when nothing is left to relay. */
  drain: () => Promise<void>;
  stop: () => Promise<void>;
}

export function startRelay(options: RelayOptions): Relay {
  const { log } = options;
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

  /** A company with more news than one round takes; what others want seen to meanwhile does not wait behind it. */
  let crowd: string | null = null;
  const guests = new Set<string>();
  let guestsTurn = false;
  let guestAt = Number.NEGATIVE_INFINITY;
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
    size = performance.now() - guestAt < CROWDED_MS ? SHORT : BATCH;
    guestsTurn = !guestsTurn && guests.size > 0;
    if (guestsTurn) {
      const ids = takeOut(guests, BATCH);
      for (const id of ids) ours.delete(id);
      for (let at = born.length; at--; ) if (ids.includes(born[at]?._id ?? '')) born.splice(at, 1);
      const tickets = await kept(await unfiledOf(ids));
      if (tickets.length) return tickets;
    }
    const tickets = await fromTheCrowd();
    crowd = tickets.length >= SHORT ? mostOf(tickets) : null;
    return tickets;
  };
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
    const tickets = await next(all);
    const oldest = tickets[0]?.pendingAt;
    relayLag.set(oldest ? Math.max(0, (storeNow().getTime() - oldest.getTime()) / 1_000) : 0);
    if (!tickets.length) return 0;
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
        while (!stopped && (await round()) > 0) if (!isDue && born.length < BATCH) await pause(GATHER_MS);
      } catch (error) {
        log.warn({ reason: (error as Error).message }, 'the relay could not work just now');
      }
    } while (again && !stopped);
    running = null;
  };
  const wake = () => {
    if (stopped) return;
    if (running) again = true;
    else running = run();
  };
  const look = () => {
    isDue = true;
    wake();
  };
  const unlisten = listen('entry', ({ company, ticket: id, born: ticket }, origin) => {
    const guest = ticket?._id ?? id;
    if (guest && crowd && company !== crowd && guests.size < MOST_GUESTS) {
      guests.add(guest);
      guestAt = performance.now();
    }
    const ids = origin === 'here' ? ours : heard;
    if (ticket && born.length < MOST_BORN) born.push(ticket);
    else if (guest && ids.size < MOST_HEARD) ids.add(guest);
    else isDue = true;
    setImmediate(wake);
  });
  const timer = setInterval(look, LOOK_EVERY_MS);
  wake();
  /** One round with all there is, fresh or not, while no other is under way. */
  const settle = async (): Promise<number> => {
    while (running) await running;
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
      while ((await settle()) || running || failures.size) await running;
    },
    stop: async () => {
      stopped = true;
      unlisten();
      clearInterval(timer);
      await running;
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
  const plans = await Promise.all(
    news.map(async ({ ticket, entries }): Promise<Plan> => {
      const facts = { ticket: ticket.key, entries: entries.length };
      const origin = entries.findLast((entry) => entry.trace)?.trace;
      const plan = await traced('relay', facts, () => planFor(ticket, entries, options.plan), origin);
      for (const follow of options.followers) await follow(ticket, entries);
      return plan;
    }),
  );
  const due = await record(plans);
  await putRight(entries);
  const deeds = entries.flatMap(({ seq, by, ticket, company, at }) =>
    options.plan.notifies && seq > 1 && by.kind === 'user' ? { ticket, company, at, user: by.id } : [],
  );
  await Promise.all([strike(tickets), options.enqueue(due), readByDoing(deeds)]);
  for (const { _id, company, ticket } of entries) signal('change', { company, ticket, id: _id });
  signalNotifications(plans.flatMap((plan) => plan.notifications));
  relayedTotal.inc(entries.length);
  breachesTotal.inc(entries.filter((entry) => entry.action === 'sla_breach').length);
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
