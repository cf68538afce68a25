// Tickets over HTTP.
import { z } from 'zod';
import { standingOf } from '../../src/sla/explanations.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import { assign, assignInput, create, createInput, read } from '../../src/tickets/tickets.ts';
import { type Route, route, setEtag } from './route.ts';

const byId = z.strictObject({ id: z.string().max(64) });
export const ticketShape = z
  .object({ id: z.string(), key: z.string(), title: z.string(), status: z.string() })
  .loose();

export function drawTicket({ _id, sla, ...ticket }: Ticket): Record<string, unknown> {
  return { id: _id, ...ticket, sla: standingOf(sla) };
}

export const ticketRoutes: Route[] = [
  route({
    method: 'post',
    path: '/api/v1/tickets',
    tag: 'Tickets',
    summary: 'File a ticket',
    deed: 'ticket.create',
    status: 201,
    body: createInput,
    answer: ticketShape,
    run: async ({ ctx, body, res }) => {
      const ticket = await create(ctx, body);
      setEtag(res, ticket.seq);
      return drawTicket(ticket);
    },
  }),
  route({
    method: 'get',
    path: '/api/v1/tickets/{id}',
    tag: 'Tickets',
    summary: 'Read a ticket',
    deed: 'ticket.read',
    params: byId,
    answer: ticketShape,
    run: async ({ ctx, params, res }) => {
      const ticket = await read(ctx, params.id);
      setEtag(res, ticket.seq);
      return drawTicket(ticket);
    },
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
    run: async ({ ctx, params, body, seen, res }) => {
      const ticket = await assign(ctx, params.id, body, seen);
      setEtag(res, ticket.seq);
      return drawTicket(ticket);
    },
  }),
];
