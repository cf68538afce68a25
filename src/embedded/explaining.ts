// explain: the way that a search would take, in MongoDB's shape, and when asked what it met on that way.

import { stagesOf } from './aggregating.ts';
import type { Collection } from './catalogue.ts';
import { type Doc, isDoc } from './documents.ts';
import { fault } from './errors.ts';
import { type Query, read } from './finding.ts';
import { type IndexPlan, type Plan, plan } from './planner.ts';
import { leading } from './reading.ts';
import { docOf, wholeOf } from './requests.ts';
import { lookUp, queryOf, type Side, type Tick } from './searching.ts';
import { SPACE, type Storage } from './storage.ts';

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
  if (chosen.kind === 'all')
    return { stage: 'COLLSCAN', direction: chosen.reverse ? 'backward' : 'forward', ...filter };
  if (chosen.kind === 'text') return { stage: 'TEXT_MATCH', indexName: chosen.index.name };
  if (chosen.kind === 'or')
    return {
      stage: 'FETCH',
      ...filter,
      inputStage: { stage: 'OR', inputStages: chosen.plans.map(scanStage) },
    };
  if (counting && chosen.exact) return { ...scanStage(chosen), stage: 'COUNT_SCAN' };
  return { stage: 'FETCH', ...filter, inputStage: scanStage(chosen) };
}

function wayOf(chosen: Plan, query: Query, counting: boolean): Doc {
  const around: [unknown, Doc][] = [
    [query.sort && !chosen.sorted, { stage: 'SORT', sortPattern: query.sort }],
    [query.skip, { stage: 'SKIP', skipAmount: query.skip }],
    [query.limit, { stage: 'LIMIT', limitAmount: query.limit }],
    [counting, { stage: 'COUNT' }],
  ];
  const steps = around.filter(([isThere]) => isThere).map(([, step]) => step);
  return steps.reduce((inputStage, step) => ({ ...step, inputStage }), stageOf(chosen, query, counting));
}

/** Where each command has its filter. */
const FILTERS: Record<string, string> = {
  find: 'filter',
  count: 'query',
  distinct: 'query',
  findAndModify: 'query',
  findandmodify: 'query',
  update: 'q',
  delete: 'q',
};

function asked(c: Collection | undefined, name: string, inner: Doc): Query {
  if (name === 'aggregate') {
    const { rest: _, ...pushed } = leading(stagesOf(inner));
    return { ...queryOf(c, { ...inner, sort: pushed.sort }, name, ''), ...pushed };
  }
  const field = FILTERS[name] ?? fault(59, `Explain failed due to unknown command: ${name}`);
  const list = inner[`${name}s`];
  const first = Array.isArray(list) ? list[0] : undefined;
  const query = queryOf(c, field === 'q' && isDoc(first) ? first : inner, name, field);
  if (name !== 'find') return query;
  return { ...query, skip: wholeOf(inner, name, 'skip'), limit: wholeOf(inner, name, 'limit') };
}

type Met = { storage: Storage; keys: number; docs: number };

/** The storage, and how many keys of indexes and documents are read from it. */
function counted(storage: Storage): Met {
  const met: Met = { storage, keys: 0, docs: 0 };
  const note = (key: Buffer): void => {
    if (key[0] === SPACE.records) met.docs++;
    else if (key[0] === SPACE.index) met.keys++;
  };
  met.storage = {
    ...storage,
    peek(key) {
      note(key);
      return storage.peek(key);
    },
    *keys(range, reverse) {
      for (const key of storage.keys(range, reverse)) {
        note(key);
        yield key;
      }
    },
    *entries(range, reverse) {
      for (const entry of storage.entries(range, reverse)) {
        note(entry.key);
        yield entry;
      }
    },
  };
  return met;
}

export function runExplain(side: Side, database: string, body: Doc, tick: Tick): Doc {
  const inner = docOf(body, 'explain', 'explain') ?? {};
  const [name = ''] = Object.keys(inner);
  const c = lookUp(side, database, inner[name]);
  const query: Query = { ...asked(c, name, inner), tick };
  const chosen = c && plan(side.storage, c, query);
  const winningPlan = chosen ? wayOf(chosen, query, name === 'count') : { stage: 'EOF' };
  const namespace = `${database}.${inner[name]}`;
  const answer = {
    explainVersion: '1',
    queryPlanner: { namespace, parsedQuery: query.filter, rejectedPlans: [], winningPlan },
    serverInfo: { host: 'embedded', version: '8.0.0' },
    ok: 1,
  };
  if (!c || body.verbosity === 'queryPlanner') return answer;
  const begun = performance.now();
  let nReturned = 0;
  const met = counted(side.storage);
  for (const _ of read(met.storage, c, query, chosen)) nReturned++;
  const executionTimeMillis = Math.round(performance.now() - begun);
  const executionStages = winningPlan;
  const examined = { totalKeysExamined: met.keys, totalDocsExamined: met.docs };
  const executionStats = {
    ...{ executionSuccess: true, nReturned, executionTimeMillis },
    ...{ ...examined, executionStages },
  };
  return { ...answer, executionStats };
}
