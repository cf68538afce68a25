// A search by relevance: the newest matches are ranked and shown best first; whatever else matches follows, newest
// first. What must stay true: following the cursor meets every match, and each page is bounded work.
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

const MOST_RANKED = 100;
/** Of more matches than this nobody asks how many exactly. */
export const MOST_COUNTED = 1_000;
const BEST: Order = { field: 'relevance', direction: 'desc' };
const NEWEST: Order = { field: 'createdAt', direction: 'desc', nullable: false };
type Filter = Record<string, unknown>;

export const countMatches = (filter: Filter): Promise<number> =>
  ticketCollection().countDocuments(filter, { limit: MOST_COUNTED });

const newestFirst = (filter: Filter, query: PageQuery, total: () => Promise<number>): Promise<Page<Ticket>> =>
  list<TicketRow, Ticket>(ticketCollection(), filter, NEWEST, query, (ticket) => ticket, {
    projection: UNSHOWN,
    total,
  });

export async function byRelevance(filter: Filter, search: Search, query: PageQuery): Promise<Page<Ticket>> {
  const { cursor, pageSize } = query;
  // First what the relay has not seen: what it sees meanwhile is then found by its words.
  const fresh = await search.unfiled(filter);
  const narrowed = { ...filter, ...(await search.narrow(filter)) };
  const isBeyond = cursor ? isCursorOf(cursor, NEWEST) : query.page > 1 + MOST_RANKED / pageSize;
  if (isBeyond) return newestFirst(narrowed, query, () => countMatches(narrowed));

  const mark = cursor ? readCursor(cursor, BEST) : null;
  const page = mark?.page ?? query.page;
  const from = mark ? Math.max(0, Math.trunc(Number(mark.value)) || 0) : (page - 1) * pageSize;
  const [pool, counted] = await Promise.all([
    poolOf(narrowed, fresh, mark ? instant(mark.id) : null),
    countMatches(narrowed),
  ]);
  const ranked = pool.all
    .map((ticket) => ({ ticket, score: search.score(ticket) }))
    .sort((a, b) => b.score - a.score || byAge(a.ticket, b.ticket));
  const shown = ranked.slice(from, from + pageSize).map(({ ticket: { words: _, ...ticket } }) => ticket);
  const total = pool.last ? counted : ranked.length;
  const next = from + pageSize;
  if (next < ranked.length || !pool.last) {
    const cursor = { order: BEST, value: next, id: String(pool.newest), page: page + 1 };
    const nextCursor = next < ranked.length ? writeCursor(cursor) : null;
    return { items: shown, total, page, pageSize, nextCursor };
  }
  const { createdAt: value, _id: id } = pool.last;
  const room = pageSize - shown.length;
  if (room === 0) {
    const nextCursor = writeCursor({ order: NEWEST, value, id, page: page + 1 });
    return { items: shown, total, page, pageSize, nextCursor };
  }
  const rest = await newestFirst(
    narrowed,
    { page, pageSize: room, cursor: writeCursor({ order: NEWEST, value, id, page }) },
    async () => total,
  );
  return { ...rest, items: [...shown, ...rest.items], pageSize };
}

const LAST_INSTANT = 8.64e15;
const instant = (text: string): number => Math.max(0, Math.min(Number(text) || LAST_INSTANT, LAST_INSTANT));

const byAge = (a: Ticket, b: Ticket): number =>
  b.createdAt.getTime() - a.createdAt.getTime() || (a._id < b._id ? 1 : -1);

interface Pool {
  all: Found[];
  /** What was newest when the first page was shown: what is filed later does not move the pages after it. */
  newest: number;
  /** Where the matches beyond the pool begin; null when there are none. */
  last: TicketRow | null;
}

async function poolOf(narrowed: Filter, fresh: readonly Found[], newest: number | null): Promise<Pool> {
  const rows = await ticketCollection()
    .find(newest === null ? narrowed : { $and: [narrowed, { createdAt: { $lte: new Date(newest) } }] }, {
      projection: { pending: 0, pendingAt: 0 },
    })
    .sort({ createdAt: -1, _id: -1 })
    .limit(MOST_RANKED)
    .toArray();
  const ids = new Set(rows.map((row) => row._id));
  const late = fresh.filter(
    (one) => !ids.has(one._id) && (newest === null || one.createdAt.getTime() <= newest),
  );
  const all = [...late, ...rows];
  return {
    all,
    newest: newest ?? Math.max(0, ...all.map((one) => one.createdAt.getTime())),
    last: rows.length === MOST_RANKED ? (rows.at(-1) ?? null) : null,
  };
}
