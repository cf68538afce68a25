// Aggregation pipelines. Stages pull documents through one another one by one; only those that must see all of them
// ($group, $sort without a limit, $facet) hold more than one. A document is never changed in place.
import { type Doc, isDoc, setField } from './documents.ts';
import { fault } from './errors.ts';
import { bucket, group, sortByCount } from './grouping.ts';
import { lookup, unionWith, withValue } from './joining.ts';
import { compileFilter } from './matching.ts';
import { compileSort, sortDocs, window } from './ordering.ts';
import { getAt } from './paths.ts';
import { compileReshaping, RESHAPING } from './reshaping.ts';
import { type PipelineEnv, refuseStage, type Stage, type StageForm, type Stream } from './stages.ts';
import { toNumber, typeName } from './values.ts';

function whole(name: '$limit' | '$skip', spec: unknown): number {
  const number = toNumber(spec);
  const what = `invalid argument to ${name} stage: Expected`;
  if (!Number.isInteger(number))
    fault(name === '$limit' ? 2107201 : 5107200, `${what} an integer: ${name}: ${String(spec)}`);
  if (name === '$limit' && number < 1) fault(15958, 'the limit must be positive');
  if (number < 0) fault(5107200, `${what} a non-negative number in: ${name}: ${number}`);
  return number;
}

const match: StageForm = (spec, env) => {
  if (!isDoc(spec)) fault(15959, 'the match filter must be an expression in an object');
  const test = compileFilter(spec, env);
  return function* (docs) {
    for (const doc of docs) if (test(doc)) yield doc;
  };
};

const reshape: StageForm = (spec, env, _compile, name) => {
  const make = compileReshaping(name, spec, env);
  return function* (docs) {
    for (const doc of docs) yield make(doc);
  };
};

const limit: StageForm = (spec) => {
  const most = whole('$limit', spec);
  return (docs) => window(docs, 0, most);
};

const skip: StageForm = (spec) => {
  const unwanted = whole('$skip', spec);
  return (docs) => window(docs, unwanted);
};

function sorting(spec: unknown, env: PipelineEnv, most?: number): Stage {
  if (isDoc(spec) && Object.keys(spec).length === 0)
    fault(15976, '$sort stage must have at least one sort key');
  const ordering = compileSort(spec, env.collation);
  return (docs) => sortDocs(docs, ordering, { limit: most });
}

const RANDOM = compileSort({ random: 1 });

const sample: StageForm = (spec) => {
  const size = isDoc(spec) ? toNumber(spec.size) : Number.NaN;
  if (Number.isNaN(size)) fault(28745, 'the $sample stage specification must be an object with a size');
  if (size < 0) fault(28747, 'size argument to $sample must not be negative');
  const doc = (): Doc => ({ random: Math.random() });
  return (docs) => sortDocs(docs, RANDOM, { limit: Math.trunc(size), doc });
};

const count: StageForm = (spec, env, compile) => {
  if (typeof spec !== 'string' || spec === '') fault(40156, 'the count field must be a non-empty string');
  if (spec.startsWith('$')) fault(40158, 'the count field cannot be a $-prefixed path');
  if (spec.includes('.')) fault(40160, "the count field cannot contain '.'");
  return compile([{ $group: { _id: null, [spec]: { $sum: 1 } } }, { $unset: '_id' }], env);
};

const unwind: StageForm = (spec) => {
  const given = isDoc(spec) ? spec : { path: spec };
  const { path, includeArrayIndex: index, preserveNullAndEmptyArrays: preserve, ...others } = given;
  const [other] = Object.keys(others);
  if (other) fault(28811, `unrecognized option to $unwind stage: ${other}`);
  if (path === undefined) fault(28812, 'no path specified to $unwind stage');
  if (typeof path !== 'string')
    fault(28808, `expected a string as the path for $unwind stage, got ${typeName(path)}`);
  if (!path.startsWith('$'))
    fault(28818, `path option to $unwind stage should be prefixed with a '$': ${path}`);
  if (index !== undefined && (typeof index !== 'string' || index === '' || index.startsWith('$')))
    fault(28810, 'expected a non-empty string for the includeArrayIndex option to $unwind stage');
  const parts = path.slice(1).split('.');
  const numbered = (doc: Doc, at: bigint | null): Doc =>
    typeof index === 'string' ? withValue(doc, index.split('.'), at) : doc;
  return function* (docs) {
    for (const doc of docs) {
      const value = getAt(doc, parts);
      const isEmpty = Array.isArray(value) ? value.length === 0 : value === null || value === undefined;
      if (isEmpty && preserve !== true) continue;
      if (!Array.isArray(value)) yield numbered(doc, null);
      else if (isEmpty) yield numbered(withValue(doc, parts, undefined), null);
      else for (const [i, one] of value.entries()) yield numbered(withValue(doc, parts, one), BigInt(i));
    }
  };
};

