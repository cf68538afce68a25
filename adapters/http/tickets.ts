// Tickets over HTTP: filing, reading, changing what they say, who works on them.
import { z } from 'zod';
import type { Ctx } from '../../src/context.ts';
import { desksOf } from '../../src/desks/desks.ts';
import { attachAll } from '../../src/files/attachments.ts';
import { pageOf } from '../../src/lists.ts';
import { assign, assignInput, claim, release } from '../../src/tickets/assigning.ts';
import { threadFor } from '../../src/tickets/comments.ts';
import { patch, patchInput, putInput, replace } from '../../src/tickets/editing.ts';
import { load } from '../../src/tickets/find.ts';
import { eventShape, story, storyFor, storyInput } from '../../src/tickets/story.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import { create, createInput, remove } from '../../src/tickets/tickets.ts';
import { metricsOf, metricsShape, type TicketView, ticketShape, viewOf } from '../../src/tickets/view.ts';
import { commentShape, drawComment } from './comments.ts';
import { type Call, type Route, route, setEtag } from './route.ts';

export const byId = z.strictObject({
  id: z.string().max(64).meta({ description: 'Id or key.', example: 'TKT-000042' }),
});

export async function drawTickets(ctx: Ctx, tickets: readonly Ticket[]): Promise<TicketView[]> {
  const desks = tickets.length ? await desksOf(ctx.actor.company) : [];
  const now = ctx.now();
  return tickets.map((ticket) =>
    viewOf(
      ctx.actor,
      ticket,
      desks.find((desk) => desk.id === ticket.desk),
      now,
    ),
  );
}

export async function drawTicket(ctx: Ctx, ticket: Ticket): Promise<TicketView> {
  const [view] = await drawTickets(ctx, [ticket]);
  return view as TicketView;
}

/** The answer of every verb that changes a ticket: the ticket, and its version as the ETag. */
export async function answered(
  { ctx, res }: Pick<Call<unknown, unknown, unknown>, 'ctx' | 'res'>,
  ticket: Ticket,
): Promise<TicketView> {
  setEtag(res, ticket.seq);
  return drawTicket(ctx, ticket);
}

const INCLUDES = ['comments', 'attachments', 'history', 'metrics'] as const;
const include = z
  .union([z.string().max(200), z.array(z.string().max(60)).max(10)])
  .transform((given) => [given].flat().flatMap((one) => one.toLowerCase().split(',')))
  .pipe(z.array(z.enum(INCLUDES)))
  .meta({ description: `Any of ${INCLUDES.join(', ')}, repeated or with commas.` });

export const ticketRoutes: Route[] = [
  route({
    method: 'post',
    path: '/api/v1/tickets',
    tag: 'Tickets',
    summary: 'File a ticket',
    deed: 'ticket.create',
    status: 201,
    body: createInput,
    form: {
      files: 'attachments',
      numbers: ['estimated_hours'],
      lists: ['tags'],
      objects: ['custom_fields'],
    },
    answer: ticketShape,
    run: async (call) => {
      const filed = await create(call.ctx, call.body);
      return answered(call, call.kept.length ? await attachAll(call.ctx, filed, call.kept) : filed);
    },
  }),
  route({
    method: 'get',
    path: '/api/v1/tickets/{id}',
    tag: 'Tickets',
    summary: 'Read a ticket',
    description: 'The key of a ticket that was merged leads to the one it became part of.',
    deed: 'ticket.read',
    params: byId,
    query: z.strictObject({ include: include.optional() }),
    answer: ticketShape.extend({
      comments: z.array(commentShape).optional(),
      history: z.array(eventShape).optional(),
      metrics: metricsShape.optional(),
    }),
    run: async (call) => {
      const { ctx, params, query } = call;
      const ticket = await load(ctx, params.id);
      const has = (part: (typeof INCLUDES)[number]) => query.include?.includes(part);
      const thread = has('comments') ? await threadFor(ctx, ticket) : [];
      return {
        ...(await answered(call, ticket)),
        ...(has('comments') ? { comments: thread.map((one) => drawComment(ticket, one)) } : {}),
        ...(has('history') ? { history: await storyFor(ctx, ticket) } : {}),
        ...(has('metrics') ? { metrics: metricsOf(ticket, ctx.now()) } : {}),
      };
    },
  }),
  route({
    method: 'put',
    path: '/api/v1/tickets/{id}',
    tag: 'Tickets',
    summary: 'Say anew all that describes a ticket',
    description:
      'What is left out goes back to its beginning; priority, status, assignment and requester stay unless they are given.',
    deed: 'ticket.edit_own',
    params: byId,
    body: putInput,
    answer: ticketShape,
    refuses: [409, 412],
    run: async (call) => answered(call, await replace(call.ctx, call.params.id, call.body, call.seen)),
  }),
  route({
    method: 'patch',
    path: '/api/v1/tickets/{id}',
    tag: 'Tickets',
    summary: 'Change what is given',
    deed: 'ticket.edit_own',
    params: byId,
    body: patchInput,
    answer: ticketShape,
    refuses: [409, 412],
    run: async (call) => answered(call, await patch(call.ctx, call.params.id, call.body, call.seen)),
  }),
  route({
    method: 'delete',
    path: '/api/v1/tickets/{id}',
    tag: 'Tickets',
    summary: 'Delete a ticket',
    deed: 'ticket.delete',
    params: byId,
    refuses: [412],
    run: ({ ctx, params, seen }) => remove(ctx, params.id, seen),
  }),
  route({
    method: 'put',
    path: '/api/v1/tickets/{id}/assign',
    tag: 'Tickets',
    summary: 'Assign to a person or team',
    deed: 'ticket.take',
    params: byId,
    body: assignInput,
    answer: ticketShape,
    refuses: [409, 412],
    run: async (call) => answered(call, await assign(call.ctx, call.params.id, call.body, call.seen)),
  }),
  route({
    method: 'post',
    path: '/api/v1/tickets/{id}/claim',
    tag: 'Tickets',
    summary: 'Take a ticket that nobody has',
    description: 'However many try at once, one gets it; the others are told who and when (409).',
    deed: 'ticket.take',
    params: byId,
    answer: ticketShape,
    refuses: [409, 412],
    run: async (call) => answered(call, await claim(call.ctx, call.params.id, call.seen)),
  }),
  route({
    method: 'post',
    path: '/api/v1/tickets/{id}/release',
    tag: 'Tickets',
    summary: 'Put a ticket back',
    deed: 'ticket.take',
    params: byId,
    answer: ticketShape,
    refuses: [409, 412],
    run: async (call) => answered(call, await release(call.ctx, call.params.id, call.seen)),
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
];
