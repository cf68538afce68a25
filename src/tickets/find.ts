// Finding one ticket: by id or key, in the actor's company, and only if it is theirs to see.
import type { Ctx } from '../context.ts';
import { readTicketKey } from '../desks/desk.ts';
import { unknown } from '../errors.ts';
import type { Entry } from '../history/entry.ts';
import { filed } from '../history/history.ts';
import { isId } from '../id.ts';
import { maySee } from '../people/access.ts';
import { ticketCollection } from './model.ts';
import type { StoredTicket, Ticket } from './ticket.ts';

/** The stored document, pending entries included. Not there and not yours to see are the same answer. */
export async function load(ctx: Ctx, ref: string): Promise<StoredTicket> {
  const key = isId(ref) ? undefined : readTicketKey(ref);
  const { company } = ctx.actor;
  if (!isId(ref) && !key) throw unknown('ticket');
  const stored = await ticketCollection().findOne(key ? { company, key } : { _id: ref, company });
  if (!stored || stored.deletedAt || !maySee(ctx.actor, stored)) throw unknown('ticket');
  return stored;
}

export async function find(ctx: Ctx, ref: string): Promise<Ticket> {
  const { pending: _, pendingAt: __, words: ___, ...ticket } = await load(ctx, ref);
  return ticket;
}

/** All that happened to a ticket, filed or still travelling with it, in order. */
export async function entriesOf(stored: StoredTicket): Promise<Entry[]> {
  const entries = await filed(stored._id);
  const last = entries.at(-1)?.seq ?? 0;
  return [...entries, ...stored.pending.filter((entry) => entry.seq > last)];
}
