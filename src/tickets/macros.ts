// A macro used on a ticket: its text becomes a public reply, its deeds are done along with it, and all of it is one
// change: either everything happens or nothing.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { type Desk, readCategory, readPriority } from '../desks/desk.ts';
import { fillIn, type Macro, readMacro } from '../desks/macros.ts';
import { conflict, forbidden, invalid } from '../errors.ts';
import { may } from '../people/access.ts';
import { type AssignInput, preparedHandover } from './assigning.ts';
import { change, type TicketDraft } from './change.ts';
import { newCommentId, spoken } from './comments.ts';
import { checkMayEdit } from './editing.ts';
import { find } from './find.ts';
import { movedTo, readState } from './moving.ts';
import type { Ticket } from './ticket.ts';

export const useMacroInput = z.strictObject({
  macroId: z.string().min(1).max(120).meta({ description: 'Id or name of the macro.' }),
});

export async function useMacro(
  ctx: Ctx,
  ref: string,
  { macroId }: z.output<typeof useMacroInput>,
  seen?: number,
): Promise<Ticket> {
  if (!may(ctx.actor, 'macro.use') || !may(ctx.actor, 'ticket.work'))
    throw forbidden('macro.use', 'Only agents use macros.');
  const [macro, now] = await Promise.all([readMacro(ctx, macroId), find(ctx, ref)]);
  if (macro.deskId !== null && macro.deskId !== now.desk)
    throw conflict('macro.desk', `The macro “${macro.name}” belongs to another desk.`);
  const reply = (await fillIn(macro, wordsFor(ctx, now))).trim();
  const notes = await Promise.all(
    valuesOf(macro, 'note').map((text) => fillIn({ body: text }, wordsFor(ctx, now))),
  );
  const handOver = await handoverOf(ctx, now, macro);
  return change(
    ctx,
    now._id,
    (ticket, desk) => {
      const said = [
        ...(reply ? [{ audience: 'public' as const, content: reply }] : []),
        ...notes.filter((text) => text.trim()).map((content) => ({ audience: 'internal' as const, content })),
      ].map((one, nth) => spoken(ctx, ticket, { ...one, id: newCommentId(ctx, ticket._id, nth) }));
      const edited = editedBy(ctx, ticket, desk, macro);
      const assigned = handOver?.(ticket);
      const status = valuesOf(macro, 'status').at(-1);
      const to = status === undefined ? ticket.status : readState(desk, status);
      return [
        ...said,
        ...edited,
        ...(assigned ? [assigned] : []),
        ...(to === ticket.status ? [] : [movedTo(ctx, ticket, desk, to)]),
      ].map((draft) => ({ ...draft, facts: { ...draft.facts, macro: macro.name } }));
    },
    { seen },
  );
}

type Deed = Macro['actions'][number]['do'];
const valuesOf = (macro: Macro, deed: Deed): string[] =>
  macro.actions.filter((one) => one.do === deed).map((one) => one.value);

/** What a template may name. Nothing internal: the text goes to the requester. */
const wordsFor = (ctx: Ctx, ticket: Ticket): Record<string, unknown> => ({
  ticket: {
    ...{ key: ticket.key, number: ticket.number, title: ticket.title, status: ticket.status },
    ...{ priority: ticket.priority, category: ticket.category, tags: ticket.tags, desk: ticket.deskKey },
    ...{ due_date: ticket.dueDate, created_at: ticket.createdAt, external_ref: ticket.externalRef },
    ...{ affected_service: ticket.affectedService, environment: ticket.environment },
  },
  requester: {
    name: ticket.requester.name,
    first_name: ticket.requester.name.split(/\s+/)[0],
    email: ticket.requester.email,
  },
  agent: { name: ctx.actor.name, first_name: ctx.actor.name.split(/\s+/)[0] },
});

async function handoverOf(ctx: Ctx, now: Ticket, macro: Macro) {
  const [assignee, team] = [valuesOf(macro, 'assignee').at(-1), valuesOf(macro, 'team').at(-1)];
  if (assignee === undefined && team === undefined) return null;
  const to: AssignInput = {
    ...(assignee === undefined ? {} : { assigneeId: assignee || null }),
    ...(team === undefined ? {} : { teamId: team || null }),
  };
  return preparedHandover(ctx, now, to);
}

function editedBy(ctx: Ctx, ticket: Ticket, desk: Desk, macro: Macro): TicketDraft[] {
  const drafts: TicketDraft[] = [];
  const drop = valuesOf(macro, 'remove_tag').map((tag) => tag.trim().toLowerCase());
  const add = valuesOf(macro, 'add_tag').map((tag) => tag.trim().toLowerCase());
  const tags = [...new Set([...ticket.tags.filter((tag) => !drop.includes(tag)), ...add.filter(Boolean)])];
  const category = valuesOf(macro, 'category').at(-1);
  const set: Partial<Ticket> = {
    ...(tags.join('\0') === ticket.tags.join('\0') ? {} : { tags }),
    ...(category === undefined ? {} : { category: category ? readCategory(desk, category) : null }),
  };
  if (Object.keys(set).length) drafts.push({ action: 'update', set });
  const wanted = valuesOf(macro, 'priority').at(-1);
  if (wanted !== undefined) {
    const priority = readPriority(wanted);
    if (!priority) throw invalid('macro.priority', `The macro names the priority "${wanted}".`);
    if (priority !== ticket.priority) drafts.push({ action: 'priority_change', set: { priority } });
  }
  if (drafts.length) checkMayEdit(ctx, ticket, ['priority']);
  return drafts;
}
