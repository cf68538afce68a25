// Where a ticket stands: every way from one state to another goes through `movedTo`, which knows the workflow, the
// window for reopening, and what a requester may do to their own ticket.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { instant } from '../dates.ts';
import { type Desk, priorityInput } from '../desks/desk.ts';
import { conflict, forbidden, invalid } from '../errors.ts';
import type { Action } from '../history/entry.ts';
import { isRequester, may } from '../people/access.ts';
import { change, type Seen, type TicketDraft } from './change.ts';
import { ticketSettings } from './settings.ts';
import type { Ticket } from './ticket.ts';
import {
  checkMove,
  kindOf,
  nextOf,
  readStatus,
  reopenedState,
  type StatusKind,
  stateOfKind,
  stepAfter,
} from './workflow.ts';

const notes = z.string().trim().max(20_000);
export const statusInput = z.strictObject({
  status: z.string().min(1).max(60).meta({ description: 'A state of the desk, in any letter case.' }),
  notes: notes.optional(),
});
export const resolveInput = z.strictObject({ resolutionNotes: notes.min(1) });
export const notesInput = z.strictObject({ notes: notes.optional() });
export const escalateInput = z.strictObject({ notes: notes.optional(), priority: priorityInput.optional() });
export const snoozeInput = z.strictObject({ until: instant.nullable() });

const DAY = 86_400_000;
const isDone = (kind: StatusKind) => kind === 'resolved' || kind === 'closed';

/** The draft that moves a ticket to a state, or the refusal that says where it may go instead. */
export function movedTo(ctx: Ctx, ticket: Ticket, desk: Desk, to: string, why?: string): TicketDraft {
  const { workflow } = desk;
  checkMove(workflow, ticket.status, to);
  const action = actionOf(ticket.statusKind, kindOf(workflow, to), to);
  if (ctx.actor.kind !== 'system' && !may(ctx.actor, 'ticket.work')) {
    const own = isRequester(ctx.actor, ticket) && may(ctx.actor, 'ticket.reopen');
    if (!own || (action !== 'closed' && action !== 'reopened'))
      throw forbidden('ticket.status', 'You may close and reopen your own tickets; agents do the rest.');
  }
  if (action === 'reopened') checkWindow(ctx, ticket);
  return {
    action,
    set: { status: to, ...(action === 'escalated' ? { escalated: true } : {}) },
    ...(why ? { notes: why } : {}),
  };
}

function actionOf(from: StatusKind, kind: StatusKind, to: string): Action {
  if (kind === 'closed') return 'closed';
  if (kind === 'resolved') return 'resolved';
  if (isDone(from)) return 'reopened';
  return to === 'escalated' ? 'escalated' : 'status_change';
}

function isInWindow(ctx: Ctx, ticket: Ticket): boolean {
  const { reopenWindowDays: days } = ticketSettings();
  return ticket.closedAt === null || ctx.now().getTime() <= ticket.closedAt.getTime() + days * DAY;
}

function checkWindow(ctx: Ctx, ticket: Ticket): void {
  const { reopenWindowDays: days } = ticketSettings();
  if (!isInWindow(ctx, ticket))
    throw conflict(
      'ticket.reopen_window',
      `${ticket.key} was closed more than ${days} days ago and can no longer be reopened. File a new ticket.`,
    );
}

/** A requester who writes again, or answers, sets their ticket going: what follows their reply, if anything. */
export function wokenBy(ctx: Ctx, ticket: Ticket, desk: Desk): TicketDraft | null {
  const { workflow } = desk;
  const to = isDone(ticket.statusKind)
    ? reopenedState(workflow, ticket.status)
    : ticket.statusKind === 'pending'
      ? stateOfKind(workflow, 'open', ticket.status)
      : undefined;
  if (to === undefined || !nextOf(workflow, ticket.status).includes(to)) return null;
  if (isDone(ticket.statusKind)) checkWindow(ctx, ticket);
  return { action: isDone(ticket.statusKind) ? 'reopened' : 'status_change', set: { status: to } };
}

export function setStatus(
  ctx: Ctx,
  ref: string,
  input: z.output<typeof statusInput>,
  seen?: Seen,
): Promise<Ticket> {
  return change(
    ctx,
    ref,
    (ticket, desk) => {
      return movedTo(ctx, ticket, desk, readState(desk, input.status), input.notes);
    },
    { seen },
  );
}

export function readState(desk: Desk, word: string): string {
  const to = readStatus(desk.workflow, word);
  if (to) return to;
  const names = desk.workflow.states.map((state) => state.name).join(', ');
  throw invalid('ticket.status_unknown', `The desk ${desk.key} has no status "${word}".`, [
    { path: 'status', message: `must be one of ${names}` },
  ]);
}

