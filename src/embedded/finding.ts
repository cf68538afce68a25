// Documents that match, in the order asked for, by the plan. What must stay true: bytes are decoded only as far as the
// filter reads, handed out as they are stored, and nothing is held of the storage between two of them.
import { type Collection, rangeOf } from './catalogue.ts';
import { type Doc, decode, decodeFields } from './documents.ts';
import { fault } from './errors.ts';
import { encodeKey } from './keys.ts';
import { compileFilter, type MatchEnv } from './matching.ts';
import { lookingUp, residual } from './narrowing.ts';
import { compileSort, sortDocs, window } from './ordering.ts';
import { type IndexPlan, type Plan, plan, type Question } from './planner.ts';
import { fieldsOf } from './reading.ts';
import { type Entry, type Range, recordIn, recordKey, recordOf, type Storage } from './storage.ts';
import { searchOf, searchTerms } from './text.ts';

export type Row = { record: number; raw: Buffer; doc?: Doc };

export type Query = Question & {
  env: MatchEnv;
  skip?: number | undefined;
  limit?: number | undefined;
  /** Called now and then while reading: throws when it has been long enough. */
  tick?: (() => void) | undefined;
  /** Yields PAUSE now and then, for a reader that shares its thread: not with an order or a limit. */
  pausing?: boolean | undefined;
};

export const PAUSE: Row = { record: -1, raw: Buffer.alloc(0) };

export class TooLong extends Error {}

/** A tick that throws when so much time is over, unless that is lifted. */
export function budget(ms: number): { tick: () => void; lift: () => void } {
  let until = performance.now() + ms;
  return {
    tick() {
      if (performance.now() > until) throw new TooLong();
    },
    lift() {
      until = Number.POSITIVE_INFINITY;
    },
  };
}

const LARGEST_SORT = 100 * 1024 * 1024;

/** A key whose document does not match; records are numbered from 1. */
const NO_RECORD = 0;

type Head = { entry: Entry; rest: Generator<Entry, void>; cut: number; at: number };

/** Whether what a key of a range leads to is also under the other values that it must have. */
type Holds = ((key: Buffer, at: number) => boolean) | undefined;

/** The records under several points as one sequence, in the order of what follows the points. */
function* merged(storage: Storage, plan: IndexPlan, holds: Holds): Generator<number, void> {
  const { index, ranges, reverse, merge } = plan;
  const heads: Head[] = [];
  const start = (head: Omit<Head, 'entry'>): Head | undefined => {
    const { value: entry } = head.rest.next();
    return entry ? { ...head, entry } : undefined;
  };
  for (const [at, range] of ranges.entries()) {
    const head = start({ rest: storage.entries(range, reverse), cut: merge?.[at] ?? 0, at });
    if (head) heads.push(head);
  }
  const sign = reverse ? -1 : 1;
  const precedes = ({ entry: { key: a }, cut }: Head, { entry: { key: b }, cut: other }: Head): boolean =>
    sign * a.compare(b, other, b.length, cut, a.length) < 0;
  while (heads.length > 0) {
    let first = 0;
    for (let i = 1; i < heads.length; i++) if (precedes(heads[i] as Head, heads[first] as Head)) first = i;
    const head = heads[first] as Head;
    const { key, value } = head.entry;
    if (holds && !holds(key, head.at)) yield NO_RECORD;
    else yield index.unique ? recordIn(value) : recordOf(key);
    const next = start(head);
    if (next) heads[first] = next;
    else heads.splice(first, 1);
  }
}

function* inTurn(storage: Storage, plan: IndexPlan, holds: Holds): Generator<number, void> {
  const { index, ranges, reverse } = plan;
  const order = [...ranges.keys()];
  for (const at of reverse ? order.reverse() : order) {
    const range = ranges[at] as Range;
    if (index.unique) for (const { value } of storage.entries(range, reverse)) yield recordIn(value);
    else
      for (const key of storage.keys(range, reverse))
        yield !holds || holds(key, at) ? recordOf(key) : NO_RECORD;
  }
}

const recordsIn = (storage: Storage, plan: IndexPlan): Generator<number, void> =>
  (plan.merge ? merged : inTurn)(storage, plan, plan.also && lookingUp(storage, plan.also));

function* wordsIn(
  storage: Storage,
  { index, search }: Extract<Plan, { kind: 'text' }>,
): Generator<number, void> {
  for (const term of searchTerms(searchOf(search)).terms)
    for (const key of storage.keys(rangeOf(encodeKey(index, [term]).key))) yield recordOf(key);
}

function* recordsInAll(storage: Storage, plans: readonly IndexPlan[]): Generator<number, void> {
  for (const each of plans) yield* recordsIn(storage, each);
}

function* distinctly(records: Iterable<number>): Generator<number, void> {
  const seen = new Set<number>();
  for (const record of records) {
    if (seen.has(record)) continue;
    if (record !== NO_RECORD) seen.add(record);
    yield record;
  }
}

function recordsOf(storage: Storage, chosen: Exclude<Plan, { kind: 'all' }>): Iterable<number> {
  if (chosen.kind === 'or') return distinctly(recordsInAll(storage, chosen.plans));
  if (chosen.kind === 'text') return distinctly(wordsIn(storage, chosen));
  const records = recordsIn(storage, chosen);
  return chosen.index.multikey.includes(true) ? distinctly(records) : records;
}

