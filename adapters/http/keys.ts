// API keys over HTTP.

import { z } from 'zod';
import { pageOf } from '../../src/lists.ts';
import { keyInput, keyQuery, keyShape, keys, makeKey, readKey, revokeKey } from '../../src/people/keys.ts';
import { byId } from './params.ts';
import { type Route, route } from './route.ts';

const tag = 'API keys';
const at = '/api/v1/api-keys';

export const keyRoutes: Route[] = [
  route({
    method: 'get',
    path: at,
    tag,
    summary: 'API keys: the own ones; for administrators, all of the company',
    deed: 'key.manage',
    query: keyQuery,
    answer: pageOf(keyShape),
    run: ({ ctx, query }) => keys(ctx, query),
  }),
  route({
    method: 'post',
    path: at,
    tag,
    summary: 'Make an API key',
    description: 'The key itself is shown in this answer and never again.',
    deed: 'key.manage',
    status: 201,
    secret: true,
    body: keyInput,
    answer: keyShape.extend({ key: z.string().meta({ example: 'sb_0192...' }) }),
    refuses: [403],
    run: ({ ctx, body }) => makeKey(ctx, body),
  }),
  route({
    method: 'get',
    path: `${at}/{id}`,
    tag,
    summary: 'An API key, without its secret',
    deed: 'key.manage',
    params: byId,
    answer: keyShape,
    run: ({ ctx, params }) => readKey(ctx, params.id),
  }),
  route({
    method: 'delete',
    path: `${at}/{id}`,
    tag,
    summary: 'Revoke an API key, at once',
    deed: 'key.manage',
    params: byId,
    run: ({ ctx, params }) => revokeKey(ctx, params.id),
  }),
];
