// Lists of tickets over HTTP: filtered, ordered, paged; and the numbers over them.
import { z } from 'zod';
import type { Ctx } from '../../src/context.ts';
import { pageOf } from '../../src/lists.ts';
import { type ListInput, list, listInput, statistics } from '../../src/tickets/lists.ts';
import { similar } from '../../src/tickets/similar.ts';
import { ticketShape } from '../../src/tickets/view.ts';
import { type Route, route } from './route.ts';
import { byId, drawTickets } from './tickets.ts';

const answer = pageOf(ticketShape);

async function page(ctx: Ctx, query: ListInput) {
  const found = await list(ctx, query);
  return { ...found, items: await drawTickets(ctx, found.items) };
}

const preset = (path: string, summary: string, more: Partial<ListInput>) =>
  route({
    method: 'get',
    path: `/api/v1/tickets/${path}`,
    tag: 'Tickets',
    summary,
    deed: 'ticket.read',
    query: listInput,
    answer,
    run: ({ ctx, query }) => page(ctx, { ...query, ...more }),
  });

const counts = z.record(z.string(), z.int());

export const listRoutes: Route[] = [
  route({
    method: 'get',
    path: '/api/v1/tickets',
    tag: 'Tickets',
    summary: 'List tickets',
    description:
      'Repeated keys are alternatives, different keys narrow further. With `q`, the best matches come first unless `sort_by` says otherwise, and `total` counts no further than 1000; where its words are in very many tickets and seldom together, a page may hold fewer than asked for, or none, and `next_cursor` goes on.',
    deed: 'ticket.read',
    query: listInput,
    answer,
    run: ({ ctx, query }) => page(ctx, query),
  }),
  preset('my', 'Tickets of mine: assigned to me, or, for a customer, asked by me', { my: true }),
  preset('unassigned', 'Tickets that nobody has taken', { unassigned: true }),
  preset('overdue', 'Open tickets whose due date has passed', { overdue: true }),
  route({
    method: 'get',
    path: '/api/v1/tickets/statistics',
    tag: 'Tickets',
    summary: 'Numbers over the tickets that one may see',
    deed: 'ticket.read',
    answer: z.object({
      totalTickets: z.int(),
      byStatus: counts,
      byPriority: counts,
      byCategory: counts,
      overdueCount: z.int(),
      unassignedCount: z.int(),
      myTicketsCount: z.int(),
      avgResolutionTimeHours: z.number().nullable(),
    }),
    run: ({ ctx }) => statistics(ctx),
  }),
  route({
    method: 'get',
    path: '/api/v1/tickets/{id}/similar',
    tag: 'Tickets',
    summary: 'Tickets that speak of the same',
    deed: 'ticket.read',
    params: byId,
    answer: z.object({
      items: z.array(z.object({ ticket: ticketShape, score: z.number() })),
      total: z.int(),
    }),
    run: async ({ ctx, params }) => {
      const found = await similar(ctx, params.id);
      const drawn = await drawTickets(
        ctx,
        found.map((one) => one.ticket),
      );
      const items = drawn.map((ticket, at) => ({ ticket, score: found[at]?.score ?? 0 }));
      return { items, total: items.length };
    },
  }),
];
