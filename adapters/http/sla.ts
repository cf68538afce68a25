// SLA over HTTP: policies, calendars, and why a ticket's deadlines are where they are.
import { z } from 'zod';
import { PRIORITIES } from '../../src/desks/desk.ts';
import { type Page, type PageQuery, pageOf, pageQuery, readCursor, writeCursor } from '../../src/lists.ts';
import {
  calendarInput,
  calendarPatch,
  createCalendar,
  listCalendars,
  readCalendar,
  removeCalendar,
  updateCalendar,
} from '../../src/sla/calendars.ts';
import { explainTicket } from '../../src/sla/explanations.ts';
import {
  createPolicy,
  listPolicies,
  readPolicy,
  removePolicy,
  updatePolicy,
} from '../../src/sla/policies.ts';
import { policyInput, policyPatch, TARGETS } from '../../src/sla/policy.ts';
import { type Route, route } from './route.ts';

const byId = z.strictObject({ id: z.string().max(64) });
const tag = 'SLA';
const time = z.iso.datetime();
const minutes = z.int().nullable();
const stamps = { company: z.string(), version: z.int(), createdAt: time, updatedAt: time };
const policyShape = z.object({
  id: z.string(),
  ...stamps,
  name: z.string(),
  description: z.string(),
  desk: z.string().nullable(),
  calendar: z.string().nullable(),
  targets: z.record(
    z.enum(PRIORITIES),
    z.object({ firstResponseMinutes: minutes, nextResponseMinutes: minutes, resolutionMinutes: minutes }),
  ),
  warnAtPercent: z.array(z.number()),
  pauseWhile: z.array(z.string()),
  escalation: z.array(z.object({ afterMinutes: z.int() }).loose()),
  closeResolvedAfterHours: z.int().nullable(),
});
const hoursShape = z.union([
  z.literal('24x7'),
  z.record(z.string(), z.array(z.object({ from: z.string(), to: z.string() }))),
]);
const calendarShape = z.object({
  id: z.string(),
  ...stamps,
  name: z.string(),
  timeZone: z.string(),
  hours: hoursShape,
  holidays: z.array(
    z.object({ date: z.string(), yearly: z.boolean().optional(), name: z.string().optional() }),
  ),
});
const stateShape = z.enum(['idle', 'running', 'paused', 'met', 'stopped']);
const rowShape = z.object({
  round: z.int(),
  from: time,
  to: time,
  ms: z.int(),
  counted: z.boolean(),
  expected: z.boolean(),
  because: z.enum(['working_hours', 'closed', 'holiday', 'paused']),
  seq: z.int(),
  sentence: z.string(),
});
const explanationShape = z.object({
  ticket: z.string(),
  key: z.string(),
  at: time,
  policy: z.object({ id: z.string(), name: z.string() }),
  calendar: z.object({ id: z.string().nullable(), name: z.string(), timeZone: z.string() }),
  breached: z.boolean(),
  breaches: z.int(),
  warnAtPercent: z.array(z.number()),
  nextDeadlineAt: time.nullable(),
  clocks: z.array(
    z.object({
      target: z.enum(TARGETS),
      state: stateShape,
      targetMs: z.int(),
      usedMs: z.int(),
      remainingMs: z.int(),
      dueAt: time.nullable(),
      metAt: time.nullable(),
      breachedAt: time.nullable(),
      fired: z.array(z.string()),
      sentence: z.string(),
      rows: z.array(rowShape),
      changes: z.array(z.object({ at: time, seq: z.int(), sentence: z.string() })),
    }),
  ),
});

/** A company has few of these: they are read whole, and cut here. */
function cut<T extends { id: string }>(all: T[], { page, pageSize, cursor }: PageQuery): Page<T> {
  const order = { field: 'id', direction: 'asc' } as const;
  const mark = cursor === undefined ? null : readCursor(cursor, order);
  const start = mark ? all.findIndex((each) => each.id === mark.id) + 1 : (page - 1) * pageSize;
  const items = all.slice(start, start + pageSize);
  const last = items.at(-1);
  const more = last !== undefined && start + pageSize < all.length;
  const number = mark ? mark.page + 1 : page;
  const nextCursor = more ? writeCursor({ order, value: last.id, id: last.id, page: number }) : null;
  return { items, total: all.length, page: number, pageSize, nextCursor };
}

