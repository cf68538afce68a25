// What somebody is shown of a ticket: the whole answer, and of it only what is theirs to see. Every surface that
// shows a ticket draws from here, so that nothing internal has a way out.
import { z } from 'zod';
import { type Actor, VIAS } from '../context.ts';
import { type Desk, PRIORITIES } from '../desks/desk.ts';
import { maySeeNotes } from '../people/access.ts';
import { standingOf } from '../sla/explanations.ts';
import type { TicketSla } from '../sla/targets.ts';
import { type Ticket, versionFor } from './ticket.ts';
import { KINDS } from './workflow.ts';

const text = z.string().nullable();
const at = z.date().nullable();
const hours = z.number().nullable();

const clockShape = z.object({
  target: z.string(),
  state: z.string(),
  targetMinutes: z.number(),
  dueAt: at,
  metAt: at,
  breachedAt: at,
});

export const ticketShape = z
  .object({
    id: z.string(),
    key: z.string().meta({ example: 'TKT-000042' }),
    number: z.int(),
    formerKeys: z.array(z.string()).meta({ description: 'Its keys on other desks; they lead here.' }),
    desk: z.string().meta({ example: 'TKT' }),
    deskId: z.string(),
    companyId: z.string(),
    title: z.string(),
    description: z.string(),
    status: z.string().meta({ example: 'in_progress' }),
    statusKind: z.enum(KINDS),
    priority: z.enum(PRIORITIES),
    category: text,
    tags: z.array(z.string()),
    environment: text,
    affectedService: text,
    impactLevel: text,
    requester: z.object({ kind: z.enum(['user', 'contact']), id: z.string(), name: z.string(), email: text }),
    requesterId: z.string(),
    createdBy: z
      .object({ kind: z.enum(['user', 'contact', 'system']), id: z.string(), name: z.string() })
      .nullable()
      .meta({ description: 'Who filed it: the requester, or somebody on their behalf.' }),
    createdById: text,
    assigneeId: text,
    assignedAt: at,
    teamId: text,
    watchers: z.array(z.string()).meta({ description: 'Ids of users.' }),
    channel: z.enum(VIAS),
    externalRef: text,
    customFields: z.record(z.string(), z.unknown()),
    private: z.boolean(),
    dueDate: at,
    dueAt: at,
    overdue: z.boolean(),
    estimatedHours: hours,
    actualHours: hours,
    resolutionNotes: text,
    links: z.array(
      z.object({
        kind: z.enum(['parent', 'child', 'duplicate', 'related']),
        ticketId: z.string(),
        key: z.string(),
      }),
    ),
    mergedInto: text,
    mergedFrom: z.array(z.object({ ticketId: z.string(), key: z.string() })),
    satisfaction: z.object({ rating: z.int(), comment: text, at: z.date() }).nullable(),
    snoozedUntil: at,
    escalated: z.boolean(),
    replies: z.int(),
    lastReplyAt: at,
    sla: z
      .object({
        policy: z.string(),
        breached: z.boolean(),
        breaches: z.int(),
        firstResponseDueAt: at,
        resolutionDueAt: at,
        clocks: z.array(clockShape),
      })
      .nullable()
      .meta({ description: 'Agents only.' }),
    conversations: z
      .array(
        z.object({
          id: z.string(),
          surface: z.string(),
          audience: z.enum(['public', 'internal']),
          at: z.record(z.string(), z.string()),
        }),
      )
      .optional()
      .meta({ description: 'Agents only: where the ticket is talked about.' }),
    createdAt: z.date(),
    updatedAt: z.date(),
    firstRespondedAt: at,
    resolvedAt: at,
    closedAt: at,
    version: z.int().meta({ description: 'Rises with every change; the ETag.' }),
  })
  .meta({ id: 'Ticket' });
export type TicketView = z.output<typeof ticketShape>;

