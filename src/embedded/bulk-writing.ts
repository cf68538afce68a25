// bulkWrite: writes to several collections in one message, each done by the command for its kind, with one report for all.
import type { Doc } from './documents.ts';
import { decode, isDoc } from './documents.ts';
import { encode } from './encoding.ts';
import { bad } from './errors.ts';
import { type Command, checkFields, flagOf, listOf, type Reply, type Request } from './requests.ts';
import { toNumber } from './values.ts';
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
  update: [
    'filter',
    'updateMods',
    'multi',
    'upsert',
    'arrayFilters',
    'collation',
    'hint',
    'constants',
    'sort',
    'upsertSupplied',
  ],
  delete: ['filter', 'multi', 'collation', 'hint'],
};
const LISTS = { insert: 'documents', update: 'updates', delete: 'deletes' } as const;

function listed({ body, documents, name }: Request, field: string): Doc[] {
  const list = documents.get(field)?.map(decode) ?? listOf(body, name, field) ?? [];
  return list.map((each) =>
    isDoc(each) ? each : bad(`'bulkWrite.${field}' must hold objects`, 14, 'TypeMismatch'),
  );
}

function operationsOf(request: Request): Operation[] {
  const namespaces = listed(request, 'nsInfo').map((each) => String(each.ns));
  const specs = listed(request, 'ops');
  if (specs.length === 0 || specs.length > 100_000) {
    bad(
      `Write batch sizes must be between 1 and 100000. Got ${specs.length} operations.`,
      16,
      'InvalidLength',
    );
  }
  return specs.map((spec, at) => {
    const [kind = ''] = Object.keys(spec);
    if (kind !== 'insert' && kind !== 'update' && kind !== 'delete') {
      bad(`BSON field 'bulkWrite.${kind}' is an unknown field.`, 40415, 'Location40415');
    }
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

/** Inserts into one collection go together; anything else goes one by one, for its own counts. */
function batches(operations: readonly Operation[]): Operation[][] {
  const all: Operation[][] = [];
  for (const operation of operations) {
    const last = all.at(-1);
    const [first] = last ?? [];
    const alike = first?.kind === 'insert' && operation.kind === 'insert';
    if (last && alike && first.database === operation.database && first.collection === operation.collection) {
      last.push(operation);
    } else all.push([operation]);
  }
  return all;
}

async function runBatch(
  request: Request,
  operations: readonly Operation[],
  ordered: boolean,
): Promise<Doc[]> {
  const [{ kind, database, collection } = bad('an empty batch')] = operations;
  const command = WRITE_COMMANDS[kind] as Command;
  const { bypassDocumentValidation, let: variables } = request.body;
  const statements = operations.map(statement);
  const body: Doc = { [kind]: collection, ordered, bypassDocumentValidation, let: variables };
  const documents = new Map([[LISTS[kind], statements.map(encode)]]);
  const answer = (await command.run({ ...request, name: kind, database, body, documents })) as Doc;
  const errors = new Map(
    (answer.writeErrors as Doc[] | undefined)?.map((error) => [toNumber(error.index), error]),
  );
  const reports: Doc[] = [];
  for (const [i, { at }] of operations.entries()) {
    const error = errors.get(i);
    if (error) {
      const { index: _index, ...rest } = error;
      reports.push({ ok: 0, idx: at, n: 0, ...(kind === 'update' ? { nModified: 0 } : {}), ...rest });
      if (ordered) break;
    } else if (kind === 'insert') reports.push({ ok: 1, idx: at, n: 1 });
    else if (kind === 'delete') reports.push({ ok: 1, idx: at, n: answer.n });
    else {
      const [upserted] = (answer.upserted as Doc[] | undefined) ?? [];
      const inserted = upserted ? { upserted: { index: 0, _id: upserted._id } } : {};
      reports.push({ ok: 1, idx: at, n: answer.n, nModified: answer.nModified, ...inserted });
    }
  }
  return reports;
}

const KINDS = { insert: 'nInserted', update: 'nMatched', delete: 'nDeleted' } as const;

async function bulkWrite(request: Request): Promise<Reply> {
  const { body, name } = request;
  if (request.database !== 'admin')
    bad('bulkWrite may only be run against the admin database.', 13, 'Unauthorized');
  const ordered = flagOf(body, name, 'ordered') !== false;
  const errorsOnly = flagOf(body, name, 'errorsOnly') === true;
  const operations = operationsOf(request);
  const totals = { nErrors: 0, nInserted: 0, nMatched: 0, nModified: 0, nUpserted: 0, nDeleted: 0 };
  const shown: Doc[] = [];
  for (const batch of batches(operations)) {
    const reports = await runBatch(request, batch, ordered);
    for (const report of reports) {
      const kind = operations[report.idx as number]?.kind ?? 'insert';
      if (report.ok === 0) totals.nErrors++;
      else if (report.upserted) totals.nUpserted++;
      else totals[KINDS[kind]] += toNumber(report.n);
      totals.nModified += toNumber(report.nModified ?? 0);
      if (!errorsOnly || report.ok === 0) shown.push(report);
    }
    if (ordered && totals.nErrors > 0) break;
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
