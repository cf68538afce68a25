// Tickets over HTTP: filing them, changing what they say, who works on them.
import { z } from 'zod';
import type { Ctx } from '../../src/context.ts';
import { desksOf } from '../../src/desks/desks.ts';
import { attachAll } from '../../src/files/attachments.ts';
import { assign, assignInput, claim, release } from '../../src/tickets/assigning.ts';
import { patch, patchInput, putInput, replace } from '../../src/tickets/editing.ts';
import { type Ticket, versionFor } from '../../src/tickets/ticket.ts';
import { create, createInput, remove } from '../../src/tickets/tickets.ts';
import { type TicketView, ticketShape, viewOf } from '../../src/tickets/view.ts';
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
  setEtag(res, versionFor(ctx.actor, ticket));
  return drawTicket(ctx, ticket);
}

export const ticketRoutes: Route[] = [
  route({
    method: 'post',
    path: '/api/v1/tickets',
    tag: 'Tickets',
    summary: 'File a ticket',
    deed: 'ticket.create',
    bulk: true,
    status: 201,
    body: createInput,
    form: {
      files: 'attachments',
      numbers: ['estimated_hours'],
      booleans: ['private'],
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
];
