// Aggregation pipelines. Stages pull documents through one another one by one; only those that must see all of them
// ($group, $sort without a limit, $facet) hold more than one. A document is never changed in place.

import type { Doc } from './documents.ts';
import { fault } from './errors.ts';
import { bucket, group, sortByCount } from './grouping.ts';
import { lookup, unionWith, withValue } from './joining.ts';
import { compileFilter } from './matching.ts';
import { compileSort, sortDocs } from './ordering.ts';
import { getAt } from './paths.ts';
import { compileReshaping, RESHAPING } from './reshaping.ts';
import { type PipelineEnv, refuseStage, type Stage, type StageForm, type Stream } from './stages.ts';
import { isNumber, isObject, toNumber, typeName } from './values.ts';

function whole(name: string, spec: unknown, least: number): number {
  const number = toNumber(spec);
  if (!isNumber(spec) || !Number.isInteger(number))
    fault(
      name === '$limit' ? 2107201 : 5107200,
      `invalid argument to ${name} stage: Expected an integer: ${name}: ${String(spec)}`,
    );
  if (number < least) {
    if (name === '$limit') fault(15958, 'the limit must be positive');
    fault(
      5107200,
      `invalid argument to ${name} stage: Expected a non-negative number in: ${name}: ${number}`,
    );
  }
  return number;
}

const match: StageForm = (spec, env) => {
  if (!isObject(spec)) fault(15959, 'the match filter must be an expression in an object');
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
  const most = whole('$limit', spec, 1);
  return function* (docs) {
    let taken = 0;
    for (const doc of docs) {
      yield doc;
      if (++taken >= most) return;
    }
  };
};

const skip: StageForm = (spec) => {
  const unwanted = whole('$skip', spec, 0);
  return function* (docs) {
    let skipped = 0;
    for (const doc of docs) if (skipped++ >= unwanted) yield doc;
  };
};

function sorting(spec: unknown, env: PipelineEnv, most?: number): Stage {
  if (isObject(spec) && Object.keys(spec).length === 0)
    fault(15976, '$sort stage must have at least one sort key');
  const ordering = compileSort(spec, env.collation);
  return function* (docs) {
    yield* sortDocs(docs, ordering, { limit: most });
  };
}

const count: StageForm = (spec) => {
  if (typeof spec !== 'string' || spec === '') fault(40156, 'the count field must be a non-empty string');
  if (spec.startsWith('$')) fault(40158, 'the count field cannot be a $-prefixed path');
  if (spec.includes('.')) fault(40160, "the count field cannot contain '.'");
  return function* (docs) {
    let total = 0;
    for (const _doc of docs) total++;
    if (total > 0) yield { [spec]: total };
  };
};

const unwind: StageForm = (spec) => {
  const given = isObject(spec) ? spec : { path: spec };
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
      if (Array.isArray(value) && value.length > 0) {
        for (let i = 0; i < value.length; i++) yield numbered(withValue(doc, parts, value[i]), BigInt(i));
      } else if (Array.isArray(value)) {
        if (preserve === true) yield numbered(without(doc, parts), null);
      } else if ((value !== null && value !== undefined) || preserve === true) yield numbered(doc, null);
    }
  };
};

function without(doc: Doc, parts: readonly string[]): Doc {
  const [part = '', ...rest] = parts;
  const { [part]: inside, ...others } = doc;
  return rest.length > 0 && isObject(inside) ? { ...doc, [part]: without(inside, rest) } : others;
}

const facet: StageForm = (spec, env, compile) => {
  if (!isObject(spec) || Object.keys(spec).length === 0)
    fault(40169, 'the $facet specification must be a non-empty object');
  const branches = Object.keys(spec).map((name) => {
    const stages = spec[name];
    if (!Array.isArray(stages))
      fault(40170, `arguments to $facet must be arrays, ${name} is type ${typeName(stages)}`);
    for (const stage of stages) {
      const [inner = ''] = isObject(stage) ? Object.keys(stage) : [];
      if (['$facet', '$out', '$merge'].includes(inner))
        fault(40600, `${inner} is not allowed to be used within a $facet stage`);
    }
    return [name, compile(stages, env)] as const;
  });
  return function* (docs) {
    const all = [...docs];
    const result: Doc = {};
    for (const [name, run] of branches) result[name] = [...run(all)];
    yield result;
  };
};

const sample: StageForm = (spec) => {
  if (!isObject(spec) || !isNumber(spec.size))
    fault(28745, 'the $sample stage specification must be an object with a size');
  const size = toNumber(spec.size);
  if (!(size >= 0)) fault(28747, 'size argument to $sample must not be negative');
  return function* (docs) {
    const kept: Doc[] = [];
    let seen = 0;
    for (const doc of docs) {
      if (kept.length < size) kept.push(doc);
      else {
        const place = Math.floor(Math.random() * (seen + 1));
        if (place < size) kept[place] = doc;
      }
      seen++;
    }
    for (let i = kept.length - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [kept[i], kept[j]] = [kept[j] as Doc, kept[i] as Doc];
    }
    yield* kept;
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
  if (!isObject(stage)) fault(14, "Each element of the 'pipeline' array must be an object");
  const [name = '', ...others] = Object.keys(stage);
  if (name === '' || others.length > 0)
    fault(40323, 'A pipeline stage specification object must contain exactly one field.');
  if (!STAGES.has(name)) refuseStage(name);
  return name;
}

function compile(stages: unknown, env: PipelineEnv): Stage {
  if (!Array.isArray(stages)) fault(14, "'pipeline' option must be specified as an array");
  const steps: Stage[] = [];
  for (let i = 0; i < stages.length; i++) {
    const name = nameOf(stages[i]);
    const form = STAGES.get(name) as StageForm;
    const spec = (stages[i] as Doc)[name];
    steps.push(name === '$sort' ? sorting(spec, env, keptAfter(stages, i)) : form(spec, env, compile, name));
  }
  return (docs) => steps.reduce((stream, step) => step(stream), docs);
}

/** How many of the first documents the stages right after a sort will look at. */
function keptAfter(stages: readonly unknown[], at: number): number | undefined {
  let skipped = 0;
  for (const stage of stages.slice(at + 1)) {
    if (!isObject(stage)) return undefined;
    if ('$limit' in stage) return whole('$limit', stage.$limit, 1) + skipped;
    if (!('$skip' in stage)) return undefined;
    skipped += whole('$skip', stage.$skip, 0);
  }
  return undefined;
}

export function runPipeline(docs: Stream, stages: readonly unknown[], env: PipelineEnv): Stream {
  return compile(stages, env)(docs);
}

/** Refuses what no pipeline may be, before any document is read; $out and $merge may stand last. */
export function validatePipeline(stages: readonly unknown[]): void {
  stages.forEach((stage, i) => {
    const name = nameOf(stage);
    if (i < stages.length - 1 && STAGES.get(name) === elsewhere)
      fault(40601, `${name} can only be the final stage in the pipeline`);
  });
}
