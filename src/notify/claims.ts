// Sending one delivery: claimed by one sender at a time, settled by whoever holds the newest claim. Many claims, and
// many outcomes, travel together: what is written on each is as if it had travelled alone.
import { together } from '../batch.ts';
import { storeNow } from '../clock.ts';
import { newId } from '../id.ts';
import type { Write } from '../table.ts';
import type { Attempt, Receipt } from './channel.ts';
import { deliveryCollection, type StoredDelivery } from './model.ts';

/** Long enough for a busy process to renew it, short enough that the work of a dead one is soon taken up. */
const LEASE_MS = 8_000;
const KEPT_ATTEMPTS = 50;
const waiting = { $type: 'date' } as const;
const AT_ONCE = { most: 100, abreast: 2 };

export interface Claim {
  delivery: StoredDelivery;
  /** An earlier claim ended without an outcome. */
  unsure: boolean;
}

/** Takes a delivery to send it. Null: settled, not due, or somebody alive has it. */
export const claim = together<string, Claim | null>(async (ids) => {
  const now = storeNow();
  const due = { nextAttemptAt: { ...waiting, $lte: now } };
  const found = await deliveryCollection()
    .find({ _id: { $in: [...new Set(ids)] }, ...due })
    .toArray();
  if (!found.length) return ids.map(() => null);
  const claimant = newId(now);
  const taken = new Map(
    found.map((before): [string, Claim] => {
      const wasLost = before.state === 'sending';
      const delivery: StoredDelivery = {
        ...before,
        state: 'sending',
        nextAttemptAt: new Date(now.getTime() + LEASE_MS),
        fence: before.fence + 1,
        tries: before.tries + 1,
        lost: wasLost ? before.lost + 1 : before.lost,
      };
      return [before._id, { delivery, unsure: wasLost || before.unsure }];
    }),
  );
  const { matchedCount } = await deliveryCollection().bulkWrite(
    found.map(({ _id, fence }) => {
      const { state, nextAttemptAt, lost } = taken.get(_id)?.delivery ?? {};
      const $set = { state, nextAttemptAt, lost, claimant };
      return {
        updateOne: { filter: { _id, fence, ...due }, update: { $set, $inc: { fence: 1, tries: 1 } } },
      };
    }),
    { ordered: false },
  );
  if (matchedCount < found.length) {
    const mine = await deliveryCollection()
      .find({ _id: { $in: [...taken.keys()] }, claimant }, { projection: { _id: 1 } })
      .toArray();
    const kept = new Set(mine.map((one) => one._id));
    for (const id of taken.keys()) if (!kept.has(id)) taken.delete(id);
  }
  return ids.map((id) => {
    const claimed = taken.get(id) ?? null;
    taken.delete(id);
    return claimed;
  });
}, AT_ONCE);

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

interface Settling {
  delivery: StoredDelivery;
  outcome: Outcome;
}
export const settle = (delivery: StoredDelivery, outcome: Outcome): Promise<Recorded> =>
  settleTogether({ delivery, outcome });

const settleTogether = together<Settling, Recorded>(async (those) => {
  const now = storeNow();
  const { matchedCount } = await write(those.map((one) => settlement(one, now)));
  if (matchedCount === those.length) return those.map(() => 'done' as const);
  const found = await deliveryCollection()
    .find({ _id: { $in: those.map((one) => one.delivery._id) } }, { projection: { fence: 1, state: 1 } })
    .toArray();
  const stands = new Map(found.map((one) => [one._id, one]));
  const recorded = those.map(({ delivery: { _id, fence } }): Recorded => {
    const one = stands.get(_id);
    if (one?.fence !== fence) return 'lost';
    return one.state === 'sending' ? 'again' : 'done';
  });
  const newer = those.filter((_, at) => recorded[at] === 'again');
  if (newer.length) await write(newer.map((one) => settlement(one, now, true)));
  return recorded;
}, AT_ONCE);

const write = (writes: Write<StoredDelivery>[]) => deliveryCollection().bulkWrite(writes, { ordered: false });

/** `overtaken`: while it was sent, something newer (of a card) came to be sent in its place. */
function settlement(
  { delivery: { _id, fence, order, tries }, outcome }: Settling,
  now: Date,
  overtaken = false,
): Write<StoredDelivery> {
  const error = outcome.state === 'sent' ? null : 'error' in outcome ? outcome.error : outcome.reason;
  const attempt: Attempt = { at: now, error, ms: Math.round(outcome.ms) };
  const $push = { attempts: { $each: [attempt], $slice: -KEPT_ATTEMPTS } };
  const base = { error, lost: 0 };
  const mine = { _id, fence, state: 'sending' as const };
  if (outcome.state === 'pending') {
    const { at, unsure, spared } = outcome;
    const again = { ...base, state: 'pending', nextAttemptAt: at, unsure };
    const $set = spared ? { ...again, tries: tries - 1 } : again;
    return { updateOne: { filter: mine, update: { $set, $push } } };
  }
  const settled = {
    ...base,
    unsure: false,
    done: order,
    ...(outcome.state === 'sent' ? { receipt: outcome.receipt } : {}),
  };
  const $set = overtaken
    ? { ...settled, state: 'pending', nextAttemptAt: now, tries: 0 }
    : { ...settled, state: outcome.state, nextAttemptAt: null, settledAt: now };
  return { updateOne: { filter: overtaken ? mine : { ...mine, order }, update: { $set, $push } } };
}
