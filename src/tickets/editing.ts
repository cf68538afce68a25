// Changing what a ticket says: PATCH changes what is given, PUT says all of it anew. Each kind of change keeps its own
// rule (the words, the status, the assignment, the priority) and its own entry; all of them commit together.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { instant } from '../dates.ts';
import { type Desk, priorityInput, readCategory, readCustomFields } from '../desks/desk.ts';
import { conflict, forbidden } from '../errors.ts';
import { same } from '../history/parts.ts';
import { atLeast, isRequester, may, mayEdit } from '../people/access.ts';
import { requesterFor } from '../people/requesters.ts';
import { preparedHandover } from './assigning.ts';
import { change, type Seen, type TicketDraft } from './change.ts';
import { find } from './find.ts';
import { movedTo, readState } from './moving.ts';
import type { Requester, Ticket } from './ticket.ts';
import { line, lower, tagList, word } from './tickets.ts';

const hours = z.number().min(0).max(100_000).nullable();
const words = {
  description: z.string().max(100_000),
  tags: tagList,
  environment: word(),
  affectedService: word(200),
  impactLevel: word(),
  category: z.string().max(60).nullable(),
  dueDate: instant.nullable(),
  estimatedHours: hours,
  actualHours: hours,
  externalRef: word(200),
  customFields: z.record(z.string().max(40), z.unknown()),
  private: z.boolean(),
};
const moves = {
  priority: priorityInput.optional(),
  status: z.string().min(1).max(60).optional(),
  assigneeId: z.string().max(40).nullish(),
  teamId: z.string().max(40).nullish(),
  requester: z.string().max(320).optional(),
  resolutionNotes: z.string().max(20_000).nullish(),
  notes: z.string().trim().max(20_000).optional(),
};

export const patchInput = z.strictObject({
  title: line(300).optional(),
  ...z.object(words).partial().shape,
  ...moves,
});
export type PatchInput = z.output<typeof patchInput>;

/** Everything that describes the ticket: what is left out goes back to its beginning. */
export const putInput = z.strictObject({ title: line(300), ...z.object(words).partial().shape, ...moves });

const EMPTY: Required<Pick<PatchInput, keyof typeof words>> = {
  ...{
    description: '',
    tags: [],
    environment: null,
    affectedService: null,
    impactLevel: null,
    category: null,
  },
  ...{ dueDate: null, estimatedHours: null, actualHours: null, externalRef: null, private: false },
  customFields: {},
};

export const replace = (
  ctx: Ctx,
  ref: string,
  given: z.output<typeof putInput>,
  seen?: Seen,
): Promise<Ticket> => edit(ctx, ref, { ...EMPTY, ...given }, { seen, whole: true });

export const patch = (ctx: Ctx, ref: string, given: PatchInput, seen?: Seen): Promise<Ticket> =>
  edit(ctx, ref, given, { seen, whole: false });

interface Manner {
  seen: Seen | undefined;
  whole: boolean;
}

async function edit(ctx: Ctx, ref: string, given: PatchInput, { seen, whole }: Manner): Promise<Ticket> {
  const { assigneeId, teamId, notes } = given;
  const handOver =
    assigneeId === undefined && teamId === undefined
      ? null
      : await preparedHandover(ctx, await find(ctx, ref), {
          assigneeId,
          teamId,
          ...(notes ? { notes } : {}),
        });
  const requester = given.requester === undefined ? null : await requesterFor(ctx, given.requester);
  return change(
    ctx,
    ref,
    (ticket, desk) => {
      const drafts: TicketDraft[] = [];
      const said = wordsOf(ctx, ticket, desk, given, requester, whole);
      if (Object.keys(said).length) {
        checkMayEdit(ctx, ticket, Object.keys(said));
        drafts.push({ action: 'update', set: said });
      }
      if (given.priority && given.priority !== ticket.priority) {
        checkMayEdit(ctx, ticket, ['priority']);
        drafts.push({ action: 'priority_change', set: { priority: given.priority } });
      }
      if (handOver && !isSameHolder(ticket, given, ctx)) {
        const draft = handOver(ticket);
        if (draft) drafts.push(draft);
      }
      const to = given.status === undefined ? ticket.status : readState(desk, given.status);
      if (to !== ticket.status) drafts.push(movedTo(ctx, ticket, desk, to, notes));
      return drafts;
    },
    { seen },
  );
}

