// Deliveries: whose turn it is, whether its endpoint may be bothered, the claim, one attempt, the outcome, and on to the
// next of its lane. Whoever dies in between leaves a claim that lapses; whoever wakes up late finds that a newer claim
// exists and writes nothing.
import { storeNow } from '../clock.ts';
import { Refusal } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type Channel, Later, type Receipt, type Sending } from '../notify/channel.ts';
import { type Claim, claim, type Outcome, type Recorded, renew, settle } from '../notify/claims.ts';
import {
  type Due,
  findDelivery,
  headOfLane,
  pausedUntil,
  pauseEndpoint,
  postpone,
  type StoredDelivery,
  wakeLane,
} from '../notify/deliveries.ts';
import { bindOpened, isDeadly, mourn, ticketForCard } from '../notify/failures.ts';
import { isAway } from '../store.ts';
import { traced } from '../tracing.ts';
import { type About, openTurnstile } from './crowd.ts';
import type { Endpoints } from './endpoints.ts';
import { deliveriesTotal, deliverySeconds } from './metrics.ts';

export interface DeliverOptions {
  channels: ReadonlyMap<string, Channel>;
  endpoints: Endpoints;
  log: Logger;
  /** Look at these at once. */
  enqueue: (due: readonly Due[]) => Promise<unknown>;
  /** Aborted when this process must go: what is under way is left to the next. */
  leaving: AbortSignal;
  about: About;
  /** Something is to be looked at then. */
  later: (time: Date) => void;
}

export interface Delivering {
  /** Resolves when it was attempted, or is in line for its endpoint, or has to wait. */
  look: (due: Due) => Promise<void>;
  /** How much is under way or in line here. */
  busy: () => number;
  /** Whether one more of this company can be seen to here at once: no company takes all places. */
  hasRoom: (company: string) => boolean;
  /** Begins nothing more; resolves when nothing is under way. What is in line is left to others. */
  stop: () => Promise<void>;
}

const LONGEST_ATTEMPT_MS = 30_000;
const RENEW_EVERY_MS = 2_500;
const DELAYS = [1, 3, 10, 30, 60, 120, 300, 600, 1_800, 3_600];
/** What has waited so long for the one before it is put off: being woken, it does not wait for its time. */
const PATIENT_MS = 1_500;
/** Whoever settles the one before wakes it; were they to die, it is not for the next round to find. */
const LOOK_AGAIN_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;
/** What comes without a queue's detour. */
const MOST_HERE = 128;
const MOST_OF_A_COMPANY = 48;
/** So many have room however much there is of others. */
const ALWAYS_OF_A_COMPANY = 12;
const inMs = (ms: number) => new Date(storeNow().getTime() + ms);
const jitter = (ms: number) => ms * (0.8 + Math.random() * 0.4);

export function startDelivering(options: DeliverOptions): Delivering {
  const { channels, endpoints, log, about } = options;
  const turnstile = openTurnstile(about);
  const putOff = async ({ _id }: Due, at: Date) => {
    options.later(at);
    await postpone(_id, at);
  };
  /** What this process looks at; true: somebody said meanwhile that it is to be looked at again. */
  const here = new Map<string, boolean>();
  const companies = new Map<string, number>();
  let stopped = false;
  const enter = ({ _id, company }: Due): Promise<void> | undefined => {
    here.set(_id, false);
    companies.set(company, (companies.get(company) ?? 0) + 1);
    about.came(company);
    return turnstile.enter(company, _id);
  };
  const leave = ({ _id, company }: Due) => {
    if (!here.delete(_id)) return;
    const left = (companies.get(company) ?? 1) - 1;
    if (left) companies.set(company, left);
    else companies.delete(company);
    turnstile.leave(company, _id);
  };

  /** `woken`: the one before it in its lane was settled just now, at the same endpoint. */
  const look = async (due: Due, woken = false): Promise<void> => {
    const channel = channels.get(due.surface);
    if (!channel || stopped) return;
    if (here.has(due._id)) return void here.set(due._id, true);
    await enter(due);
    try {
      if (stopped) return leave(due);
      while (!woken && !(await isItsTurn(due, putOff))) {
        options.later(inMs(LOOK_AGAIN_MS));
        if (!here.get(due._id) || stopped) return leave(due);
        here.set(due._id, false);
      }
      let isInLine = true;
      const begun = endpoints.run(due, channel.abreast ?? 4, () => {
        isInLine = false;
        return take(due, channel);
      });
      if (isInLine) turnstile.leave(due.company, due._id);
      if (begun) return await begun;
      await putOff(due, inMs(jitter(700)));
      leave(due);
    } catch (error) {
      leave(due);
      throw error;
    }
  };

  /** Its turn at the endpoint has come. */
  const take = async (due: Due, channel: Channel): Promise<void> => {
    let settled: StoredDelivery | null = null;
    try {
      if (stopped) return;
      const since = endpoints.paused(due.endpoint);
      if (since) return await putOff(due, new Date(since.getTime() + Math.random() * 500));
      for (let again = true; again; ) {
        const claimed = await claim(due._id);
        turnstile.leave(due.company, due._id);
        const recorded = claimed && (await underTrace(claimed, () => attempt(options, channel, claimed)));
        again = recorded === 'again';
        settled = claimed && recorded === 'done' ? claimed.delivery : null;
      }
      const next = settled && !isAlone(settled) ? await wakeLane(settled.lane) : null;
      const isReady = next?.endpoint === due.endpoint;
      if (next)
        look(next, isReady).catch((error) => log.debug({ reason: error.message }, 'the next of a lane'));
    } finally {
      leave(due);
    }
  };

  return {
    look: (due) => look(due),
    busy: () => here.size,
    hasRoom: (company) =>
      !stopped &&
      (companies.get(company) ?? 0) < (here.size < MOST_HERE ? MOST_OF_A_COMPANY : ALWAYS_OF_A_COMPANY),
    stop: async () => {
      stopped = true;
      turnstile.open();
      await endpoints.settled();
    },
  };
}

