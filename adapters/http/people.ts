// Users, and what belongs to oneself, over HTTP.
import { z } from 'zod';
import { pageOf } from '../../src/lists.ts';
import { userShape } from '../../src/people/user.ts';
import {
  addUser,
  changeUser,
  readUser,
  removeUser,
  selfChange,
  setActive,
  userChange,
  userInput,
  userQuery,
  users,
} from '../../src/people/users.ts';
import { byId } from './params.ts';
import { type Route, route } from './route.ts';

const tag = 'Users';
const at = '/api/v1/users';

export const peopleRoutes: Route[] = [
  route({
    method: 'get',
    path: at,
    tag,
    summary: 'The users of the company',
    deed: 'people.read',
    query: userQuery,
    answer: pageOf(userShape),
    run: ({ ctx, query }) => users(ctx, query),
  }),
  route({
    method: 'post',
    path: at,
    tag,
    summary: 'Add a user',
    deed: 'people.manage',
    status: 201,
    body: userInput,
    answer: userShape,
    refuses: [409],
    run: ({ ctx, body }) => addUser(ctx, body),
  }),
  route({
    method: 'get',
    path: `${at}/me`,
    tag,
    summary: 'The own account',
    deed: 'self.read',
    answer: userShape,
    run: ({ ctx }) => readUser(ctx, ctx.actor.id),
  }),
  route({
    method: 'patch',
    path: `${at}/me`,
    tag,
    summary: 'Change the own account',
    description: 'A new password ends all sessions, this one included.',
    deed: 'self.manage',
    body: selfChange,
    answer: userShape,
    refuses: [409, 429],
    run: ({ ctx, body }) => changeUser(ctx, ctx.actor.id, body),
  }),
  route({
    method: 'delete',
    path: `${at}/me`,
    tag,
    summary: 'Delete the own account',
    deed: 'self.manage',
    refuses: [409],
    run: ({ ctx }) => removeUser(ctx, ctx.actor.id),
  }),
  route({
    method: 'get',
    path: `${at}/{id}`,
    tag,
    summary: 'A user',
    deed: 'self.read',
    params: byId,
    answer: userShape,
    run: ({ ctx, params }) => readUser(ctx, params.id),
  }),
  ...(['put', 'patch'] as const).map((method) =>
    route({
      method,
      path: `${at}/{id}`,
      tag,
      summary: 'Change a user',
      description: 'What is left out stays. Role, teams, skills and activity are for administrators.',
      deed: 'self.manage',
      params: byId,
      body: userChange,
      answer: userShape,
      refuses: [403, 409, 429],
      run: ({ ctx, params, body }) => changeUser(ctx, params.id, body),
    }),
  ),
  route({
    method: 'delete',
    path: `${at}/{id}`,
    tag,
    summary: 'Remove a user',
    description: 'What the person did stays in the history of the tickets.',
    deed: 'people.manage',
    params: byId,
    refuses: [409],
    run: ({ ctx, params }) => removeUser(ctx, params.id),
  }),
  ...([true, false] as const).map((active) =>
    route({
      method: 'post',
      path: `${at}/{id}/${active ? 'activate' : 'deactivate'}`,
      tag,
      summary: active ? 'Let a user sign in again' : 'Close an account: at once, everywhere',
      deed: 'people.manage',
      params: byId,
      body: z.strictObject({}),
      answer: userShape,
      refuses: [409],
      run: ({ ctx, params }) => setActive(ctx, params.id, active),
    }),
  ),
];
