// Lists: a page by number, or the next one by cursor, which stays right while things are added and is the only way into
// the depth of a long list. A cursor is opaque, says where the last page ended, and holds nothing but plain values.
import { z } from 'zod';
import { invalid } from './errors.ts';

const MOST = 100;
/** Skipping costs what is skipped: beyond this, the cursor. */
const DEEPEST = 10_000;

/** What every list may be asked; spread it into the query of a list: `z.strictObject({ ...pageQuery, q: ... })`. */
export const pageQuery = {
  page: z.coerce.number().int().min(1).max(1_000_000_000).default(1),
  pageSize: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000_000_000)
    .default(25)
    .transform((size) => Math.min(size, MOST))
    .meta({ description: `At most ${MOST}; more is read as ${MOST}.` }),
  cursor: z.string().max(1_000).optional().meta({ description: '`next_cursor` of the page before.' }),
};
export interface PageQuery {
  page: number;
  pageSize: number;
  cursor?: string | undefined;
}

export interface Page<T> {
  items: T[];
  total: number;
  page: number;
  pageSize: number;
  nextCursor: string | null;
}
/** The shape of a list's answer. */
export const pageOf = <S extends z.ZodType>(item: S) =>
  z.object({
    items: z.array(item),
    total: z.int(),
    page: z.int(),
    pageSize: z.int(),
    nextCursor: z.string().nullable(),
  });

/** A query key that may be repeated: the values are alternatives. */
export const repeated = <S extends z.ZodType>(item: S) =>
  z
    .union([item, z.array(item).max(100)])
    .transform((given): z.output<S>[] => [given].flat() as z.output<S>[]);

export const yesOrNo = z.enum(['true', 'false']).transform((word) => word === 'true');

/** In which order: by a field, then by id, so that the order is total. */
export interface Order {
  field: string;
  direction: 'asc' | 'desc';
  /** The field may be null; when it never is, one range of the index serves what comes after a mark. */
  nullable?: boolean;
  /** No two in the list have the same value: the field alone is the order. */
  unique?: boolean;
}

type Plain = string | number | boolean | Date | null;
interface Mark {
  order: Order;
  value: Plain;
  id: string;
  page: number;
}

const kindOf = (value: Plain) => (value instanceof Date ? 'd' : value === null ? 'n' : typeof value);

export function writeCursor({ order, value, id, page }: Mark): string {
  const plain = value instanceof Date ? value.getTime() : value;
  const parts = [order.field, order.direction, kindOf(value), plain, id, page];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

const wrong = (message = 'is not a cursor of this list') =>
  invalid('list.cursor', 'That cursor does not belong to this list. Begin again without it.', [
    { path: 'cursor', message },
  ]);

export function readCursor(cursor: string, order: Order): Mark {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw wrong();
  }
  if (!Array.isArray(parts) || parts.length !== 6) throw wrong();
  const [field, direction, kind, plain, id, page] = parts as unknown[];
  if (field !== order.field || direction !== order.direction)
    throw wrong('was made for another order of this list');
  if (typeof id !== 'string' || !Number.isSafeInteger(page)) throw wrong();
  return { order, value: readPlain(kind, plain), id, page: Number(page) };
}

export function isCursorOf(cursor: string, order: Order): boolean {
  try {
    readCursor(cursor, order);
    return true;
  } catch {
    return false;
  }
}

function readPlain(kind: unknown, plain: unknown): Plain {
  if (kind === 'n') return null;
  if (kind === 'd' && typeof plain === 'number' && Math.abs(plain) <= 8.64e15) return new Date(plain);
  if ((kind === 'string' || kind === 'number' || kind === 'boolean') && typeof plain === kind)
    return plain as Plain;
  throw wrong();
}

type Filter = Record<string, unknown>;

/** What comes after the mark; null is the least of all values, as MongoDB orders. */
export function after({ order: { field, direction, nullable, unique }, value, id }: Mark): Filter {
  const beyond = direction === 'asc' ? '$gt' : '$lt';
  if (field === '_id') return { _id: { [beyond]: id } };
  if (unique) return { [field]: { [beyond]: value } };
  if (!nullable)
    return {
      [field]: { [`${beyond}e`]: value },
      $or: [{ [field]: { [beyond]: value } }, { _id: { [beyond]: id } }],
    };
  const tie = { [field]: value, _id: { [beyond]: id } };
  if (value === null) return direction === 'asc' ? { $or: [{ [field]: { $ne: null } }, tie] } : tie;
  const further: Filter[] = [{ [field]: { [beyond]: value } }];
  if (direction === 'desc') further.push({ [field]: null });
  return { $or: [...further, tie] };
}

/** As much of a collection as a list needs. */
interface Cursor<Stored> {
  sort(order: Record<string, 1 | -1>): Cursor<Stored>;
  skip(count: number): Cursor<Stored>;
  limit(count: number): Cursor<Stored>;
  toArray(): Promise<Stored[]>;
}
export interface Listable<Stored> {
  find(filter: never, options?: { projection?: Record<string, 0 | 1>; hint?: string }): Cursor<Stored>;
  countDocuments(filter: never): Promise<number>;
}

interface ListOptions {
  projection?: Record<string, 0 | 1>;
  /** The index to go by. */
  hint?: string;
  total?: () => Promise<number>;
}

/** One page out of a collection: one query for the items, and one for the total unless the page is the whole list. */
export async function list<Stored extends { _id: string }, T>(
  collection: Listable<Stored>,
  filter: Filter,
  order: Order,
  { page, pageSize, cursor }: PageQuery,
  draw: (stored: Stored) => T,
  { total: count, ...options }: ListOptions = {},
): Promise<Page<T>> {
  const mark = cursor === undefined ? null : readCursor(cursor, order);
  if (!mark && page * pageSize > DEEPEST)
    throw invalid('list.too_deep', `Beyond the first ${DEEPEST}, follow next_cursor instead of page.`, [
      { path: 'page', message: `page times page_size may be at most ${DEEPEST}` },
    ]);
  const step = order.direction === 'asc' ? 1 : -1;
  const sort = { [order.field]: step, ...(order.unique ? {} : { _id: step }) } as Record<string, 1 | -1>;
  const wanted = mark ? { $and: [filter, after(mark)] } : filter;
  const found = await collection
    .find(wanted as never, options)
    .sort(sort)
    .skip(mark ? 0 : (page - 1) * pageSize)
    .limit(pageSize + 1)
    .toArray();
  const isWhole = !mark && page === 1 && found.length <= pageSize;
  const total = isWhole ? found.length : await (count ? count() : collection.countDocuments(filter as never));
  const shown = found.slice(0, pageSize);
  const last = shown.at(-1);
  const here = mark ? mark.page : page;
  return {
    items: shown.map(draw),
    total,
    page: here,
    pageSize,
    nextCursor:
      found.length > pageSize && last
        ? writeCursor({ order, value: valueAt(last, order.field), id: last._id, page: here + 1 })
        : null,
  };
}

function valueAt(stored: object, field: string): Plain {
  const value = (stored as Record<string, unknown>)[field];
  return value instanceof Date || ['string', 'number', 'boolean'].includes(typeof value)
    ? (value as Plain)
    : null;
}
