// What the relay could not digest, kept for a person to look at and to send through again.
import { storeNow } from '../clock.ts';
import type { StoredTicket } from '../tickets/ticket.ts';
import { poisonCollection, type StoredPoison } from './model.ts';

export async function setAside(ticket: StoredTicket, error: unknown): Promise<void> {
  const words = error instanceof Error ? error.message : String(error);
  await poisonCollection().updateOne(
    { _id: ticket._id },
    {
      $set: { company: ticket.company, error: words.slice(0, 2_000), at: storeNow(), settledAt: null },
      $addToSet: { entries: { $each: ticket.pending.map((entry) => entry._id) } },
    },
    { upsert: true },
  );
}

export const poison = (limit = 100): Promise<StoredPoison[]> =>
  poisonCollection().find({ settledAt: null }).sort({ at: 1 }).limit(limit).toArray();

export async function settlePoison(ticket: string): Promise<void> {
  await poisonCollection().updateOne({ _id: ticket }, { $set: { settledAt: storeNow() } });
}
