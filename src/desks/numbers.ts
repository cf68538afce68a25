// Ticket numbers run per desk, without duplicates. Filings that arrive together take their numbers in one trip.
import { together } from '../batch.ts';
import { counterCollection } from './model.ts';

const queues = new Map<string, (one: true) => Promise<number>>();

export function nextNumber(desk: string): Promise<number> {
  let take = queues.get(desk);
  if (!take) {
    take = together<true, number>(async (items) => {
      const counter = await counterCollection().findOneAndUpdate(
        { _id: desk },
        { $inc: { last: items.length } },
        { upsert: true, returnDocument: 'after' },
      );
      const last = counter?.last ?? items.length;
      return items.map((_, at) => last - items.length + 1 + at);
    });
    queues.set(desk, take);
  }
  return take(true);
}

/** The next number comes after this one. */
export async function passNumbers(desk: string, last: number): Promise<void> {
  await counterCollection().updateOne({ _id: desk }, { $max: { last } }, { upsert: true });
}
