// Attachments across all tickets of a company, for agents: newest first; of tickets that are gone none.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { forbidden } from '../errors.ts';
import { list, type Page, pageQuery, repeated } from '../lists.ts';
import { may } from '../people/access.ts';
import { load, ticketNow } from '../tickets/find.ts';
import { type Attachment, shown } from './attachments.ts';
import { attachmentCollection } from './model.ts';

export const attachmentQuery = z.strictObject({
  ...pageQuery,
  ticketId: z.string().max(64).optional().meta({ description: 'Id or key of a ticket.' }),
  uploadedBy: repeated(z.string().min(1).max(64)).optional().meta({ description: 'Id; `me` is oneself.' }),
  order: z.enum(['asc', 'desc']).default('desc'),
});

export async function attachments(
  ctx: Ctx,
  { ticketId, uploadedBy, order, ...page }: z.output<typeof attachmentQuery>,
): Promise<Page<Attachment>> {
  if (!may(ctx.actor, 'ticket.note'))
    throw forbidden('attachment.list', 'Only agents list the attachments of all tickets.');
  const people = uploadedBy?.map((one) => (one === 'me' ? ctx.actor.id : one));
  const filter = {
    company: ctx.actor.company,
    ...(ticketId === undefined ? {} : { ticket: (await load(ctx, ticketId, { follow: false }))._id }),
    ...(people ? { 'uploadedBy.id': people.length === 1 ? people[0] : { $in: people } } : {}),
    state: 'attached',
  };
  const direction = { field: 'createdAt', direction: order };
  const found = await list(attachmentCollection(), filter, direction, page, shown);
  const tickets = await Promise.all(found.items.map((one) => ticketNow(one.ticket)));
  return { ...found, items: found.items.filter((_, at) => tickets[at]) };
}
