// One update or delete statement, run inside writes. What must stay true: which documents it is about is decided before
// the first of them changes, and asked again of each when other writes have come between.
import type { Collection } from './catalogue.ts';
import { type Doc, decode } from './documents.ts';
import { encode } from './encoding.ts';
import { fault } from './errors.ts';
import { PAUSE, type Query, read, whole } from './finding.ts';
import { collectionFor, insertDoc } from './inserting.ts';
import { compileFilter } from './matching.ts';
import { removeRecord, replaceRecord, type Writing } from './records.ts';
import type { Engine } from './requests.ts';
import { inSlices } from './slices.ts';
import { recordKey } from './storage.ts';
import { compileUpdate, type Update } from './updating.ts';

export type Statement = {
  database: string;
  collection: string;
  query: Query;
  many: boolean;
  update?: {
    spec: unknown;
    arrayFilters?: readonly unknown[] | undefined;
    constants?: Doc | undefined;
    upsert: boolean;
  };
  writing: Writing;
};

export type Effect = { matched: number; changed: number; upserted?: unknown };

export type Change = { before: Doc; after: Doc };

export function prepare({ update, query, many }: Statement): Update | undefined {
  compileFilter(query.filter, { ...query.env, textFields: query.env.textFields ?? [] });
  if (!update) return undefined;
  const { spec, arrayFilters, constants } = update;
  const compiled = compileUpdate(spec, {
    ...query.env,
    now: (query.env as { now?: Date }).now ?? new Date(),
    filter: query.filter,
    arrayFilters,
    constants,
  });
  if (many && compiled.kind === 'replacement')
    fault(9, 'multi update is not supported for replacement-style update');
  return compiled;
}

/** Changes one record; answers what it was and is, or nothing when it would stay the same. */
export function changeRecord(
  engine: Engine,
  c: Collection,
  record: number,
  before: Doc,
  update: Update | undefined,
  writing: Writing,
  raw?: Buffer,
): Change | undefined {
  if (!update) {
    removeRecord(engine.catalogue, c, record, raw ?? encode(before));
    return { before, after: before };
  }
  const changed = update.apply(before);
  if (!changed) return undefined;
  replaceRecord(engine.catalogue, c, record, before, changed, encode(changed), writing);
  return { before, after: changed };
}

function insertUpserted(engine: Engine, statement: Statement, update: Update): Effect {
  const c = collectionFor(engine.catalogue, statement.database, statement.collection);
  const doc = update.upsert();
  insertDoc(engine.catalogue, c, doc, statement.writing);
  return { matched: 0, changed: 0, upserted: doc._id };
}

/** The first match, changed in the same write as it was found. */
function changeOne(
  engine: Engine,
  statement: Statement,
  c: Collection | undefined,
  update: Update | undefined,
): Effect {
  if (c)
    for (const { record, raw, doc } of read(engine.storage, c, { ...statement.query, limit: 1 })) {
      const before = doc ?? decode(raw);
      const change = changeRecord(engine, c, record, before, update, statement.writing, raw);
      return { matched: 1, changed: change ? 1 : 0 };
    }
  if (statement.update?.upsert && update) return insertUpserted(engine, statement, update);
  return { matched: 0, changed: 0 };
}

type Progress = { effect: Effect; at: number; slices: number };

async function changeMany(engine: Engine, statement: Statement, update: Update | undefined): Promise<Effect> {
  const { query, writing, database, collection } = statement;
  const found = (): Collection | undefined => engine.catalogue.databases.get(database)?.get(collection);
  const records: number[] = [];
  const c = found();
  const rows = c && read(engine.storage, c, { ...query, pausing: true });
  let collected = !rows;
  const matches = compileFilter(query.filter, query.env);

  function collect(): void {
    const until = performance.now() + 4;
    for (let next = rows?.next(); ; next = rows?.next()) {
      if (!next || next.done) {
        collected = true;
        return;
      }
      if (next.value !== PAUSE) records.push(next.value.record);
      if (performance.now() > until) return;
    }
  }

  function changeNext(progress: Progress, again: boolean): void {
    const record = records[progress.at++] as number;
    const raw = c && engine.storage.get(recordKey(c.records.prefix, record));
    if (!c || c.dropped || !raw) return;
    const before = decode(whole(raw, record));
    if (again && !matches(before)) return;
    const change = changeRecord(engine, c, record, before, update, writing, raw);
    const { matched, changed } = progress.effect;
    progress.effect = { matched: matched + 1, changed: changed + (change ? 1 : 0) };
  }

  const begin: Progress = { effect: { matched: 0, changed: 0 }, at: 0, slices: 0 };
  const { effect } = await inSlices(engine.writer, begin, (progress) => {
    if (!collected) collect();
    if (!collected) {
      progress.slices++;
      return false;
    }
    if (progress.at < records.length) changeNext(progress, progress.slices++ > 0);
    return progress.at >= records.length;
  });
  if (effect.matched === 0 && statement.update?.upsert && update)
    return engine.writer.write(() => insertUpserted(engine, statement, update));
  return effect;
}

export function execute(engine: Engine, statement: Statement): Promise<Effect> {
  const update = prepare(statement);
  if (statement.many) return changeMany(engine, statement, update);
  const { database, collection } = statement;
  return engine.writer.write(() =>
    changeOne(engine, statement, engine.catalogue.databases.get(database)?.get(collection), update),
  );
}

/** The same for a statement that is known to be about one document: for a batch of them in one write. */
export function executeOne(engine: Engine, statement: Statement): Effect {
  const { database, collection } = statement;
  const c = engine.catalogue.databases.get(database)?.get(collection);
  return changeOne(engine, statement, c, prepare(statement));
}
