// What happened, and what was said, across all tickets of a company: the log that agents read. It is made of what was
// filed, and hence stands a moment behind a ticket's own history.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { instant } from '../dates.ts';
import { forbidden, unknown, unlessGone } from '../errors.ts';
import { isPublic, shownId } from '../history/entry.ts';
import { filedPage } from '../history/history.ts';
import { type Page, pageQuery, repeated, yesOrNo } from '../lists.ts';
import { may, maySeeNotes } from '../people/access.ts';
import { change, type Seen } from './change.ts';
import { type Placed, placedComment, threadFor } from './comments.ts';
import { entriesOf, load } from './find.ts';
import { actions, type Event, eventOf, pageOver } from './story.ts';
import type { Ticket } from './ticket.ts';

const span = {
  since: instant.optional(),
  until: instant.optional(),
  order: z.enum(['asc', 'desc']).default('desc'),
};
const who = repeated(z.string().max(64)).optional();
const ticketRef = z.string().max(64).optional().meta({ description: 'Id or key of a ticket.' });

export const logQuery = z.strictObject({
  ...pageQuery,
  ticketId: ticketRef,
  action: actions.optional(),
  actorId: who,
  ...span,
});
export const commentsQuery = z.strictObject({
  ...pageQuery,
  ticketId: ticketRef,
  authorId: who,
  isInternal: yesOrNo.optional(),
  ...span,
});

async function filterOf(
  ctx: Ctx,
  given: { ticketId?: string | undefined; since?: Date | undefined; until?: Date | undefined },
  by: string[] | undefined,
): Promise<Record<string, unknown>> {
  const { since, until } = given;
  const ticket = given.ticketId === undefined ? null : await load(ctx, given.ticketId, { follow: false });
  const people = by?.map((one) => (one === 'me' ? ctx.actor.id : one));
  return {
    ...(ticket ? { ticket: ticket._id } : {}),
    ...(people ? { 'by.id': people.length === 1 ? people[0] : { $in: people } } : {}),
    ...(since || until
      ? { at: { ...(since ? { $gte: since } : {}), ...(until ? { $lt: until } : {}) } }
      : {}),
  };
}

export const entryInput = z
  .strictObject({ notes: z.string().trim().min(1).max(20_000) })
  .meta({ example: { notes: 'Called Nora: she will send the invoice tomorrow.' } });

/** What happened elsewhere, written down by hand: it changes nothing, and customers do not see it. */
export async function writeDown(
  ctx: Ctx,
  ref: string,
  { notes }: z.output<typeof entryInput>,
  seen?: Seen,
): Promise<{ ticket: Ticket; event: Event }> {
  if (!may(ctx.actor, 'ticket.note')) throw forbidden('history.write', 'Only agents write into a history.');
  const { _id, seq } = await change(ctx, ref, () => ({ action: 'update', notes, facts: { byHand: true } }), {
    seen,
  });
  const stored = await load(ctx, _id, { follow: false });
  const written = (await entriesOf(stored)).findLast((entry) =>
    ctx.cause ? entry.cause?.startsWith(`${ctx.cause}/`) : entry.seq === seq,
  );
  if (!written) throw unknown('history_entry');
  return { ticket: stored, event: eventOf(ctx.actor, written) };
}

export async function happenings(ctx: Ctx, query: z.output<typeof logQuery>): Promise<Page<Event>> {
  const filter = await filterOf(ctx, query, query.actorId);
  if (query.action) filter.action = { $in: query.action };
  const page = await filedPage(ctx.actor.company, filter, query);
  return { ...page, items: page.items.map((entry) => eventOf(ctx.actor, entry)) };
}

/** One entry, by the id that it has in every history; agents find it by what its customer calls it as well. */
export async function happening(ctx: Ctx, id: string): Promise<Event> {
  const [ticket = ''] = id.split('-', 1);
  const stored = await load(ctx, ticket, { follow: false }).catch(() => {
    throw unknown('history_entry');
  });
  const isAgent = maySeeNotes(ctx.actor);
  const entry = (await entriesOf(stored)).find(
    (one) => (isAgent && one._id === id) || (isPublic(one) && shownId(one) === id),
  );
  if (!entry) throw unknown('history_entry');
  return eventOf(ctx.actor, entry);
}

/** Comments as they are now, by when they were written, each where it stands now; of tickets that are gone none. */
export async function said(ctx: Ctx, query: z.output<typeof commentsQuery>): Promise<Page<Placed>> {
  if (query.ticketId !== undefined) return saidOn(ctx, query.ticketId, query);
  const filter = await filterOf(ctx, query, query.authorId);
  Object.assign(filter, { action: 'comment_added', 'facts.carried': { $ne: true } });
  if (query.isInternal !== undefined) filter['comment.audience'] = query.isInternal ? 'internal' : 'public';
  const page = await filedPage(ctx.actor.company, filter, query);
  const placed = await Promise.all(
    page.items.map(({ comment }) => (comment ? placedComment(ctx, comment.id).catch(unlessGone) : null)),
  );
  return { ...page, items: placed.filter((one) => one !== null) };
}

async function saidOn(ctx: Ctx, ref: string, query: z.output<typeof commentsQuery>): Promise<Page<Placed>> {
  const { since, until, isInternal, authorId } = query;
  const people = authorId?.map((one) => (one === 'me' ? ctx.actor.id : one));
  const ticket = await load(ctx, ref, { follow: false });
  const wanted = (await threadFor(ctx, ticket)).filter(
    ({ author, audience, createdAt }) =>
      (people?.includes(author.id) ?? true) &&
      (isInternal ?? audience === 'internal') === (audience === 'internal') &&
      !(since && createdAt < since) &&
      !(until && createdAt >= until),
  );
  if (query.order === 'desc') wanted.reverse();
  const page = pageOver(wanted, query);
  return { ...page, items: page.items.map((comment) => ({ ticket, comment })) };
}
