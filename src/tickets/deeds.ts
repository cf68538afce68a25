// The deeds of macros and of automation rules: each says what it would write about a ticket, and writes nothing. They
// follow each other within one change, each on the ticket as the one before leaves it.
import type { Ctx } from '../context.ts';
import { type Desk, type Priority, readCategory } from '../desks/desk.ts';
import { Refusal } from '../errors.ts';
import type { Audience } from '../history/entry.ts';
import { same } from '../history/parts.ts';
import { preparedHandover } from './assigning.ts';
import type { TicketDraft } from './change.ts';
import { newCommentId, spoken } from './comments.ts';
import { checkMayEdit } from './editing.ts';
import { movedTo, readState } from './moving.ts';
import { consequences, type Ticket, tagWord } from './ticket.ts';

/** Null: there is nothing to do. */
export type Deed = (ticket: Ticket, desk: Desk) => TicketDraft | null;

/** What all of them write. Whoever gives `refused` goes on without the deed that cannot be done. */
export function draftsOf(
  ctx: Ctx,
  deeds: readonly Deed[],
  ticket: Ticket,
  desk: Desk,
  refused?: (refusal: Refusal) => void,
): TicketDraft[] {
  const drafts: TicketDraft[] = [];
  let now = ticket;
  for (const deed of deeds) {
    try {
      const draft = deed(now, desk);
      if (!draft) continue;
      drafts.push(draft);
      now = { ...now, ...consequences(now, draft.set ?? {}, desk.workflow, ctx.now()) };
    } catch (error) {
      if (!refused || !(error instanceof Refusal)) throw error;
      refused(error);
    }
  }
  return drafts;
}

/** What a template may name. Nothing internal: the text goes to the requester. */
export const wordsFor = (ticket: Ticket, agent: string): Record<string, unknown> => ({
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
  agent: { name: agent, first_name: agent.split(/\s+/)[0] },
});

/** `nth`: which of the comments of one change it is. */
export const saying =
  (ctx: Ctx, audience: Audience, content: string, nth: number): Deed =>
  (ticket) =>
    spoken(ctx, ticket, { audience, content, id: newCommentId(ctx, ticket._id, nth) });

/** Looks up everybody concerned first. Empty ids mean nobody. */
export const handing = async (
  ctx: Ctx,
  now: Ticket,
  { assignee, team }: { assignee?: string | null | undefined; team?: string | null | undefined },
): Promise<Deed> =>
  preparedHandover(ctx, now, {
    ...(assignee === undefined ? {} : { assigneeId: assignee || null }),
    ...(team === undefined ? {} : { teamId: team || null }),
  });

export interface Edits {
  addTags?: readonly string[];
  removeTags?: readonly string[];
  category?: string | null | undefined;
  /** Whatever else is to be set, checked already. */
  set?: (ticket: Ticket, desk: Desk) => Partial<Ticket>;
}

export const editing =
  (ctx: Ctx, { addTags = [], removeTags = [], category, set: more }: Edits): Deed =>
  (ticket, desk) => {
    const clean = (tags: readonly string[]) => tags.map(tagWord).filter(Boolean);
    const drop = clean(removeTags);
    const wanted: Partial<Ticket> = {
      tags: [...new Set([...ticket.tags.filter((tag) => !drop.includes(tag)), ...clean(addTags)])],
      ...(category === undefined ? {} : { category: category ? readCategory(desk, category) : null }),
      ...more?.(ticket, desk),
    };
    const set = Object.fromEntries(
      Object.entries(wanted).filter(([name, value]) => !same(ticket[name as keyof Ticket], value)),
    );
    if (!Object.keys(set).length) return null;
    checkMayEdit(ctx, ticket, ['priority']);
    return { action: 'update', set };
  };

export const prioritizing =
  (ctx: Ctx, priority: Priority): Deed =>
  (ticket) => {
    if (priority === ticket.priority) return null;
    checkMayEdit(ctx, ticket, ['priority']);
    return { action: 'priority_change', set: { priority } };
  };

export const moving =
  (ctx: Ctx, status: string): Deed =>
  (ticket, desk) => {
    const to = readState(desk, status);
    return to === ticket.status ? null : movedTo(ctx, ticket, desk, to);
  };
