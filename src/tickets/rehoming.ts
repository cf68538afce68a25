// Moving a ticket to another desk: it gets a number there, and its old key leads to it. What the new desk calls otherwise
// is mapped where that is plain, and asked for where it is not; what the new desk has no field for goes, and stands in
// the history.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { categoryWord, type Desk, readCategory, readCustomFields, ticketKey } from '../desks/desk.ts';
import { findDesk } from '../desks/desks.ts';
import { nextNumber } from '../desks/numbers.ts';
import { conflict, type Detail, forbidden, invalid, Refusal } from '../errors.ts';
import { may } from '../people/access.ts';
import { isDuplicate } from '../store.ts';
import { change, type Seen, type TicketDraft } from './change.ts';
import { checkMayEdit } from './editing.ts';
import { load } from './find.ts';
import { finishMove } from './linking.ts';
import { passTaken } from './numbering.ts';
import type { Ticket } from './ticket.ts';
import { kindOf, readStatus, type StatusKind } from './workflow.ts';

export const moveInput = z.strictObject({
  desk: z.string().min(1).max(40).meta({ description: 'Id or key of the desk.', example: 'TKT' }),
  status: z
    .string()
    .min(1)
    .max(60)
    .optional()
    .meta({ description: 'Its state there, where the desk has no state of the same name or kind.' }),
  category: z
    .string()
    .max(60)
    .nullish()
    .meta({ description: 'Its category there, where the desk has none of the same name; null for none.' }),
  customFields: z.record(z.string().max(40), z.unknown()).optional(),
  notes: z.string().trim().max(20_000).optional(),
});
type Input = z.output<typeof moveInput>;

const ATTEMPTS = 20;

export async function moveToDesk(ctx: Ctx, ref: string, input: Input, seen?: Seen): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.work')) throw forbidden('ticket.move', 'Only agents move tickets.');
  const target = await findDesk(ctx.actor.company, input.desk);
  const ticket = await load(ctx, ref);
  if (ticket.desk === target.id && !ctx.redo)
    throw conflict('ticket.moved', `${ticket.key} is on the desk ${target.key} already.`);
  if (ticket.desk !== target.id) planned(ctx, ticket, target, input);
  const back = ticket.formerKeys?.find((key) => key.startsWith(`${target.key}-`));
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const number =
      back && attempt === 1 ? Number(back.slice(target.key.length + 1)) : await nextNumber(target.id);
    try {
      const there = await change(
        ctx,
        ticket._id,
        (now) => (now.desk === target.id ? null : moved(ctx, now, target, number, input)),
        { seen },
      );
      if (there.links.length) await finishMove(ctx, there._id);
      return there;
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      await passTaken(target, number);
    }
  }
  throw conflict('ticket.contended', 'Too many tickets are being filed there at once. Try again.');
}

function moved(ctx: Ctx, ticket: Ticket, target: Desk, number: number, input: Input): TicketDraft {
  const { set, dropped } = planned(ctx, ticket, target, input);
  const key = ticketKey(target, number);
  const former = (ticket.formerKeys ?? []).filter((one) => one !== key && one !== ticket.key);
  return {
    action: 'moved',
    onto: target,
    set: {
      ...set,
      desk: target.id,
      deskKey: target.key,
      number,
      key,
      formerKeys: [...former, ticket.key],
      ...pastOf(ticket),
    },
    facts: {
      from: ticket.deskKey,
      fromKey: ticket.key,
      to: target.key,
      ...(dropped.length ? { dropped } : {}),
    },
    ...(input.notes ? { notes: input.notes } : {}),
  };
}

/** Another name for where it stands is no new resolution, and wakes nobody. */
const pastOf = ({ resolvedAt, closedAt, snoozedUntil }: Ticket) => ({ resolvedAt, closedAt, snoozedUntil });

/** What the ticket will be there. All that is missing is told at once. */
function planned(ctx: Ctx, ticket: Ticket, target: Desk, input: Input) {
  checkMayEdit(ctx, ticket, ['desk']);
  if (!target.active)
    throw conflict('desk.closed', `The desk ${target.key} is closed: it takes no new tickets.`);
  const problems: Detail[] = [];
  const tried = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Refusal) || error.kind !== 'invalid') throw error;
      problems.push(...error.details);
      return undefined;
    }
  };
  const status = tried(() => statusThere(ticket, target, input.status));
  const category = tried(() => categoryThere(ticket, target, input.category));
  const fields = tried(() => fieldsThere(ticket, target, input.customFields ?? {}, category ?? null));
  if (problems.length || !status || !fields)
    throw invalid(
      'ticket.move',
      `${ticket.key} cannot be moved to ${target.key} like that: say what it is there.`,
      problems,
    );
  const dropped = Object.keys(ticket.customFields).filter((name) => !(name in fields));
  return { set: { status, category: category ?? null, customFields: fields }, dropped };
}

const isDone = (kind: StatusKind) => kind === 'resolved' || kind === 'closed';

function statusThere(ticket: Ticket, { key, workflow }: Desk, word: string | undefined): string {
  const names = (fits: (kind: StatusKind) => boolean) =>
    workflow.states.filter((state) => fits(state.kind)).map((state) => state.name);
  const wanted = (why: string) =>
    invalid('ticket.move', why, [
      {
        path: 'status',
        message: `${why}: give one of ${names((kind) => isDone(kind) === isDone(ticket.statusKind)).join(', ')}`,
      },
    ]);
  if (word !== undefined) {
    const to = readStatus(workflow, word);
    if (!to || isDone(kindOf(workflow, to)) !== isDone(ticket.statusKind))
      throw wanted(`on ${key} it cannot be "${word.slice(0, 60)}"`);
    return to;
  }
  const same = workflow.states.find(({ name, kind }) => name === ticket.status && kind === ticket.statusKind);
  const [alike] = names((kind) => kind === ticket.statusKind);
  const begun = ticket.statusKind === 'new' ? workflow.initial : undefined;
  const to = same?.name ?? alike ?? begun;
  if (!to) throw wanted(`${key} has no state like ${ticket.status}`);
  return to;
}

function categoryThere(ticket: Ticket, target: Desk, word: string | null | undefined): string | null {
  if (word === null) return null;
  if (word !== undefined) return readCategory(target, word);
  if (ticket.category === null) return null;
  const wanted = categoryWord(ticket.category);
  const same = target.categories.find((name) => categoryWord(name) === wanted);
  if (same) return same;
  throw invalid('ticket.move', 'no such category', [
    {
      path: 'category',
      message: `${target.key} has no category ${ticket.category}: give one of ${target.categories.join(', ')}, or null`,
    },
  ]);
}

/** What was filled in stays where the new desk has such a field for it; what is given is checked as ever. */
function fieldsThere(ticket: Ticket, target: Desk, given: Record<string, unknown>, category: string | null) {
  const kept = Object.entries(ticket.customFields).filter(([name, value]) => {
    try {
      return readCustomFields(target, { [name]: value }, category, { complete: false })[name] !== null;
    } catch {
      return false;
    }
  });
  const read = readCustomFields(target, { ...Object.fromEntries(kept), ...given }, category);
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== null));
}
