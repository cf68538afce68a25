// Lists of tickets: filters, orders, pages. Every list is served by an index that begins with the company; a page is
// found by where the one before it ended, so that the thousandth costs what the first does.
import { z } from 'zod';
import { type Ctx, VIAS } from '../context.ts';
import { instant } from '../dates.ts';
import { categoryWord, PRIORITIES, PRIORITY_RANK, priorityInput } from '../desks/desk.ts';
import { desksOf, findDesk } from '../desks/desks.ts';
import { invalid, unknown } from '../errors.ts';
import { list as listOf, type Order, type Page, pageQuery, repeated, yesOrNo } from '../lists.ts';
import { atLeast, maySeeNotes } from '../people/access.ts';
import { idsOf } from '../people/requesters.ts';
import type { TicketRow } from './birth.ts';
import { BY_WORDS, ticketCollection } from './model.ts';
import { anyOf, ownTickets } from './own.ts';
import { byAge, byRelevance, countMatches, MOST_COUNTED } from './ranking.ts';
import { matching, type Search, UNSHOWN } from './search.ts';
import { type Ticket, tagWord } from './ticket.ts';
import { lower } from './tickets.ts';
import { NEWEST } from './walking.ts';
import { KINDS, readStatus, type StatusKind } from './workflow.ts';

const word = (most = 100) => z.string().trim().min(1).max(most);

export const SORTS = ['created_at', 'updated_at', 'priority', 'due_at', 'number', 'relevance'] as const;

const person = repeated(word(320)).meta({ description: 'Id or address; `me` is oneself.' });
/** How a filter says that nobody, or no team, has it. */
const NONE = 'none';

export const listInput = z.strictObject({
  ...pageQuery,
  status: repeated(word(60)).optional(),
  statusKind: repeated(z.enum(KINDS)).optional(),
  priority: repeated(priorityInput).optional(),
  category: repeated(word(60)).optional(),
  desk: repeated(word(40)).optional(),
  company: word(40).optional(),
  team: repeated(word(40)).meta({ description: 'Id; `none` is no team.' }).optional(),
  assignee: repeated(word(320))
    .meta({ description: 'Id or address; `me` is oneself, `none` is nobody.' })
    .optional(),
  requester: person.optional(),
  channel: repeated(z.enum(VIAS)).optional(),
  tag: repeated(word(60)).optional(),
  environment: repeated(word()).optional(),
  externalRef: repeated(word(200)).optional(),
  q: z.string().max(10_000).optional(),
  my: yesOrNo.optional(),
  unassigned: yesOrNo.optional(),
  overdue: yesOrNo.optional(),
  createdAfter: instant.optional(),
  createdBefore: instant.optional(),
  updatedAfter: instant.optional(),
  sortBy: z.enum(SORTS).optional(),
  order: z.enum(['asc', 'desc']).optional(),
});
export type ListInput = z.output<typeof listInput>;

type Filter = Record<string, unknown>;
type Field = 'createdAt' | 'updatedAt' | 'shownAt' | 'priorityRank' | 'dueAt' | 'number';
const FIELD: Record<Exclude<(typeof SORTS)[number], 'relevance'>, Field> = {
  created_at: 'createdAt',
  updated_at: 'updatedAt',
  priority: 'priorityRank',
  due_at: 'dueAt',
  number: 'number',
};
/** By default what is urgent comes first, and what is due first. */
const NATURAL: Record<Field, 'asc' | 'desc'> = {
  createdAt: 'desc',
  updatedAt: 'desc',
  shownAt: 'desc',
  priorityRank: 'desc',
  dueAt: 'asc',
  number: 'asc',
};

/** To customers a ticket is as old as what they may see of it. */
const fieldFor = ({ actor }: Ctx, sortBy: keyof typeof FIELD): Field =>
  sortBy === 'updated_at' && !maySeeNotes(actor) ? 'shownAt' : FIELD[sortBy];

