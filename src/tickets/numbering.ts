// When the counter of a desk stands behind its tickets (it was restored, tickets were brought in from elsewhere): the
// numbers that are taken are passed over, so that filing goes on.
import { type Desk, ticketKey } from '../desks/desk.ts';
import { passNumbers } from '../desks/numbers.ts';
import { ticketCollection } from './model.ts';

const WINDOW = 1_000;

/** The counter stands at or behind `taken`, which another ticket has: it is moved to the last of the taken ones. */
export async function passTaken({ id, company, key }: Desk, taken: number): Promise<void> {
  for (let last = taken; ; ) {
    const ahead = Array.from({ length: WINDOW }, (_, at) => ticketKey({ key }, last + 1 + at));
    const found = await ticketCollection()
      .find({ company, key: { $in: ahead } }, { projection: { number: 1 } })
      .toArray();
    if (!found.length) return passNumbers(id, last);
    last = Math.max(...found.map((one) => one.number));
  }
}
