// Documents that match, in the order asked for, by the plan. What must stay true: bytes are decoded only as far as the
// filter reads, handed out as they are stored, and nothing is held of the storage between two of them.
import type { Collection } from './catalogue.ts';
import { rangeOf } from './catalogue.ts';
import { type Doc, decode, decodeFields } from './documents.ts';
import { fault } from './errors.ts';
import { encodeKey } from './keys.ts';
import { compileFilter, type MatchEnv } from './matching.ts';
import { lookingUp, residual } from './narrowing.ts';
import { compileSort, sortDocs } from './ordering.ts';
import { type IndexPlan, type Plan, plan, type Question } from './planner.ts';
import { fieldsOf } from './reading.ts';
import { type Range, RECORD_ID_BYTES, recordKey, recordOf, type Storage } from './storage.ts';
import { searchOf, searchTerms } from './text.ts';

export type Row = { record: number; raw: Buffer; doc?: Doc };

export type Query = Question & {
  env: MatchEnv;
  skip?: number | undefined;
  limit?: number | undefined;
  /** Called now and then while reading: throws when it has been long enough. */
  tick?: (() => void) | undefined;
  /** Yields PAUSE now and then, for a reader that shares its thread. */
  pausing?: boolean | undefined;
};

export const PAUSE: Row = { record: -1, raw: Buffer.alloc(0) };

export const LARGEST_SORT = 100 * 1024 * 1024;

/** A key whose document does not match; records are numbered from 1. */
const NO_RECORD = 0;

function* recordsIn(storage: Storage, { index, ranges, reverse, also }: IndexPlan): Generator<number, void> {
  const holds = also && lookingUp(storage, also);
  const order = [...ranges.keys()];
  for (const at of reverse ? order.reverse() : order) {
    const range = ranges[at] as Range;
    if (index.unique)
      for (const { value } of storage.entries(range, reverse)) yield value.readUIntBE(0, RECORD_ID_BYTES);
    else
      for (const key of storage.keys(range, reverse))
        yield !holds || holds(key, at) ? recordOf(key) : NO_RECORD;
  }
}

type Head = {
  key: Buffer;
  record: number;
  rest: Generator<{ key: Buffer; value: Buffer }, void>;
  cut: number;
  at: number;
};

/** Several points' keys as one sequence, in the order of what follows the points. */
function* merged(storage: Storage, plan: IndexPlan): Generator<number, void> {
  const { index, ranges, reverse, merge, also } = plan;
  const holds = also && lookingUp(storage, also);
  const heads: Head[] = [];
  const advance = (head: Omit<Head, 'key' | 'record'>): Head | undefined => {
    const next = head.rest.next();
    if (next.done) return undefined;
    const { key, value } = next.value;
    const record = index.unique ? value.readUIntBE(0, RECORD_ID_BYTES) : recordOf(key);
    return { ...head, key, record };
  };
  for (let i = 0; i < ranges.length; i++) {
    const rest = storage.entries(ranges[i] as Range, reverse);
    const head = advance({ rest, cut: merge?.[i] ?? 0, at: i });
    if (head) heads.push(head);
  }
  const sign = reverse ? -1 : 1;
  while (heads.length > 0) {
    let first = 0;
    for (let i = 1; i < heads.length; i++) {
      const [a, b] = [heads[i] as Head, heads[first] as Head];
      if (sign * a.key.compare(b.key, b.cut, b.key.length, a.cut, a.key.length) < 0) first = i;
    }
    const head = heads[first] as Head;
    yield !holds || holds(head.key, head.at) ? head.record : NO_RECORD;
    const next = advance(head);
    if (next) heads[first] = next;
    else heads.splice(first, 1);
  }
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
  if (chosen.kind === 'or')
    return distinctly(
      (function* () {
        for (const each of chosen.plans) yield* recordsIn(storage, each);
      })(),
    );
  if (chosen.kind === 'text')
    return distinctly(
      (function* () {
        const { terms } = searchTerms(searchOf(chosen.search));
        for (const term of terms)
          for (const key of storage.keys(rangeOf(encodeKey(chosen.index, [term]).key))) yield recordOf(key);
      })(),
    );
  const records = chosen.merge ? merged(storage, chosen) : recordsIn(storage, chosen);
  return chosen.index.multikey.includes(true) ? distinctly(records) : records;
}

type Match = (raw: Buffer) => Doc | boolean;

