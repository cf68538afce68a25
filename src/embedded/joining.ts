// The stages that read other collections: $lookup and $unionWith. What they ask is written as a filter,
// so that the other collection's indexes can serve it.
import { type Doc, setField } from './documents.ts';
import { fault } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { identity } from './keys.ts';
import { leading } from './leading.ts';
import { compileFilter } from './matching.ts';
import { bound, type Cell, type Expression, type Scope } from './operators.ts';
import { valuesAt } from './paths.ts';
import { isRegex } from './regexes.ts';
import type { CompilePipeline, PipelineEnv, StageForm, Stream } from './stages.ts';
import { field, isObject, typeName } from './values.ts';

const CACHED = 20_000;

/** A copy of the document with a value at a path. */
export function withValue(doc: Doc, parts: readonly string[], value: unknown): Doc {
  const [part = '', ...rest] = parts;
  const inside = field(doc, part);
  const result = { ...doc };
  setField(result, part, rest.length === 0 ? value : withValue(isObject(inside) ? inside : {}, rest, value));
  return result;
}

function localValues(doc: Doc, parts: readonly string[]): unknown[] {
  const found: unknown[] = [];
  valuesAt(doc, parts, found);
  const values = found.flatMap((value) => (Array.isArray(value) ? value : [value ?? null]));
  return found.length === 0 ? [null] : values;
}

function equalTo(path: string, values: readonly unknown[]): Doc {
  if (values.length === 1) return { [path]: { $eq: values[0] } };
  if (values.some(isRegex)) return { $or: values.map((value) => ({ [path]: { $eq: value } })) };
  return { [path]: { $in: values } };
}

/** {$expr: {$eq: ['$field', '$$variable']}} said as {field: value} too, for the sake of the indexes. */
function substituted(filter: Doc, scope: Scope): Doc {
  const { $expr: expression, $and: branches } = filter;
  const found: Doc[] = [];
  const asked = isObject(expression) && Array.isArray(expression.$and) ? expression.$and : [expression];
  for (const one of asked) {
    if (!isObject(one) || !Array.isArray(one.$eq) || one.$eq.length !== 2) continue;
    for (const [path, variable] of [one.$eq, [...one.$eq].reverse()]) {
      const value = variableValue(variable, scope);
      if (typeof path !== 'string' || !/^\$[^$]/.test(path)) continue;
      if (value !== undefined && value !== null && !Array.isArray(value))
        found.push({ [path.slice(1)]: { $eq: value } });
    }
  }
  for (const branch of Array.isArray(branches) ? branches : []) {
    if (isObject(branch) && '$expr' in branch) found.push(...narrowed(substituted(branch, scope)));
  }
  return found.length === 0 ? filter : { $and: [filter, ...found] };
}

const narrowed = (filter: Doc): Doc[] => (Array.isArray(filter.$and) ? (filter.$and as Doc[]).slice(1) : []);

function variableValue(reference: unknown, scope: Scope): unknown {
  if (typeof reference !== 'string' || !reference.startsWith('$$')) return undefined;
  return scope.get(reference.slice(2))?.value;
}

/** Runs a pipeline over another collection; its leading matches go to the source. */
function joined(
  from: string,
  stages: unknown,
  env: PipelineEnv,
  compile: CompilePipeline,
): (extra?: Doc) => Stream {
  if (!Array.isArray(stages)) fault(14, "'pipeline' must be an array");
  const { filter, rest } = leading(stages, { filterOnly: true });
  const run = compile(rest, env);
  compileFilter(filter, env);
  return (extra) => {
    const narrow = substituted(filter, env.scope);
    const whole = extra ? (Object.keys(narrow).length > 0 ? { $and: [extra, narrow] } : extra) : narrow;
    return run(env.source(from, whole, env.scope));
  };
}

export const lookup: StageForm = (spec, env, compile) => {
  if (!isObject(spec)) fault(9, 'the $lookup specification must be an Object');
  const { from, localField, foreignField, as, let: variables = {}, pipeline, ...others } = spec;
  const [other] = Object.keys(others);
  if (other) fault(9, `unknown argument to $lookup: ${other}`);
  if (typeof as !== 'string') fault(9, "must specify 'as' field for a $lookup");
  if (from === undefined) fault(9, "must specify 'from' field for a $lookup");
  if (typeof from !== 'string')
    fault(9, `$lookup argument 'from' must be a string, is type ${typeName(from)}`);
  if (typeof localField !== typeof foreignField)
    fault(9, "$lookup requires both or neither of 'localField' and 'foreignField' to be specified");
  if (pipeline === undefined && typeof localField !== 'string')
    fault(9, "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified");
  const bindings = bind(variables, env.scope);
  const scope = bound(env.scope, Object.fromEntries(bindings.map(({ name, cell }) => [name, cell])));
  const search = joined(from, pipeline ?? [], { ...env, scope, textFields: undefined }, compile);
  const [local, target] = [typeof localField === 'string' ? localField.split('.') : undefined, as.split('.')];
  return function* (docs) {
    const known = new Map<string, Doc[]>();
    for (const doc of docs) {
      for (const { cell, value } of bindings) cell.value = value(doc);
      const values = local ? localValues(doc, local) : [];
      const key = bindings.length === 0 ? identity(values) : undefined;
      let found = key === undefined ? undefined : known.get(key);
      if (!found) {
        found = [...search(local ? equalTo(String(foreignField), values) : undefined)];
        if (key !== undefined && known.size < CACHED) known.set(key, found);
      }
      yield withValue(doc, target, found);
    }
  };
};

function bind(variables: unknown, scope: Scope): { name: string; cell: Cell; value: Expression }[] {
  if (!isObject(variables)) fault(9, "$lookup argument 'let' must be an object");
  return Object.keys(variables).map((name) => ({
    name,
    cell: { value: undefined },
    value: compileExpression(variables[name], scope),
  }));
}

export const unionWith: StageForm = (spec, env, compile) => {
  const { coll, pipeline = [] } = typeof spec === 'string' ? { coll: spec } : isObject(spec) ? spec : {};
  if (typeof coll !== 'string') fault(9, "$unionWith 'coll' must be a string");
  const search = joined(coll, pipeline, { ...env, textFields: undefined }, compile);
  return function* (docs) {
    yield* docs;
    yield* search();
  };
};
