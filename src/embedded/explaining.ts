// explain: the way that a search would take, in MongoDB's shape, and when asked what it met on that way.

import { stagesOf } from './aggregating.ts';
import { type Doc, isDoc } from './documents.ts';
import { fault } from './errors.ts';
import { type Query, read } from './finding.ts';
import { leading } from './leading.ts';
import { type IndexPlan, type Plan, plan } from './planner.ts';
import { type Request, wholeOf } from './requests.ts';
import { lookUp, queryOf } from './searching.ts';

function scanStage({ index, reverse, ranges, merge }: IndexPlan): Doc {
  const scan = {
    stage: 'IXSCAN',
    keyPattern: index.spec.key,
    indexName: index.name,
    isMultiKey: index.multikey.includes(true),
    isUnique: index.unique,
    isSparse: index.sparse,
    isPartial: index.partial !== undefined,
    direction: reverse ? 'backward' : 'forward',
    ranges: ranges.length,
  };
  return merge ? { stage: 'SORT_MERGE', inputStage: scan } : scan;
}

function stageOf(chosen: Plan, query: Query, counting: boolean): Doc {
  const filter = chosen.exact ? {} : { filter: query.filter };
  switch (chosen.kind) {
    case 'all':
      return { stage: 'COLLSCAN', direction: chosen.reverse ? 'backward' : 'forward', ...filter };
    case 'index':
      if (counting && chosen.exact) return { ...scanStage(chosen), stage: 'COUNT_SCAN' };
      return { stage: 'FETCH', ...filter, inputStage: scanStage(chosen) };
    case 'or':
      return {
        stage: 'FETCH',
        ...filter,
        inputStage: { stage: 'OR', inputStages: chosen.plans.map(scanStage) },
      };
    default:
      return { stage: 'TEXT_MATCH', indexName: chosen.index.name };
  }
}

export function winningPlan(chosen: Plan, query: Query, counting = false): Doc {
  let stage = stageOf(chosen, query, counting);
  if (query.sort && !chosen.sorted) stage = { stage: 'SORT', sortPattern: query.sort, inputStage: stage };
  if (query.skip) stage = { stage: 'SKIP', skipAmount: query.skip, inputStage: stage };
  if (query.limit) stage = { stage: 'LIMIT', limitAmount: query.limit, inputStage: stage };
  return counting ? { stage: 'COUNT', inputStage: stage } : stage;
}

type Asked = { collection: unknown; query: Query; counting: boolean };

function asked({ engine, database }: Request, inner: Doc): Asked {
  const name = Object.keys(inner)[0] ?? '';
  const collection = inner[name];
  const c = lookUp(engine, database, collection);
  const of = (body: Doc, field: string): Query => queryOf(c, body, name, field);
  switch (name) {
    case 'find':
      return {
        collection,
        query: {
          ...of(inner, 'filter'),
          skip: wholeOf(inner, name, 'skip'),
          limit: wholeOf(inner, name, 'limit'),
        },
        counting: false,
      };
    case 'count':
      return { collection, query: of(inner, 'query'), counting: true };
    case 'distinct':
    case 'findAndModify':
    case 'findandmodify':
      return { collection, query: of(inner, 'query'), counting: false };
    case 'update':
    case 'delete': {
      const list = inner[name === 'update' ? 'updates' : 'deletes'];
      const first = Array.isArray(list) ? list[0] : undefined;
      return { collection, query: of(isDoc(first) ? first : {}, 'q'), counting: false };
    }
    case 'aggregate': {
      const { rest: _, ...pushed } = leading(stagesOf(inner));
      return {
        collection,
        query: { ...of({ ...inner, sort: pushed.sort }, ''), ...pushed },
        counting: false,
      };
    }
    default:
      return fault(59, `Explain failed due to unknown command: ${name}`);
  }
}

export function explain(request: Request): Doc {
  const { engine, database, body } = request;
  if (!isDoc(body.explain)) fault(14, "BSON field 'explain' is the wrong type, expected type 'object'");
  const { collection, query, counting } = asked(request, body.explain);
  const c = lookUp(engine, database, collection);
  const queryPlanner = {
    namespace: `${database}.${collection}`,
    parsedQuery: query.filter,
    rejectedPlans: [],
  };
  const rest = { serverInfo: { host: 'embedded', version: '8.0.0' }, ok: 1 };
  if (!c)
    return { explainVersion: '1', queryPlanner: { ...queryPlanner, winningPlan: { stage: 'EOF' } }, ...rest };
  const chosen = plan(engine.storage, c, query);
  const winning = winningPlan(chosen, query, counting);
  const result = { explainVersion: '1', queryPlanner: { ...queryPlanner, winningPlan: winning } };
  if (body.verbosity === 'queryPlanner') return { ...result, ...rest };
  const begun = performance.now();
  let returned = 0;
  for (const _ of read(engine.storage, c, query, chosen)) returned++;
  const executionTimeMillis = Math.round(performance.now() - begun);
  const executionStats = {
    executionSuccess: true,
    nReturned: returned,
    executionTimeMillis,
    executionStages: winning,
  };
  return { ...result, executionStats, ...rest };
}
