// Who works on a ticket: claim, release, assign. A ticket is claimed exactly once, however many try at the same time.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { conflict, forbidden } from '../errors.ts';
import { may } from '../people/access.ts';
import { findMember, member, teamOf } from '../people/members.ts';
import { HANDOVER_RULE, type Holder, mayHandOver } from './assignment.ts';
import { change, type Seen, type TicketDraft } from './change.ts';
import { find } from './find.ts';
import type { Ticket } from './ticket.ts';

export const assignInput = z
  .strictObject({
    assigneeId: z.string().max(40).nullish(),
    teamId: z.string().max(40).nullish(),
    notes: z.string().max(4_000).optional(),
  })
  .refine(({ assigneeId, teamId }) => assigneeId !== undefined || teamId !== undefined, {
    path: ['assigneeId'],
    message: 'is required, or team_id',
  });
export type AssignInput = z.output<typeof assignInput>;

export async function assign(ctx: Ctx, ref: string, input: AssignInput, seen?: Seen): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.take')) throw forbidden('ticket.assign', 'Only agents assign tickets.');
  const handOver = await preparedHandover(ctx, await find(ctx, ref), input);
  return change(ctx, ref, handOver, { seen });
}

/** Looks up everybody concerned, so that what is left to decide is pure. */
export async function preparedHandover(
  ctx: Ctx,
  now: Pick<Ticket, 'assignee' | 'team'>,
  { assigneeId, teamId, notes }: AssignInput,
): Promise<(ticket: Pick<Ticket, 'assignee' | 'team'>) => TicketDraft | null> {
  if (!may(ctx.actor, 'ticket.take'))
    return () => {
      throw forbidden('ticket.assign', 'Only agents assign tickets.');
    };
  const wanted = assigneeId === 'me' ? ctx.actor.id : assigneeId;
  const receiver = wanted ? await findMember(ctx, wanted) : null;
  if (teamId) await teamOf(ctx, teamId);
  const teamsOf = new Map([[now.assignee, await teamsOfUser(now.assignee)]]);
  if (receiver) teamsOf.set(receiver.id, receiver.teams);
  const holder = (user: string | null, team: string | null): Holder => ({
    user,
    team,
    teams: teamsOf.get(user) ?? [],
  });
  return (ticket) => {
    const user = wanted === undefined ? ticket.assignee : (receiver?.id ?? null);
    const team = teamId === undefined ? ticket.team : teamId;
    if (!mayHandOver(ctx.actor, holder(ticket.assignee, ticket.team), holder(user, team)))
      throw forbidden('ticket.assign', HANDOVER_RULE);
    const set: Partial<Ticket> = {};
    if (user !== ticket.assignee) set.assignee = user;
    if (team !== ticket.team) set.team = team;
    if (!Object.keys(set).length) return null;
    return { action: 'assignment_change', set, ...(notes ? { notes } : {}) };
  };
}

const teamsOfUser = async (id: string | null): Promise<readonly string[]> =>
  id === null ? [] : ((await member(id))?.teams ?? []);

/** Takes a ticket that nobody has. Whoever comes second is told who was first, and when. */
export async function claim(ctx: Ctx, ref: string, seen?: Seen): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.take')) throw forbidden('ticket.claim', 'Only agents claim tickets.');
  await findMember(ctx, ctx.actor.id);
  const ticket = await change(
    ctx,
    ref,
    (now) => {
      if (now.assignee !== null) return null;
      if (now.statusKind === 'closed')
        throw conflict('ticket.closed', 'This ticket is closed: reopen it first.');
      return { action: 'assignment_change', set: { assignee: ctx.actor.id }, facts: { claimed: true } };
    },
    { seen },
  );
  if (ticket.assignee !== ctx.actor.id) throw await claimedBy(ticket);
  return ticket;
}

async function claimedBy({ key, assignee, assignedAt }: Ticket) {
  const owner = assignee === null ? null : await member(assignee);
  const name = owner?.fullName ?? owner?.username ?? 'Somebody else';
  const since = assignedAt ? ` at ${assignedAt.toISOString()}` : '';
  return conflict('ticket.claimed', `${name} claimed ${key}${since}.`, {
    details: [
      {
        path: 'assignee_id',
        message: `is ${name}`,
        assignee_id: assignee,
        assignee_name: name,
        claimed_at: assignedAt?.toISOString() ?? null,
      },
    ],
  });
}

/** Puts a ticket back. One's own; leads and managers also those of others, as the rule of handing over allows. */
export async function release(ctx: Ctx, ref: string, seen?: Seen): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.take')) throw forbidden('ticket.release', 'Only agents release tickets.');
  const handOver = await preparedHandover(ctx, await find(ctx, ref), { assigneeId: null });
  return change(
    ctx,
    ref,
    (ticket) => {
      if (ticket.assignee === null) throw conflict('ticket.unassigned', 'Nobody has this ticket.');
      return handOver(ticket);
    },
    { seen },
  );
}
