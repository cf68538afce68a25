// What the relay could not digest, kept for a person to look at and to send through again.
import { storeNow } from '../clock.ts';
import { unknown } from '../errors.ts';
import type { StoredTicket } from '../tickets/ticket.ts';
import { unstrike } from '../tickets/unfiled.ts';
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

/** Through the relay once more: the entries that are in the history are put back on the ticket. Returns how many. */
export async function reinstate(ticket: string): Promise<number> {
  const aside = await poisonCollection().findOne({ _id: ticket, settledAt: null });
  if (!aside) throw unknown('ticket', 'Nothing of this ticket was set aside.');
  const numbers = aside.entries.map((id) => Number(id.slice(id.lastIndexOf('-') + 1)));
  await unstrike(ticket, Math.min(...numbers));
  await poisonCollection().updateOne({ _id: ticket }, { $set: { settledAt: storeNow() } });
  return numbers.length;
}