/** Decodes what the filter reads, no more. A text search needs the whole document, to keep its score with it. */
function matcher(query: Query, chosen: Plan): (raw: Buffer) => Doc | boolean {
  if (chosen.exact) return () => true;
  const filter = chosen.kind === 'index' ? residual(query.filter, chosen.covered) : query.filter;
  const matches = compileFilter(filter, query.env);
  const fields = chosen.kind === 'text' ? undefined : fieldsOf(filter);
  if (fields) return (raw) => matches(decodeFields(raw, fields));
  return (raw) => {
    const doc = decode(raw);
    return matches(doc) && doc;
  };
}

/** A copy that stays valid; what was peeked at lies in a longer buffer than its length tells. */
export function whole(raw: Buffer, record: number): Buffer {
  if (raw.length < 5 || raw.readInt32LE(0) !== raw.length)
    fault(8, `The stored document ${record} is damaged: restore the data from a dump`);
  const copy = Buffer.allocUnsafe(raw.length);
  copy.set(raw.subarray(0, raw.length));
  return copy;
}

/** What the plan leads to, whether or not it matches: the bytes are valid until the next. */
function* candidates(storage: Storage, c: Collection, chosen: Plan): Generator<Row | undefined, void> {
  if (chosen.kind === 'all')
    for (const { key, value: raw } of storage.entries(c.records, chosen.reverse))
      yield { record: recordOf(key), raw };
  else
    for (const record of recordsOf(storage, chosen)) {
      const raw = record === NO_RECORD ? undefined : storage.peek(recordKey(c.records.prefix, record));
      yield raw && { record, raw };
    }
}

function* matching(storage: Storage, c: Collection, query: Query, chosen: Plan): Generator<Row, void> {
  const match = matcher(query, chosen);
  let looked = 0;
  for (const row of candidates(storage, c, chosen)) {
    if ((++looked & 63) === 0) {
      query.tick?.();
      if (query.pausing) yield PAUSE;
    }
    const matched = row && match(row.raw);
    if (!row || !matched) continue;
    if (chosen.kind !== 'all') row.raw = whole(row.raw, row.record);
    if (matched !== true) row.doc = matched;
    yield row;
  }
}

/** The one document that a whole unique key names: no scan, and nothing to wait for. */
function single(storage: Storage, c: Collection, query: Query, chosen: IndexPlan): Row[] {
  const held = storage.peek((chosen.ranges[0] as Range).low);
  const record = held ? recordIn(held) : NO_RECORD;
  const raw = held && storage.peek(recordKey(c.records.prefix, record));
  const matched = raw && matcher(query, chosen)(raw);
  if (!matched) return [];
  const row: Row = { record, raw: whole(raw, record) };
  return [matched === true ? row : { ...row, doc: matched }];
}

function* within(rows: Iterable<Row>): Generator<Row, void> {
  const limit = `Sort exceeded memory limit of ${LARGEST_SORT} bytes`;
  let size = 0;
  for (const row of rows) {
    size += row.raw.length;
    if (size > LARGEST_SORT) fault(292, `${limit}, but did not opt in to external sorting.`);
    yield row;
  }
}

/** In memory; with a limit only the first are kept. */
function sorted(query: Query, rows: Iterable<Row>): Row[] {
  const ordering = compileSort(query.sort, query.collation);
  const limit = query.limit ? query.limit + (query.skip ?? 0) : undefined;
  const doc = (row: Row): Doc => row.doc ?? decodeFields(row.raw, ordering.fields);
  return sortDocs(limit === undefined ? within(rows) : rows, ordering, { limit, doc });
}

export function read(storage: Storage, c: Collection, query: Query, known?: Plan): Iterable<Row> {
  const chosen = known ?? plan(storage, c, query);
  const isSingle = chosen.kind === 'index' && chosen.unique;
  const rows = (isSingle ? single : matching)(storage, c, query, chosen as IndexPlan);
  const ordered = chosen.sorted || !query.sort ? rows : sorted(query, rows);
  return query.skip || query.limit ? window(ordered, query.skip, query.limit || undefined) : ordered;
}

/** How many match, as far as the query's limit asks: from the index alone where its keys say it all. */
export function count(storage: Storage, c: Collection, query: Query): number {
  const chosen = plan(storage, c, query);
  const most = query.limit ? query.limit + (query.skip ?? 0) : Number.POSITIVE_INFINITY;
  if (chosen.exact && chosen.kind === 'all') return Math.min(c.count, most);
  const byKeys = chosen.exact && chosen.kind === 'index';
  if (byKeys && !chosen.index.multikey.includes(true)) return countKeys(storage, chosen.ranges, most);
  const rows = byKeys ? countable(storage, query, chosen) : matching(storage, c, query, chosen);
  let found = 0;
  for (const _ of rows) if (++found >= most) break;
  return found;
}

function countKeys(storage: Storage, ranges: readonly Range[], most: number): number {
  let sum = 0;
  for (const range of ranges) {
    if (sum >= most) break;
    sum += most === Number.POSITIVE_INFINITY ? storage.count(range) : storage.some(range, most - sum).length;
  }
  return sum;
}

/** Records that match by what their keys say, each once. */
function* countable(storage: Storage, { tick }: Query, chosen: IndexPlan): Generator<number, void> {
  let looked = 0;
  for (const record of recordsOf(storage, chosen)) {
    if ((++looked & 63) === 0) tick?.();
    if (record !== NO_RECORD) yield record;
  }
}
