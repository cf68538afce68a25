// Deliveries as they are kept: planned once, claimed by one sender at a time, settled by whoever holds the newest claim.
// MongoDB is the truth; a job in a queue only says "look at this one now".
import { together } from '../batch.ts';
import { storeNow } from '../clock.ts';
import { onlyDuplicates } from '../store.ts';
import type { Attempt, Receipt } from './channel.ts';
import { deliveryCollection, endpointCollection, type StoredDelivery } from './model.ts';

export type { StoredDelivery } from './model.ts';

/** Long enough for a busy process to renew it, short enough that the work of a dead one is soon taken up. */
export const LEASE_MS = 8_000;
const KEPT_ATTEMPTS = 50;
const waiting = { $type: 'date' } as const;

/** Planned again is planned once. */
export async function addDeliveries(deliveries: readonly StoredDelivery[]): Promise<void> {
  if (!deliveries.length) return;
  try {
    await deliveryCollection().insertMany([...deliveries], { ordered: false });
  } catch (error) {
    if (!onlyDuplicates(error)) throw error;
  }
}

/** A card is one delivery for good: each change of its ticket makes it due again, and the newest state is drawn. */
export async function redrawCards(cards: readonly StoredDelivery[]): Promise<void> {
  if (!cards.length) return;
  try {
    await deliveryCollection().bulkWrite(
      cards.map(({ _id, order, entry, message, ...first }) => ({
        updateOne: {
          filter: { _id, order: { $lt: order } },
          update: { $set: { order, entry, message, to: first.to }, $setOnInsert: withoutTo(first) },
          upsert: true,
        },
      })),
      { ordered: false },
    );
  } catch (error) {
    if (!onlyDuplicates(error)) throw error;
  }
  await deliveryCollection().bulkWrite(
    cards.map(({ _id, order, createdAt }) => ({
      updateOne: {
        filter: { _id, state: { $in: ['sent', 'failed', 'skipped'] }, done: { $lt: order } },
        update: { $set: { state: 'pending', nextAttemptAt: createdAt, tries: 0, settledAt: null } },
      },
    })),
    { ordered: false },
  );
}

const withoutTo = ({ to: _, ...rest }: Omit<StoredDelivery, '_id' | 'order' | 'entry' | 'message'>) => rest;

/** What a job needs to know to begin. */
export type Due = Pick<StoredDelivery, '_id' | 'surface' | 'lane' | 'order' | 'endpoint' | 'nextAttemptAt'>;

/** Due by now, the longest waiting first. */
export function dueDeliveries(surfaces: readonly string[], now: Date, limit: number): Promise<Due[]> {
  return deliveryCollection()
    .find(
      { nextAttemptAt: { ...waiting, $lte: now }, surface: { $in: [...surfaces] } },
      { projection: { surface: 1, lane: 1, order: 1, endpoint: 1, nextAttemptAt: 1 } },
    )
    .sort({ nextAttemptAt: 1 })
    .limit(limit)
    .toArray();
}

/** The first of a lane that is not settled, for many lanes in one trip. */
export const headOfLane = together<string, Due | null>(
  async (lanes) => {
    const found = await deliveryCollection()
      .find(
        { lane: { $in: [...new Set(lanes)] }, nextAttemptAt: waiting },
        { projection: { surface: 1, lane: 1, order: 1, endpoint: 1, nextAttemptAt: 1 } },
      )
      .sort({ lane: 1, order: 1 })
      .toArray();
    const heads = new Map<string, Due>();
    for (const one of found) if (!heads.has(one.lane)) heads.set(one.lane, one);
    return lanes.map((lane) => heads.get(lane) ?? null);
  },
  { most: 50, abreast: 4 },
);

/** Until when an endpoint is to be left alone; null: it is not. */
export const pausedUntil = together<string, Date | null>(
  async (endpoints) => {
    const found = await endpointCollection()
      .find({ _id: { $in: [...new Set(endpoints)] }, pausedUntil: { $gt: storeNow() } })
      .toArray();
    const until = new Map(found.map((one) => [one._id, one.pausedUntil]));
    return endpoints.map((endpoint) => until.get(endpoint) ?? null);
  },
  { most: 100, abreast: 4 },
);

/** Leaves an endpoint alone: what waits for it, and what will, until then. */
export async function pauseEndpoint(endpoint: string, until: Date, reason: string): Promise<void> {
  await endpointCollection().updateOne(
    { _id: endpoint },
    { $max: { pausedUntil: until }, $set: { reason } },
    { upsert: true },
  );
  await deliveryCollection().updateMany(
    { endpoint, nextAttemptAt: { ...waiting, $lt: until }, state: 'pending' },
    { $set: { nextAttemptAt: until } },
  );
}

