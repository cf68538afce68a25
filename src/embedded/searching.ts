// find, count and distinct as any thread can run them. What must stay true: nothing here writes or knows a connection,
// so that a search which takes too long in the one thread can begin again in the other.

import { type Catalogue, type Collection, find as findCollection } from './catalogue.ts';
import { FIRST_BATCH } from './cursors.ts';
import { type Doc, decode, decodeFields, encode, isDoc } from './documents.ts';
import { fault } from './errors.ts';
import { count as countMatching, type Query, type Row, read } from './finding.ts';
import { identity } from './keys.ts';
import { compileFilter } from './matching.ts';
import { valuesAt } from './paths.ts';
import { plan } from './planner.ts';
import { compileProjection, plainFields } from './projecting.ts';
import { checkFields, docOf, flagOf, numberOf, refuseOptions, surroundings, wholeOf } from './requests.ts';
import type { Storage } from './storage.ts';
import { trim } from './trimming.ts';
import { compare } from './values.ts';
import { words } from './words.ts';

export type Side = { storage: Storage; catalogue: Catalogue };
export type Tick = (() => void) | undefined;

export type Opened = {
  namespace: string;
  rows: Iterator<Buffer, unknown>;
  batchSize: number | undefined;
  singleBatch: boolean;
  /** Whether the rows can be left half read in a thread that others share. */
  cheap: boolean;
};

const FIND_FIELDS = words(
  `find filter sort projection hint skip limit batchSize singleBatch max min returnKey showRecordId
  tailable oplogReplay noCursorTimeout awaitData allowPartialResults collation allowDiskUse let
  ntoreturn`,
);

export function lookUp({ catalogue }: Side, database: string, name: unknown): Collection | undefined {
  if (typeof name !== 'string' || name === '')
    fault(73, `collection name has invalid type or is empty in database '${database}'`);
  return findCollection(catalogue, database, name);
}

const isEmpty = (doc: Doc | undefined): boolean => !doc || Object.keys(doc).length === 0;

export const textFieldsOf = (c: Collection | undefined): [string, number][] | undefined =>
  c?.indexes.find(({ kind }) => kind === 'text')?.weights;

export function checkFilter(filter: Doc, env: Query['env']): void {
  compileFilter(filter, { ...env, textFields: env.textFields ?? [] });
}

export function queryOf(c: Collection | undefined, body: Doc, name: string, filterField: string): Query {
  const filter = docOf(body, name, filterField) ?? {};
  const env = { ...surroundings(body, c?.options.collation), textFields: textFieldsOf(c) };
  const sort = docOf(body, name, 'sort');
  for (const direction of Object.values(sort ?? {})) checkDirection(direction);
  return {
    filter,
    env,
    collation: env.collation,
    sort: isEmpty(sort) ? undefined : sort,
    hint: body.hint,
  };
}

function checkDirection(direction: unknown): void {
  if (isDoc(direction) && direction.$meta !== undefined) return;
  const number = Number(direction);
  if (typeof direction === 'object' && direction !== null && !('value' in direction))
    fault(15974, `Illegal key in $sort specification: ${JSON.stringify(direction)}`);
  if (number !== 1 && number !== -1)
    fault(15975, '$sort key ordering must be 1 (for ascending) or -1 (for descending)');
}

export function openFind(side: Side, database: string, body: Doc, tick: Tick): Opened {
  checkFields('find', body, FIND_FIELDS);
  refuseOptions(body, 'find', ['max', 'min', 'returnKey', 'showRecordId', 'tailable', 'awaitData']);
  const c = lookUp(side, database, body.find);
  const query: Query = { ...queryOf(c, body, 'find', 'filter'), tick };
  query.skip = wholeOf(body, 'find', 'skip');
  query.limit = wholeOf(body, 'find', 'limit');
  const projection = docOf(body, 'find', 'projection');
  const opened = {
    namespace: `${database}.${body.find}`,
    batchSize: wholeOf(body, 'find', 'batchSize') ?? FIRST_BATCH,
    singleBatch: flagOf(body, 'find', 'singleBatch') === true,
  };
  const project = shaping(projection, query);
  const chosen = c && plan(side.storage, c, query);
  if (!chosen?.exact) checkFilter(query.filter, query.env);
  if (!c || !chosen) return { ...opened, rows: ([] as Buffer[]).values(), cheap: true };
  const rows = shaped(read(side.storage, c, query, chosen), project);
  return { ...opened, rows, cheap: chosen.exact && chosen.sorted };
}

type Shape = (row: Row) => Buffer;

function shaping(projection: Doc | undefined, query: Query): Shape {
  if (!projection || isEmpty(projection)) return ({ raw }) => raw;
  const plain = plainFields(projection);
  if (plain) return ({ raw }) => trim(raw, plain);
  const project = compileProjection(projection, { ...query.env, filter: query.filter });
  if (!project) return ({ raw }) => raw;
  return ({ raw, doc }) => encode(project(doc ?? decode(raw)));
}

function* shaped(rows: Iterable<Row>, shape: Shape): Generator<Buffer, void> {
  for (const row of rows) yield shape(row);
}

export function runCount(side: Side, database: string, body: Doc, tick: Tick): Doc {
  checkFields('count', body, ['query', 'limit', 'skip', 'hint', 'collation', 'fields']);
  const c = lookUp(side, database, body.count);
  const skip = wholeOf(body, 'count', 'skip') ?? 0;
  const limit = Math.abs(numberOf(body, 'count', 'limit') ?? 0);
  const query = { ...queryOf(c, body, 'count', 'query'), tick, skip, limit };
  checkFilter(query.filter, query.env);
  const found = c ? countMatching(side.storage, c, query) : 0;
  const skipped = Math.max(0, found - skip);
  return { n: limit > 0 ? Math.min(skipped, limit) : skipped, ok: 1 };
}

export function runDistinct(side: Side, database: string, body: Doc, tick: Tick): Doc {
  checkFields('distinct', body, ['key', 'query', 'collation', 'hint']);
  if (typeof body.key !== 'string') fault(40414, "BSON field 'distinct.key' is missing but a required field");
  const c = lookUp(side, database, body.distinct);
  const query = { ...queryOf(c, body, 'distinct', 'query'), tick };
  checkFilter(query.filter, query.env);
  const path = body.key.split('.');
  const root = new Set([path[0] as string]);
  const seen = new Map<string, unknown>();
  const note = (value: unknown): void => {
    if (value === undefined) return;
    const key = identity(value, query.collation);
    if (!seen.has(key)) seen.set(key, value);
  };
  for (const { raw } of c ? read(side.storage, c, query) : []) {
    const found: unknown[] = [];
    valuesAt(decodeFields(raw, root), path, found);
    for (const value of found)
      if (Array.isArray(value)) value.forEach(note);
      else note(value);
  }
  const values = [...seen.values()].sort((a, b) => compare(a, b, query.collation));
  return { values, ok: 1 };
}

/** Rows of a collection for another's pipeline, decoded as far as asked. */
export function* documentsOf(
  side: Side,
  c: Collection,
  query: Query,
  wanted: ReadonlySet<string> | null,
): Generator<Doc, void> {
  for (const { raw, doc } of read(side.storage, c, query))
    yield doc ?? (wanted ? decodeFields(raw, wanted) : decode(raw));
}
