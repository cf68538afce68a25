// Reading one ticket over HTTP, with as much around it as was asked for, and what happened to it.
import { z } from 'zod';
import type { Ctx } from '../../src/context.ts';
import { attachmentsOf } from '../../src/files/attachments.ts';
import { pageOf } from '../../src/lists.ts';
import { maySeeNotes } from '../../src/people/access.ts';
import { member } from '../../src/people/members.ts';
import { threadFor } from '../../src/tickets/comments.ts';
import { load } from '../../src/tickets/find.ts';
import { entryInput, writeDown } from '../../src/tickets/log.ts';
import { eventShape, story, storyFor, storyInput } from '../../src/tickets/story.ts';
import { versionFor } from '../../src/tickets/ticket.ts';
import { metricsOf, metricsShape, ticketShape } from '../../src/tickets/view.ts';
import { attachmentShape, drawAttachment } from './attachments.ts';
import { commentShape, drawComments } from './comments.ts';
import { type Route, route, setEtag } from './route.ts';
import { answered, byId } from './tickets.ts';

const INCLUDES = ['comments', 'attachments', 'history', 'metrics'] as const;
type Part = (typeof INCLUDES)[number];
const include = z
  .union([z.string().max(200), z.array(z.string().max(60)).max(10)])
  .transform((given) => [given].flat().flatMap((one) => one.toLowerCase().split(',')))
  .pipe(z.array(z.enum(INCLUDES)))
  .meta({ description: `Any of ${INCLUDES.join(', ')}, repeated or with commas.` });

const assigneeShape = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string().nullable().meta({ description: 'Agents only.' }),
});

async function assigneeOf({ actor }: Ctx, id: string | null): Promise<z.output<typeof assigneeShape> | null> {
  const user = id === null ? null : await member(id);
  if (!user) return null;
  const isAgent = maySeeNotes(actor);
  return {
    id: user.id,
    name: user.fullName ?? (isAgent ? user.username : 'Agent'),
    email: isAgent ? user.email : null,
  };
}

export const readingRoutes: Route[] = [
  route({
    method: 'get',
    path: '/api/v1/tickets/{id}',
    tag: 'Tickets',
    summary: 'Read a ticket',
    description: 'The key of a ticket that was merged leads to the one it became part of.',
    deed: 'ticket.read',
    params: byId,
    query: z.strictObject({ include: include.optional() }),
    answer: ticketShape
      .extend({
        assignee: assigneeShape.nullable(),
        comments: z.array(commentShape).optional(),
        attachments: z.array(attachmentShape).optional(),
        history: z.array(eventShape).optional(),
        metrics: metricsShape.optional(),
      })
      .meta({ id: 'TicketInFull' }),
    run: async (call) => {
      const { ctx, params, query } = call;
      const ticket = await load(ctx, params.id);
      const has = (part: Part) => query.include?.includes(part);
      const [view, assignee, thread, attachments, history] = await Promise.all([
        answered(call, ticket),
        assigneeOf(ctx, ticket.assignee),
        has('comments') ? threadFor(ctx, ticket) : null,
        has('attachments') ? attachmentsOf(ctx, ticket._id) : null,
        has('history') ? storyFor(ctx, ticket) : null,
      ]);
      return {
        ...view,
        assignee,
        ...(thread ? { comments: await drawComments(ticket, thread) } : {}),
        ...(attachments ? { attachments: attachments.map(drawAttachment) } : {}),
        ...(history ? { history } : {}),
        ...(has('metrics') ? { metrics: metricsOf(ticket, ctx.now()) } : {}),
      };
    },
  }),
  route({
    method: 'get',
    path: '/api/v1/tickets/{id}/history',
    tag: 'Tickets',
    summary: 'What happened to a ticket',
    deed: 'ticket.read',
    params: byId,
    query: storyInput,
    answer: pageOf(eventShape),
    run: ({ ctx, params, query }) => story(ctx, params.id, query),
  }),
  route({
    method: 'post',
    path: '/api/v1/tickets/{id}/history',
    tag: 'Tickets',
    summary: 'Write down what happened elsewhere',
    description:
      'An entry of its own (`update`, with the notes) that changes nothing. Customers do not see it.',
    deed: 'ticket.note',
    status: 201,
    params: byId,
    body: entryInput,
    answer: eventShape,
    refuses: [412],
    run: async ({ ctx, params, body, seen, res }) => {
      const { ticket, event } = await writeDown(ctx, params.id, body, seen);
      setEtag(res, versionFor(ctx.actor, ticket));
      return event;
    },
  }),
];
