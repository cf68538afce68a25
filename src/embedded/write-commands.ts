// insert, update, delete and findAndModify. Ordered batches stop at the first fault; a fault of one statement is
// reported with its place, and what came before it stays.
import { checkName, collectionFor, find } from './catalogue.ts';
import { changeOne, type Effect, execute, prepare, type Statement } from './changing.ts';
import { type Doc, decode, isDoc } from './documents.ts';
import { fault, MongoFault } from './errors.ts';
import { compileProjection } from './projecting.ts';
import { insertRaw } from './records.ts';
import { type Command, checkFields, docOf, flagOf, listOf, type Request } from './requests.ts';
import { queryOf } from './searching.ts';
import { isNumber, toNumber } from './values.ts';
import { words } from './words.ts';
import { inSlices } from './writing.ts';

const MOST_STATEMENTS = 100_000;

type Totals = { at: number; n: number; modified: number; upserted: Doc[]; errors: Doc[]; stopped: boolean };

const NONE: Totals = { at: 0, n: 0, modified: 0, upserted: [], errors: [], stopped: false };

export function checkBatch(size: number): void {
  if (size === 0 || size > MOST_STATEMENTS)
    fault(16, `Write batch sizes must be between 1 and ${MOST_STATEMENTS}. Got ${size} operations.`);
}

/** What a fault of one statement is noted as; some are the whole command's. */
function noteFault({ body, name }: Request, totals: Totals, error: unknown): void {
  if (!(error instanceof MongoFault) || error.code === 73) throw error;
  const { code, message: errmsg, extra } = error;
  totals.errors = [...totals.errors, { index: totals.at, code, errmsg, ...extra }];
  totals.stopped = flagOf(body, name, 'ordered') !== false;
}

function noteEffect(totals: Totals, effect: Effect): void {
  totals.n += effect.matched;
  totals.modified += effect.changed;
  if (!('upserted' in effect)) return;
  totals.n++;
  totals.upserted = [...totals.upserted, { index: totals.at, _id: effect.upserted }];
}

const answerOf = ({ n, errors }: Totals, more: Doc = {}): Doc => ({
  n,
  ...more,
  ...(errors.length > 0 ? { writeErrors: errors } : {}),
  ok: 1,
});

async function insert(request: Request): Promise<Doc> {
  const { engine, body, database, documents } = request;
  const { insert: name } = body;
  checkName(database, name);
  const raws = documents.get('documents') ?? [];
  checkBatch(raws.length);
  const totals = await inSlices(engine.writer, NONE, (progress) => {
    try {
      const c = collectionFor(engine.catalogue, database, name);
      insertRaw(engine.catalogue, c, raws[progress.at] as Buffer);
      progress.n++;
    } catch (error) {
      noteFault(request, progress, error);
    }
    return ++progress.at >= raws.length || progress.stopped;
  });
  return answerOf(totals);
}

function statementsOf({ body, documents, name }: Request, field: string): Doc[] {
  const list = documents.get(field)?.map(decode) ?? listOf(body, name, field) ?? [];
  checkBatch(list.length);
  return list.map((each) => (isDoc(each) ? each : fault(14, `'${name}.${field}' must hold objects`)));
}

function basis(
  { engine, database, body, name }: Request,
  spec: Doc,
  label: string,
  many: boolean,
): Statement {
  const collection = String(body[name]);
  const c = find(engine.catalogue, database, collection);
  return { database, collection, query: queryOf(c, { ...spec, let: body.let }, label, 'q'), many };
}

const UPDATE_FIELDS = words(`q u c multi upsert collation arrayFilters hint sort upsertSupplied sampleId
  allowShardKeyUpdatesWithoutFullShardKeyInQuery`);

function updateStatement(request: Request, spec: Doc): Statement {
  const label = 'update.updates';
  checkFields(label, spec, UPDATE_FIELDS);
  if (spec.u === undefined) fault(40414, `BSON field '${label}.u' is missing but a required field`);
  if (spec.c !== undefined && !Array.isArray(spec.u))
    fault(51198, 'Constant values may only be specified for pipeline updates');
  const update = {
    spec: spec.u,
    arrayFilters: listOf(spec, label, 'arrayFilters'),
    constants: docOf(spec, label, 'c'),
    upsert: flagOf(spec, label, 'upsert') === true,
  };
  return { ...basis(request, spec, label, flagOf(spec, label, 'multi') === true), update };
}