/** By a verb: the state of that kind which this workflow means. */
function stateFor(desk: Desk, ticket: Ticket, kinds: readonly StatusKind[], word: string): string {
  for (const kind of kinds) {
    const to = stateOfKind(desk.workflow, kind, ticket.status);
    if (to) return to;
  }
  throw conflict(
    'ticket.transition',
    `The workflow of the desk ${desk.key} has no state for a ${word} ticket.`,
  );
}

export function resolve(
  ctx: Ctx,
  ref: string,
  { resolutionNotes }: z.output<typeof resolveInput>,
  seen?: Seen,
): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.work')) throw forbidden('ticket.resolve', 'Only agents resolve tickets.');
  return change(ctx, ref, (ticket, desk) => resolved(ctx, ticket, desk, resolutionNotes), { seen });
}

export function resolved(ctx: Ctx, ticket: Ticket, desk: Desk, resolutionNotes: string): TicketDraft {
  const to = stateFor(desk, ticket, ['resolved', 'closed'], 'resolved');
  const draft = movedTo(ctx, ticket, desk, to);
  return { ...draft, action: 'resolved', set: { ...draft.set, resolutionNotes } };
}

type Notes = z.output<typeof notesInput>;

export function close(ctx: Ctx, ref: string, { notes }: Notes = {}, seen?: Seen): Promise<Ticket> {
  return change(ctx, ref, (ticket, desk) => closed(ctx, ticket, desk, notes), { seen });
}

export const closed = (ctx: Ctx, ticket: Ticket, desk: Desk, why?: string): TicketDraft =>
  movedTo(ctx, ticket, desk, stateFor(desk, ticket, ['closed'], 'closed'), why);

export function reopen(ctx: Ctx, ref: string, { notes }: Notes = {}, seen?: Seen): Promise<Ticket> {
  return change(
    ctx,
    ref,
    (ticket, desk) => {
      if (!isDone(ticket.statusKind))
        throw conflict('ticket.not_done', `${ticket.key} is ${ticket.status}: there is nothing to reopen.`);
      const to = reopenedState(desk.workflow, ticket.status);
      if (to) return movedTo(ctx, ticket, desk, to, notes);
      throw conflict('ticket.transition', `A ticket that is ${ticket.status} cannot be reopened here.`);
    },
    { seen },
  );
}

export function escalate(
  ctx: Ctx,
  ref: string,
  input: z.output<typeof escalateInput>,
  seen?: Seen,
): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.work')) throw forbidden('ticket.escalate', 'Only agents escalate tickets.');
  return change(ctx, ref, (ticket, desk) => escalated(ctx, ticket, desk, input), { seen });
}

/** Where the workflow has a state for it, that; else a mark. Either way its people are told. */
export function escalated(
  ctx: Ctx,
  ticket: Ticket,
  desk: Desk,
  { notes, priority }: z.output<typeof escalateInput>,
): TicketDraft {
  const more = priority ? { priority } : {};
  if (desk.workflow.states.some((state) => state.name === 'escalated')) {
    const draft = movedTo(ctx, ticket, desk, 'escalated', notes);
    return { ...draft, set: { ...draft.set, ...more } };
  }
  if (isDone(ticket.statusKind))
    throw conflict('ticket.done', `${ticket.key} is ${ticket.status}: reopen it before escalating it.`);
  if (ticket.escalated && (!priority || priority === ticket.priority))
    throw conflict('ticket.escalated', `${ticket.key} is escalated already.`);
  return { action: 'escalated', set: { escalated: true, ...more }, ...(notes ? { notes } : {}) };
}

/** To the next step of the workflow. */
export function advance(ctx: Ctx, ref: string, { notes }: Notes = {}, seen?: Seen): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.work')) throw forbidden('ticket.advance', 'Only agents advance tickets.');
  return change(
    ctx,
    ref,
    (ticket, desk) => {
      const to = stepAfter(desk.workflow, ticket.status);
      if (to) return movedTo(ctx, ticket, desk, to, notes);
      throw conflict('ticket.last_step', `${ticket.key} is ${ticket.status}, which is the last step.`);
    },
    { seen },
  );
}

export function snooze(
  ctx: Ctx,
  ref: string,
  { until }: z.output<typeof snoozeInput>,
  seen?: Seen,
): Promise<Ticket> {
  if (!may(ctx.actor, 'ticket.work')) throw forbidden('ticket.snooze', 'Only agents snooze tickets.');
  if (until && until.getTime() <= ctx.now().getTime())
    throw invalid('ticket.snooze_past', 'A ticket is snoozed until some time to come.', [
      { path: 'until', message: 'must be in the future' },
    ]);
  return change(
    ctx,
    ref,
    (ticket) => {
      if (until && isDone(ticket.statusKind))
        throw conflict('ticket.done', `${ticket.key} is ${ticket.status}: there is nothing to snooze.`);
      if ((ticket.snoozedUntil?.getTime() ?? null) === (until?.getTime() ?? null)) return null;
      return { action: 'snoozed', set: { snoozedUntil: until } };
    },
    { seen },
  );
}
