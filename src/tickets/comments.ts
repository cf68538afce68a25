// Replies and notes. A reply is public, a note is internal, and which of them it is, is fixed when it is written.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { conflict, forbidden, invalid, Refusal, unknown } from '../errors.ts';
import { attachmentsOf, keepInside } from '../files/attachments.ts';
import type { Audience, Entry } from '../history/entry.ts';
import { filedWithOrigin } from '../history/history.ts';
import { idFrom } from '../id.ts';
import { atLeast, isRequester, may, maySeeNotes } from '../people/access.ts';
import { calledMembers } from '../people/members.ts';
import { change, type Seen, type TicketDraft } from './change.ts';
import { load, spokenOn } from './find.ts';
import { ticketCollection, wholeTickets } from './model.ts';
import { wokenBy } from './moving.ts';
import { type Comment, namesCalled, threadOf } from './threads.ts';
import type { StoredTicket, Ticket } from './ticket.ts';

const MOST_TEXT = 60_000;
const content = z
  .string()
  .max(MOST_TEXT)
  .refine((text) => text.trim().length > 0, 'must not be empty')
  .meta({ description: 'Markdown.' });
/** Replies are public, notes internal; `comment` leaves it to `is_internal`. */
const COMMENT_TYPES = ['comment', 'reply', 'note', 'internal_note'] as const;
export const commentInput = z.strictObject({
  content,
  isInternal: z.boolean().optional().meta({ description: 'A note for agents; false when left out.' }),
  commentType: z.enum(COMMENT_TYPES).optional().meta({
    description:
      'Another way to say it: reply (public), note or internal_note (internal); comment says neither.',
  }),
  attachmentIds: z
    .array(z.string().max(64))
    .max(50)
    .optional()
    .meta({ description: 'Attachments of the ticket that belong to these words.' }),
});
export const editInput = z.strictObject({
  content,
  isInternal: z
    .boolean()
    .optional()
    .meta({ description: 'Cannot be changed: only its present value is taken.' }),
});

/** What adapters add to the words. */
export interface NewComment extends z.output<typeof commentInput> {
  /** Where it came from, so that an edit there finds it. */
  origin?: string;
  /** Which wording it is there: a later one is greater. */
  version?: string;
  /** Ids of attachments of the ticket. */
  attachments?: string[];
  silent?: boolean;
  /** Sent by a machine (an out-of-office note): rules do not answer it. */
  automatic?: boolean;
}

export interface Placed {
  ticket: Ticket;
  comment: Comment;
}

/** The id begins with the ticket's, so that a comment leads to its ticket without a search. */
export const newCommentId = (ctx: Ctx, ticket: string, nth = 0): string =>
  ticket +
  (ctx.cause
    ? idFrom('comment', ticket, ctx.cause, String(nth)).slice(0, 12)
    : randomBytes(6).toString('hex'));
const ticketOfComment = (id: string): string | undefined => /^([0-9a-f]{24})[0-9a-f]{12}$/.exec(id)?.[1];

export async function addComment(ctx: Ctx, ref: string, given: NewComment, seen?: Seen): Promise<Placed> {
  const audience = checkedAudience(ctx, isMeantInside(given));
  const stored = await load(ctx, ref);
  const { _id } = stored;
  const attachments = [
    ...(given.attachments ?? []),
    ...(await attachedTo(ctx, stored, audience, given.attachmentIds)),
  ];
  const id = newCommentId(ctx, _id);
  const called = await calledBy(ctx, given.content);
  await change(
    ctx,
    _id,
    (ticket, desk) => {
      const said = spoken(ctx, ticket, { ...given, attachments, id, audience }, called);
      const woken = audience === 'public' && isAsking(ctx, ticket) ? wokenBy(ctx, ticket, desk) : null;
      return woken ? [said, woken] : said;
    },
    { seen },
  );
  return placedComment(ctx, id);
}

