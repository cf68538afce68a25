// What happened to a ticket, as somebody may read it: agents all of it, customers what concerns them. The words of
// comments stand in the thread, never here.
import { z } from 'zod';
import { type Actor, type Ctx, VIAS } from '../context.ts';
import { invalid } from '../errors.ts';
import { ACTIONS, type Entry, isPublic, QUIET_FIELDS, shownId, shownNumber } from '../history/entry.ts';
import { rootOf } from '../history/parts.ts';
import { type Page, pageQuery } from '../lists.ts';
import { maySeeNotes } from '../people/access.ts';
import { entriesOf, load } from './find.ts';
import type { StoredTicket } from './ticket.ts';

export const eventShape = z
  .object({
    id: z.string(),
    seq: z.int(),
    ticketId: z.string(),
    action: z.enum(ACTIONS),
    at: z.date(),
    actor: z.object({ kind: z.enum(['user', 'contact', 'system']), id: z.string(), name: z.string() }),
    via: z.enum(VIAS),
    changes: z.array(z.object({ field: z.string(), oldValue: z.unknown(), newValue: z.unknown() })),
    commentId: z.string().nullable(),
    isInternal: z.boolean(),
    notes: z.string().nullable(),
    facts: z.record(z.string(), z.unknown()),
    requestId: z.string().nullable().meta({ description: 'The request that caused it. Agents only.' }),
  })
  .meta({ id: 'HistoryEntry' });
export type Event = z.output<typeof eventShape>;

export const actions = z
  .union([z.string().max(40), z.array(z.string().max(40)).max(40)])
  .transform((given) => [given].flat().map((one) => one.toLowerCase()))
  .pipe(z.array(z.enum(ACTIONS)));
export const storyInput = z.strictObject({
  ...pageQuery,
  action: actions.optional(),
  order: z.enum(['asc', 'desc']).default('asc'),
});

/** Named as the answers of the API name them. */
const NAMES: Record<string, string> = {
  assignee: 'assignee_id',
  team: 'team_id',
  desk: 'desk_id',
  company: 'company_id',
  deskKey: 'desk',
};
const PUBLIC_FIELDS: ReadonlySet<string> = new Set([
  ...['title', 'description', 'status', 'priority', 'category', 'tags', 'assignee', 'team', 'key', 'dueDate'],
  ...['resolvedAt', 'closedAt', 'satisfaction', 'resolutionNotes', 'escalated'],
]);
const snake = (name: string) => NAMES[name] ?? name.replace(/[A-Z]/g, (one) => `_${one.toLowerCase()}`);

export function eventOf(actor: Actor, entry: Entry): Event {
  const isAgent = maySeeNotes(actor);
  const shown = (field: string) => (isAgent ? !QUIET_FIELDS.has(rootOf(field)) : PUBLIC_FIELDS.has(field));
  return {
    id: isAgent ? entry._id : shownId(entry),
    seq: isAgent ? entry.seq : shownNumber(entry),
    ticketId: entry.ticket,
    action: entry.action,
    at: entry.at,
    actor: { kind: entry.by.kind, id: entry.by.id, name: entry.by.name },
    via: entry.via,
    changes: Object.entries(entry.fields)
      .filter(([field, [from, to]]) => shown(field) && !(entry.seq === 1 && from === null && to === null))
      .map(([field, [oldValue, newValue]]) => ({ field: snake(field), oldValue, newValue })),
    commentId: entry.comment?.id ?? null,
    isInternal: entry.comment?.audience === 'internal',
    notes: isAgent ? (entry.notes ?? null) : null,
    facts: isAgent ? (entry.facts ?? {}) : {},
    requestId: isAgent ? entry.request : null,
  };
}

export async function storyFor(ctx: Ctx, stored: StoredTicket): Promise<Event[]> {
  const isAgent = maySeeNotes(ctx.actor);
  const entries = await entriesOf(stored);
  return entries.filter((entry) => isAgent || isPublic(entry)).map((entry) => eventOf(ctx.actor, entry));
}

export async function story(
  ctx: Ctx,
  ref: string,
  { action, order, page, pageSize, cursor }: z.output<typeof storyInput>,
): Promise<Page<Event>> {
  const all = (await storyFor(ctx, await load(ctx, ref))).filter(
    (event) => !action || action.includes(event.action),
  );
  return pageOver(order === 'desc' ? all.reverse() : all, { page, pageSize, cursor });
}

/** A page of what was read whole. The cursor is the number of the next page. */
export function pageOver<T>(
  all: readonly T[],
  { page, pageSize, cursor }: { page: number; pageSize: number; cursor?: string | undefined },
): Page<T> {
  const here = cursor === undefined ? page : Number(/^p([1-9]\d{0,8})$/.exec(cursor)?.[1]);
  if (Number.isNaN(here))
    throw invalid('list.cursor', 'That cursor does not belong to this list. Begin again without it.', [
      { path: 'cursor', message: 'is not a cursor of this list' },
    ]);
  const from = (here - 1) * pageSize;
  return {
    items: all.slice(from, from + pageSize),
    total: all.length,
    page: here,
    pageSize,
    nextCursor: from + pageSize < all.length ? `p${here + 1}` : null,
  };
}
