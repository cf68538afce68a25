// Deliveries as they are kept: planned once, found when they are due, put off, woken by the one before them in their
// lane. MongoDB is the truth; a job in a queue only says "look at this one now". Sending one: claims.ts.
import { together } from '../batch.ts';
import { storeNow } from '../clock.ts';
import { onlyDuplicates } from '../store.ts';
import { deliveryCollection, endpointCollection, type StoredDelivery } from './model.ts';

export type { StoredDelivery } from './model.ts';

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

/**
 * A card is one delivery for good: each change of its ticket makes it due again, and the newest state is drawn. One
 * write for each, by how it was found; if others write at the same time, by steps that hold in any order.
 */
export async function redrawCards(cards: readonly StoredDelivery[]): Promise<void> {
  if (!cards.length) return;
  const found = await deliveryCollection()
    .find({ _id: { $in: cards.map((one) => one._id) } }, { projection: { order: 1, state: 1 } })
    .toArray();
  const stand = new Map(found.map((one) => [one._id, one]));
  const older = cards.filter((one) => (stand.get(one._id)?.order ?? -1) < one.order);
  const settled = older.filter((one) => SETTLED.includes(stand.get(one._id)?.state ?? ''));
  if (settled.length) {
    const { matchedCount } = await deliveryCollection().bulkWrite(
      settled.map((card) => ({
        updateOne: {
          filter: { _id: card._id, order: { $lt: card.order }, state: { $in: SETTLED } },
          update: { $set: { ...newsOf(card), ...dueAgain(card) } },
        },
      })),
      { ordered: false },
    );
    if (matchedCount < settled.length) return redrawAnyhow(cards);
  }
  if (older.length > settled.length) await redrawAnyhow(older.filter((one) => !settled.includes(one)));
}

const SETTLED: readonly string[] = ['sent', 'failed', 'skipped'];
const newsOf = ({ order, entry, message, to }: StoredDelivery) => ({ order, entry, message, to });
const dueAgain = ({ createdAt }: StoredDelivery) =>
  ({ state: 'pending', nextAttemptAt: createdAt, tries: 0, settledAt: null }) as const;

async function redrawAnyhow(cards: readonly StoredDelivery[]): Promise<void> {
  try {
    await deliveryCollection().bulkWrite(
      cards.map((card) => {
        const { _id, order, entry: _, message: __, to: ___, ...first } = card;
        const update = { $set: newsOf(card), $setOnInsert: first };
        return { updateOne: { filter: { _id, order: { $lt: order } }, update, upsert: true } };
      }),
      { ordered: false },
    );
  } catch (error) {
    if (!onlyDuplicates(error)) throw error;
  }
  await deliveryCollection().bulkWrite(
    cards.map((card) => ({
      updateOne: {
        filter: { _id: card._id, state: { $in: SETTLED }, done: { $lt: card.order } },
        update: { $set: dueAgain(card) },
      },
    })),
    { ordered: false },
  );
}

/** What a job needs to know to begin. */
export type Due = Pick<
  StoredDelivery,
  '_id' | 'company' | 'surface' | 'lane' | 'order' | 'endpoint' | 'state' | 'nextAttemptAt'
>;
const DUE = { company: 1, surface: 1, lane: 1, order: 1, endpoint: 1, state: 1, nextAttemptAt: 1 };

/** Due by now, the longest waiting first. */
export function dueDeliveries(surfaces: readonly string[], now: Date, limit: number): Promise<Due[]> {
  return deliveryCollection()
    .find({ nextAttemptAt: { ...waiting, $lte: now }, surface: { $in: [...surfaces] } }, { projection: DUE })
    .sort({ nextAttemptAt: 1 })
    .limit(limit)
    .toArray();
}

/** The first of each lane that is not settled. */
async function headsOf(lanes: readonly string[]): Promise<Map<string, Due>> {
  const wanted = [...new Set(lanes)];
  const found = await deliveryCollection()
    .find(
      { lane: wanted.length > 1 ? { $in: wanted } : wanted[0], nextAttemptAt: waiting },
      { projection: DUE, ...(wanted.length > 1 ? {} : { limit: 1 }) },
    )
    .sort({ lane: 1, order: 1 })
    .toArray();
  const heads = new Map<string, Due>();
  for (const one of found) if (!heads.has(one.lane)) heads.set(one.lane, one);
  return heads;
}

/** The first of a lane that is not settled, for many lanes in one trip. */
export const headOfLane = together<string, Due | null>(
  async (lanes) => {
    const heads = await headsOf(lanes);
    return lanes.map((lane) => heads.get(lane) ?? null);
  },
  { most: 100, abreast: 2 },
);

/** The one before is settled: the next of its lane is due now, whatever it had been put off to. */
export const wakeLane = together<string, Due | null>(
  async (lanes) => {
    const heads = await headsOf(lanes);
    const now = storeNow();
    const later = [...heads.values()].filter(({ nextAttemptAt: at }) => at && at > now);
    if (later.length)
      await deliveryCollection().updateMany(
        { _id: { $in: later.map((one) => one._id) }, state: 'pending', tries: 0 },
        { $set: { nextAttemptAt: now } },
      );
    return lanes.map((lane) => heads.get(lane) ?? null);
  },
  { most: 100, abreast: 2 },
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
  { most: 100, abreast: 2 },
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
  await putOff({ id, until });
}

const putOff = together<{ id: string; until: Date }, true>(async (those) => {
  await deliveryCollection().bulkWrite(
    those.map(({ id, until }) => ({
      updateOne: {
        filter: { _id: id, state: 'pending', nextAttemptAt: { ...waiting, $lt: until } },
        update: { $set: { nextAttemptAt: until } },
      },
    })),
    { ordered: false },
  );
  return those.map(() => true as const);
});

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