/** Only what hangs on this ticket, and nothing internal on a public reply. On a note, a file becomes internal too. */
async function attachedTo(
  ctx: Ctx,
  ticket: StoredTicket,
  audience: Audience,
  ids: string[] = [],
): Promise<string[]> {
  if (!ids.length) return [];
  const known = await attachmentsOf(ctx, ticket._id);
  const fits = (id: string) =>
    known.some((one) => one.id === id && (audience === 'internal' || one.audience === 'public'));
  const details = ids.flatMap((id, at) =>
    fits(id)
      ? []
      : [{ path: `attachment_ids.${at}`, message: 'is no attachment of this ticket that may be shown here' }],
  );
  if (details.length)
    throw invalid('comment.attachments', 'Some of these attachments do not belong here.', details);
  if (audience === 'internal') {
    const shown = (await threadFor(ctx, ticket)).filter((one) => one.audience === 'public');
    const said = new Set(shown.flatMap((one) => one.attachments));
    await keepInside(
      ctx,
      ids.filter((id) => !said.has(id)),
    );
  }
  return [...new Set(ids)];
}

function isMeantInside({ commentType, isInternal }: NewComment): boolean {
  const byType = commentType === undefined || commentType === 'comment' ? undefined : commentType !== 'reply';
  if (byType !== undefined && isInternal !== undefined && byType !== isInternal)
    throw invalid('comment.type', `A ${commentType} cannot have is_internal: ${isInternal}.`, [
      { path: 'comment_type', message: 'contradicts is_internal' },
    ]);
  return byType ?? isInternal ?? false;
}

function checkedAudience(ctx: Ctx, isInternal: boolean): Audience {
  if (isInternal && !may(ctx.actor, 'ticket.note'))
    throw forbidden('comment.internal', 'Only agents write internal notes.');
  if (!may(ctx.actor, 'ticket.reply'))
    throw forbidden('comment.create', 'You may not write comments with this key.');
  return isInternal ? 'internal' : 'public';
}

const isAsking = (ctx: Ctx, ticket: Ticket): boolean =>
  ctx.actor.kind !== 'system' && (ctx.actor.role === 'customer' || isRequester(ctx.actor, ticket));

type Words = Pick<NewComment, 'content' | 'origin' | 'version' | 'attachments' | 'silent' | 'automatic'>;

/** The draft of a comment and what always follows from one: counts, the first response, watchers by mention. */
export function spoken(
  ctx: Ctx,
  ticket: Ticket,
  {
    id,
    audience,
    content: text,
    origin,
    version,
    attachments,
    silent,
    automatic,
  }: Words & { id: string; audience: Audience },
  called: readonly string[] = [],
): TicketDraft {
  const set: Partial<Ticket> = {};
  if (audience === 'public') {
    Object.assign(set, { replies: ticket.replies + 1, lastReplyAt: ctx.now() });
    const answers = ctx.actor.kind === 'user' && !isAsking(ctx, ticket);
    if (answers && ticket.firstRespondedAt === null) set.firstRespondedAt = ctx.now();
    if (isAsking(ctx, ticket) && ticket.snoozedUntil) set.snoozedUntil = null;
  }
  const joining = atLeast(ctx.actor.role, 'agent')
    ? called.filter((one) => !ticket.watchers.includes(one))
    : [];
  if (joining.length) set.watchers = [...ticket.watchers, ...joining];
  const facts = {
    ...(called.length ? { mentions: [...called] } : {}),
    ...(automatic ? { automatic } : {}),
  };
  return {
    action: 'comment_added',
    set,
    comment: {
      id,
      audience,
      text,
      ...(attachments?.length ? { attachments } : {}),
      ...(origin ? { origin } : {}),
      ...(version ? { version } : {}),
    },
    ...(Object.keys(facts).length ? { facts } : {}),
    ...(silent ? { silent } : {}),
  };
}

async function calledBy(ctx: Ctx, text: string): Promise<string[]> {
  const names = namesCalled(text);
  return names.length ? calledMembers(ctx.actor.company, names) : [];
}

/** The actor's own view of a thread: notes only for those who may read them. */
export async function threadFor(ctx: Ctx, stored: StoredTicket): Promise<Comment[]> {
  const withNotes = maySeeNotes(ctx.actor);
  return threadOf(await spokenOn(stored)).filter(
    (comment) => comment.movedTo === null && (withNotes || comment.audience === 'public'),
  );
}

export async function comments(ctx: Ctx, ref: string): Promise<{ ticket: Ticket; thread: Comment[] }> {
  const ticket = await load(ctx, ref);
  return { ticket, thread: await threadFor(ctx, ticket) };
}

