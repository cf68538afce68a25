// The places where a ticket is talked about: bound once each, found again by their id. Who may speak in a public one is
// whoever can read it there; the desk keeps who it was.
import type { Actor, Ctx } from '../context.ts';
import { maySee } from '../people/access.ts';
import { change } from './change.ts';
import { ticketCollection } from './model.ts';
import type { Conversation, Ticket } from './ticket.ts';
import { type CreateInput, create } from './tickets.ts';

/** The ticket of the company that is talked about there; of several (a merge) the one that is left. */
export async function ticketIn(company: string, conversation: string): Promise<Ticket | null> {
  const found = await ticketCollection().findOne(
    { company, 'conversations.id': conversation, deletedAt: null },
    { projection: { pending: 0, pendingAt: 0, words: 0 } },
  );
  if (!found?.mergedInto) return found;
  return ticketCollection().findOne(
    { _id: found.mergedInto, company },
    { projection: { pending: 0, pendingAt: 0, words: 0 } },
  );
}

/** Binds a place to a ticket; bound already is as good. */
export function bind(ctx: Ctx, ref: string, conversation: Conversation): Promise<Ticket> {
  return change(ctx, ref, (ticket) =>
    ticket.conversations.some((one) => one.id === conversation.id)
      ? null
      : {
          action: 'bound',
          set: { conversations: [...ticket.conversations, conversation] },
          facts: { surface: conversation.surface, audience: conversation.audience },
        },
  );
}

/**
 * Files a ticket from a place, one for each place: whoever comes second gets the first one's. A private one is not
 * talked about where others read along: it is filed beside an open place, which hears no word of it.
 */
export async function fileIn(
  ctx: Ctx,
  input: CreateInput,
  conversation: Conversation,
  place: { isOpen: boolean },
): Promise<{ ticket: Ticket; isBound: boolean }> {
  const { company } = ctx.actor;
  const there = await ticketIn(company, conversation.id);
  if (there) return { ticket: there, isBound: true };
  const under: Ctx = { ...ctx, cause: `file:${conversation.id}` };
  const ticket = await create(under, input);
  if (ticket.private && place.isOpen) return { ticket, isBound: false };
  return { ticket: await bind(asDesk(under), ticket._id, conversation), isBound: true };
}

/** What the desk itself must be able to do on behalf of somebody who may not see the ticket. */
const asDesk = (ctx: Ctx): Ctx => ({ ...ctx, actor: { ...ctx.actor, kind: 'system' } });

/** Somebody speaks in a place that they can read: as themselves if the ticket is theirs to see, else through the desk. */
export const speakerOn = (ctx: Ctx, ticket: Ticket): Ctx =>
  maySee(ctx.actor, ticket) ? ctx : { ...ctx, actor: { ...ctx.actor, kind: 'system' } satisfies Actor };
