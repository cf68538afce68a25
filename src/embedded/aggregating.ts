// aggregate: what an index can do of a pipeline is done by the index, the rest is the pipeline's.
import type { Collection } from './catalogue.ts';
import { FIRST_BATCH } from './cursors.ts';
import { type Doc, isDoc } from './documents.ts';
import { encode } from './encoding.ts';
import { fault } from './errors.ts';
import { count, type Query } from './finding.ts';
import { leading } from './leading.ts';
import type { Scope } from './operators.ts';
import { runPipeline, validatePipeline } from './pipeline.ts';
import { neededFields } from './reading.ts';
import { checkFields, docOf, flagOf, surroundings, wholeOf } from './requests.ts';
import {
  checkFilter,
  documentsOf,
  lookUp,
  type Opened,
  type Side,
  type Tick,
  textFieldsOf,
} from './searching.ts';
import { isNumber, toNumber } from './values.ts';

export const AGGREGATE_FIELDS =
  'pipeline explain allowDiskUse cursor bypassDocumentValidation collation hint let isMapReduceCommand'.split(
    ' ',
  );

export function stagesOf(body: Doc): Doc[] {
  const { pipeline } = body;
  if (!Array.isArray(pipeline)) fault(14, "'pipeline' option must be specified as an array");
  return pipeline.map((stage) =>
    isDoc(stage) ? stage : fault(14, "Each element of the 'pipeline' array must be an object"),
  );
}

/** {$group: {_id: <constant>, n: {$sum: 1}}}, as drivers count; answers the names. */
function countingGroup(rest: Doc[]): { id: unknown; name: string } | undefined {
  const group = rest.length === 1 ? rest[0]?.$group : undefined;
  if (!isDoc(group) || Object.keys(group).length !== 2) return undefined;
  const { _id: id } = group;
  const name = Object.keys(group).find((each) => each !== '_id');
  const sum = name === undefined ? undefined : group[name];
  if (name === undefined || !isDoc(sum) || Object.keys(sum).length !== 1 || sum.$sum !== 1) return undefined;
  return id === null || isNumber(id) ? { id, name } : undefined;
}

function countingStage(rest: Doc[]): string | undefined {
  const name = rest.length === 1 ? rest[0]?.$count : undefined;
  return typeof name === 'string' && name !== '' && !/[$.\0]/.test(name) ? name : undefined;
}

function* encoded(docs: Iterable<Doc>): Generator<Buffer, void> {
  for (const doc of docs) yield encode(doc);
}

export function openAggregate(side: Side, database: string, body: Doc, tick: Tick): Opened {
  checkFields('aggregate', body, AGGREGATE_FIELDS);
  const stages = stagesOf(body);
  const cursor = docOf(body, 'aggregate', 'cursor');
  if (!cursor) fault(9, "The 'cursor' option is required, except for aggregate with the explain argument");
  validatePipeline(stages);
  flagOf(body, 'aggregate', 'allowDiskUse');
  const batchSize = wholeOf(cursor, 'aggregate', 'batchSize') ?? FIRST_BATCH;
  const one = isNumber(body.aggregate) && toNumber(body.aggregate) === 1;
  const namespace = `${database}.${one ? '$cmd.aggregate' : body.aggregate}`;
  const c = one ? undefined : lookUp(side, database, body.aggregate);
  const rows = encoded(aggregate(side, database, c, stages, body, tick));
  return { namespace, rows, batchSize, singleBatch: false, cheap: false };
}

export function aggregate(
  side: Side,
  database: string,
  c: Collection | undefined,
  stages: Doc[],
  body: Doc,
  tick: Tick,
): Iterable<Doc> {
  const around = { ...surroundings(body, c?.options.collation), textFields: textFieldsOf(c) };
  const source = (name: string, wanted: Doc, scope: Scope): Iterable<Doc> => {
    const other = lookUp(side, database, name);
    const query = { filter: wanted, env: { ...around, scope }, collation: around.collation, tick };
    return other ? documentsOf(side, other, query, null) : [];
  };
  const env = { ...around, source };
  const { filter, sort, skip, limit, rest } = leading(stages);
  const query: Query = {
    filter,
    sort,
    skip,
    limit,
    env: around,
    collation: around.collation,
    hint: body.hint,
    tick,
  };
  checkFilter(filter, around);
  const group = countingGroup(rest);
  const named = countingStage(rest);
  if (group || named) {
    const all = c ? count(side.storage, c, query) : 0;
    const n = Math.min(limit ?? Number.POSITIVE_INFINITY, Math.max(0, all - skip));
    if (n === 0) return [];
    return group ? [{ _id: group.id, [group.name]: n }] : [{ [named as string]: n }];
  }
  return runPipeline(c ? documentsOf(side, c, query, neededFields(rest) ?? null) : [], rest, env);
}
