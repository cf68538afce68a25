// What is done to tickets over HTTP: moving them through their workflow, merging, splitting, linking, watching, rating,
// and many at once.
import { z } from 'zod';
import { type BulkInput, bulk, bulkInput, type Outcome } from '../../src/tickets/bulk.ts';
import { link, linkInput, unlink, unlinkInput } from '../../src/tickets/linking.ts';
import { useMacro, useMacroInput } from '../../src/tickets/macros.ts';
import { merge, mergeInput } from '../../src/tickets/merging.ts';
import {
  advance,
  close,
  escalate,
  escalateInput,
  notesInput,
  reopen,
  resolve,
  resolveInput,
  setStatus,
  snooze,
  snoozeInput,
  statusInput,
} from '../../src/tickets/moving.ts';
import { feedbackInput, rate, unwatch, watch } from '../../src/tickets/people.ts';
import { moveInput, moveToDesk } from '../../src/tickets/rehoming.ts';
import { split, splitInput } from '../../src/tickets/splitting.ts';
import { read } from '../../src/tickets/tickets.ts';
import { unmerge } from '../../src/tickets/unmerging.ts';
import { type TicketView, ticketShape } from '../../src/tickets/view.ts';
import { problemOf } from './problem.ts';
import { type Call, type Route, route } from './route.ts';
import { answered, byId, drawTicket } from './tickets.ts';

type Verb<B> = (call: Call<{ id: string }, undefined, B>) => ReturnType<typeof read>;

/** A deed on one ticket: its answer is the ticket. */
const deed = <B extends z.ZodType>(
  given: Pick<Route, 'deed' | 'summary'> & {
    name: string;
    method?: Route['method'];
    status?: number;
    body: B;
  },
  verb: Verb<z.output<B>>,
): Route =>
  route({
    method: given.method ?? 'post',
    path: `/api/v1/tickets/{id}/${given.name}`,
    tag: 'Tickets',
    summary: given.summary,
    deed: given.deed,
    ...(given.status ? { status: given.status } : {}),
    params: byId,
    body: given.body,
    answer: ticketShape,
    refuses: [409, 412],
    run: async (call) => answered(call, await verb(call as Call<{ id: string }, undefined, z.output<B>>)),
  });

const linkShape = ticketShape.shape.links.element;
const watcher = z.strictObject({ id: z.string().max(64), userId: z.string().max(64) });
const outcomeShape = z.object({
  id: z.string(),
  ok: z.boolean(),
  status: z.int().meta({ description: 'What the deed on this ticket alone would have answered.' }),
  ticket: ticketShape.nullable(),
  errorCode: z.string().nullable(),
  detail: z.string().nullable(),
});

async function drawOutcome(call: Call<unknown, unknown, BulkInput>, outcome: Outcome) {
  const { id } = outcome;
  if ('refusal' in outcome) {
    const problem = problemOf(outcome.refusal, '');
    const { status, error_code: errorCode, detail } = problem;
    return { id, ok: false, status, ticket: null, errorCode, detail };
  }
  const ticket: TicketView | null = outcome.ticket ? await drawTicket(call.ctx, outcome.ticket) : null;
  return { id, ok: true, status: ticket ? 200 : 204, ticket, errorCode: null, detail: null };
}

