// Teams and their members over HTTP.
import { z } from 'zod';
import { pageOf } from '../../src/lists.ts';
import {
  addMember,
  addTeam,
  changeTeam,
  memberQuery,
  members,
  readMember,
  readTeam,
  removeMember,
  removeTeam,
  teamChange,
  teamInput,
  teamQuery,
  teamShape,
  teams,
} from '../../src/people/teams.ts';
import { userShape } from '../../src/people/user.ts';
import { byId, byIdAnd } from './params.ts';
import { type Route, route } from './route.ts';

const tag = 'Teams';
const at = '/api/v1/teams';
const byMember = byIdAnd('userId');

export const teamRoutes: Route[] = [
  route({
    method: 'get',
    path: at,
    tag,
    summary: 'The teams of the company',
    deed: 'people.read',
    query: teamQuery,
    answer: pageOf(teamShape),
    run: ({ ctx, query }) => teams(ctx, query),
  }),
  route({
    method: 'post',
    path: at,
    tag,
    summary: 'Add a team',
    deed: 'team.manage',
    status: 201,
    body: teamInput,
    answer: teamShape,
    refuses: [409],
    run: ({ ctx, body }) => addTeam(ctx, body),
  }),
  route({
    method: 'get',
    path: `${at}/{id}`,
    tag,
    summary: 'A team',
    deed: 'people.read',
    params: byId,
    answer: teamShape,
    run: ({ ctx, params }) => readTeam(ctx, params.id),
  }),
  ...(['put', 'patch'] as const).map((method) =>
    route({
      method,
      path: `${at}/{id}`,
      tag,
      summary: 'Change a team',
      description: 'What is left out stays.',
      deed: 'team.manage',
      params: byId,
      body: teamChange,
      answer: teamShape,
      refuses: [409],
      run: ({ ctx, params, body }) => changeTeam(ctx, params.id, body),
    }),
  ),
  route({
    method: 'delete',
    path: `${at}/{id}`,
    tag,
    summary: 'Remove a team',
    deed: 'team.manage',
    params: byId,
    run: ({ ctx, params }) => removeTeam(ctx, params.id),
  }),
  ...([true, false] as const).map((active) =>
    route({
      method: 'post',
      path: `${at}/{id}/${active ? 'activate' : 'deactivate'}`,
      tag,
      summary: active ? 'Give a team work again' : 'Give a team no more work',
      deed: 'team.manage',
      params: byId,
      body: z.strictObject({}),
      answer: teamShape,
      run: ({ ctx, params }) => changeTeam(ctx, params.id, { active }),
    }),
  ),
  route({
    method: 'get',
    path: `${at}/{id}/members`,
    tag,
    summary: 'Who is in a team',
    deed: 'people.read',
    params: byId,
    query: memberQuery,
    answer: pageOf(userShape),
    run: ({ ctx, params, query }) => members(ctx, params.id, query),
  }),
  route({
    method: 'get',
    path: `${at}/{id}/members/{user_id}`,
    tag,
    summary: 'A member of a team',
    deed: 'people.read',
    params: byMember,
    answer: userShape,
    run: ({ ctx, params }) => readMember(ctx, params.id, params.userId),
  }),
  route({
    method: 'put',
    path: `${at}/{id}/members/{user_id}`,
    tag,
    summary: 'Add somebody to a team',
    deed: 'team.manage',
    params: byMember,
    body: z.strictObject({}),
    answer: userShape,
    run: ({ ctx, params }) => addMember(ctx, params.id, params.userId),
  }),
  route({
    method: 'delete',
    path: `${at}/{id}/members/{user_id}`,
    tag,
    summary: 'Take somebody out of a team',
    deed: 'team.manage',
    params: byMember,
    run: ({ ctx, params }) => removeMember(ctx, params.id, params.userId),
  }),
];