/** Decodes what the filter reads, no more. A text search needs the whole document, to keep its score with it. */
function matcher(query: Query, chosen: Plan): Match {
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

export function whole(raw: Buffer, record: number): Buffer {
  const length = raw.length < 5 ? 0 : raw.readInt32LE(0);
  if (length !== raw.length)
    fault(8, `The stored document ${record} is damaged: restore the data from a dump`);
  const copy = Buffer.allocUnsafe(length);
  copy.set(raw.subarray(0, length));
  return copy;
}

function* matching(storage: Storage, c: Collection, query: Query, chosen: Plan): Generator<Row, void> {
  const match = matcher(query, chosen);
  const { tick, pausing } = query;
  let looked = 0;
  if (chosen.kind === 'all') {
    for (const { key, value } of storage.entries(c.records, chosen.reverse)) {
      if ((++looked & 63) === 0) {
        tick?.();
        if (pausing) yield PAUSE;
      }
      const matched = match(value);
      if (!matched) continue;
      const row: Row = { record: recordOf(key), raw: value };
      if (matched !== true) row.doc = matched;
      yield row;
    }
    return;
  }
  for (const record of recordsOf(storage, chosen)) {
    if ((++looked & 63) === 0) {
      tick?.();
      if (pausing) yield PAUSE;
    }
    if (record === NO_RECORD) continue;
    const raw = storage.peek(recordKey(c.records.prefix, record));
    if (!raw) continue;
    const matched = match(raw);
    if (!matched) continue;
    const row: Row = { record, raw: whole(raw, record) };
    if (matched !== true) row.doc = matched;
    yield row;
  }
}

/** The one document that a whole unique key names, without a scan. */
function* single(storage: Storage, c: Collection, query: Query, chosen: IndexPlan): Generator<Row, void> {
  const [range] = chosen.ranges;
  const held = range && storage.peek(range.low);
  if (!held) return;
  const record = held.readUIntBE(0, RECORD_ID_BYTES);
  const raw = storage.peek(recordKey(c.records.prefix, record));
  const matched = raw && matcher(query, chosen)(raw);
  if (!raw || !matched) return;
  const row: Row = { record, raw: whole(raw, record) };
  if (matched !== true) row.doc = matched;
  yield row;
}

function* within<T extends { raw: Buffer }>(rows: Iterable<T>, limited: boolean): Generator<T, void> {
  let size = 0;
  for (const row of rows) {
    size += row.raw.length;
    if (!limited && size > LARGEST_SORT)
      fault(
        292,
        `Sort exceeded memory limit of ${LARGEST_SORT} bytes, but did not opt in to external sorting.`,
      );
    yield row;
  }
}

/** In memory; with a limit only the first are kept. */
function sorted(query: Query, rows: Iterable<Row>): Row[] {
  const ordering = compileSort(query.sort, query.collation);
  const limit = query.limit ? query.limit + (query.skip ?? 0) : undefined;
  const doc = (row: Row): Doc => row.doc ?? decodeFields(row.raw, ordering.fields);
  return sortDocs(within(rows, limit !== undefined), ordering, { limit, doc });
}

function* window<T>(rows: Iterable<T>, skip: number, limit: number): Generator<T, void> {
  let passed = 0;
  let given = 0;
  for (const row of rows) {
    if (passed++ < skip) continue;
    yield row;
    if (limit > 0 && ++given >= limit) return;
  }
}

export function* read(storage: Storage, c: Collection, query: Query, known?: Plan): Generator<Row, void> {
  const chosen = known ?? plan(storage, c, query);
  const rows =
    chosen.kind === 'index' && chosen.unique
      ? single(storage, c, query, chosen)
      : matching(storage, c, query, chosen);
  const ordered = chosen.sorted || !query.sort ? rows : sorted(query, rows);
  yield* window(ordered, query.skip ?? 0, query.limit ?? 0);
}

/** How many match, as far as the query's limit asks: from the index alone where its keys say it all. */
export function count(storage: Storage, c: Collection, query: Query): number {
  const chosen = plan(storage, c, query);
  const most = query.limit ? query.limit + (query.skip ?? 0) : Number.POSITIVE_INFINITY;
  if (chosen.exact && chosen.kind === 'all') return Math.min(c.count, most);
  if (chosen.exact && chosen.kind === 'index' && !chosen.index.multikey.includes(true))
    return countKeys(storage, chosen.ranges, most);
  const rows =
    chosen.exact && chosen.kind === 'index'
      ? countable(storage, query, chosen)
      : matching(storage, c, { ...query, sort: undefined }, chosen);
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
