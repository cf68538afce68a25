// Filing, reading, assigning: the verbs of a ticket's ordinary life. Each is access, workflow, then one change.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { priorityInput, readCategory, readCustomFields } from '../desks/desk.ts';
import { findDesk } from '../desks/desks.ts';
import { forbidden } from '../errors.ts';
import { atLeast, may, mayAssign } from '../people/access.ts';
import { findMember, teamOf } from '../people/members.ts';
import { requesterFor } from '../people/requesters.ts';
import { change, open } from './change.ts';
import { find } from './find.ts';
import type { Ticket } from './ticket.ts';

const line = (most: number) => z.string().trim().min(1).max(most);
const word = (most = 100) => z.string().trim().max(most).nullable();
const tagList = z
  .array(line(60))
  .max(50)
  .transform((tags) => [...new Set(tags.map((tag) => tag.toLowerCase()))]);

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
  dueDate: z.coerce.date().nullish(),
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
  const assignment = await checkedAssignment(ctx, {
    user: given.assigneeId ?? null,
    team: given.teamId ?? null,
  });
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
    assignee: assignment.user,
    team: assignment.team,
    dueDate: given.dueDate ?? null,
    estimatedHours: given.estimatedHours ?? null,
    externalRef: given.externalRef ?? null,
    customFields: readCustomFields(desk, given.customFields, category, { forCustomer: !isAgent }),
    private: given.private,
  });
}

const lower = (text: string | null | undefined) =>
  text
    ?.trim()
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_') ?? null;

export const read = (ctx: Ctx, ref: string): Promise<Ticket> => find(ctx, ref);

export const assignInput = z.strictObject({
  assigneeId: z.string().max(40).nullish(),
  teamId: z.string().max(40).nullish(),
  notes: z.string().max(4_000).optional(),
});

export type AssignInput = z.output<typeof assignInput>;

export async function assign(
  ctx: Ctx,
  ref: string,
  { assigneeId, teamId, notes }: AssignInput,
  seen?: number,
): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.take')) throw forbidden('ticket.assign', 'Only agents assign tickets.');
  const to = await checkedAssignment(ctx, { user: assigneeId, team: teamId });
  return change(
    ctx,
    ref,
    (ticket) => {
      const set: Partial<Ticket> = {};
      if (to.user !== undefined && to.user !== ticket.assignee) set.assignee = to.user;
      if (to.team !== undefined && to.team !== ticket.team) set.team = to.team;
      if (!Object.keys(set).length) return null;
      return { action: 'assignment_change', set, ...(notes ? { notes } : {}) };
    },
    { seen },
  );
}

/** Both must exist in the company, be active, and be the actor's to give work to. */
async function checkedAssignment<U extends string | null | undefined>(
  ctx: Ctx,
  to: { user: U; team: U },
): Promise<{ user: U; team: U }> {
  if (to.user == null && to.team == null) {
    if (to.user === undefined && to.team === undefined) return to;
    if (to.user === null && to.team === null && atLeast(ctx.actor.role, 'customer')) return to;
  }
  const user = to.user ? await findMember(ctx, to.user) : null;
  if (to.team) await teamOf(ctx, to.team);
  if (!mayAssign(ctx.actor, { user: to.user ?? null, team: to.team ?? null, teams: user?.teams ?? [] }))
    throw forbidden(
      'ticket.assign',
      'You may assign tickets to yourself; leads to their teams, managers to anybody.',
    );
  return to;
}
