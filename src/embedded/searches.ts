// Which commands are searches, and how each is begun: in the thread that serves people for a few milliseconds, and
// when that is not enough in a reading thread, from the start.
import { openAggregate } from './aggregating.ts';
import { find as findCollection } from './catalogue.ts';
import { type Doc, decode } from './documents.ts';
import { checkFields, docOf, unsupported, wholeOf } from './requests.ts';
import {
  FIND_FIELDS,
  type Opened,
  openFind,
  runCount,
  runDistinct,
  type Side,
  type Tick,
} from './searching.ts';

/** Searches with one answer; nothing for those that give a cursor. */
export function runSearch(
  side: Side,
  command: string,
  database: string,
  body: Doc,
  tick: Tick,
): Doc | undefined {
  if (isView(side, database, body[command])) {
    if (command === 'count') return countView(side, database, body, tick);
    if (command === 'distinct') unsupported('distinct on a view');
  }
  if (command === 'count') return runCount(side, database, body, tick);
  if (command === 'distinct') return runDistinct(side, database, body, tick);
  return undefined;
}

export function openSearch(side: Side, command: string, database: string, body: Doc, tick: Tick): Opened {
  if (command === 'find' && isView(side, database, body.find)) return openView(side, database, body, tick);
  return command === 'find'
    ? openFind(side, database, body, tick)
    : openAggregate(side, database, body, tick);
}

const isView = (side: Side, database: string, name: unknown): boolean =>
  typeof name === 'string' && findCollection(side.catalogue, database, name)?.options.viewOn !== undefined;

/** A search of a view says in stages what it asks, and they follow the view's own. */
function openStages(
  side: Side,
  database: string,
  name: unknown,
  stages: Doc[],
  body: Doc,
  tick: Tick,
): Opened {
  const { collation, let: variables, batchSize } = body;
  const asked: Doc = {
    aggregate: name,
    pipeline: stages,
    cursor: batchSize === undefined ? {} : { batchSize },
  };
  if (collation !== undefined) asked.collation = collation;
  if (variables !== undefined) asked.let = variables;
  return openAggregate(side, database, asked, tick);
}

function openView(side: Side, database: string, body: Doc, tick: Tick): Opened {
  checkFields('find', body, FIND_FIELDS);
  const stages: Doc[] = [{ $match: docOf(body, 'find', 'filter') ?? {} }];
  const sort = docOf(body, 'find', 'sort') ?? {};
  if (Object.keys(sort).length > 0) stages.push({ $sort: sort });
  const skip = wholeOf(body, 'find', 'skip') ?? 0;
  if (skip > 0) stages.push({ $skip: skip });
  const limit = wholeOf(body, 'find', 'limit') ?? 0;
  if (limit > 0) stages.push({ $limit: limit });
  const projection = docOf(body, 'find', 'projection') ?? {};
  if (Object.keys(projection).length > 0) stages.push({ $project: projection });
  return {
    ...openStages(side, database, body.find, stages, body, tick),
    singleBatch: body.singleBatch === true,
  };
}

function countView(side: Side, database: string, body: Doc, tick: Tick): Doc {
  const stages: Doc[] = [{ $match: docOf(body, 'count', 'query') ?? {} }];
  const skip = wholeOf(body, 'count', 'skip') ?? 0;
  if (skip > 0) stages.push({ $skip: skip });
  const limit = wholeOf(body, 'count', 'limit') ?? 0;
  if (limit > 0) stages.push({ $limit: limit });
  const { rows } = openStages(side, database, body.count, [...stages, { $count: 'n' }], body, tick);
  const { value } = rows.next();
  return { n: Buffer.isBuffer(value) ? decode(value).n : 0, ok: 1 };
}