/** A client that sends back what it read asks for no handover. */
const isSameHolder = (ticket: Ticket, { assigneeId, teamId }: PatchInput, { actor }: Ctx): boolean =>
  (assigneeId === undefined || (assigneeId === 'me' ? actor.id : assigneeId) === ticket.assignee) &&
  (teamId === undefined || teamId === ticket.team);

/** The fields that would really change, in the ticket's own words. */
function wordsOf(
  ctx: Ctx,
  ticket: Ticket,
  desk: Desk,
  given: PatchInput,
  requester: Requester | null,
  whole: boolean,
): Partial<Ticket> {
  const { environment, impactLevel, category, customFields } = given;
  const set: Partial<Ticket> = {
    ...pick(given, ['title', 'description', 'tags', 'affectedService', 'dueDate', 'estimatedHours']),
    ...pick(given, ['actualHours', 'externalRef', 'private', 'resolutionNotes']),
    ...(environment === undefined ? {} : { environment: lower(environment) }),
    ...(impactLevel === undefined ? {} : { impactLevel: lower(impactLevel) }),
    ...(requester ? { requester } : {}),
  };
  if (category !== undefined) set.category = category ? readCategory(desk, category) : null;
  if (customFields !== undefined || (set.category !== undefined && set.category !== ticket.category))
    set.customFields = customFieldsOf(ctx, ticket, desk, customFields ?? {}, set.category, whole);
  const before = ticket as unknown as Record<string, unknown>;
  return Object.fromEntries(Object.entries(set).filter(([name, value]) => !same(before[name], value)));
}

function customFieldsOf(
  ctx: Ctx,
  ticket: Ticket,
  desk: Desk,
  given: Record<string, unknown>,
  category: string | null | undefined,
  whole: boolean,
): Record<string, unknown> {
  const forCustomer = ctx.actor.kind !== 'system' && !atLeast(ctx.actor.role, 'agent');
  const known = new Set(desk.customFields.map((field) => field.name));
  const kept = Object.entries(ticket.customFields).filter(([name]) => known.has(name));
  const all = whole ? given : { ...Object.fromEntries(kept), ...given };
  const read = readCustomFields(desk, all, category === undefined ? ticket.category : category, {
    forCustomer,
  });
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== null));
}

const pick = <K extends keyof PatchInput>(
  given: PatchInput,
  names: readonly K[],
): Partial<Pick<PatchInput, K>> => {
  const out: Partial<Pick<PatchInput, K>> = {};
  for (const name of names) if (given[name] !== undefined) out[name] = given[name];
  return out;
};

const OWN_WORDS = ['title', 'description', 'tags'];

/** Agents by the table of access; requesters their own words, as long as nobody works on them. */
export function checkMayEdit(ctx: Ctx, ticket: Ticket, fields: readonly string[]): void {
  const { actor } = ctx;
  if (mayEdit(actor, ticket)) return;
  if (atLeast(actor.role, 'agent'))
    throw forbidden('ticket.edit', 'Somebody else works on this ticket: leads and managers may change it.');
  const others = fields.filter((name) => !OWN_WORDS.includes(name));
  if (!may(actor, 'ticket.edit_own') || !isRequester(actor, ticket) || others.length)
    throw forbidden('ticket.edit', 'You may correct the title, description and tags of your own tickets.');
  if (ticket.assignee !== null || ticket.firstRespondedAt !== null || ticket.resolvedAt !== null)
    throw conflict('ticket.in_work', 'Somebody works on this ticket already: write a comment instead.');
}
