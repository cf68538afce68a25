// Notifications and what people want to hear, over HTTP.
import { z } from 'zod';
import { pageOf } from '../../src/lists.ts';
import { choosePreferences, preferencesShape, readPreferences } from '../../src/notify/choices.ts';
import {
  markAllRead,
  markRead,
  notificationQuery,
  notificationShape,
  notifications,
} from '../../src/notify/notifications.ts';
import { preferencesInput } from '../../src/notify/preferences.ts';
import { unsubscribe } from '../../src/notify/unsubscribing.ts';
import { type Route, route } from './route.ts';

const tag = 'Notifications';
const byId = z.strictObject({ id: z.string().max(64) });
const byToken = z.strictObject({ token: z.string().max(120) });

const page = (body: string) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Notifications</title></head><body style="font-family:sans-serif">${body}</body></html>`;

export const notificationRoutes: Route[] = [
  route({
    method: 'get',
    path: '/api/v1/notifications',
    tag,
    summary: 'What you should know, newest first',
    deed: 'self.read',
    query: notificationQuery,
    answer: pageOf(notificationShape).extend({ unread: z.int() }),
    run: ({ ctx, query }) => notifications(ctx, query),
  }),
  route({
    method: 'post',
    path: '/api/v1/notifications/{id}/read',
    tag,
    summary: 'Mark one as read, everywhere',
    deed: 'self.manage',
    params: byId,
    answer: notificationShape,
    run: ({ ctx, params }) => markRead(ctx, params.id),
  }),
  route({
    method: 'post',
    path: '/api/v1/notifications/read-all',
    tag,
    summary: 'Mark all as read, everywhere',
    deed: 'self.manage',
    answer: z.object({ read: z.int() }),
    run: async ({ ctx }) => ({ read: await markAllRead(ctx) }),
  }),
  route({
    method: 'get',
    path: '/api/v1/notifications/preferences',
    tag,
    summary: 'What you want to hear, and by what',
    deed: 'self.read',
    answer: preferencesShape,
    run: ({ ctx }) => readPreferences(ctx),
  }),
  route({
    method: 'put',
    path: '/api/v1/notifications/preferences',
    tag,
    summary: 'Choose what you want to hear, and by what',
    description: 'Events and media that are not named stay as they are.',
    deed: 'self.manage',
    body: preferencesInput,
    answer: preferencesShape,
    run: ({ ctx, body }) => choosePreferences(ctx, body),
  }),
  route({
    method: 'get',
    path: '/api/v1/notifications/unsubscribe/{token}',
    tag,
    summary: 'The page behind the link in a mail: asks before it does anything',
    deed: 'anyone',
    params: byToken,
    produces: 'text/html',
    run: async ({ res }) => {
      res
        .type('html')
        .send(
          page('<form method="post"><p>No more notifications by mail?</p><button>Stop them</button></form>'),
        );
    },
  }),
  route({
    method: 'post',
    path: '/api/v1/notifications/unsubscribe/{token}',
    tag,
    summary: 'Stop notifications by mail (RFC 8058)',
    deed: 'anyone',
    params: byToken,
    consumes: 'application/x-www-form-urlencoded',
    produces: 'text/html',
    run: async ({ params, res }) => {
      await unsubscribe(params.token);
      res.type('html').send(page('<p>You get no more notifications by mail.</p>'));
    },
  }),
];
