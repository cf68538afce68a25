// Ticket numbers run per desk, without duplicates. Filings that arrive together take their numbers in one trip.
import { together } from '../batch.ts';
import { counterCollection } from './model.ts';

const queues = new Map<string, (one: true) => Promise<number>>();

export function nextNumber(desk: string): Promise<number> {
  let take = queues.get(desk);
  if (!take) {
    take = together<true, number>((items) => nextNumbers(desk, items.length));
    queues.set(desk, take);
  }
  return take(true);
}

/** So many at once, one after the other. */
export async function nextNumbers(desk: string, count: number): Promise<number[]> {
  const counter = await counterCollection().findOneAndUpdate(
    { _id: desk },
    { $inc: { last: count } },
    { upsert: true, returnDocument: 'after' },
  );
  const last = counter?.last ?? count;
  return Array.from({ length: count }, (_, at) => last - count + 1 + at);
}

/** The next number comes after this one. */
export async function passNumbers(desk: string, last: number): Promise<void> {
  await counterCollection().updateOne({ _id: desk }, { $max: { last } }, { upsert: true });
}
