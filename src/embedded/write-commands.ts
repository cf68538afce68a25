// insert, update, delete and findAndModify. Ordered batches stop at the first fault; a fault of one statement is
// reported with its place, and what came before it stays.

import { checkName, find } from './catalogue.ts';
import { changeRecord, execute, executeOne, prepare, type Statement } from './changing.ts';
import { type Doc, decode, isDoc } from './documents.ts';
import { fault, MongoFault } from './errors.ts';
import { type Query, read } from './finding.ts';
import { collectionFor, insertDoc, insertRaw } from './inserting.ts';
import { compileProjection } from './projecting.ts';
import { type Command, checkFields, docOf, flagOf, listOf, type Request } from './requests.ts';
import { queryOf } from './searching.ts';
import { inSlices } from './slices.ts';
import { isNumber, toNumber } from './values.ts';
import { words } from './words.ts';

type WriteError = { index: number; code: number; errmsg: string };

const MOST_STATEMENTS = 100_000;

function asWriteError(index: number, fault: MongoFault): WriteError {
  return { index, code: fault.code, errmsg: fault.message, ...fault.extra };
}

function checkBatch(size: number): void {
  if (size === 0 || size > MOST_STATEMENTS)
    fault(16, `Write batch sizes must be between 1 and ${MOST_STATEMENTS}. Got ${size} operations.`);
}

const statementsOf = ({ body, documents, name }: Request, field: string): Doc[] => {
  const sequence = documents.get(field);
  const list = sequence ? sequence.map(decode) : (listOf(body, name, field) ?? []);
  checkBatch(list.length);
  return list.map((each) => (isDoc(each) ? each : fault(14, `'${name}.${field}' must hold objects`)));
};

const failures = (errors: WriteError[]): Doc => (errors.length > 0 ? { writeErrors: errors } : {});

async function insert(request: Request): Promise<Doc> {
  const { engine, body, database, documents } = request;
  const name = String(body.insert);
  checkName(database, body.insert);
  const raws = documents.get('documents') ?? [];
  checkBatch(raws.length);
  const ordered = flagOf(body, 'insert', 'ordered') !== false;
  const writing = { bypassValidation: flagOf(body, 'insert', 'bypassDocumentValidation') };
  const begin = { at: 0, inserted: 0, errors: [] as WriteError[] };
  const { inserted, errors } = await inSlices(engine.writer, begin, (progress) => {
    try {
      const c = collectionFor(engine.catalogue, database, name);
      insertRaw(engine.catalogue, c, raws[progress.at] as Buffer, writing);
      progress.inserted++;
    } catch (error) {
      if (!(error instanceof MongoFault) || error.code === 166 || error.code === 73) throw error;
      progress.errors = [...progress.errors, asWriteError(progress.at, error)];
      if (ordered) return true;
    }
    return ++progress.at >= raws.length;
  });
  return { n: inserted, ...failures(errors), ok: 1 };
}

const UPDATE_FIELDS = words(`q u c multi upsert collation arrayFilters hint sort upsertSupplied sampleId
  allowShardKeyUpdatesWithoutFullShardKeyInQuery`);

function queryFor(request: Request, collection: string, spec: Doc, label: string): Query {
  const { engine, database, body } = request;
  const c = find(engine.catalogue, database, collection);
  const given = { ...spec, let: body.let };
  return queryOf(c, given, label, 'q');
}

function updateStatement(request: Request, collection: string, spec: Doc): Statement {
  checkFields('update.updates', spec, UPDATE_FIELDS);
  if (spec.u === undefined) fault(40414, "BSON field 'update.updates.u' is missing but a required field");
  if (spec.c !== undefined && !Array.isArray(spec.u))
    fault(51198, 'Constant values may only be specified for pipeline updates');
  return {
    database: request.database,
    collection,
    query: queryFor(request, collection, spec, 'update.updates'),
    many: flagOf(spec, 'update.updates', 'multi') === true,
    update: {
      spec: spec.u,
      arrayFilters: listOf(spec, 'update.updates', 'arrayFilters'),
      constants: docOf(spec, 'update.updates', 'c'),
      upsert: flagOf(spec, 'update.updates', 'upsert') === true,
    },
    writing: { bypassValidation: flagOf(request.body, 'update', 'bypassDocumentValidation') },
  };
}

type Totals = { at: number; n: number; modified: number; upserted: Doc[]; errors: WriteError[] };

/** Statements in order: those about one document share a commit, one about many has its own. */
async function runStatements(
  request: Request,
  specs: Doc[],
  statement: (spec: Doc) => Statement,
): Promise<Totals> {
  const { engine, body, name } = request;
  const ordered = flagOf(body, name, 'ordered') !== false;
  let totals: Totals = { at: 0, n: 0, modified: 0, upserted: [], errors: [] };
  const note = (to: Totals, effect: { matched: number; changed: number; upserted?: unknown }): void => {
    to.n += effect.matched;
    to.modified += effect.changed;
    if ('upserted' in effect) {
      to.n++;
      to.upserted = [...to.upserted, { index: to.at, _id: effect.upserted }];
    }
  };
  const fail = (to: Totals, error: unknown): boolean => {
    if (!(error instanceof MongoFault)) throw error;
    to.errors = [...to.errors, asWriteError(to.at, error)];
    return ordered;
  };
  const isMany = (spec: Doc): boolean => spec.multi === true || (name === 'delete' && !isOne(spec));
  while (totals.at < specs.length) {
    const spec = specs[totals.at] as Doc;
    if (isMany(spec)) {
      try {
        note(totals, await execute(engine, statement(spec)));
      } catch (error) {
        if (fail(totals, error)) return totals;
      }
      totals.at++;
      continue;
    }
    let stopped = false;
    totals = await inSlices(engine.writer, totals, (progress) => {
      const next = specs[progress.at];
      if (!next || isMany(next)) return true;
      try {
        note(progress, executeOne(engine, statement(next)));
      } catch (error) {
        stopped = fail(progress, error);
        if (stopped) return true;
      }
      return ++progress.at >= specs.length;
    });
    if (stopped) return totals;
  }
  return totals;
}

