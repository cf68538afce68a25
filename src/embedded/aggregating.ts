// aggregate: what an index can do of a pipeline is done by the index, the rest is the pipeline's.
import type { Collection } from './catalogue.ts';
import { FIRST_BATCH } from './cursors.ts';
import { type Doc, isDoc } from './documents.ts';
import { encode } from './encoding.ts';
import { bad } from './errors.ts';
import { count, type Query } from './finding.ts';
import { neededFields, runPipeline, validatePipeline } from './pipeline.ts';
import { checkFields, docOf, flagOf, surroundings, wholeOf } from './requests.ts';
import { documentsOf, lookUp, type Opened, type Side, type Tick, textFieldsOf } from './searching.ts';
import { isNumber, toNumber } from './values.ts';

export const AGGREGATE_FIELDS =
  'pipeline explain allowDiskUse cursor bypassDocumentValidation collation hint let isMapReduceCommand'.split(
    ' ',
  );

export function stagesOf(body: Doc): Doc[] {
  const { pipeline } = body;
  if (!Array.isArray(pipeline)) bad("'pipeline' option must be specified as an array", 14, 'TypeMismatch');
  return pipeline.map((stage) =>
    isDoc(stage) ? stage : bad("Each element of the 'pipeline' array must be an object", 14, 'TypeMismatch'),
  );
}

type Pushed = {
  filter: Doc;
  sort: Doc | undefined;
  skip: number | undefined;
  limit: number | undefined;
  rest: Doc[];
};

/** The beginning that a search can do: matches, then a sort, then a stretch of it. */
export function pushDown(stages: Doc[]): Pushed {
  const filters: Doc[] = [];
  let at = 0;
  for (; isDoc(stages[at]?.$match); at++) filters.push(stages[at]?.$match as Doc);
  const pushed: Pushed = { filter: {}, sort: undefined, skip: undefined, limit: undefined, rest: [] };
  const [only] = filters;
  if (only) pushed.filter = filters.length === 1 ? only : { $and: filters };
  const sort = stages[at]?.$sort;
  if (isDoc(sort) && Object.keys(sort).length > 0 && Object.values(sort).every(isNumber)) {
    pushed.sort = sort;
    at++;
  }
  if (isWhole(stages[at]?.$skip)) pushed.skip = toNumber(stages[at++]?.$skip);
  if (isWhole(stages[at]?.$limit) && toNumber(stages[at]?.$limit) > 0)
    pushed.limit = toNumber(stages[at++]?.$limit);
  pushed.rest = stages.slice(at);
  return pushed;
}

const isWhole = (value: unknown): boolean =>
  isNumber(value) && Number.isInteger(toNumber(value)) && toNumber(value) >= 0;

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
  if (!cursor)
    bad(
      "The 'cursor' option is required, except for aggregate with the explain argument",
      9,
      'FailedToParse',
    );
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
  const source = (name: string, filter: Doc = {}, from = database): Iterable<Doc> => {
    const other = lookUp(side, from, name);
    return other
      ? documentsOf(side, other, { filter, env: around, collation: around.collation, tick }, null)
      : [];
  };
  const special = specialStage(side, database, c, stages);
  const env = { ...around, source };
  if (special) return runPipeline(special.docs, special.rest, env);
  const { filter, sort, skip, limit, rest } = pushDown(stages);
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
  const group = countingGroup(rest);
  const named = countingStage(rest);
  if (group || named) {
    const all = c ? count(side.storage, c, query) : 0;
    const n = Math.min(limit ?? Number.POSITIVE_INFINITY, Math.max(0, all - (skip ?? 0)));
    if (n === 0) return [];
    return group ? [{ _id: group.id, [group.name]: n }] : [{ [named as string]: n }];
  }
  if (limit === 0 || !c) return runPipeline([], rest, env);
  return runPipeline(documentsOf(side, c, query, neededFields(rest) ?? null), rest, env);
}

function specialStage(_side: Side, database: string, c: Collection | undefined, stages: Doc[]) {
  const [first, ...rest] = stages;
  const name = first ? Object.keys(first)[0] : undefined;
  if (name === '$indexStats')
    return {
      docs: (c?.indexes ?? []).map(({ spec }) => ({
        name: spec.name,
        key: spec.key,
        host: 'embedded',
        accesses: { ops: 0n, since: new Date(0) },
        spec,
      })),
      rest,
    };
  if (name === '$collStats')
    return {
      docs: [
        {
          ns: `${database}.${c?.name}`,
          host: 'embedded',
          localTime: new Date(),
          count: c?.count ?? 0,
          storageStats: { count: c?.count ?? 0 },
        },
      ],
      rest,
    };
  if (name === '$documents') return { docs: [], rest: stages };
  return undefined;
}
