// What became of outgoing messages, over HTTP.
import { z } from 'zod';
import { deliveriesOf, deliveryShape, retry } from '../../src/notify/receipts.ts';
import { type Route, route } from './route.ts';

const byId = z.strictObject({ id: z.string().max(64) });

export const deliveryRoutes: Route[] = [
  route({
    method: 'get',
    path: '/api/v1/tickets/{id}/deliveries',
    tag: 'Tickets',
    summary: "What became of a ticket's outgoing messages",
    deed: 'delivery.read',
    params: byId,
    answer: z.object({ items: z.array(deliveryShape), total: z.int() }),
    run: ({ ctx, params }) => deliveriesOf(ctx, params.id),
  }),
  route({
    method: 'post',
    path: '/api/v1/deliveries/{id}/retry',
    tag: 'Tickets',
    summary: 'Send a message again',
    deed: 'delivery.retry',
    params: byId,
    answer: deliveryShape,
    run: ({ ctx, params }) => retry(ctx, params.id),
  }),
];
