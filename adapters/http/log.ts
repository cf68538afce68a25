// What happened and what was said across all tickets, over HTTP.
import { z } from 'zod';
import { pageOf } from '../../src/lists.ts';
import { commentsQuery, happening, happenings, logQuery, said } from '../../src/tickets/log.ts';
import { eventShape } from '../../src/tickets/story.ts';
import { commentShape, drawComment } from './comments.ts';
import { type Route, route } from './route.ts';

export const logRoutes: Route[] = [
  route({
    method: 'get',
    path: '/api/v1/history',
    tag: 'History',
    summary: 'What happened on all tickets, newest first',
    description: '`total` counts no further than 10000. The newest changes may take a moment to appear here.',
    deed: 'ticket.note',
    query: logQuery,
    answer: pageOf(eventShape),
    run: ({ ctx, query }) => happenings(ctx, query),
  }),
  route({
    method: 'get',
    path: '/api/v1/history/{id}',
    tag: 'History',
    summary: 'One entry of a history',
    deed: 'ticket.read',
    params: z.strictObject({ id: z.string().max(64) }),
    answer: eventShape,
    run: ({ ctx, params }) => happening(ctx, params.id),
  }),
  route({
    method: 'get',
    path: '/api/v1/comments',
    tag: 'Comments',
    summary: 'Comments of all tickets, newest first',
    description:
      '`total` counts no further than 10000. The newest comments may take a moment to appear here.',
    deed: 'ticket.note',
    query: commentsQuery,
    answer: pageOf(commentShape),
    run: async ({ ctx, query }) => {
      const page = await said(ctx, query);
      const drawn = page.items.map(({ ticket, comment }) => drawComment(ticket, comment));
      return { ...page, items: await Promise.all(drawn) };
    },
  }),
];