function deleteStatement(request: Request, spec: Doc): Statement {
  const label = 'delete.deletes';
  checkFields(label, spec, ['q', 'limit', 'collation', 'hint', 'sampleId']);
  if (!isNumber(spec.limit)) fault(40414, `BSON field '${label}.limit' is missing but a required field`);
  const limit = toNumber(spec.limit);
  if (limit !== 0 && limit !== 1) fault(9, `The limit field in delete objects must be 0 or 1. Got ${limit}`);
  return basis(request, spec, label, limit === 0);
}

/** Statements in order: those about one document share a commit, one about many or hard to find its document goes alone. */
async function runStatements(
  request: Request,
  field: string,
  statementOf: (request: Request, spec: Doc) => Statement,
): Promise<Totals> {
  const { engine, name } = request;
  checkName(request.database, request.body[name]);
  const specs = statementsOf(request, field);
  let totals = NONE;
  while (totals.at < specs.length && !totals.stopped) {
    let alone: Statement | undefined;
    totals = await inSlices(engine.writer, totals, (progress) => {
      alone = undefined;
      try {
        const statement = statementOf(request, specs[progress.at] as Doc);
        const effect = statement.many ? undefined : changeOne(engine, prepare(statement));
        if (!effect) alone = statement;
        if (!effect) return true;
        noteEffect(progress, effect);
      } catch (error) {
        noteFault(request, progress, error);
      }
      return ++progress.at >= specs.length || progress.stopped;
    });
    if (!alone) continue;
    totals = { ...totals };
    try {
      noteEffect(totals, await execute(engine, alone, true));
    } catch (error) {
      noteFault(request, totals, error);
    }
    totals.at++;
  }
  return totals;
}

async function update(request: Request): Promise<Doc> {
  const totals = await runStatements(request, 'updates', updateStatement);
  const { modified: nModified, upserted } = totals;
  return answerOf(totals, { nModified, ...(upserted.length > 0 ? { upserted } : {}) });
}

const remove = async (request: Request): Promise<Doc> =>
  answerOf(await runStatements(request, 'deletes', deleteStatement));

const MODIFY_FIELDS =
  words(`findAndModify query sort remove update new fields upsert bypassDocumentValidation collation
  arrayFilters hint let`);

async function findAndModify({ engine, body, database, name }: Request): Promise<Doc> {
  checkFields(name, body, MODIFY_FIELDS);
  const collection = body[name];
  checkName(database, collection);
  const [removing, fresh, upsert] = ['remove', 'new', 'upsert'].map(
    (flag) => flagOf(body, name, flag) === true,
  );
  if (removing === (body.update !== undefined))
    fault(
      9,
      removing
        ? 'Cannot specify both an update and remove=true'
        : 'Either an update or remove=true must be specified',
    );
  if (removing && (upsert || fresh))
    fault(9, `Cannot specify both ${upsert ? 'upsert' : 'new'}=true and remove=true`);
  const query = queryOf(find(engine.catalogue, database, collection), body, name, 'query');
  const arrayFilters = listOf(body, name, 'arrayFilters');
  const update = { spec: body.update, arrayFilters, upsert: upsert === true };
  const fields = docOf(body, name, 'fields') ?? {};
  const project =
    Object.keys(fields).length > 0
      ? compileProjection(fields, { ...query.env, filter: query.filter })
      : undefined;
  const statement = { database, collection, query, many: false, ...(removing ? {} : { update }) };
  const effect = await execute(engine, statement);
  const shown = (doc: Doc | undefined): Doc | null => (doc && project ? project(doc) : (doc ?? null));
  const n = effect.before || 'upserted' in effect ? 1 : 0;
  const updated = removing ? {} : { updatedExisting: effect.before !== undefined };
  const inserted = 'upserted' in effect ? { upserted: effect.upserted } : {};
  return {
    lastErrorObject: { n, ...updated, ...inserted },
    value: shown(fresh ? effect.after : effect.before),
    ok: 1,
  };
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
