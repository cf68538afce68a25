// Identities over HTTP: which accounts elsewhere are linked to a user, and linking one by a one-time code.
import { z } from 'zod';
import {
  confirmLinkOfUser,
  identitiesOf,
  identityShape,
  startLinkOfUser,
  unlink,
} from '../../src/people/identities.ts';
import { readUser } from '../../src/people/users.ts';
import { byId, byIdAnd } from './params.ts';
import { type Route, route } from './route.ts';

const tag = 'Identities';
const mine = '/api/v1/users/me/identities';
const theirs = '/api/v1/users/{id}/identities';
const identityList = z.object({ items: z.array(identityShape) });

export const identityRoutes: Route[] = [
  route({
    method: 'get',
    path: mine,
    tag,
    summary: 'The accounts elsewhere that are mine',
    deed: 'self.read',
    answer: identityList,
    run: async ({ ctx }) => ({ items: await identitiesOf(ctx, ctx.actor.id) }),
  }),
  route({
    method: 'post',
    path: mine,
    tag,
    summary: 'Link an account elsewhere',
    description:
      'Without `code`: answers a code to be said in the chat (`/ticket link CODE`). With the `code` that the chat gave ' +
      '(`/ticket link`): links that account. A code is good once, for ten minutes.',
    deed: 'self.manage',
    status: 201,
    secret: true,
    body: z.strictObject({ code: z.string().min(1).max(40).optional() }),
    answer: z.object({
      code: z.string().nullable(),
      expiresAt: z.date().nullable(),
      identity: identityShape.nullable(),
    }),
    refuses: [429],
    run: async ({ ctx, body }) =>
      body.code === undefined
        ? { ...(await startLinkOfUser(ctx)), identity: null }
        : { code: null, expiresAt: null, identity: await confirmLinkOfUser(ctx, body.code) },
  }),
  route({
    method: 'delete',
    path: `${mine}/{id}`,
    tag,
    summary: 'Undo a link, for good',
    deed: 'self.manage',
    params: byId,
    run: ({ ctx, params }) => unlink(ctx, ctx.actor.id, params.id),
  }),
  route({
    method: 'get',
    path: theirs,
    tag,
    summary: "A user's accounts elsewhere",
    deed: 'people.manage',
    params: byId,
    answer: identityList,
    run: async ({ ctx, params }) => ({
      items: await identitiesOf(ctx, (await readUser(ctx, params.id)).id),
    }),
  }),
  route({
    method: 'delete',
    path: `${theirs}/{identity_id}`,
    tag,
    summary: "Undo a user's link, for good",
    deed: 'people.manage',
    params: byIdAnd('identityId'),
    run: ({ ctx, params }) => unlink(ctx, params.id, params.identityId),
  }),
];