export function viewOf(actor: Actor, ticket: Ticket, desk: Desk | undefined, now: Date): TicketView {
  const isAgent = maySeeNotes(actor);
  const { statusKind, dueAt } = ticket;
  const { kind, id, name, email } = ticket.requester;
  const isDone = statusKind === 'resolved' || statusKind === 'closed';
  return {
    id: ticket._id,
    desk: ticket.deskKey,
    formerKeys: ticket.formerKeys ?? [],
    deskId: ticket.desk,
    companyId: ticket.company,
    key: ticket.key,
    number: ticket.number,
    title: ticket.title,
    description: ticket.description,
    status: ticket.status,
    statusKind,
    priority: ticket.priority,
    category: ticket.category,
    tags: ticket.tags,
    environment: ticket.environment,
    affectedService: ticket.affectedService,
    impactLevel: ticket.impactLevel,
    channel: ticket.channel,
    externalRef: ticket.externalRef,
    private: ticket.private,
    dueDate: ticket.dueDate,
    dueAt,
    estimatedHours: ticket.estimatedHours,
    actualHours: ticket.actualHours,
    resolutionNotes: ticket.resolutionNotes,
    mergedInto: ticket.mergedInto,
    satisfaction: ticket.satisfaction,
    snoozedUntil: ticket.snoozedUntil,
    escalated: ticket.escalated,
    replies: ticket.replies,
    lastReplyAt: ticket.lastReplyAt,
    createdAt: ticket.createdAt,
    updatedAt: isAgent ? ticket.updatedAt : ticket.shownAt,
    firstRespondedAt: ticket.firstRespondedAt,
    resolvedAt: ticket.resolvedAt,
    closedAt: ticket.closedAt,
    assignedAt: ticket.assignedAt,
    requester: { kind, id, name, email },
    requesterId: id,
    ...createdBy(ticket),
    assigneeId: ticket.assignee,
    teamId: ticket.team,
    watchers: isAgent ? ticket.watchers : ticket.watchers.filter((id) => id === actor.id),
    customFields: customFieldsFor(isAgent, ticket, desk),
    overdue: !isDone && dueAt !== null && dueAt < now,
    links: isAgent ? ticket.links.map(({ kind, ticket: ticketId, key }) => ({ kind, ticketId, key })) : [],
    mergedFrom: isAgent ? ticket.mergedFrom.map(({ ticket: ticketId, key }) => ({ ticketId, key })) : [],
    sla: isAgent ? slaOf(ticket.sla) : null,
    ...(isAgent ? { conversations: ticket.conversations } : {}),
    version: versionFor(actor, ticket),
  };
}

function createdBy({ createdBy: filer, requester }: Ticket): Pick<TicketView, 'createdBy' | 'createdById'> {
  const who = filer === null ? requester : filer;
  if (!who) return { createdBy: null, createdById: null };
  const { kind, id, name } = who;
  return { createdBy: { kind, id, name }, createdById: id };
}

/** A field that the desk keeps to itself, or no longer has, is not shown to customers. */
function customFieldsFor(isAgent: boolean, { customFields }: Ticket, desk: Desk | undefined) {
  if (isAgent) return customFields;
  const open = new Set(desk?.customFields.filter((field) => !field.internal).map((field) => field.name));
  return Object.fromEntries(Object.entries(customFields).filter(([name]) => open.has(name)));
}

function slaOf(sla: TicketSla | null): TicketView['sla'] {
  const standing = standingOf(sla);
  if (!standing) return null;
  const dueOf = (target: string) => standing.clocks.find((clock) => clock.target === target)?.dueAt ?? null;
  return { ...standing, firstResponseDueAt: dueOf('first_response'), resolutionDueAt: dueOf('resolution') };
}

export const metricsShape = z.object({
  responseTimeSeconds: hours,
  resolutionTimeSeconds: hours,
  overdue: z.boolean(),
  overdueSeconds: hours,
  ageSeconds: z.number(),
});

/** From the first word to the first answer, and to the solution, by the clock on the wall. */
export function metricsOf(ticket: Ticket, now: Date): z.output<typeof metricsShape> {
  const since = (from: Date, to: Date | null) => (to ? Math.max(0, +to - +from) / 1_000 : null);
  const { createdAt, firstRespondedAt, resolvedAt, closedAt, dueAt } = ticket;
  const done = resolvedAt ?? closedAt;
  const isLate = dueAt !== null && dueAt < (done ?? now);
  return {
    responseTimeSeconds: since(createdAt, firstRespondedAt),
    resolutionTimeSeconds: since(createdAt, done),
    overdue: isLate && !done,
    overdueSeconds: isLate ? since(dueAt, done ?? now) : null,
    ageSeconds: since(createdAt, now) ?? 0,
  };
}
