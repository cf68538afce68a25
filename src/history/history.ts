// Filing entries, and reading what happened. Entries are filed by the relay and never changed afterwards, but for
// one case: the erasure of a person.
import { list, type Page, type PageQuery } from '../lists.ts';
import { onlyDuplicates } from '../store.ts';
import type { Rows } from '../table.ts';
import { type Action, type Entry, packed, type StoredEntry, unpacked } from './entry.ts';
import { historyCollection } from './model.ts';

/** Filing twice is filing once. */
export async function file(entries: readonly Entry[]): Promise<void> {
  if (!entries.length) return;
  try {
    await historyCollection().insertMany(entries.map(packed), { ordered: false });
  } catch (error) {
    if (!onlyDuplicates(error)) throw error;
  }
}

/** The filed entries of a ticket, in order. The ones that still travel with the ticket are the caller's to add. */
export async function filed(
  ticket: string,
  {
    after = 0,
    actions,
    limit = 10_000,
  }: { after?: number; actions?: readonly Action[]; limit?: number } = {},
): Promise<Entry[]> {
  const filter = { ticket, seq: { $gt: after }, ...(actions ? { action: { $in: [...actions] } } : {}) };
  return read(historyCollection().find(filter).sort({ seq: 1 }).limit(limit));
}

const read = async (rows: Rows<StoredEntry>): Promise<Entry[]> => (await rows.toArray()).map(unpacked);

/** What a message has already done to a ticket: the causes of its entries that begin with the message's key. */
export async function filedCauses(ticket: string, cause: string): Promise<string[]> {
  const found = await historyCollection()
    .find({ ticket, cause: { $gte: `${cause}/`, $lt: `${cause}0` } }, { projection: { cause: 1 } })
    .toArray();
  return found.flatMap((entry) => entry.cause ?? []);
}

/** The latest entry that brought the comment with this origin. */
export async function filedWithOrigin(company: string, origin: string): Promise<Entry | null> {
  const found = await historyCollection().findOne(
    { company, 'comment.origin': origin, action: 'comment_added' },
    { sort: { at: -1, _id: -1 } },
  );
  return found && unpacked(found);
}

/** What was filed of a company's history since then, in order of time: for whoever follows it. */
export function filedSince(company: string, since: Date, limit: number): Promise<Entry[]> {
  return read(
    historyCollection()
      .find({ company, at: { $gte: since } })
      .sort({ at: 1, _id: 1 })
      .limit(limit),
  );
}

/** The latest handovers of these tickets. */
export function filedHandovers(tickets: readonly string[], since: Date): Promise<Entry[]> {
  const filter = { ticket: { $in: [...tickets] }, action: 'assignment_change', at: { $gte: since } };
  return read(historyCollection().find(filter).sort({ ticket: 1, seq: 1 }));
}

/** Nobody asks how many exactly beyond this. */
const MOST_COUNTED = 10_000;

/** A page of what was filed of a company, newest first unless it is asked otherwise. */
export function filedPage(
  company: string,
  filter: Record<string, unknown>,
  query: PageQuery & { order: 'asc' | 'desc' },
): Promise<Page<Entry>> {
  const wanted = { company, ...filter };
  const order = { field: 'at', direction: query.order };
  const total = () => historyCollection().countDocuments(wanted, { limit: MOST_COUNTED });
  return list<StoredEntry, Entry>(historyCollection(), wanted, order, query, unpacked, { total });
}
