// Comments over HTTP: Markdown in; the Markdown and safe HTML out.
import { z } from 'zod';
import { VIAS } from '../../src/context.ts';
import { pageOf, pageQuery, yesOrNo } from '../../src/lists.ts';
import { maySeeNotes } from '../../src/people/access.ts';
import { member } from '../../src/people/members.ts';
import {
  addComment,
  commentInput,
  comments,
  editComment,
  editInput,
  placedComment,
  removeComment,
} from '../../src/tickets/comments.ts';
import { toHtml } from '../../src/tickets/markdown.ts';
import { pageOver } from '../../src/tickets/story.ts';
import type { Comment } from '../../src/tickets/threads.ts';
import { versionFor } from '../../src/tickets/ticket.ts';
import { type Route, route, setEtag } from './route.ts';

const person = z.object({ kind: z.enum(['user', 'contact', 'system']), id: z.string(), name: z.string() });

export const commentShape = z
  .object({
    id: z.string(),
    ticketId: z.string(),
    ticketKey: z.string(),
    author: person,
    authorId: z.string(),
    authorRole: z.enum(['customer', 'agent', 'system']).meta({ description: 'From which side it comes.' }),
    content: z.string().nullable().meta({ description: 'Markdown; null once deleted.' }),
    html: z.string().nullable(),
    isInternal: z.boolean(),
    commentType: z.enum(['reply', 'note']),
    attachments: z.array(z.string()).meta({ description: 'Ids of attachments.' }),
    mentions: z.array(z.string()).meta({ description: 'Ids of the agents it calls.' }),
    via: z.enum(VIAS),
    edited: z.boolean(),
    deleted: z.boolean(),
    createdAt: z.date(),
    updatedAt: z.date(),
  })
  .meta({ id: 'Comment' });

type Shown = z.output<typeof commentShape>;

/** Somebody who writes in, or asks as a customer, is one; everybody else who signs in is the desk's own. */
async function sideOf({ kind, id }: Comment['author']): Promise<Shown['authorRole']> {
  if (kind === 'system') return 'system';
  const user = kind === 'user' ? await member(id) : null;
  return user && user.role !== 'customer' ? 'agent' : 'customer';
}

export const drawComments = (
  ticket: { _id: string; key: string },
  thread: readonly Comment[],
): Promise<Shown[]> => Promise.all(thread.map((one) => drawComment(ticket, one)));

export async function drawComment(ticket: { _id: string; key: string }, comment: Comment): Promise<Shown> {
  const { id, author, audience, text, via, createdAt, updatedAt, deletedAt } = comment;
  const gone = deletedAt !== null;
  return {
    id,
    ticketId: ticket._id,
    ticketKey: ticket.key,
    author: { kind: author.kind, id: author.id, name: author.name },
    authorId: author.id,
    authorRole: await sideOf(author),
    content: gone ? null : text,
    html: gone ? null : toHtml(text),
    isInternal: audience === 'internal',
    commentType: audience === 'internal' ? 'note' : 'reply',
    attachments: gone ? [] : comment.attachments,
    mentions: gone ? [] : comment.mentions,
    via,
    edited: comment.revisions.length > 1,
    deleted: gone,
    createdAt,
    updatedAt,
  };
}

const revisionShape = z
  .object({ content: z.string(), html: z.string(), at: z.date(), author: person })
  .meta({ id: 'Revision' });

const ofTicket = z.strictObject({ id: z.string().max(64) });
const ofComment = z.strictObject({ id: z.string().max(64) });

export const commentRoutes: Route[] = [
  route({
    method: 'get',
    path: '/api/v1/tickets/{id}/comments',
    tag: 'Comments',
    summary: 'The thread of a ticket',
    description: 'Customers read the public replies only.',
    deed: 'ticket.read',
    params: ofTicket,
    query: z.strictObject({
      ...pageQuery,
      isInternal: yesOrNo.optional(),
      order: z.enum(['asc', 'desc']).default('asc'),
    }),
    answer: pageOf(commentShape),
    run: async ({ ctx, params, query }) => {
      const { ticket, thread } = await comments(ctx, params.id);
      const wanted = thread.filter(
        ({ audience }) => query.isInternal === undefined || query.isInternal === (audience === 'internal'),
      );
      if (query.order === 'desc') wanted.reverse();
      const page = pageOver(wanted, query);
      return { ...page, items: await drawComments(ticket, page.items) };
    },
  }),
  route({
    method: 'post',
    path: '/api/v1/tickets/{id}/comments',
    tag: 'Comments',
    summary: 'Reply, or write an internal note',
    description: 'A reply by the requester reopens a resolved ticket, and moves a pending one on.',
    deed: 'ticket.reply',
    status: 201,
    params: ofTicket,
    body: commentInput,
    answer: commentShape,
    refuses: [409, 412],
    run: async ({ ctx, params, body, seen, res }) => {
      const { ticket, comment } = await addComment(ctx, params.id, body, seen);
      setEtag(res, versionFor(ctx.actor, ticket));
      return drawComment(ticket, comment);
    },
  }),
  route({
    method: 'get',
    path: '/api/v1/comments/{id}',
    tag: 'Comments',
    summary: 'Read a comment',
    deed: 'ticket.read',
    params: ofComment,
    answer: commentShape,
    run: async ({ ctx, params }) => {
      const { ticket, comment } = await placedComment(ctx, params.id);
      return drawComment(ticket, comment);
    },
  }),
  route({
    method: 'get',
    path: '/api/v1/comments/{id}/revisions',
    tag: 'Comments',
    summary: 'All that a comment ever said',
    description: 'For agents. Others read how it reads now, and nothing of what was deleted.',
    deed: 'ticket.read',
    params: ofComment,
    answer: z.object({ items: z.array(revisionShape), total: z.int() }),
    run: async ({ ctx, params }) => {
      const { comment } = await placedComment(ctx, params.id);
      const present = comment.deletedAt ? [] : comment.revisions.slice(-1);
      const shown = maySeeNotes(ctx.actor) ? comment.revisions : present;
      const items = shown.map(({ text, at, by }) => ({
        content: text,
        html: toHtml(text),
        at,
        author: { kind: by.kind, id: by.id, name: by.name },
      }));
      return { items, total: items.length };
    },
  }),
  route({
    method: 'put',
    path: '/api/v1/comments/{id}',
    tag: 'Comments',
    summary: 'Correct a comment of oneself',
    deed: 'ticket.reply',
    params: ofComment,
    body: editInput,
    answer: commentShape,
    refuses: [409],
    run: async ({ ctx, params, body }) => {
      const { ticket, comment } = await editComment(ctx, params.id, body);
      return drawComment(ticket, comment);
    },
  }),
  route({
    method: 'delete',
    path: '/api/v1/comments/{id}',
    tag: 'Comments',
    summary: 'Delete a comment: its author, or an administrator',
    deed: 'ticket.reply',
    params: ofComment,
    run: async ({ ctx, params }) => {
      await removeComment(ctx, params.id);
    },
  }),
];
