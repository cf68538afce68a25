// Tickets going out in bulk: one at a time, in constant memory, however many there are.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { filterOf, listInput } from './lists.ts';
import { ticketCollection } from './model.ts';
import { UNSHOWN } from './search.ts';
import type { Ticket } from './ticket.ts';
import type { Way } from './ways.ts';

export const exportInput = listInput
  .omit({ page: true, pageSize: true, cursor: true, sortBy: true, order: true })
  .extend({ format: z.enum(['csv', 'ndjson']).default('ndjson') });

export const EXPORT_FIELDS = [
  'key',
  'title',
  'description',
  'status',
  'priority',
  'category',
  'tags',
  'desk',
  'environment',
  'affected_service',
  'impact_level',
  'requester_name',
  'requester_email',
  'assignee_id',
  'team_id',
  'channel',
  'external_ref',
  'due_date',
  'estimated_hours',
  'actual_hours',
  'resolution_notes',
  'custom_fields',
  'created_at',
  'updated_at',
  'first_responded_at',
  'resolved_at',
  'closed_at',
] as const;
export type ExportRow = Record<(typeof EXPORT_FIELDS)[number], unknown>;

export function rowOf(ticket: Ticket): ExportRow {
  const { requester } = ticket;
  return {
    key: ticket.key,
    title: ticket.title,
    description: ticket.description,
    status: ticket.status,
    priority: ticket.priority,
    category: ticket.category,
    tags: ticket.tags,
    desk: ticket.deskKey,
    environment: ticket.environment,
    affected_service: ticket.affectedService,
    impact_level: ticket.impactLevel,
    requester_name: requester.name,
    requester_email: requester.email,
    assignee_id: ticket.assignee,
    team_id: ticket.team,
    channel: ticket.channel,
    external_ref: ticket.externalRef,
    due_date: ticket.dueDate,
    estimated_hours: ticket.estimatedHours,
    actual_hours: ticket.actualHours,
    resolution_notes: ticket.resolutionNotes,
    custom_fields: ticket.customFields,
    created_at: ticket.createdAt,
    updated_at: ticket.updatedAt,
    first_responded_at: ticket.firstRespondedAt,
    resolved_at: ticket.resolvedAt,
    closed_at: ticket.closedAt,
  };
}

/** What lives for no longer than so few take is cleared away at once; more would pile up between two great clearings. */
const BATCH = 100;

export async function* exported(ctx: Ctx, input: z.output<typeof exportInput>): AsyncGenerator<Ticket> {
  const { filter, search } = await filterOf(ctx, input);
  const { filter: wanted, hint }: Way = search ? await search.narrow(filter) : { filter };
  const cursor = ticketCollection()
    .find(wanted, { projection: UNSHOWN, batchSize: BATCH, ...(hint ? { hint } : {}) })
    .sort({ createdAt: -1, _id: -1 });
  try {
    for await (const ticket of cursor) yield ticket;
  } finally {
    await cursor.close();
  }
}
