// Matches newest first, where words that stand in very many tickets seldom meet: so many tickets are looked at in one go,
// then the next ones, until there are enough matches or it has taken long enough. What must stay true: whoever goes on
// from where it ended meets every match, each once.
import { after, type Order } from '../lists.ts';
import type { TicketRow } from './birth.ts';
import { BY_WORDS, ticketCollection } from './model.ts';
import type { Way } from './ways.ts';

export const NEWEST: Order = { field: 'createdAt', direction: 'desc', nullable: false };

/** Where the next page begins. */
export interface Spot {
  value: Date;
  id: string;
}
interface Pace {
  first: number;
  longest: number;
  ms: number;
}
const PACE: Pace = { first: 1_000, longest: 12_000, ms: 100 };

type Filter = Record<string, unknown>;
const beyond = ({ value, id }: Spot): Filter => after({ order: NEWEST, value, id, page: 1 });

/** Some matches after the spot; `end` is null when there are no more. */
export async function walk(
  { filter, hint, lead }: Way,
  { from, many, projection }: { from: Spot | null; many: number; projection: Readonly<Record<string, 0>> },
  pace: Pace = PACE,
): Promise<{ rows: TicketRow[]; end: Spot | null }> {
  const until = performance.now() + pace.ms;
  const rows: TicketRow[] = [];
  let spot = from;
  for (let step = pace.first; ; step = Math.min(step * 4, pace.longest)) {
    const floor = lead ? await floorOf(lead, spot, step) : null;
    const asked = [
      filter,
      ...(spot ? [beyond(spot)] : []),
      ...(floor ? [{ createdAt: { $gte: floor } }] : []),
    ];
    const found = await ticketCollection()
      .find(asked.length > 1 ? { $and: asked } : filter, { projection, ...(hint ? { hint } : {}) })
      .sort({ createdAt: -1, _id: -1 })
      .limit(many - rows.length)
      .toArray();
    rows.push(...found);
    const last = rows.at(-1);
    if (rows.length >= many && last) return { rows, end: { value: last.createdAt, id: last._id } };
    if (!floor) return { rows, end: null };
    // Whatever was filed at that instant has been looked at.
    spot = { value: floor, id: '' };
    if (performance.now() > until) return { rows, end: spot };
  }
}

/** How old the last of so many is; null when there are not so many. */
async function floorOf(lead: Filter, spot: Spot | null, step: number): Promise<Date | null> {
  const [last] = await ticketCollection()
    .find(spot ? { $and: [lead, beyond(spot)] } : lead, { projection: { createdAt: 1 }, hint: BY_WORDS })
    .sort({ createdAt: -1, _id: -1 })
    .skip(step - 1)
    .limit(1)
    .toArray();
  return last?.createdAt ?? null;
}
