// A search by relevance: the newest matches are ranked and shown best first; whatever else matches follows, newest
// first. What must stay true: following the cursor meets every match, and each page is bounded work, wherefore one may
// be shorter than asked for, or empty, though others follow.
import {
  isCursorOf,
  list,
  type Order,
  type Page,
  type PageQuery,
  readCursor,
  writeCursor,
} from '../lists.ts';
import type { TicketRow } from './birth.ts';
import { ticketCollection } from './model.ts';
import { type Found, type Search, UNSHOWN } from './search.ts';
import type { Ticket } from './ticket.ts';
import { NEWEST, type Spot, walk } from './walking.ts';
import { countUpTo, type Way } from './ways.ts';

const MOST_RANKED = 100;
/** Of more matches than this nobody asks how many exactly. */
export const MOST_COUNTED = 1_000;
/** Longer is not counted: then there are at least as many as are shown. */
const COUNTED_MS = 120;
type Filter = Record<string, unknown>;
const BEST: Order = { field: 'relevance', direction: 'desc' };

export const countMatches = ({ filter, hint, lead }: Way, ms = COUNTED_MS): Promise<number | null> =>
  countUpTo(filter, MOST_COUNTED, { hint, ms: lead ? ms : undefined });

/** Newest first from the beginning. */
export const byAge = async (
  filter: Filter,
  search: Search,
  { cursor, pageSize }: PageQuery,
): Promise<Page<Ticket>> => newestFirst(await search.narrow(filter), cursor, pageSize);

export async function byRelevance(filter: Filter, search: Search, query: PageQuery): Promise<Page<Ticket>> {
  const { cursor, pageSize } = query;
  // First what the relay has not seen: what it sees meanwhile is then found by its words.
  const fresh = await search.unfiled(filter);
  const way = await search.narrow(filter);
  if (cursor && isCursorOf(cursor, NEWEST)) return newestFirst(way, cursor, pageSize);
  if (!cursor && query.page > 1 + MOST_RANKED / pageSize) return byNumber(way, query);

  const mark = cursor ? readCursor(cursor, BEST) : null;
  const page = mark?.page ?? query.page;
  const from = mark ? Math.max(0, Math.trunc(Number(mark.value)) || 0) : (page - 1) * pageSize;
  const [pool, counted] = await Promise.all([
    poolOf(way, fresh, mark ? spanIn(mark.id) : null),
    countMatches(way),
  ]);
  const ranked = pool.all
    .map((ticket) => ({ ticket, score: search.score(ticket) }))
    .sort((a, b) => b.score - a.score || olderLast(a.ticket, b.ticket));
  const shown = ranked.slice(from, from + pageSize).map(({ ticket: { words: _, ...ticket } }) => ticket);
  const total = pool.end ? Math.max(counted ?? 0, ranked.length) : ranked.length;
  const answer = { items: shown, total, page, pageSize };
  const next = from + pageSize;
  if (next < ranked.length) {
    const nextCursor = writeCursor({ order: BEST, value: next, id: written(pool.span), page: page + 1 });
    return { ...answer, nextCursor };
  }
  if (!pool.end) return { ...answer, nextCursor: null };
  const onward = writeCursor({ order: NEWEST, ...pool.end, page: page + 1 });
  const room = pageSize - shown.length;
  if (room === 0 || !pool.isFull) return { ...answer, nextCursor: onward };
  const rest = await newestFirst(way, writeCursor({ order: NEWEST, ...pool.end, page }), room, total);
  return { ...rest, items: [...shown, ...rest.items], pageSize };
}

/** What comes after the cursor, if there is one. */
async function newestFirst(
  way: Way,
  cursor: string | undefined,
  pageSize: number,
  known?: number,
): Promise<Page<Ticket>> {
  const mark = cursor === undefined ? null : readCursor(cursor, NEWEST);
  const from = mark && { value: new Date(Number(mark.value)), id: mark.id };
  const page = mark?.page ?? 1;
  const [{ rows, end }, total] = await Promise.all([
    walk(way, { from, many: pageSize + 1, projection: UNSHOWN }),
    known ?? countMatches(way),
  ]);
  const items = rows.slice(0, pageSize);
  const last = items.at(-1);
  const spot = rows.length > pageSize && last ? { value: last.createdAt, id: last._id } : end;
  const nextCursor = spot ? writeCursor({ order: NEWEST, ...spot, page: page + 1 }) : null;
  return { items, total: total ?? items.length, page, pageSize, nextCursor };
}

/** Far down by its number: as many are passed over. */
const byNumber = ({ filter, hint }: Way, query: PageQuery): Promise<Page<Ticket>> =>
  list<TicketRow, Ticket>(ticketCollection(), filter, NEWEST, query, (ticket) => ticket, {
    projection: UNSHOWN,
    total: async () => (await countMatches({ filter, ...(hint ? { hint } : {}) })) ?? MOST_COUNTED,
    ...(hint ? { hint } : {}),
  });

/** From when to when the tickets of the pool were filed: what comes later does not move the pages after the first. */
interface Span {
  newest: number;
  /** null: as far as there are any. */
  oldest: number | null;
}

const LAST_INSTANT = 8.64e15;
const instant = (text = ''): number => Math.max(0, Math.min(Number(text) || LAST_INSTANT, LAST_INSTANT));
const written = ({ newest, oldest }: Span): string => `${newest}${oldest === null ? '' : `~${oldest}`}`;

function spanIn(text: string): Span {
  const [newest, oldest] = text.split('~');
  return { newest: instant(newest), oldest: oldest === undefined ? null : instant(oldest) };
}

const olderLast = (a: Ticket, b: Ticket): number =>
  b.createdAt.getTime() - a.createdAt.getTime() || (a._id < b._id ? 1 : -1);

interface Pool {
  all: Found[];
  span: Span;
  /** Where those beyond the pool begin; null when there are none. */
  end: Spot | null;
  isFull: boolean;
}

async function poolOf(way: Way, fresh: readonly Found[], span: Span | null): Promise<Pool> {
  const { rows, end } = await walk(span ? within(way, span) : way, {
    from: null,
    many: MOST_RANKED,
    projection: UNSHOWN,
  });
  const ids = new Set(rows.map((row) => row._id));
  const late = fresh.filter((one) => !ids.has(one._id) && (!span || one.createdAt.getTime() <= span.newest));
  const all = [...late, ...rows];
  const isFull = rows.length === MOST_RANKED;
  const oldest = end?.value.getTime() ?? null;
  const newest = Math.max(0, ...all.map((one) => one.createdAt.getTime()));
  return {
    all,
    span: span ?? { newest, oldest },
    end: span?.oldest && !isFull ? { value: new Date(span.oldest), id: '' } : end,
    isFull,
  };
}

/** That much has been looked at before, and is looked at in one go. */
function within({ filter, hint }: Way, { newest, oldest }: Span): Way {
  const createdAt = { $lte: new Date(newest), ...(oldest === null ? {} : { $gte: new Date(oldest) }) };
  return { filter: { $and: [filter, { createdAt }] }, ...(hint ? { hint } : {}) };
}
