// Who gets the tickets over HTTP: routing rules of desks, rotas of teams, who is away, and why a ticket goes where.
import { z } from 'zod';
import { explainRouting, explanationShape, routeTicket } from '../../src/routing/explaining.ts';
import { presenceInput, presenceShape, readPresence, setPresence } from '../../src/routing/presence.ts';
import { rotaInput } from '../../src/routing/rota.ts';
import {
  dropRota,
  onCallQuery,
  onCallShape,
  readOnCall,
  readRota,
  rotaShape,
  setRota,
} from '../../src/routing/rotas.ts';
import { ruleInput } from '../../src/routing/rule.ts';
import { dropRouting, readRouting, routingShape, setRouting } from '../../src/routing/rules.ts';
import { ticketShape } from '../../src/tickets/view.ts';
import { byId } from './params.ts';
import { type Route, route } from './route.ts';
import { answered } from './tickets.ts';

const tag = 'Routing';
const desk = '/api/v1/desks/{id}/routing';
const rota = '/api/v1/teams/{id}/rota';

function presence(path: string, params: typeof byId | undefined): Route[] {
  const who = params ? 'somebody is' : 'one is';
  const id = (call: { params?: { id: string } | undefined }) => call.params?.id ?? 'me';
  const same = { path, tag, answer: presenceShape, ...(params ? { params } : {}) };
  return [
    route({
      ...same,
      method: 'get',
      summary: `Whether ${who} away, and how much they have in hand`,
      deed: 'routing.read',
      run: (call) => readPresence(call.ctx, id(call)),
    }),
    route({
      ...same,
      method: 'put',
      summary: `Say that ${who} away or back`,
      description:
        'Who is away gets no tickets. With `hand_over` those in hand go to others by the rules of their desks, once; ' +
        'of desks without a rule they go back into the queue. What is left out stays. For others, and for ' +
        '`capacity`, one must be a lead.',
      deed: 'presence.set',
      body: presenceInput,
      refuses: [403],
      run: (call) => setPresence(call.ctx, id(call), call.body),
    }),
  ];
}

export const routingRoutes: Route[] = [
  route({
    method: 'get',
    path: desk,
    tag,
    summary: 'How the tickets of a desk find somebody',
    deed: 'routing.read',
    params: byId,
    answer: routingShape,
    run: ({ ctx, params }) => readRouting(ctx, params.id),
  }),
  route({
    method: 'put',
    path: desk,
    tag,
    summary: 'Say how the tickets of a desk find somebody',
    description:
      'What waits is given out at once, strictly the oldest first; what somebody has is never taken from them, and ' +
      'what somebody put back does not come back to them for a quarter of an hour. When nobody has room it waits ' +
      'until somebody has. The history of each ticket says why it went where. What is left out takes its default. ' +
      'A rule of the desk goes before `auto_assign` of the company, which gives the tickets of all other desks to the ' +
      'team whose description fits best.',
    deed: 'routing.manage',
    params: byId,
    body: ruleInput,
    answer: routingShape,
    run: ({ ctx, params, body }) => setRouting(ctx, params.id, body),
  }),
  route({
    method: 'delete',
    path: desk,
    tag,
    summary: "Let a desk go by the company's auto_assign again",
    deed: 'routing.manage',
    params: byId,
    run: ({ ctx, params }) => dropRouting(ctx, params.id),
  }),
  route({
    method: 'get',
    path: '/api/v1/tickets/{id}/routing',
    tag,
    summary: 'Who would get a ticket now, and why',
    description: 'As if nobody had it. Writes nothing.',
    deed: 'routing.read',
    params: byId,
    answer: explanationShape,
    run: ({ ctx, params }) => explainRouting(ctx, params.id),
  }),
  route({
    method: 'post',
    path: '/api/v1/tickets/{id}/route',
    tag,
    summary: 'Give a ticket out now, ahead of those that wait',
    description: 'By the rule of its desk; 409 with the reason when that leaves it where it is.',
    deed: 'routing.manage',
    params: byId,
    body: z.strictObject({}),
    answer: ticketShape,
    refuses: [409],
    run: async (call) => answered(call, await routeTicket(call.ctx, call.params.id)),
  }),
  ...presence('/api/v1/users/me/availability', undefined),
  ...presence('/api/v1/users/{id}/availability', byId),
  route({
    method: 'get',
    path: rota,
    tag,
    summary: 'The on-call rota of a team',
    deed: 'routing.read',
    params: byId,
    answer: rotaShape,
    run: ({ ctx, params }) => readRota(ctx, params.id),
  }),
  route({
    method: 'put',
    path: rota,
    tag,
    summary: 'Set the on-call rota of a team',
    description:
      'Turns of whole local days, also when the clocks change. Who is on call is told in quiet hours too. Leads set ' +
      'the rotas of their own teams.',
    deed: 'routing.manage',
    params: byId,
    body: rotaInput,
    answer: rotaShape,
    refuses: [403],
    run: ({ ctx, params, body }) => setRota(ctx, params.id, body),
  }),
  route({
    method: 'delete',
    path: rota,
    tag,
    summary: 'Take the rota of a team away',
    deed: 'routing.manage',
    params: byId,
    refuses: [403],
    run: ({ ctx, params }) => dropRota(ctx, params.id),
  }),
  route({
    method: 'get',
    path: '/api/v1/teams/{id}/on-call',
    tag,
    summary: 'Who is on call, now or at another time',
    deed: 'routing.read',
    params: byId,
    query: onCallQuery,
    answer: onCallShape,
    run: ({ ctx, params, query }) => readOnCall(ctx, params.id, query),
  }),
];