export const deedRoutes: Route[] = [
  deed(
    {
      name: 'status',
      method: 'patch',
      deed: 'ticket.reopen',
      summary: 'Move to a status',
      body: statusInput,
    },
    ({ ctx, params, body, seen }) => setStatus(ctx, params.id, body, seen),
  ),
  deed(
    { name: 'resolve', deed: 'ticket.work', summary: 'Resolve', body: resolveInput },
    ({ ctx, params, body, seen }) => resolve(ctx, params.id, body, seen),
  ),
  deed(
    { name: 'close', deed: 'ticket.reopen', summary: 'Close', body: notesInput },
    ({ ctx, params, body, seen }) => close(ctx, params.id, body, seen),
  ),
  deed(
    { name: 'reopen', deed: 'ticket.reopen', summary: 'Reopen', body: notesInput },
    ({ ctx, params, body, seen }) => reopen(ctx, params.id, body, seen),
  ),
  deed(
    { name: 'escalate', deed: 'ticket.work', summary: 'Escalate', body: escalateInput },
    ({ ctx, params, body, seen }) => escalate(ctx, params.id, body, seen),
  ),
  deed(
    { name: 'advance', deed: 'ticket.work', summary: 'Move to the next step', body: notesInput },
    ({ ctx, params, body, seen }) => advance(ctx, params.id, body, seen),
  ),
  deed(
    {
      name: 'snooze',
      deed: 'ticket.work',
      summary: 'Put aside until a time; null wakes it',
      body: snoozeInput,
    },
    ({ ctx, params, body, seen }) => snooze(ctx, params.id, body, seen),
  ),
  deed(
    {
      name: 'merge',
      deed: 'ticket.work',
      summary: 'Make it part of another; answers the other',
      body: mergeInput,
    },
    ({ ctx, params, body, seen }) => merge(ctx, params.id, body, seen),
  ),
  route({
    method: 'post',
    path: '/api/v1/tickets/{id}/unmerge',
    tag: 'Tickets',
    summary: 'Take a merge apart; `id` is the ticket that was merged',
    deed: 'ticket.work',
    params: byId,
    answer: ticketShape,
    refuses: [409, 412],
    run: async (call) => answered(call, await unmerge(call.ctx, call.params.id, call.seen)),
  }),
  deed(
    {
      name: 'move',
      deed: 'ticket.work',
      summary: 'Move to another desk; the old key leads to it',
      body: moveInput,
    },
    ({ ctx, params, body, seen }) => moveToDesk(ctx, params.id, body, seen),
  ),
  deed(
    {
      name: 'split',
      deed: 'ticket.work',
      status: 201,
      summary: 'Chosen comments become a ticket',
      body: splitInput,
    },
    ({ ctx, params, body, seen }) => split(ctx, params.id, body, seen),
  ),
  deed(
    { name: 'macro', deed: 'ticket.work', summary: 'Use a macro on it', body: useMacroInput },
    ({ ctx, params, body, seen }) => useMacro(ctx, params.id, body, seen),
  ),
  deed(
    { name: 'feedback', deed: 'ticket.feedback', summary: 'Rate: the requester only', body: feedbackInput },
    ({ ctx, params, body, seen }) => rate(ctx, params.id, body, seen),
  ),
  deed(
    { name: 'links', deed: 'ticket.work', status: 201, summary: 'Link with another ticket', body: linkInput },
    ({ ctx, params, body, seen }) => link(ctx, params.id, body, seen),
  ),
  route({
    method: 'get',
    path: '/api/v1/tickets/{id}/links',
    tag: 'Tickets',
    summary: 'The links of a ticket',
    deed: 'ticket.note',
    params: byId,
    answer: z.object({ items: z.array(linkShape), total: z.int() }),
    run: async ({ ctx, params }) => {
      const { links } = await drawTicket(ctx, await read(ctx, params.id));
      return { items: links, total: links.length };
    },
  }),
  route({
    method: 'delete',
    path: '/api/v1/tickets/{id}/links',
    tag: 'Tickets',
    summary: 'Unlink from another ticket',
    deed: 'ticket.work',
    params: byId,
    query: unlinkInput,
    refuses: [412],
    run: async ({ ctx, params, query, seen }) => void (await unlink(ctx, params.id, query, seen)),
  }),
  route({
    method: 'put',
    path: '/api/v1/tickets/{id}/watchers/{user_id}',
    tag: 'Tickets',
    summary: 'Somebody watches a ticket; `me` is oneself',
    deed: 'ticket.watch',
    params: watcher,
    answer: ticketShape,
    refuses: [412],
    run: async (call) => answered(call, await watch(call.ctx, call.params.id, call.params.userId, call.seen)),
  }),
  route({
    method: 'delete',
    path: '/api/v1/tickets/{id}/watchers/{user_id}',
    tag: 'Tickets',
    summary: 'Somebody no longer watches a ticket',
    deed: 'ticket.reply',
    params: watcher,
    refuses: [412],
    run: async ({ ctx, params, seen }) => void (await unwatch(ctx, params.id, params.userId, seen)),
  }),
  route({
    method: 'post',
    path: '/api/v1/tickets/bulk',
    tag: 'Tickets',
    summary: 'One deed on many tickets, each with its own outcome',
    deed: 'ticket.bulk',
    bulk: true,
    body: bulkInput,
    answer: z.object({ results: z.array(outcomeShape), succeeded: z.int(), failed: z.int() }),
    run: async (call) => {
      const outcomes = await bulk(call.ctx, call.body);
      const results = await Promise.all(outcomes.map((one) => drawOutcome(call, one)));
      const succeeded = results.filter((one) => one.ok).length;
      return { results, succeeded, failed: results.length - succeeded };
    },
  }),
];
