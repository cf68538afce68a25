// Filing, reading and deleting a ticket. Each verb is access, then one change.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { instant } from '../dates.ts';
import { priorityInput, readCategory, readCustomFields } from '../desks/desk.ts';
import { findDesk } from '../desks/desks.ts';
import { forbidden } from '../errors.ts';
import { atLeast, may } from '../people/access.ts';
import { requesterFor } from '../people/requesters.ts';
import { preparedHandover } from './assigning.ts';
import { change, open, type Seen } from './change.ts';
import { find } from './find.ts';
import { type Ticket, tagWord } from './ticket.ts';

/** One line of words: breaks and control characters are spaces; what shows nothing is empty. */
const asLine = (text: string): string =>
  /[^\p{Z}\p{C}]/u.test(text) ? text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim() : '';
export const line = (most: number) => z.string().overwrite(asLine).min(1).max(most);
export const word = (most = 100) => z.string().trim().max(most).nullable();
export const tagList = z
  .array(line(60))
  .max(50)
  .transform((tags) => [...new Set(tags.map(tagWord))]);

export const createInput = z.strictObject({
  title: line(300),
  description: z.string().max(100_000).default(''),
  desk: z.string().max(40).optional(),
  priority: priorityInput.optional(),
  category: z.string().max(60).optional(),
  tags: tagList.default([]),
  environment: word().optional(),
  affectedService: word(200).optional(),
  impactLevel: word().optional(),
  requester: z
    .string()
    .max(320)
    .optional()
    .meta({ description: 'On behalf of: a user id, a contact id or an address. Agents only.' }),
  assigneeId: z.string().max(40).nullish(),
  teamId: z.string().max(40).nullish(),
  dueDate: instant.nullish(),
  estimatedHours: z.number().min(0).max(100_000).nullish(),
  externalRef: word(200).optional(),
  customFields: z.record(z.string().max(40), z.unknown()).default({}),
  private: z.boolean().default(false),
});
export type CreateInput = z.output<typeof createInput>;

export async function create(ctx: Ctx, given: CreateInput): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.create'))
    throw forbidden('ticket.create', 'You may not file tickets with this key.');
  const desk = await findDesk(ctx.actor.company, given.desk);
  const isAgent = atLeast(ctx.actor.role, 'agent');
  const category = given.category ? readCategory(desk, given.category) : null;
  const requester = await requesterFor(ctx, given.requester);
  const { assigneeId, teamId } = given;
  const nobody = { assignee: null, team: null };
  const assigned =
    assigneeId || teamId ? (await preparedHandover(ctx, nobody, { assigneeId, teamId }))(nobody)?.set : {};
  return open(ctx, desk, {
    title: given.title,
    description: given.description,
    ...(given.priority ? { priority: given.priority } : {}),
    category,
    tags: given.tags,
    environment: lower(given.environment),
    affectedService: given.affectedService ?? null,
    impactLevel: lower(given.impactLevel),
    requester,
    assignee: null,
    team: null,
    ...assigned,
    dueDate: given.dueDate ?? null,
    estimatedHours: given.estimatedHours ?? null,
    externalRef: given.externalRef ?? null,
    customFields: readCustomFields(desk, given.customFields, category, { forCustomer: !isAgent }),
    private: given.private,
  });
}

export const lower = (text: string | null | undefined) =>
  text
    ?.trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_') ?? null;

export const read = (ctx: Ctx, ref: string): Promise<Ticket> => find(ctx, ref);

/** It disappears for everybody; what happened to it stays in the history. */
export async function remove(ctx: Ctx, ref: string, seen?: Seen): Promise<void> {
  if (!may(ctx.actor, 'ticket.delete'))
    throw forbidden('ticket.delete', 'Only administrators delete tickets.');
  await change(ctx, ref, () => ({ action: 'deleted', set: { deletedAt: ctx.now() } }), { seen });
}
