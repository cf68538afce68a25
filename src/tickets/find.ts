// Finding one ticket: by id or key, in the actor's company, and only if it is theirs to see. What was merged into
// another ticket leads there, and so does the key that a ticket had on another desk.
import { together } from '../batch.ts';
import type { Ctx } from '../context.ts';
import { readTicketKey } from '../desks/desk.ts';
import { unknown } from '../errors.ts';
import { COMMENT_ACTIONS, type Entry } from '../history/entry.ts';
import { filed } from '../history/history.ts';
import { isId } from '../id.ts';
import { maySee } from '../people/access.ts';
import { fromRow, type TicketRow } from './birth.ts';
import { ticketCollection, wholeTickets } from './model.ts';
import { asTicket, type StoredTicket, type Ticket } from './ticket.ts';

const LONGEST_CHAIN = 20;

/** The stored document, pending entries included. Not there and not yours to see are the same answer. */
export async function load(
  ctx: Ctx,
  ref: string,
  { follow = true }: { follow?: boolean } = {},
): Promise<StoredTicket> {
  const key = isId(ref) ? undefined : readTicketKey(ref);
  const { company } = ctx.actor;
  if (!isId(ref) && !key) throw unknown('ticket');
  const asked =
    (await ticketCollection().findOne(key ? { company, key } : { _id: ref, company })) ??
    (key ? await ticketCollection().findOne({ company, formerKeys: key }) : null);
  const row = asked?.mergedInto && follow ? await lastOf(asked) : asked;
  if (!row || row.deletedAt || !maySee(ctx.actor, row)) throw unknown('ticket');
  return fromRow(row);
}

async function lastOf(merged: TicketRow): Promise<TicketRow | null> {
  let at: TicketRow | null = merged;
  for (let step = 0; at?.mergedInto && step < LONGEST_CHAIN; step++)
    at = await ticketCollection().findOne({ _id: at.mergedInto, company: merged.company });
  return at?.mergedInto ? merged : at;
}

export async function find(ctx: Ctx, ref: string): Promise<Ticket> {
  return asTicket(await load(ctx, ref));
}

/** For Switchboard itself: a ticket as it stands, many in one trip; null when it is gone. */
export const ticketNow = together<string, Ticket | null>(async (ids) => {
  const found = await ticketCollection()
    .find({ _id: { $in: [...new Set(ids)] } }, { projection: { pending: 0, pendingAt: 0, words: 0 } })
    .toArray();
  const stand = new Map(found.map((one) => [one._id, one]));
  return Promise.all(
    ids.map(async (id) => {
      const asked = stand.get(id);
      const one = asked?.mergedInto ? await lastOf(asked) : asked;
      if (!one || one.deletedAt) return null;
      return asTicket(one);
    }),
  );
});

/** All that happened to a ticket, filed or still travelling with it, in order. */
export async function entriesOf(stored: StoredTicket): Promise<Entry[]> {
  const entries = await filed(stored._id);
  const last = entries.at(-1)?.seq ?? 0;
  return [...entries, ...stored.pending.filter((entry) => entry.seq > last)];
}

/** What was said on a ticket and on those that became part of it: the entries that make the thread. */
export async function spokenOn(stored: StoredTicket): Promise<Entry[]> {
  const sources = stored.mergedFrom?.length
    ? await wholeTickets(
        ticketCollection().find({ _id: { $in: stored.mergedFrom.map((one) => one.ticket) } }),
      )
    : [];
  const lists = await Promise.all(
    [stored, ...sources].map(async ({ _id, pending }) => {
      const entries = await filed(_id, { actions: [...COMMENT_ACTIONS, 'split', 'attachment_removed'] });
      const known = new Set(entries.map((entry) => entry.seq));
      return [...entries, ...pending.filter((entry) => !known.has(entry.seq))];
    }),
  );
  return lists.flat();
}