async function update(request: Request): Promise<Doc> {
  const { body, database } = request;
  checkName(database, body.update);
  const specs = statementsOf(request, 'updates');
  const totals = await runStatements(request, specs, (spec) =>
    updateStatement(request, String(body.update), spec),
  );
  return {
    n: totals.n,
    nModified: totals.modified,
    ...(totals.upserted.length > 0 ? { upserted: totals.upserted } : {}),
    ...failures(totals.errors),
    ok: 1,
  };
}

const isOne = (spec: Doc): boolean => isNumber(spec.limit) && toNumber(spec.limit) === 1;

function deleteStatement(request: Request, collection: string, spec: Doc): Statement {
  checkFields('delete.deletes', spec, ['q', 'limit', 'collation', 'hint', 'sampleId']);
  if (!isNumber(spec.limit))
    fault(40414, "BSON field 'delete.deletes.limit' is missing but a required field");
  const limit = toNumber(spec.limit);
  if (limit !== 0 && limit !== 1) fault(9, `The limit field in delete objects must be 0 or 1. Got ${limit}`);
  return {
    database: request.database,
    collection,
    query: queryFor(request, collection, spec, 'delete.deletes'),
    many: limit === 0,
    writing: {},
  };
}

async function remove(request: Request): Promise<Doc> {
  const { body, database } = request;
  checkName(database, body.delete);
  const specs = statementsOf(request, 'deletes');
  const totals = await runStatements(request, specs, (spec) =>
    deleteStatement(request, String(body.delete), spec),
  );
  return { n: totals.n, ...failures(totals.errors), ok: 1 };
}

const MODIFY_FIELDS =
  words(`findAndModify query sort remove update new fields upsert bypassDocumentValidation collation
  arrayFilters hint let`);

function modification(request: Request): { statement: Statement; removing: boolean; fresh: boolean } {
  const { body, name, database, engine } = request;
  checkFields(name, body, MODIFY_FIELDS);
  const collection = body[name];
  checkName(database, collection);
  const removing = flagOf(body, name, 'remove') === true;
  const fresh = flagOf(body, name, 'new') === true;
  const upsert = flagOf(body, name, 'upsert') === true;
  if (removing && body.update !== undefined) fault(9, 'Cannot specify both an update and remove=true');
  if (!removing && body.update === undefined) fault(9, 'Either an update or remove=true must be specified');
  if (removing && (upsert || fresh))
    fault(9, `Cannot specify both ${upsert ? 'upsert' : 'new'}=true and remove=true`);
  const c = find(engine.catalogue, database, collection);
  const update = {
    spec: body.update,
    arrayFilters: listOf(body, name, 'arrayFilters'),
    upsert,
  };
  const statement: Statement = {
    database,
    collection,
    query: queryOf(c, body, name, 'query'),
    many: false,
    writing: { bypassValidation: flagOf(body, name, 'bypassDocumentValidation') },
    ...(removing ? {} : { update }),
  };
  return { statement, removing, fresh };
}

async function findAndModify(request: Request): Promise<Doc> {
  const { engine, body, database, name } = request;
  const { statement, removing, fresh } = modification(request);
  const { query, collection, writing } = statement;
  const compiled = prepare(statement);
  const fields = docOf(body, name, 'fields');
  const project =
    fields && Object.keys(fields).length > 0
      ? compileProjection(fields, { ...query.env, filter: query.filter })
      : undefined;
  const shown = (doc: Doc): Doc => (project ? project(doc) : doc);
  return engine.writer.write(() => {
    const c = find(engine.catalogue, database, collection);
    if (c)
      for (const { record, raw, doc } of read(engine.storage, c, { ...query, limit: 1 })) {
        const before = doc ?? decode(raw);
        const change = changeRecord(engine, c, record, before, compiled, writing, raw);
        const value = shown(fresh && change ? change.after : before);
        return { lastErrorObject: removing ? { n: 1 } : { n: 1, updatedExisting: true }, value, ok: 1 };
      }
    if (!compiled || !statement.update?.upsert) {
      const none = removing ? { n: 0 } : { n: 0, updatedExisting: false };
      return { lastErrorObject: none, value: null, ok: 1 };
    }
    const doc = compiled.upsert();
    insertDoc(engine.catalogue, collectionFor(engine.catalogue, database, collection), doc, writing);
    return {
      lastErrorObject: { n: 1, updatedExisting: false, upserted: doc._id },
      value: fresh ? shown(doc) : null,
      ok: 1,
    };
  });
}

const BATCH = words(
  `ordered bypassDocumentValidation let isTimeseriesUpsert stmtIds stmtId encryptionInformation`,
);

export const WRITE_COMMANDS: Record<string, Command> = {
  insert: { run: insert, fields: [...BATCH, 'documents'] },
  update: { run: update, fields: [...BATCH, 'updates'] },
  delete: { run: remove, fields: [...BATCH, 'deletes'] },
  findAndModify: { run: findAndModify },
  findandmodify: { run: findAndModify },
};