export async function list(ctx: Ctx, input: ListInput): Promise<Page<Ticket>> {
  const { filter, search, own } = await filterOf(ctx, input);
  const sortBy = input.sortBy ?? 'relevance';
  if (search && sortBy === 'relevance') return byRelevance(filter, search, input);
  const field = fieldFor(ctx, sortBy === 'relevance' ? 'created_at' : sortBy);
  const direction = input.order ?? NATURAL[field];
  const order: Order = { field, direction, nullable: field === 'dueAt' };
  const isNewestFirst = field === NEWEST.field && direction === NEWEST.direction;
  if (search && isNewestFirst && (input.cursor || input.page === 1)) return byAge(filter, search, input);
  const as = (ticket: Ticket) => ticket;
  if (own.length > 1 && !search) {
    const { $or: _, ...rest } = filter;
    return listOf<TicketRow, Ticket>(anyOf(own), rest, order, input, as, { projection: UNSHOWN });
  }
  const options = search ? await searched(filter, search) : { filter, total: () => totalOf(ctx, filter) };
  const { filter: wanted, ...more } = options;
  return listOf<TicketRow, Ticket>(ticketCollection(), wanted, order, input, as, {
    projection: UNSHOWN,
    ...more,
  });
}

/** How long somebody may wait for a number of words that seldom meet. */
const PATIENT_MS = 10_000;

/** In another order than by relevance or age: few matches are fetched by their words, of many the order meets enough soon. */
async function searched(filter: Filter, search: Search) {
  const narrow = await search.narrow(filter);
  const { filter: narrowed, hint } = narrow;
  const total = await countMatches(narrow);
  const isMany = hint === BY_WORDS && total !== null && total >= MOST_COUNTED;
  return {
    filter: narrowed,
    total: async () => total ?? (await countMatches(narrow, PATIENT_MS)) ?? MOST_COUNTED,
    ...(hint && !isMany ? { hint } : {}),
  };
}

const oneOf = <T>(values: T[]): T | { $in: T[] } =>
  values.length === 1 ? (values[0] as T) : { $in: values };

export async function filterOf(
  ctx: Ctx,
  input: Omit<ListInput, 'page' | 'pageSize'>,
): Promise<{ filter: Filter; search: Search | null; own: Filter[] }> {
  const { actor } = ctx;
  if (input.company !== undefined && input.company !== actor.company) throw unknown('company');
  const isCustomer = actor.kind !== 'system' && !atLeast(actor.role, 'agent');
  const filter: Filter = { company: actor.company };
  if (input.desk)
    filter.desk = oneOf(
      await Promise.all(input.desk.map(async (ref) => (await findDesk(actor.company, ref)).id)),
    );
  if (input.status) filter.status = oneOf(await statuses(actor.company, input.status));
  if (input.statusKind) filter.statusKind = oneOf(input.statusKind);
  if (input.priority) filter.priorityRank = oneOf(input.priority.map((name) => PRIORITY_RANK[name]));
  if (input.category) filter.category = oneOf(await categories(actor.company, input.category));
  if (input.team) filter.team = oneOf(input.team.map((id) => (id === NONE ? null : id)));
  if (input.assignee) {
    const some = input.assignee.filter((one) => one !== NONE);
    const ids = some.length ? await idsOf(actor, some) : [];
    filter.assignee = oneOf([...ids, ...(some.length < input.assignee.length ? [null] : [])]);
  }
  if (input.requester) filter['requester.id'] = oneOf(await idsOf(actor, input.requester));
  if (input.channel) filter.channel = oneOf(input.channel);
  if (input.tag) filter.tags = oneOf(input.tag.map(tagWord));
  if (input.environment) filter.environment = oneOf(input.environment.map((name) => lower(name)));
  if (input.externalRef) filter.externalRef = oneOf(input.externalRef);
  if (input.my) Object.assign(filter, isCustomer ? { 'requester.id': actor.id } : { assignee: actor.id });
  if (input.unassigned) filter.assignee = null;
  if (input.overdue)
    Object.assign(filter, { dueAt: { $lt: ctx.now() }, statusKind: { $in: ['new', 'open', 'pending'] } });
  if (input.createdAfter || input.createdBefore)
    filter.createdAt = {
      ...(input.createdAfter ? { $gte: input.createdAfter } : {}),
      ...(input.createdBefore ? { $lt: input.createdBefore } : {}),
    };
  if (input.updatedAfter) filter[fieldFor(ctx, 'updated_at')] = { $gte: input.updatedAfter };
  const own = isCustomer ? await ownTickets(actor) : [];
  const [mine] = own;
  if (own.length === 1 && !('requester.id' in filter)) Object.assign(filter, mine);
  else if (mine) filter.$or = own;
  return { filter, search: input.q?.trim() ? matching(ctx, input.q, !isCustomer) : null, own };
}

