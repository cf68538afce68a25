// Who follows a ticket, and how content its requester was.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { conflict, forbidden, unknown } from '../errors.ts';
import { isRequester, may } from '../people/access.ts';
import { member } from '../people/members.ts';
import { change, type Decide, type Seen } from './change.ts';
import type { Ticket } from './ticket.ts';

const MOST_WATCHERS = 500;

/** An agent may follow any ticket, and invite anybody of the company: a customer who watches may read and reply. */
export async function watch(ctx: Ctx, ref: string, who: string, seen?: Seen): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.watch')) throw forbidden('ticket.watch', 'Only agents watch tickets.');
  const user = await member(who === 'me' ? ctx.actor.id : who);
  if (!user?.active || user.company !== ctx.actor.company) throw unknown('user');
  const join: Decide = (ticket) => {
    if (ticket.watchers.includes(user.id)) return null;
    if (ticket.watchers.length >= MOST_WATCHERS)
      throw conflict('ticket.watchers', `A ticket has at most ${MOST_WATCHERS} watchers.`);
    return { action: 'update', set: { watchers: [...ticket.watchers, user.id] } };
  };
  return change(ctx, ref, join, { seen });
}

export async function unwatch(ctx: Ctx, ref: string, who: string, seen?: Seen): Promise<Ticket> {
  const id = who === 'me' ? ctx.actor.id : who;
  if (id !== ctx.actor.id && !may(ctx.actor, 'ticket.watch'))
    throw forbidden('ticket.watch', 'You may only stop watching yourself.');
  const leave: Decide = ({ watchers }) =>
    watchers.includes(id)
      ? { action: 'update', set: { watchers: watchers.filter((one) => one !== id) } }
      : null;
  return change(ctx, ref, leave, { seen });
}

export const feedbackInput = z.strictObject({
  rating: z.int().min(1).max(5),
  comment: z.string().trim().max(4_000).nullish(),
});

/** The requester's word on how it went, once the ticket is resolved. Said again, it replaces what was said. */
export function rate(
  ctx: Ctx,
  ref: string,
  given: z.output<typeof feedbackInput>,
  seen?: Seen,
): Promise<Ticket> {
  const rated: Decide = (ticket) => {
    if (!may(ctx.actor, 'ticket.feedback') || !isRequester(ctx.actor, ticket))
      throw forbidden('ticket.feedback', 'Only the requester rates a ticket.');
    if (ticket.statusKind !== 'resolved' && ticket.statusKind !== 'closed')
      throw conflict('ticket.not_done', `${ticket.key} is ${ticket.status}: rate it when it is resolved.`);
    const { rating, comment } = given;
    return { action: 'feedback', set: { satisfaction: { rating, comment: comment || null, at: ctx.now() } } };
  };
  return change(ctx, ref, rated, { seen });
}
