// The one exception to "entries are never changed": the erasure of a person. Everything else only reads or files.
import { type Entry, packed, unpacked } from './entry.ts';
import { historyCollection } from './model.ts';

/** The tickets on which somebody did or said something. */
export async function ticketsTouchedBy(company: string, person: string): Promise<string[]> {
  const found = await historyCollection()
    .find({ company, 'by.id': person }, { projection: { ticket: 1 } })
    .toArray();
  return [...new Set(found.map((entry) => entry.ticket))];
}

/** Rewrites the entries of a ticket that `change` makes different. Doing it again changes nothing more. */
export async function rewrite(ticket: string, change: (entry: Entry) => Entry): Promise<void> {
  const entries = historyCollection().find({ ticket }).sort({ seq: 1 });
  for await (const stored of entries) {
    const before = unpacked(stored);
    const after = change(before);
    if (JSON.stringify(after) !== JSON.stringify(before))
      await historyCollection().replaceOne({ _id: before._id }, packed(after));
  }
}