/** A comment and the ticket it stands on now, wherever it was carried since. */
export async function placedComment(ctx: Ctx, id: string): Promise<Placed> {
  let at = ticketOfComment(id);
  for (let step = 0; at && step < 20; step++) {
    const ticket = await loadFor(ctx, at);
    const comment = threadOf(await spokenOn(ticket)).find((one) => one.id === id);
    if (!comment) break;
    if (comment.movedTo === null) {
      if (comment.audience === 'internal' && !maySeeNotes(ctx.actor)) break;
      return { ticket, comment };
    }
    at = comment.movedTo;
  }
  throw unknown('comment');
}

async function loadFor(ctx: Ctx, ticket: string): Promise<StoredTicket> {
  try {
    return await load(ctx, ticket);
  } catch (error) {
    throw error instanceof Refusal && error.kind === 'unknown' ? unknown('comment') : error;
  }
}

const isAuthor = (ctx: Ctx, { author }: Comment): boolean =>
  author.id === ctx.actor.id && author.kind === ctx.actor.kind;

export async function editComment(
  ctx: Ctx,
  id: string,
  given: z.output<typeof editInput> & { version?: string },
): Promise<Placed> {
  const { ticket, comment } = await placedComment(ctx, id);
  if (!isAuthor(ctx, comment) && ctx.actor.kind !== 'system')
    throw forbidden('comment.edit', 'Only its author edits a comment.');
  const { version } = given;
  if (version !== undefined && version <= (comment.version ?? '')) return { ticket, comment };
  if (comment.deletedAt && !ctx.redo) throw conflict('comment.deleted', 'This comment was deleted.');
  if (given.isInternal !== undefined && given.isInternal !== (comment.audience === 'internal'))
    throw invalid('comment.audience', 'Who may read a comment is fixed when it is written.', [
      { path: 'is_internal', message: 'cannot be changed' },
    ]);
  if (comment.text === given.content) return { ticket, comment };
  const { audience } = comment;
  await change(ctx, ticket._id, () => ({
    action: 'comment_edited',
    comment: { id, audience, text: given.content, ...(version ? { version } : {}) },
  }));
  return placedComment(ctx, id);
}

/** By its author or an administrator. It leaves a mark. */
export async function removeComment(ctx: Ctx, id: string): Promise<Placed> {
  const { ticket, comment } = await placedComment(ctx, id);
  if (!isAuthor(ctx, comment) && !may(ctx.actor, 'comment.delete_any'))
    throw forbidden('comment.delete', 'Only its author or an administrator deletes a comment.');
  if (comment.deletedAt) return { ticket, comment };
  const { audience } = comment;
  await change(ctx, ticket._id, (now) => ({
    action: 'comment_deleted',
    set: audience === 'public' ? { replies: Math.max(0, now.replies - 1) } : {},
    comment: { id, audience },
  }));
  return placedComment(ctx, id);
}

/** The comment that came from there (a Slack message, a mail), if one did. */
async function idByOrigin(ctx: Ctx, origin: string): Promise<string | null> {
  const { company } = ctx.actor;
  const isIt = (entry: Entry) => entry.action === 'comment_added' && entry.comment?.origin === origin;
  const travelling = await wholeTickets(
    ticketCollection().find({
      pendingAt: { $type: 'date', $gt: new Date(0) },
      'pending.comment.origin': origin,
    }),
  );
  const entry =
    travelling
      .filter((ticket) => ticket.company === company)
      .flatMap((ticket) => ticket.pending)
      .findLast(isIt) ?? (await filedWithOrigin(company, origin));
  return entry?.comment?.id ?? null;
}

/** It reads so where it came from, in that version if there are several. Null: it never was a comment here. */
export async function editByOrigin(
  ctx: Ctx,
  origin: string,
  text: string,
  version?: string,
): Promise<Placed | null> {
  const id = await idByOrigin(ctx, origin);
  return id === null
    ? null
    : editComment(ctx, id, { content: text, ...(version === undefined ? {} : { version }) });
}

/** The message was deleted where it came from. */
export async function removeByOrigin(ctx: Ctx, origin: string): Promise<Placed | null> {
  const id = await idByOrigin(ctx, origin);
  return id === null ? null : removeComment(ctx, id);
}
