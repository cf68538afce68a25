// The stages that read other collections: $lookup and $unionWith. What they ask is written as a filter,
// so that the other collection's indexes can serve it.
import { type Doc, isDoc, setField } from './documents.ts';
import { fault } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { identity } from './keys.ts';
import { compileFilter } from './matching.ts';
import { bound, type Cell, missing, type Scope } from './operators.ts';
import { valuesAt } from './paths.ts';
import { leading } from './reading.ts';
import { isRegex } from './regexes.ts';
import type { CompilePipeline, PipelineEnv, StageForm, Stream } from './stages.ts';
import { field } from './values.ts';

const CACHED = 20_000;

/** A copy of the document with a value at a path, or without one where it is undefined. */
export function withValue(doc: Doc, [part = '', ...rest]: readonly string[], value: unknown): Doc {
  const inside = field(doc, part);
  const made = rest.length === 0 ? value : withValue(isDoc(inside) ? inside : {}, rest, value);
  const result = { ...doc };
  if (made === undefined) delete result[part];
  else setField(result, part, made);
  return result;
}

function localValues(doc: Doc, parts: readonly string[]): unknown[] {
  const found: unknown[] = [];
  valuesAt(doc, parts, found);
  return found.length === 0 ? [null] : found.flatMap((value) => value ?? null);
}

function equalTo(path: string, values: readonly unknown[]): Doc {
  if (values.length === 1) return { [path]: { $eq: values[0] } };
  if (values.some(isRegex)) return { $or: values.map((value) => ({ [path]: { $eq: value } })) };
  return { [path]: { $in: values } };
}

/** What {$expr: {$eq: ['$field', '$$variable']}} says, as filters that an index can serve. */
function* pinned({ $expr: expression, $and: branches }: Doc, scope: Scope): Generator<Doc> {
  const asked = isDoc(expression) && Array.isArray(expression.$and) ? expression.$and : [expression];
  for (const one of asked) {
    const pair = isDoc(one) && Array.isArray(one.$eq) ? one.$eq : [];
    for (const [path, variable] of [pair, pair.toReversed()]) {
      if (typeof path !== 'string' || typeof variable !== 'string' || !/^\$[^$]/.test(path)) continue;
      const value = variable.startsWith('$$') ? scope.get(variable.slice(2))?.value : undefined;
      if (!missing(value) && !Array.isArray(value)) yield { [path.slice(1)]: { $eq: value } };
    }
  }
  for (const branch of Array.isArray(branches) ? branches : [])
    if (isDoc(branch)) yield* pinned(branch, scope);
}

/** Runs a pipeline over another collection; its leading matches go to the source. */
function joined(
  from: string,
  stages: unknown,
  given: PipelineEnv,
  compile: CompilePipeline,
): (extra?: Doc) => Stream {
  if (!Array.isArray(stages)) fault(14, "'pipeline' must be an array");
  const env = { ...given, textFields: undefined };
  const { filter, rest } = leading(stages, { filterOnly: true });
  const run = compile(rest, env);
  compileFilter(filter, env);
  return (extra = {}) => {
    const filters = [extra, filter, ...pinned(filter, env.scope)].filter(
      (one) => Object.keys(one).length > 0,
    );
    const [only = {}] = filters;
    return run(env.source(from, filters.length > 1 ? { $and: filters } : only, env.scope));
  };
}

function refuseOthers(stage: string, others: Doc): void {
  for (const name of Object.keys(others)) fault(9, `unknown argument to ${stage}: ${name}`);
}

export const lookup: StageForm = (spec, env, compile) => {
  if (!isDoc(spec)) fault(9, 'the $lookup specification must be an Object');
  const { from, localField, foreignField, as, let: variables = {}, pipeline, ...others } = spec;
  refuseOthers('$lookup', others);
  if (typeof as !== 'string') fault(9, "must specify 'as' field for a $lookup");
  if (typeof from !== 'string') fault(9, "must specify 'from' field for a $lookup");
  if (typeof localField !== typeof foreignField)
    fault(9, "$lookup requires both or neither of 'localField' and 'foreignField' to be specified");
  if (pipeline === undefined && typeof localField !== 'string')
    fault(9, "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified");
  if (!isDoc(variables)) fault(9, "$lookup argument 'let' must be an object");
  const bindings = Object.keys(variables).map((name) => {
    const cell: Cell = { value: undefined };
    return { name, cell, value: compileExpression(variables[name], env.scope) };
  });
  const scope = bound(env.scope, Object.fromEntries(bindings.map(({ name, cell }) => [name, cell])));
  const search = joined(from, pipeline ?? [], { ...env, scope }, compile);
  const local = typeof localField === 'string' ? localField.split('.') : undefined;
  return function* (docs) {
    const known = new Map<string, Doc[]>();
    for (const doc of docs) {
      for (const { cell, value } of bindings) cell.value = value(doc);
      const values = local ? localValues(doc, local) : [];
      const key = bindings.length === 0 ? identity(values) : undefined;
      const seen = key === undefined ? undefined : known.get(key);
      const found = seen ?? [...search(local && equalTo(String(foreignField), values))];
      if (key !== undefined && known.size < CACHED) known.set(key, found);
      yield withValue(doc, as.split('.'), found);
    }
  };
};

export const unionWith: StageForm = (spec, env, compile) => {
  const { coll, pipeline = [], ...others } = isDoc(spec) ? spec : { coll: spec };
  refuseOthers('$unionWith', others);
  if (typeof coll !== 'string') fault(9, "$unionWith 'coll' must be a string");
  const search = joined(coll, pipeline, env, compile);
  return function* (docs) {
    yield* docs;
    yield* search();
  };
};
