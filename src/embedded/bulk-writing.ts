// A client's bulkWrite: writes to several collections in one message, each done by the command of its kind.
import { type Doc, decode, encode, isDoc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { type Command, checkFields, flagOf, listOf, type Request } from './requests.ts';
import { toNumber } from './values.ts';
import { words } from './words.ts';
import { checkBatch, WRITE_COMMANDS } from './write-commands.ts';

type Kind = { list: string; fields: string[]; total: string };

const KINDS = new Map<string, Kind>([
  ['insert', { list: 'documents', fields: ['document'], total: 'nInserted' }],
  [
    'update',
    {
      list: 'updates',
      fields: words('filter updateMods multi upsert arrayFilters collation hint constants sort'),
      total: 'nMatched',
    },
  ],
  ['delete', { list: 'deletes', fields: words('filter multi collation hint'), total: 'nDeleted' }],
]);

/** What is called otherwise in a statement of a single command. */
const CALLED: Record<string, string> = { filter: 'q', updateMods: 'u', constants: 'c' };

function statementOf(kind: string, { [kind]: _, document, ...spec }: Doc): Doc {
  if (kind === 'insert') return isDoc(document) ? document : bad('insert needs a document');
  const { multi = false, ...others } = spec;
  const named = Object.entries(others).map(([name, value]) => [CALLED[name] ?? name, value]);
  const most = kind === 'delete' ? { limit: multi === true ? 0 : 1 } : { multi };
  return { ...Object.fromEntries(named), ...most };
}

function listed({ body, documents, name }: Request, field: string): Doc[] {
  const list = documents.get(field)?.map(decode) ?? listOf(body, name, field) ?? [];
  return list.map((each) => (isDoc(each) ? each : fault(14, `'bulkWrite.${field}' must hold objects`)));
}

/** What became of one operation, as it is reported, and what to count it as. */
async function perform(request: Request, spaces: Doc[], spec: Doc, idx: number): Promise<[Doc, string]> {
  const [name = ''] = Object.keys(spec);
  const { list, fields, total } =
    KINDS.get(name) ?? fault(40415, `BSON field 'bulkWrite.${name}' is an unknown field.`);
  checkFields(name, spec, fields);
  const { ns } =
    spaces[toNumber(spec[name])] ?? bad(`BulkWrite ops entry ${idx} has an invalid nsInfo index.`);
  const [database = '', ...rest] = String(ns).split('.');
  const body: Doc = { [name]: rest.join('.'), let: request.body.let };
  const documents = new Map([[list, [encode(statementOf(name, spec))]]]);
  const { run } = WRITE_COMMANDS[name] as Command;
  const answer = (await run({ ...request, name, database, body, documents })) as Doc;
  const { n, nModified, upserted: made, writeErrors: faults } = answer;
  const changed = name === 'update' ? { nModified } : {};
  if (Array.isArray(faults)) {
    const { index: _, ...error } = faults[0] as Doc;
    return [{ ok: 0, idx, n: 0, ...changed, ...error }, total];
  }
  return [{ ok: 1, idx, n, ...changed, ...(Array.isArray(made) ? { upserted: made[0] } : {}) }, total];
}

async function bulkWrite(request: Request): Promise<Doc> {
  const { body, name } = request;
  if (request.database !== 'admin') fault(13, 'bulkWrite may only be run against the admin database.');
  const [operations, spaces] = [listed(request, 'ops'), listed(request, 'nsInfo')];
  checkBatch(operations.length);
  const totals = { nErrors: 0, nInserted: 0, nMatched: 0, nModified: 0, nUpserted: 0, nDeleted: 0 };
  const reports: Doc[] = [];
  for (const [i, spec] of operations.entries()) {
    const [report, total] = await perform(request, spaces, spec, i);
    const { ok, n, nModified = 0, upserted } = report;
    reports.push(report);
    totals[total as keyof typeof totals] += upserted ? 0 : toNumber(n);
    totals.nModified += toNumber(nModified);
    totals.nUpserted += upserted ? 1 : 0;
    totals.nErrors += ok === 0 ? 1 : 0;
    if (ok === 0 && flagOf(body, name, 'ordered') !== false) break;
  }
  const isShown = flagOf(body, name, 'errorsOnly') === true ? ({ ok }: Doc) => ok === 0 : () => true;
  const cursor = { id: 0n, firstBatch: reports.filter(isShown), ns: 'admin.$cmd.bulkWrite' };
  return { cursor, ...totals, ok: 1 };
}

export const BULK_COMMANDS: Record<string, Command> = {
  bulkWrite: {
    run: bulkWrite,
    fields: words('ops nsInfo ordered errorsOnly bypassDocumentValidation let cursor'),
  },
};
