// Taking a person out of a ticket and its history: name, addresses and numbers go, the ticket and what was done stay.
// Entries that still travel with the ticket are filed first, so that the relay cannot bring back what is taken out.
import { commentsAsTheyAre, type Entry, packed } from '../history/entry.ts';
import { file, filed } from '../history/history.ts';
import { rewrite, ticketsTouchedBy } from '../history/rewriting.ts';
import { fromRow } from './birth.ts';
import { ticketCollection } from './model.ts';
import type { StoredTicket, Ticket } from './ticket.ts';
import { wordsOf } from './words.ts';

export const ERASED = '[erased]';

export interface Erased {
  company: string;
  /** The person and whoever was merged into them. */
  ids: readonly string[];
  /** Names, addresses, numbers: whatever of them must not be read any more. */
  words: readonly string[];
}

/** Text without the words; anything else with all its texts done so; requesters and authors without their name. */
export function withoutPerson<T>(value: T, { ids, words }: Pick<Erased, 'ids' | 'words'>): T {
  const escaped = words
    .filter((word) => word.trim().length > 2)
    .sort((a, b) => b.length - a.length)
    .map((word) => word.trim().replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&'));
  const pattern = escaped.length
    ? new RegExp(`(?<![\\p{L}\\p{N}])(?:${escaped.join('|')})(?![\\p{L}\\p{N}])`, 'giu')
    : null;
  const walk = (one: unknown): unknown => {
    if (typeof one === 'string') return pattern ? one.replace(pattern, ERASED) : one;
    if (Array.isArray(one)) return one.map(walk);
    if (typeof one !== 'object' || one === null || one instanceof Date) return one;
    if (Object.getPrototypeOf(one) !== Object.prototype) return one;
    const out: Record<string, unknown> = {};
    for (const [key, inner] of Object.entries(one)) out[key] = walk(inner);
    if (typeof out.id === 'string' && ids.includes(out.id)) {
      if ('name' in out) out.name = ERASED;
      if ('email' in out) out.email = null;
    }
    return out;
  };
  return walk(value) as T;
}

/** What makes a ticket this ticket, and must stay as it is. */
const KEPT = [
  '_id',
  'company',
  'desk',
  'deskKey',
  'key',
  'status',
  'statusKind',
  'priority',
  'channel',
  'team',
];

/** Every ticket that the person asked for or spoke on; returns their ids. Doing it again changes nothing more. */
export async function eraseFromTickets(erased: Erased): Promise<string[]> {
  const tickets = new Set<string>();
  for (const id of erased.ids) {
    for (const company of [erased.company, `${erased.company} (deleted)`]) {
      const asked = await ticketCollection()
        .find({ company, 'requester.id': id }, { projection: { _id: 1 } })
        .toArray();
      for (const { _id } of asked) tickets.add(_id);
    }
    for (const ticket of await ticketsTouchedBy(erased.company, id)) tickets.add(ticket);
  }
  for (const id of tickets) await eraseFromTicket(id, erased);
  return [...tickets];
}

async function eraseFromTicket(id: string, erased: Erased): Promise<void> {
  for (let attempt = 0; attempt < 40; attempt++) {
    const row = await ticketCollection().findOne({ _id: id });
    if (!row) return;
    const stored = fromRow(row);
    await file(stored.pending);
    await rewrite(id, (entry) => cleanEntry(entry, erased));
    const { pending, pendingAt, words: _, seq, ...ticket } = stored;
    const clean = cleanTicket({ ...ticket, seq }, erased);
    const said = commentsAsTheyAre(await filed(id));
    const written = await ticketCollection().updateOne(
      { _id: id, seq, pendingAt: pendingAt ?? null } as never,
      {
        $set: {
          ...changedFields({ ...ticket, seq }, clean),
          pending: pending.map((entry) => packed(cleanEntry(entry, erased))),
          words: wordsOf(clean, said),
        },
      },
    );
    if (written.matchedCount) return;
  }
}

const cleanEntry = (entry: Entry, erased: Erased): Entry => ({
  ...withoutPerson(entry, erased),
  _id: entry._id,
  ticket: entry.ticket,
  company: entry.company,
  desk: entry.desk,
  action: entry.action,
  via: entry.via,
});

function cleanTicket(ticket: Ticket, erased: Erased): Ticket {
  const clean = withoutPerson(ticket, erased);
  for (const name of KEPT) Object.assign(clean, { [name]: ticket[name as keyof Ticket] });
  return clean;
}

function changedFields(before: Ticket, after: Ticket): Partial<StoredTicket> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(after))
    if (JSON.stringify(value) !== JSON.stringify(before[name as keyof Ticket])) out[name] = value;
  return out;
}