/** A card is the only one of its lane. */
const isAlone = ({ _id, lane }: Pick<Due, '_id' | 'lane'>) => lane === _id;

/** False: settled, or to be looked at later. */
async function isItsTurn(due: Due, putOff: (due: Due, at: Date) => Promise<void>): Promise<boolean> {
  const [head, paused] = await Promise.all([
    isAlone(due) ? null : headOfLane(due.lane),
    pausedUntil(due.endpoint),
  ]);
  if (!isAlone(due) && (!head || head.order > due.order)) return false;
  if (paused) {
    await putOff(due, new Date(paused.getTime() + Math.random() * 500));
    return false;
  }
  if (!head || head._id === due._id || head.order === due.order) return true;
  const waited = storeNow().getTime() - (due.nextAttemptAt?.getTime() ?? 0);
  const turn = head.nextAttemptAt?.getTime() ?? 0;
  const moves = head.state === 'sending' || turn <= storeNow().getTime();
  if (moves && waited < PATIENT_MS) return false;
  const later = inMs(Math.min(Math.max(waited, PATIENT_MS), LONGEST_WAIT_MS)).getTime();
  await putOff(due, new Date(Math.max(turn, later)));
  // Whoever settled the one before may have looked for its successor just before this one was put off.
  if ((await headOfLane(due.lane))?._id !== due._id) return false;
  await wakeLane(due.lane);
  return true;
}

const underTrace = <T>({ delivery }: Claim, work: () => Promise<T>): Promise<T> =>
  traced(
    `deliver ${delivery.surface}`,
    { delivery: delivery._id, kind: delivery.kind, tries: delivery.tries },
    work,
    delivery.trace,
  );

/** `done` when it is settled for good. */
async function attempt(
  options: DeliverOptions,
  channel: Channel,
  { delivery, unsure }: Claim,
): Promise<Recorded | 'pending'> {
  const { log } = options;
  const started = performance.now();
  const stop = new AbortController();
  const patience = Math.min(channel.patienceMs ?? LONGEST_ATTEMPT_MS, LONGEST_ATTEMPT_MS);
  const renewal = setInterval(() => {
    renew(delivery).then(
      (mine) => mine || stop.abort(new Error('somebody else has taken it over')),
      () => undefined,
    );
  }, RENEW_EVERY_MS);
  const signal = AbortSignal.any([stop.signal, options.leaving]);
  const timer = setTimeout(() => stop.abort(new Error(`no answer within ${patience / 1_000} s`)), patience);
  let outcome: Outcome;
  try {
    outcome = await handOver(options, channel, delivery, unsure, signal, started);
    if (outcome.state === 'sent') options.endpoints.worked(delivery.endpoint);
  } catch (error) {
    outcome = await outcomeOf(options, channel, delivery, error, signal, performance.now() - started);
  } finally {
    clearInterval(renewal);
    clearTimeout(timer);
  }
  if (outcome.state === 'failed') {
    const fallback = await mourn(log, options.channels, delivery, outcome.error);
    if (fallback) await options.enqueue([fallback]);
  }
  if (outcome.state === 'pending') options.later(outcome.at);
  const recorded = await record(delivery, outcome);
  const { surface } = delivery;
  deliveriesTotal.inc({ surface, outcome: recorded === 'lost' ? 'overtaken' : outcome.state });
  deliverySeconds.observe({ surface }, (performance.now() - started) / 1_000);
  if (recorded === 'lost') log.warn({ delivery: delivery._id }, 'a late outcome was not recorded');
  return recorded === 'done' && outcome.state === 'pending' ? 'pending' : recorded;
}