const facet: StageForm = (spec, env, compile) => {
  if (!isDoc(spec) || Object.keys(spec).length === 0)
    fault(40169, 'the $facet specification must be a non-empty object');
  const branches = Object.entries(spec).map(([name, stages]) => {
    if (!Array.isArray(stages))
      fault(40170, `arguments to $facet must be arrays, ${name} is type ${typeName(stages)}`);
    const banned = stages.map(nameOf).find((inner) => ['$facet', '$out', '$merge'].includes(inner));
    if (banned) fault(40600, `${banned} is not allowed to be used within a $facet stage`);
    return [name, compile(stages, env)] as const;
  });
  return function* (docs) {
    const all = [...docs];
    const result: Doc = {};
    for (const [name, run] of branches) setField(result, name, [...run(all)]);
    yield result;
  };
};

const elsewhere: StageForm = (_spec, _env, _compile, name) =>
  fault(40601, `${name} can only be the final stage in the pipeline`);

const STAGES = new Map<string, StageForm>([
  ['$match', match],
  ['$limit', limit],
  ['$skip', skip],
  ['$sort', (spec, env) => sorting(spec, env)],
  ['$group', group],
  ['$bucket', bucket],
  ['$sortByCount', sortByCount],
  ['$count', count],
  ['$unwind', unwind],
  ['$facet', facet],
  ['$sample', sample],
  ['$lookup', lookup],
  ['$unionWith', unionWith],
  ['$out', elsewhere],
  ['$merge', elsewhere],
  ...RESHAPING.map((name): [string, StageForm] => [name, reshape]),
]);

/** The name of a stage, which must be known. */
function nameOf(stage: unknown): string {
  if (!isDoc(stage)) fault(14, "Each element of the 'pipeline' array must be an object");
  const [name = '', ...others] = Object.keys(stage);
  if (name === '' || others.length > 0)
    fault(40323, 'A pipeline stage specification object must contain exactly one field.');
  return STAGES.has(name) ? name : refuseStage(name);
}

function compile(stages: unknown, env: PipelineEnv): Stage {
  if (!Array.isArray(stages)) fault(14, "'pipeline' option must be specified as an array");
  const steps = stages.map((stage: Doc, i): Stage => {
    const name = nameOf(stage);
    const form = STAGES.get(name) as StageForm;
    if (name === '$sort') return sorting(stage.$sort, env, keptAfter(stages, i));
    return form(stage[name], env, compile, name);
  });
  return (docs) => steps.reduce((stream, step) => step(stream), docs);
}

/** How many of the first documents the stages right after a sort will look at. */
function keptAfter(stages: readonly unknown[], at: number): number | undefined {
  let skipped = 0;
  for (const stage of stages.slice(at + 1)) {
    if (!isDoc(stage)) return undefined;
    if ('$limit' in stage) return whole('$limit', stage.$limit) + skipped;
    if (!('$skip' in stage)) return undefined;
    skipped += whole('$skip', stage.$skip);
  }
  return undefined;
}

export function runPipeline(docs: Stream, stages: readonly unknown[], env: PipelineEnv): Stream {
  return compile(stages, env)(docs);
}

/** Refuses what no pipeline may be, before any document is read; $out and $merge may stand last. */
export function validatePipeline(stages: readonly unknown[]): void {
  const names = stages.map(nameOf);
  const early = names.slice(0, -1).find((name) => STAGES.get(name) === elsewhere);
  if (early) fault(40601, `${early} can only be the final stage in the pipeline`);
}
