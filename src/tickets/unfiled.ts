// Tickets with entries that the relay has not seen to yet: finding them, and striking off what was seen to.
import type { Entry } from '../history/entry.ts';
import { filed } from '../history/history.ts';
import { signal } from '../signals.ts';
import { isAway } from '../store.ts';
import type { Write } from '../table.ts';
import type { TicketRow } from './birth.ts';
import { ticketCollection, wholeTickets } from './model.ts';
import type { StoredTicket } from './ticket.ts';
import { keptWords } from './words.ts';

declare module '../signals.ts' {
  interface Unfiled {
    /** A ticket that was just born comes along. */
    born?: StoredTicket;
  }
}

/** For the relay: tickets with entries that are not filed, oldest first. */
export function unfiled(limit: number, after = new Date(0)): Promise<StoredTicket[]> {
  return wholeTickets(
    ticketCollection()
      .find({ pendingAt: { $type: 'date', $gt: after } })
      .sort({ pendingAt: 1 })
      .limit(limit),
  );
}

/** For the relay: of these tickets, the ones with entries that are not filed. */
export const unfiledOf = (ids: readonly string[]): Promise<StoredTicket[]> =>
  wholeTickets(ticketCollection().find({ _id: { $in: [...ids] }, pendingAt: { $type: 'date' } }));

/** For the relay: these are filed and their people will be told. Entries written meanwhile stay for the next round. */
export async function strike(tickets: readonly StoredTicket[]): Promise<void> {
  if (!tickets.length) return;
  const collection = ticketCollection();
  const words = new Map(
    await Promise.all(
      tickets.map(async (ticket) => [ticket._id, await keptWords(ticket).catch(unlessAway)] as const),
    ),
  );
  const result = await collection.bulkWrite(strikes(tickets, words), { ordered: false });
  if (result.matchedCount === tickets.length) return;
  for (const { _id, seq, untold } of tickets)
    if (untold) await collection.updateOne({ _id, untold: { $lte: seq } }, { $set: { untold: seq + 1 } });
  await collection.bulkWrite(
    tickets.map(({ _id, seq }) => {
      const kept = words.get(_id);
      return {
        updateOne: {
          filter: { _id, seq: { $gt: seq } },
          update: { $pull: { pending: { seq: { $lte: seq } } }, ...(kept ? { $set: { words: kept } } : {}) },
        },
      };
    }),
    { ordered: false },
  );
}

/** All that stand at the same number are struck off by one statement, but for those whose words change with it. */
export function strikes(
  tickets: readonly StoredTicket[],
  words: ReadonlyMap<string, string[] | undefined> = new Map(),
): Write<TicketRow>[] {
  const $unset = { pendingAt: '', untold: '' };
  const same = tickets.filter(({ _id }) => !words.get(_id));
  const together = [...new Set(same.map(({ seq }) => seq))].map((seq): Write<TicketRow> => {
    const ids = same.filter((one) => one.seq === seq).map(({ _id }) => _id);
    return { updateMany: { filter: { _id: { $in: ids }, seq }, update: { $set: { pending: [] }, $unset } } };
  });
  const alone = tickets.flatMap(({ _id, seq }): Write<TicketRow>[] => {
    const kept = words.get(_id);
    const update = { $set: { pending: [], words: kept }, $unset };
    return kept ? [{ updateOne: { filter: { _id, seq }, update } }] : [];
  });
  return [...together, ...alone];
}

/** An entry that cannot even be read for its words is struck off without: it was set aside. */
const unlessAway = (error: unknown): undefined => {
  if (isAway(error)) throw error;
};

/** For the relay: all that it has not seen of a ticket, what others had to file for it included. */
export async function unseen({ _id, seq, pending, untold }: StoredTicket): Promise<Entry[]> {
  if (!untold) return pending;
  const first = pending[0]?.seq ?? seq + 1;
  const before = await filed(_id, { after: untold - 1 });
  return [...before.filter((entry) => entry.seq < first), ...pending];
}

/** The relay is to see a ticket's entries again, from this number on. */
export async function unstrike(ticket: string, from: number): Promise<void> {
  await ticketCollection().updateOne(
    { _id: ticket },
    { $min: { untold: from }, $set: { pendingAt: new Date() } },
  );
  signal('entry', { company: '', ticket });
}