async function handOver(
  { log }: DeliverOptions,
  channel: Channel,
  delivery: StoredDelivery,
  unsure: boolean,
  signal: AbortSignal,
  started: number,
): Promise<Outcome> {
  const ms = () => performance.now() - started;
  const { kind } = delivery;
  if (!channel.kinds.includes(kind))
    return { state: 'skipped', reason: `${channel.surface} knows no ${kind}`, ms: ms() };
  if (isDeadly(delivery))
    return { state: 'failed', error: 'set aside: whoever tried to send it died each time', ms: ms() };
  const sending: Sending = { signal, original: delivery.receipt, ticket: null };
  if (delivery.original) {
    sending.original = (await findDelivery(delivery.original))?.receipt ?? null;
    if (!sending.original)
      return { state: 'skipped', reason: 'the message that it belongs to was never sent', ms: ms() };
  }
  if (kind === 'card') {
    sending.ticket = await ticketForCard(delivery);
    if (!sending.ticket && !sending.original)
      return { state: 'skipped', reason: 'the ticket is gone', ms: ms() };
  }
  const asks = unsure && !(kind === 'card' && delivery.receipt);
  const receipt = await within(signal, async () => {
    const found = asks ? ((await channel.find?.(delivery, sending)) ?? null) : null;
    if (found) return found;
    signal.throwIfAborted();
    return channel.send(delivery, sending);
  });
  if (receipt.opens) await bindOpened(log, delivery, receipt.opens);
  return { state: 'sent', receipt, ms: ms() };
}

/** The wall clock ends an attempt, whatever the channel makes of the signal. */
async function within(signal: AbortSignal, work: () => Promise<Receipt>): Promise<Receipt> {
  signal.throwIfAborted();
  const working = work();
  working.catch(() => undefined);
  const ended = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  );
  ended.catch(() => undefined);
  return Promise.race([working, ended]);
}

const NEVER_SENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'];

async function outcomeOf(
  { endpoints, log, leaving }: DeliverOptions,
  channel: Channel,
  delivery: StoredDelivery,
  thrown: unknown,
  signal: AbortSignal,
  ms: number,
): Promise<Outcome> {
  if (isAway(thrown)) throw thrown;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const words = error.message.slice(0, 500) || error.name;
  if (error instanceof Refusal && error.kind !== 'busy' && error.kind !== 'away')
    return { state: 'failed', error: words, ms };
  if (leaving.aborted)
    return { state: 'pending', error: 'the worker was stopped', ms, at: inMs(0), unsure: true, spared: true };
  const pause =
    error instanceof Later ? error.seconds : error instanceof Refusal ? error.retryAfter : undefined;
  if (pause !== undefined) {
    const at = inMs(pause * 1_000);
    await pauseEndpoint(delivery.endpoint, at, words);
    return { state: 'pending', error: words, ms, at, unsure: false, spared: true };
  }
  const { code, cause } = error as { code?: unknown; cause?: { code?: unknown } };
  const wasOut = !NEVER_SENT.includes(String(code ?? cause?.code));
  const seconds = (channel.delays ?? DELAYS)[delivery.tries - 1];
  log.info(
    { delivery: delivery._id, surface: delivery.surface, tries: delivery.tries, reason: words },
    'not delivered',
  );
  const until = await endpoints.failed(delivery.endpoint, words, signal.aborted ? 3 : 1);
  if (seconds === undefined)
    return { state: 'failed', error: `${words} (given up after ${delivery.tries} attempts)`, ms };
  const at = inMs(jitter(seconds * 1_000));
  return { state: 'pending', error: words, ms, at: until && until > at ? until : at, unsure: wasOut };
}

/** An outcome is worth some patience: without it the peer is asked, or told, once more. */
async function record(delivery: StoredDelivery, outcome: Outcome): Promise<Recorded> {
  for (let patience = 5; ; patience--) {
    try {
      return await settle(delivery, outcome);
    } catch (error) {
      if (!patience || !isAway(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  }
}
