// One update or delete statement. What must stay true: a document is changed in a write that has seen it match, and which
// ones a statement of many is about is decided before the first of them changes.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Collection, collectionFor, find } from './catalogue.ts';
import { type Doc, decode, encode } from './documents.ts';
import { fault } from './errors.ts';
import { budget, PAUSE, type Query, type Row, read, TooLong, whole } from './finding.ts';
import { compileFilter } from './matching.ts';
import { compileSort, sortDocs } from './ordering.ts';
import { plan } from './planner.ts';
import { insertDoc, removeRecord, replaceRecord } from './records.ts';
import type { Engine } from './requests.ts';
import { recordKey } from './storage.ts';
import { compileUpdate, type Update } from './updating.ts';
import { inSlices } from './writing.ts';

export type Statement = {
  database: string;
  collection: string;
  query: Query;
  many: boolean;
  /** None: what is found is removed. */
  update?: {
    spec: unknown;
    arrayFilters?: readonly unknown[] | undefined;
    constants?: Doc | undefined;
    upsert: boolean;
  };
};

export type Prepared = Statement & { matches: (doc: Doc) => boolean; compiled: Update | undefined };

/** What became of a statement; the document before and after where one was found, the new one where it was inserted. */
export type Effect = { matched: number; changed: number; upserted?: unknown; before?: Doc; after?: Doc };

/** A statement about one document may look for it in a write for so long; then it looks beside. */
const LOOKING_MS = 4;

export function prepare(statement: Statement): Prepared {
  const { update, query, many } = statement;
  const matches = compileFilter(query.filter, { ...query.env, textFields: query.env.textFields ?? [] });
  if (!update) return { ...statement, matches, compiled: undefined };
  const { spec, arrayFilters, constants } = update;
  const now = (query.env as { now?: Date }).now ?? new Date();
  const compiled = compileUpdate(spec, { ...query.env, now, filter: query.filter, arrayFilters, constants });
  if (many && compiled.kind === 'replacement')
    fault(9, 'multi update is not supported for replacement-style update');
  return { ...statement, matches, compiled };
}

const collectionOf = (engine: Engine, { database, collection }: Statement): Collection | undefined =>
  find(engine.catalogue, database, collection);

/** Changes one record; answers what it is now, or nothing when it would stay the same. */
export function changeRecord(
  engine: Engine,
  c: Collection,
  record: number,
  before: Doc,
  update: Update | undefined,
  raw?: Buffer,
): Doc | undefined {
  if (!update) {
    removeRecord(engine.catalogue, c, record, raw ?? encode(before));
    return before;
  }
  const after = update.apply(before);
  if (after) replaceRecord(engine.catalogue, c, record, before, after, encode(after));
  return after ?? undefined;
}

const tooLong = (): never => {
  throw new TooLong();
};

function rowAt(engine: Engine, c: Collection, record: number, matches: Prepared['matches']): Row | undefined {
  const kept = engine.storage.get(recordKey(c.records.prefix, record));
  if (!kept) return undefined;
  const raw = whole(kept, record);
  const doc = decode(raw);
  return matches(doc) ? { record, raw, doc } : undefined;
}

/** The first match; TooLong when it is not found in a moment, or what was found beside the writes is no longer one. */
function first(
  engine: Engine,
  c: Collection,
  { query, matches }: Prepared,
  found?: readonly number[],
): Row | undefined {
  if (found) {
    const [record] = found;
    return record === undefined ? undefined : (rowAt(engine, c, record, matches) ?? tooLong());
  }
  const [row] = read(engine.storage, c, { ...query, limit: 1, tick: budget(LOOKING_MS).tick });
  return row;
}

/** Must run in a write. Nothing: it would hold up the others; `seek` what it is about and come again. */
export function changeOne(
  engine: Engine,
  statement: Prepared,
  found?: readonly number[],
): Effect | undefined {
  const c = collectionOf(engine, statement);
  let row: Row | undefined;
  try {
    row = c && first(engine, c, statement, found);
  } catch (error) {
    if (error instanceof TooLong) return undefined;
    throw error;
  }
  if (c && row) {
    const before = row.doc ?? decode(row.raw);
    const after = changeRecord(engine, c, row.record, before, statement.compiled, row.raw);
    return { matched: 1, changed: after ? 1 : 0, before, after: after ?? before };
  }
  return statement.update?.upsert ? upsert(engine, statement) : { matched: 0, changed: 0 };
}

function upsert(engine: Engine, { database, collection, compiled }: Prepared): Effect {
  const doc = compiled?.upsert() ?? {};
  insertDoc(engine.catalogue, collectionFor(engine.catalogue, database, collection), doc);
  return { matched: 0, changed: 0, upserted: doc._id, after: doc };
}

/** Records that match, found beside the writes; others are let in every few milliseconds. */
async function gather(
  engine: Engine,
  c: Collection,
  query: Query,
  most = Number.POSITIVE_INFINITY,
): Promise<number[]> {
  const records: number[] = [];
  let until = performance.now() + LOOKING_MS;
  for (const row of read(engine.storage, c, { ...query, pausing: true })) {
    if (row !== PAUSE) {
      if (records.push(row.record) >= most) break;
    } else if (performance.now() > until) {
      await nextTurn();
      until = performance.now() + LOOKING_MS;
    }
  }
  return records;
}

/** The first match, found beside the writes; none if there is none. */
async function seek(engine: Engine, statement: Prepared): Promise<number[]> {
  const { query, matches } = statement;
  const c = collectionOf(engine, statement);
  if (!c) return [];
  if (!query.sort || plan(engine.storage, c, query).sorted) return gather(engine, c, query, 1);
  const records = await gather(engine, c, { ...query, sort: undefined });
  const rows = records.map((record) => rowAt(engine, c, record, matches)).filter((row) => row !== undefined);
  const order = compileSort(query.sort, query.collation);
  return sortDocs(rows, order, { limit: 1, doc: ({ doc }) => doc as Doc }).map(({ record }) => record);
}

async function changeMany(engine: Engine, statement: Prepared): Promise<Effect> {
  const c = collectionOf(engine, statement);
  const records = c ? await gather(engine, c, statement.query) : [];
  const begin = { at: 0, matched: 0, changed: 0 };
  const { matched, changed } = await inSlices(engine.writer, begin, (progress) => {
    const record = records[progress.at++];
    const row = c && !c.dropped && record && rowAt(engine, c, record, statement.matches);
    if (c && row) {
      progress.matched++;
      if (changeRecord(engine, c, row.record, row.doc as Doc, statement.compiled, row.raw))
        progress.changed++;
    }
    return progress.at >= records.length;
  });
  if (matched > 0 || !statement.update?.upsert) return { matched, changed };
  return engine.writer.write(() => upsert(engine, statement));
}

/** `hard`: that it takes too long to look for it in a write is known. */
export async function execute(engine: Engine, statement: Statement, hard = false): Promise<Effect> {
  const prepared = prepare(statement);
  if (statement.many) return changeMany(engine, prepared);
  for (let found = hard ? await seek(engine, prepared) : undefined; ; found = await seek(engine, prepared)) {
    const known = found;
    const effect = await engine.writer.write(() => changeOne(engine, prepared, known));
    if (effect) return effect;
  }
}