/** Not now: looked at again at that time. Does nothing to one that is being sent. */
export async function postpone(id: string, until: Date): Promise<void> {
  await deliveryCollection().updateOne(
    { _id: id, state: 'pending', nextAttemptAt: { ...waiting, $lt: until } },
    { $set: { nextAttemptAt: until } },
  );
}

export interface Claim {
  delivery: StoredDelivery;
  /** An earlier claim ended without an outcome. */
  unsure: boolean;
}

/** Takes a delivery to send it. Null: settled, not due, or somebody alive has it. */
export async function claim(id: string): Promise<Claim | null> {
  const now = storeNow();
  const before = await deliveryCollection().findOneAndUpdate(
    { _id: id, nextAttemptAt: { ...waiting, $lte: now } },
    {
      $set: { state: 'sending', nextAttemptAt: new Date(now.getTime() + LEASE_MS) },
      $inc: { fence: 1, tries: 1 },
    },
    { returnDocument: 'before' },
  );
  if (!before) return null;
  const wasLost = before.state === 'sending';
  return {
    delivery: {
      ...before,
      state: 'sending',
      fence: before.fence + 1,
      tries: before.tries + 1,
      lost: wasLost ? before.lost + 1 : before.lost,
    },
    unsure: wasLost || before.unsure,
  };
}

/** Still at it. False: somebody else has it now. */
export async function renew({ _id, fence }: StoredDelivery): Promise<boolean> {
  const done = await deliveryCollection().updateOne(
    { _id, fence, state: 'sending' },
    { $set: { nextAttemptAt: new Date(storeNow().getTime() + LEASE_MS) } },
  );
  return done.matchedCount === 1;
}

export type Outcome =
  | { state: 'sent'; receipt: Receipt; ms: number }
  | { state: 'skipped'; reason: string; ms: number }
  | { state: 'failed'; error: string; ms: number }
  /** Tried again then. */
  | { state: 'pending'; error: string; ms: number; at: Date; unsure: boolean; spared?: boolean };

/** `again`: settled, but something newer is to be sent. `lost`: a newer claim exists, and nothing was written. */
export type Recorded = 'done' | 'again' | 'lost';

export async function settle(delivery: StoredDelivery, outcome: Outcome): Promise<Recorded> {
  const { _id, fence, order, tries } = delivery;
  const now = storeNow();
  const error = outcome.state === 'sent' ? null : 'error' in outcome ? outcome.error : outcome.reason;
  const attempt: Attempt = { at: now, error, ms: Math.round(outcome.ms) };
  const $push = { attempts: { $each: [attempt], $slice: -KEPT_ATTEMPTS } };
  const base = { error, lost: 0 };
  const mine = { _id, fence, state: 'sending' as const };
  if (outcome.state === 'pending') {
    const again = { state: 'pending' as const, nextAttemptAt: outcome.at, unsure: outcome.unsure };
    const done = await deliveryCollection().updateOne(mine, {
      $set: { ...base, ...again, ...(outcome.spared ? { tries: tries - 1 } : {}) },
      $push,
    });
    return done.matchedCount === 1 ? 'done' : 'lost';
  }
  const settled = {
    ...base,
    unsure: false,
    done: order,
    ...(outcome.state === 'sent' ? { receipt: outcome.receipt } : {}),
  };
  const final = await deliveryCollection().updateOne(
    { ...mine, order },
    { $set: { ...settled, state: outcome.state, nextAttemptAt: null, settledAt: now }, $push },
  );
  if (final.matchedCount === 1) return 'done';
  const newer = await deliveryCollection().updateOne(mine, {
    $set: { ...settled, state: 'pending', nextAttemptAt: now, tries: 0 },
    $push,
  });
  return newer.matchedCount === 1 ? 'again' : 'lost';
}

/** The next of the lane may go: it is due now. */
export async function wakeLane(lane: string): Promise<Due | null> {
  const next = await headOfLane(lane);
  if (!next) return null;
  const now = storeNow();
  if (next.nextAttemptAt && next.nextAttemptAt > now) {
    const woken = await deliveryCollection().updateOne(
      { _id: next._id, state: 'pending', tries: 0 },
      { $set: { nextAttemptAt: now } },
    );
    if (woken.matchedCount === 0) return null;
  }
  return next;
}

export const findDelivery = (id: string): Promise<StoredDelivery | null> =>
  deliveryCollection().findOne({ _id: id });

/** Of these surfaces, how many are due or under way. */
export const countUnsettled = (surfaces: readonly string[], now: Date): Promise<number> =>
  deliveryCollection().countDocuments({
    surface: { $in: [...surfaces] },
    $or: [
      { nextAttemptAt: { ...waiting, $lte: now } },
      { nextAttemptAt: { ...waiting, $gt: new Date(0) }, state: 'sending' },
    ],
  });
