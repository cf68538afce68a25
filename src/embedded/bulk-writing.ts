// bulkWrite: writes to several collections in one message, each done by the command for its kind, with one report for all.
import { type Doc, decode, isDoc } from './documents.ts';
import { encode } from './encoding.ts';
import { bad, fault } from './errors.ts';
import { type Command, checkFields, flagOf, listOf, type Reply, type Request } from './requests.ts';
import { toNumber } from './values.ts';
import { words } from './words.ts';
import { WRITE_COMMANDS } from './write-commands.ts';

type Kind = 'insert' | 'update' | 'delete';

interface Operation {
  at: number;
  kind: Kind;
  database: string;
  collection: string;
  spec: Doc;
}

const SPECS: Record<Kind, readonly string[]> = {
  insert: ['document'],
  update: words(`filter updateMods multi upsert arrayFilters collation hint constants sort upsertSupplied`),
  delete: ['filter', 'multi', 'collation', 'hint'],
};
const LISTS = { insert: 'documents', update: 'updates', delete: 'deletes' } as const;

function listed({ body, documents, name }: Request, field: string): Doc[] {
  const list = documents.get(field)?.map(decode) ?? listOf(body, name, field) ?? [];
  return list.map((each) => (isDoc(each) ? each : fault(14, `'bulkWrite.${field}' must hold objects`)));
}

function operationsOf(request: Request): Operation[] {
  const namespaces = listed(request, 'nsInfo').map((each) => String(each.ns));
  const specs = listed(request, 'ops');
  if (specs.length === 0 || specs.length > 100_000)
    fault(16, `Write batch sizes must be between 1 and 100000. Got ${specs.length} operations.`);
  return specs.map((spec, at) => {
    const [kind = ''] = Object.keys(spec);
    if (kind !== 'insert' && kind !== 'update' && kind !== 'delete')
      fault(40415, `BSON field 'bulkWrite.${kind}' is an unknown field.`);
    checkFields(kind, spec, SPECS[kind]);
    const namespace =
      namespaces[toNumber(spec[kind])] ?? bad(`BulkWrite ops entry ${at} has an invalid nsInfo index.`);
    const dot = namespace.indexOf('.');
    return { at, kind, database: namespace.slice(0, dot), collection: namespace.slice(dot + 1), spec };
  });
}

/** The statement as the single command takes it. */
function statement({ kind, spec }: Operation): Doc {
  if (kind === 'insert') return isDoc(spec.document) ? spec.document : bad('insert needs a document');
  const { filter: q, updateMods: u, constants: c, multi = false } = spec;
  const given = { q, u, c, collation: spec.collation, hint: spec.hint };
  const whole: Doc =
    kind === 'delete'
      ? { q, collation: spec.collation, hint: spec.hint, limit: multi === true ? 0 : 1 }
      : { ...given, multi, upsert: spec.upsert, arrayFilters: spec.arrayFilters, sort: spec.sort };
  return Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== undefined));
}

/**
 * Operations of one kind on one collection go together and share commits; but where each is to be reported, an update
 * or a deletion goes alone, for its own counts.
 */
function batches(operations: readonly Operation[], errorsOnly: boolean): Operation[][] {
  const all: Operation[][] = [];
  for (const operation of operations) {
    const last = all.at(-1);
    const [first] = last ?? [];
    const alike = first?.kind === operation.kind && (errorsOnly || operation.kind === 'insert');
    if (last && alike && first.database === operation.database && first.collection === operation.collection) {
      last.push(operation);
    } else all.push([operation]);
  }
  return all;
}

interface Report {
  shown: Doc[];
  errors: number;
  n: number;
  modified: number;
  upserted: number;
}

async function runBatch(
  request: Request,
  operations: readonly Operation[],
  ordered: boolean,
): Promise<Report> {
  const [{ kind, database, collection } = bad('an empty batch')] = operations;
  const command = WRITE_COMMANDS[kind] as Command;
  const { bypassDocumentValidation, let: variables } = request.body;
  const body: Doc = { [kind]: collection, ordered, bypassDocumentValidation, let: variables };
  const documents = new Map([[LISTS[kind], operations.map((operation) => encode(statement(operation)))]]);
  const answer = (await command.run({ ...request, name: kind, database, body, documents })) as Doc;
  const errors = (answer.writeErrors as Doc[] | undefined) ?? [];
  const upserted = (answer.upserted as Doc[] | undefined) ?? [];
  const failed = new Map(errors.map((error) => [toNumber(error.index), error]));
  const shown: Doc[] = [];
  for (const [i, { at }] of operations.entries()) {
    const { index: _index, ...error } = failed.get(i) ?? {};
    const changed = kind === 'update' ? { nModified: failed.has(i) ? 0 : answer.nModified } : {};
    if (failed.has(i)) shown.push({ ok: 0, idx: at, n: 0, ...changed, ...error });
    else {
      const [{ _id } = {}] = upserted;
      const inserted = upserted.length > 0 ? { upserted: { index: 0, _id } } : {};
      shown.push({ ok: 1, idx: at, n: kind === 'insert' ? 1 : answer.n, ...changed, ...inserted });
    }
    if (failed.has(i) && ordered) break;
  }
  const n = toNumber(answer.n) - upserted.length;
  const modified = toNumber(answer.nModified ?? 0);
  return { shown, errors: errors.length, n, modified, upserted: upserted.length };
}

const KINDS = { insert: 'nInserted', update: 'nMatched', delete: 'nDeleted' } as const;

async function bulkWrite(request: Request): Promise<Reply> {
  const { body, name } = request;
  if (request.database !== 'admin') fault(13, 'bulkWrite may only be run against the admin database.');
  const ordered = flagOf(body, name, 'ordered') !== false;
  const errorsOnly = flagOf(body, name, 'errorsOnly') === true;
  const operations = operationsOf(request);
  const totals = { nErrors: 0, nInserted: 0, nMatched: 0, nModified: 0, nUpserted: 0, nDeleted: 0 };
  const shown: Doc[] = [];
  for (const batch of batches(operations, errorsOnly)) {
    const report = await runBatch(request, batch, ordered);
    totals.nErrors += report.errors;
    totals[KINDS[batch[0]?.kind ?? 'insert']] += report.n;
    totals.nModified += report.modified;
    totals.nUpserted += report.upserted;
    shown.push(...(errorsOnly ? report.shown.filter(({ ok }) => ok === 0) : report.shown));
    if (ordered && report.errors > 0) break;
  }
  const cursor = { id: 0n, firstBatch: shown, ns: 'admin.$cmd.bulkWrite' };
  return { cursor, ...totals, ok: 1 };
}

export const BULK_COMMANDS: Record<string, Command> = {
  bulkWrite: {
    run: bulkWrite,
    fields: ['ops', 'nsInfo', 'ordered', 'errorsOnly', 'bypassDocumentValidation', 'let', 'cursor'],
  },
};
