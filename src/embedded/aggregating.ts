// aggregate: what an index can do of a pipeline is done by the index, the rest is the pipeline's.
import type { Collection } from './catalogue.ts';
import { FIRST_BATCH } from './cursors.ts';
import { type Doc, encode, isDoc } from './documents.ts';
import { fault } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { count, type Query } from './finding.ts';
import type { Scope } from './operators.ts';
import { runPipeline, validatePipeline } from './pipeline.ts';
import { leading, neededFields } from './reading.ts';
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
import { isNumber } from './values.ts';
import { words } from './words.ts';

const FIELDS = words(
  'pipeline explain allowDiskUse cursor bypassDocumentValidation collation hint let isMapReduceCommand',
);

export function stagesOf(body: Doc): Doc[] {
  const { pipeline } = body;
  if (!Array.isArray(pipeline)) fault(14, "'pipeline' option must be specified as an array");
  return pipeline.map((stage) =>
    isDoc(stage) ? stage : fault(14, "Each element of the 'pipeline' array must be an object"),
  );
}

/** What counts, as drivers do it: {$count: name}, or {$group: {_id: <constant>, name: {$sum: 1}}}. */
function countingOf([stage = {}, ...others]: Doc[]): { name: string; id: Doc } | undefined {
  const { _id, ...fields } = isDoc(stage.$group) ? stage.$group : {};
  const [[name, sum] = [stage.$count, { $sum: 1 }], ...more] = Object.entries(fields);
  if (others.length + more.length > 0 || typeof name !== 'string' || !/^[^$.\0]+$/.test(name))
    return undefined;
  if (!isDoc(sum) || sum.$sum !== 1 || Object.keys(sum).length !== 1) return undefined;
  if (!stage.$group) return { name, id: {} };
  return _id === null || isNumber(_id) ? { name, id: { _id } } : undefined;
}

function* encoded(docs: Iterable<Doc>): Generator<Buffer, void> {
  for (const doc of docs) yield encode(doc);
}

export function openAggregate(side: Side, database: string, body: Doc, tick: Tick): Opened {
  checkFields('aggregate', body, FIELDS);
  const all = stagesOf(body);
  const isFree = isNumber(body.aggregate);
  const given = isFree ? givenBy(all[0], body) : undefined;
  const stages = isFree ? all.slice(1) : all;
  const cursor = docOf(body, 'aggregate', 'cursor');
  if (!cursor) fault(9, "The 'cursor' option is required, except for aggregate with the explain argument");
  validatePipeline(stages);
  flagOf(body, 'aggregate', 'allowDiskUse');
  const batchSize = wholeOf(cursor, 'aggregate', 'batchSize') ?? FIRST_BATCH;
  const name = isFree ? '$cmd.aggregate' : body.aggregate;
  const c = isFree ? undefined : lookUp(side, database, name);
  const rows = encoded(aggregate(side, database, c, given, stages, body, tick));
  return { namespace: `${database}.${name}`, rows, batchSize, singleBatch: false, cheap: false };
}

/** What $documents brings, where there is no collection. */
function givenBy(stage: Doc | undefined, body: Doc): Doc[] {
  if (!stage || !('$documents' in stage))
    fault(73, '{aggregate: 1} is not valid here; a collection is required.');
  const found = compileExpression(stage.$documents, surroundings(body).scope)({});
  if (Array.isArray(found) && found.every(isDoc)) return found;
  return fault(5858203, 'an array of objects is expected in a $documents stage');
}

function aggregate(
  side: Side,
  database: string,
  c: Collection | undefined,
  given: Doc[] | undefined,
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
  if (given) return runPipeline(given, stages, env);
  const { filter, sort, skip, limit, rest } = leading(stages);
  const { collation } = around;
  const query: Query = { filter, sort, skip, limit, env: around, collation, hint: body.hint, tick };
  checkFilter(filter, around);
  const counting = countingOf(rest);
  if (counting) {
    const all = c ? count(side.storage, c, query) : 0;
    const n = Math.min(limit ?? Number.POSITIVE_INFINITY, Math.max(0, all - skip));
    return n === 0 ? [] : [{ ...counting.id, [counting.name]: n }];
  }
  return runPipeline(c ? documentsOf(side, c, query, neededFields(rest) ?? null) : [], rest, env);
}