export const slaRoutes: Route[] = [
  route({
    method: 'get',
    path: '/api/v1/sla-policies',
    tag,
    summary: 'List the SLA policies',
    deed: 'sla.read',
    query: z.strictObject(pageQuery),
    answer: pageOf(policyShape),
    run: async ({ ctx, query }) => cut(await listPolicies(ctx), query),
  }),
  route({
    method: 'post',
    path: '/api/v1/sla-policies',
    tag,
    summary: 'Give a desk its own SLA policy',
    description: 'What is left out is as in the default policy. Open tickets are reckoned anew at once.',
    deed: 'sla.manage',
    status: 201,
    refuses: [409],
    body: policyInput,
    answer: policyShape,
    run: ({ ctx, body }) => createPolicy(ctx, body),
  }),
  route({
    method: 'get',
    path: '/api/v1/sla-policies/{id}',
    tag,
    summary: 'Read an SLA policy',
    deed: 'sla.read',
    params: byId,
    answer: policyShape,
    run: ({ ctx, params }) => readPolicy(ctx, params.id),
  }),
  route({
    method: 'patch',
    path: '/api/v1/sla-policies/{id}',
    tag,
    summary: 'Change an SLA policy',
    description:
      'Open tickets are reckoned anew at once. `default` is the policy of all desks without their own.',
    deed: 'sla.manage',
    refuses: [409],
    params: byId,
    body: policyPatch,
    answer: policyShape,
    run: ({ ctx, params, body }) => updatePolicy(ctx, params.id, body),
  }),
  route({
    method: 'delete',
    path: '/api/v1/sla-policies/{id}',
    tag,
    summary: 'Remove an SLA policy',
    description: 'The desk then goes by the default policy; the default policy itself is reset.',
    deed: 'sla.manage',
    params: byId,
    run: ({ ctx, params }) => removePolicy(ctx, params.id),
  }),
  route({
    method: 'get',
    path: '/api/v1/calendars',
    tag,
    summary: 'List the business calendars',
    deed: 'sla.read',
    query: z.strictObject(pageQuery),
    answer: pageOf(calendarShape),
    run: async ({ ctx, query }) => cut(await listCalendars(ctx), query),
  }),
  route({
    method: 'post',
    path: '/api/v1/calendars',
    tag,
    summary: 'Create a business calendar',
    description: 'Several intervals a day; one that ends before it begins lasts into the next day.',
    deed: 'sla.manage',
    status: 201,
    body: calendarInput,
    answer: calendarShape,
    run: ({ ctx, body }) => createCalendar(ctx, body),
  }),
  route({
    method: 'get',
    path: '/api/v1/calendars/{id}',
    tag,
    summary: 'Read a business calendar',
    deed: 'sla.read',
    params: byId,
    answer: calendarShape,
    run: ({ ctx, params }) => readCalendar(ctx, params.id),
  }),
  route({
    method: 'patch',
    path: '/api/v1/calendars/{id}',
    tag,
    summary: 'Change a business calendar',
    description: 'Open tickets that go by it are reckoned anew at once.',
    deed: 'sla.manage',
    params: byId,
    body: calendarPatch,
    answer: calendarShape,
    run: ({ ctx, params, body }) => updateCalendar(ctx, params.id, body),
  }),
  route({
    method: 'delete',
    path: '/api/v1/calendars/{id}',
    tag,
    summary: 'Remove a business calendar',
    deed: 'sla.manage',
    refuses: [409],
    params: byId,
    run: ({ ctx, params }) => removeCalendar(ctx, params.id),
  }),
  route({
    method: 'get',
    path: '/api/v1/tickets/{id}/sla/explain',
    tag,
    summary: 'Why the deadlines of a ticket are where they are',
    description:
      'Every interval that counted and every one that did not, with the reason, in words and numbers.',
    deed: 'sla.read',
    params: byId,
    answer: explanationShape,
    run: ({ ctx, params }) => explainTicket(ctx, params.id),
  }),
];