/** As the desks write it: `Bug Report` is also found as `bug_report`, and what no desk has any more as it was. */
async function categories(company: string, words: string[]): Promise<string[]> {
  const known = (await desksOf(company)).flatMap((desk) => desk.categories);
  const found = words.flatMap((word) => {
    const same = known.filter((name) => categoryWord(name) === categoryWord(word));
    return same.length ? same : [word, word.toLowerCase()];
  });
  return [...new Set(found)];
}

/** A status word means what the desks of the company call so: by name, by label, in any letter case. */
async function statuses(company: string, words: string[]): Promise<string[]> {
  const desks = await desksOf(company);
  const found = words.flatMap((one) => desks.flatMap((desk) => readStatus(desk.workflow, one) ?? []));
  if (words.some((one) => !desks.some((desk) => readStatus(desk.workflow, one))))
    throw invalid('list.status', 'No desk has that status.', [
      {
        path: 'status',
        message: `must be one of ${[...new Set(desks.flatMap((desk) => desk.workflow.states.map((state) => state.name)))].join(', ')}`,
      },
    ]);
  return [...new Set(found)];
}

const MOST_TOTALS = 2_000;
/** Nobody misses the last one of so many: while tickets pour in, such a count may be a few seconds old. */
const MANY = 10_000;
const totals = new Map<string, { total: number; stamp: string; until: number }>();

/** Counting a hundred thousand costs more than the page it stands beside: a count holds until a ticket changes. */
async function totalOf(ctx: Ctx, filter: Filter): Promise<number> {
  const key = JSON.stringify(filter);
  const known = totals.get(key);
  const isFresh = known && known.until > performance.now();
  if (isFresh && known.total > MANY) return known.total;
  const newest = await ticketCollection().findOne(
    { company: ctx.actor.company },
    { sort: { updatedAt: -1, _id: -1 }, projection: { updatedAt: 1, seq: 1 } },
  );
  const stamp = newest ? `${newest.updatedAt.getTime()}.${newest._id}.${newest.seq}` : '';
  if (isFresh && known.stamp === stamp) return known.total;
  const total = await ticketCollection().countDocuments(filter);
  if (totals.size > MOST_TOTALS) totals.clear();
  totals.set(key, { total, stamp, until: performance.now() + 3_000 });
  return total;
}

const STATISTICS_FIELDS = { by_status: 'status', by_priority: 'priority', by_category: 'category' } as const;

/** The numbers over what the caller may see. */
export async function statistics(ctx: Ctx): Promise<Record<string, unknown>> {
  const { filter } = await filterOf(ctx, {});
  const now = ctx.now();
  const active = { $in: ['new', 'open', 'pending'] as StatusKind[] };
  const isCustomer = !atLeast(ctx.actor.role, 'agent') && ctx.actor.kind !== 'system';
  const collection = ticketCollection();
  const counts = (field: string) =>
    collection
      .aggregate<{ _id: string | null; n: number }>([
        { $match: filter },
        { $group: { _id: `$${field}`, n: { $sum: 1 } } },
      ])
      .toArray();
  const [byStatus, byPriority, byCategory, overdue, unassigned, mine, resolution] = await Promise.all([
    ...Object.values(STATISTICS_FIELDS).map(counts),
    collection.countDocuments({ ...filter, dueAt: { $lt: now }, statusKind: active }),
    collection.countDocuments({ ...filter, assignee: null, statusKind: active }),
    collection.countDocuments(
      isCustomer ? filter : { ...filter, assignee: ctx.actor.id, statusKind: active },
    ),
    collection
      .aggregate<{ _id: null; ms: number }>([
        { $match: { ...filter, resolvedAt: { $type: 'date' } } },
        { $group: { _id: null, ms: { $avg: { $subtract: ['$resolvedAt', '$createdAt'] } } } },
      ])
      .toArray(),
  ] as const);
  const table = (rows: unknown) =>
    Object.fromEntries(
      (rows as { _id: string | null; n: number }[]).map((row) => [row._id ?? 'none', row.n]),
    );
  const ms = (resolution as { ms: number }[])[0]?.ms;
  return {
    totalTickets: (byStatus as { n: number }[]).reduce((sum, row) => sum + row.n, 0),
    byStatus: table(byStatus),
    byPriority: { ...Object.fromEntries(PRIORITIES.map((name) => [name, 0])), ...table(byPriority) },
    byCategory: table(byCategory),
    overdueCount: overdue,
    unassignedCount: unassigned,
    myTicketsCount: mine,
    avgResolutionTimeHours: ms === undefined || ms === null ? null : Math.round(ms / 36_000) / 100,
  };
}
