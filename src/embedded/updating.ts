// Updates compiled once and applied to many documents. A document is never changed in place: what comes back is a new
// one that shares all that was not touched, or null when nothing would change.
import { ObjectId } from 'bson';
import { type Doc, isDoc } from './documents.ts';
import { type Modifier, overlap, removed, written } from './drafts.ts';
import { bad, fault } from './errors.ts';
import { isOperatorDoc, type MatchEnv } from './matching.ts';
import { fieldsOfModifier, modifiersOf } from './modifiers.ts';
import type { Scope } from './operators.ts';
import { scopeOf } from './operators.ts';
import { getAt } from './paths.ts';
import {
  type ArrayFilters,
  compileArrayFilters,
  isPositional,
  matchedPosition,
  placeholders,
  resolve,
} from './positions.ts';
import { isRegex } from './regexes.ts';
import { compileReshaping } from './reshaping.ts';
import { show } from './showing.ts';
import { clone, compareStrings, equal, identical, typeName } from './values.ts';

export interface UpdateEnv extends MatchEnv {
  filter: Doc;
  now: Date;
  arrayFilters?: readonly unknown[] | undefined;
  /** The variables of a pipeline's `c`. */
  constants?: Doc | undefined;
}

export interface Update {
  kind: 'operators' | 'replacement' | 'pipeline';
  /** The changed document, or null if it would be the same. */
  apply(doc: Doc): Doc | null;
  /** The document to insert when nothing matched. */
  upsert(): Doc;
}

export function compileUpdate(update: unknown, env: UpdateEnv): Update {
  if (Array.isArray(update)) return pipelineUpdate(update, env);
  if (!isDoc(update)) fault(9, 'Update argument must be either an object or an array');
  const [first] = Object.keys(update);
  return first?.startsWith('$') ? operatorUpdate(update, env) : replacement(update, env);
}

interface Step {
  operator: string;
  path: string;
  modify: Modifier;
  /** Where $rename moves the field. */
  target?: string;
}

function renaming(path: string, target: unknown): Step {
  if (typeof target !== 'string')
    bad(`The 'to' field for $rename must be a string: ${path}: ${show(target)}`);
  checkPath(target);
  if (target.includes('\0')) bad("The 'to' field for $rename cannot contain an embedded null byte");
  if (target === path) bad(`The source and target field for $rename must differ: ${path}: ${show(target)}`);
  for (const [role, name] of [['source', path] as const, ['destination', target] as const])
    if (isPositional(name)) bad(`The ${role} field for $rename may not be dynamic: ${name}`);
  return { operator: '$rename', path, target, modify: (old) => old };
}

function stepsOf(operator: string, spec: unknown, env: UpdateEnv): Step[] {
  for (const path of isDoc(spec) ? Object.keys(spec) : []) checkPath(path);
  if (operator !== '$rename')
    return modifiersOf(operator, spec, env).map(([path, modify]) => ({ operator, path, modify }));
  return Object.entries(fieldsOfModifier(operator, spec)).map(([path, target]) => renaming(path, target));
}

function operatorUpdate(update: Doc, env: UpdateEnv): Update {
  const steps = Object.keys(update).flatMap((operator) => stepsOf(operator, update[operator], env));
  refuseConflicts(steps.flatMap(({ path, target }) => (target === undefined ? [path] : [path, target])));
  steps.sort((a, b) => comparePaths(a.path, b.path));
  const filters = compileArrayFilters(env.arrayFilters ?? [], env);
  checkPlaceholders(steps, filters, update);
  const run = (original: Doc, inserting: boolean): Doc => {
    const touched: string[] = [];
    const made = new Set<Doc | unknown[]>();
    const position = (prefix: readonly string[]): number | undefined =>
      matchedPosition(env.filter, original, prefix, env);

    function perform(doc: Doc, step: Step): Doc {
      const { path, operator, target } = step;
      if (!inserting) checkStorable(step);
      if (operator === '$setOnInsert' && !inserting) return doc;
      if (target !== undefined) return moved(doc, path.split('.'), target.split('.'));
      const paths = isPositional(path) ? resolve(path, doc, filters, position) : [path.split('.')];
      return paths.reduce((root, parts) => {
        const concrete = paths.length === 1 && !isPositional(path) ? path : parts.join('.');
        if (filters.size > 0) refuseConflict(concrete, touched);
        if (filters.size > 0) touched.push(concrete);
        const value = step.modify(getAt(root, parts), { path: concrete, id: original._id });
        if (value !== undefined) return written(root, parts, value, made);
        return operator === '$unset' ? removed(root, parts) : root;
      }, doc);
    }

    const result = steps.reduce(perform, original);
    if (result !== original) keepId(original, result);
    return result;
  };
  return {
    kind: 'operators',
    apply(doc) {
      const result = run(doc, false);
      return result === doc ? null : result;
    },
    upsert: () => identified(run(upsertBase(env.filter), true)),
  };
}

function moved(doc: Doc, from: string[], to: string[]): Doc {
  const value = getAt(doc, from);
  if (value === undefined) return doc;
  for (const [role, parts] of [['source', from] as const, ['destination', to] as const])
    for (let size = 1; size < parts.length; size++) {
      if (!Array.isArray(getAt(doc, parts.slice(0, size)))) continue;
      const where = `'${parts.join('.')}' in doc with _id: ${show(doc._id)}`;
      const what = `has an array field called '${parts[size - 1]}'`;
      bad(`The ${role} field cannot be an array element, ${where} ${what}`);
    }
  return written(removed(doc, from), to, value);
}

function checkPath(path: string): void {
  if (path === '') fault(56, 'An empty update path is not valid.');
  const [first = '', ...rest] = path.split('.');
  if (first === '' || rest.includes(''))
    fault(56, `The update path '${path}' contains an empty field name, which is not allowed.`);
  if (first === '$' || /^\$\[.*\]$/.test(first))
    bad(
      `Cannot have array filter identifier (i.e. '$[<id>]') element in the first position in path '${path}'`,
    );
}

/** A field whose name starts with a dollar may come to be with a document, not be added to one. */
function checkStorable({ operator, path }: Step): void {
  if (!path.startsWith('$') || operator === '$setOnInsert' || operator === '$unset') return;
  const [first] = path.split('.');
  fault(52, `The dollar ($) prefixed field '${first}' in '${path}' is not valid for storage.`);
}

function refuseConflict(path: string, others: readonly string[]): void {
  const other = others.find((one) => overlap(one, path));
  if (other === undefined) return;
  const at = path.length < other.length ? path : other;
  fault(40, `Updating the path '${path}' would create a conflict at '${at}'`);
}

function refuseConflicts(paths: readonly string[]): void {
  for (const [i, path] of paths.entries()) refuseConflict(path, paths.slice(0, i));
}

/** New fields appear in the order of their names, numeric names in numeric order. */
function comparePaths(a: string, b: string): number {
  const [x, y] = [a.split('.'), b.split('.')];
  const at = x.findIndex((part, i) => part !== y[i]);
  const [left, right] = [x[at], y[at]];
  if (left === undefined || right === undefined) return x.length - y.length;
  const numeric = /^\d+$/.test(left) && /^\d+$/.test(right);
  return numeric ? Number(left) - Number(right) : compareStrings(left, right);
}

function checkPlaceholders(steps: readonly Step[], filters: ArrayFilters, update: Doc): void {
  const used = steps.flatMap(({ path }) => placeholders(path).map((name) => [name, path] as const));
  for (const [name, path] of used)
    if (!filters.has(name)) bad(`No array filter found for identifier '${name}' in path '${path}'`);
  for (const name of filters.keys())
    if (!used.some(([one]) => one === name))
      fault(9, `The array filter for identifier '${name}' was not used in the update ${show(update)}`);
}

function keepId(before: Doc, after: Doc): void {
  if (before._id === undefined || identical(before._id, after._id)) return;
  fault(66, "Performing an update on the path '_id' would modify the immutable field '_id'");
}

/** _id comes first, and is there. */
function identified(doc: Doc): Doc {
  if (Object.keys(doc)[0] === '_id') return doc;
  const { _id = new ObjectId(), ...rest } = doc;
  return { _id, ...rest };
}

function replacement(update: Doc, env: UpdateEnv): Update {
  const dollar = Object.keys(update).find(
    (name) => name.startsWith('$') && name !== '$ref' && name !== '$id',
  );
  if (dollar)
    fault(
      52,
      `The dollar ($) prefixed field '${dollar}' in '${dollar}' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.`,
    );
  if (env.arrayFilters?.length) fault(9, 'arrayFilters may not be specified for replacement-style update');
  return {
    kind: 'replacement',
    apply: (doc) => replaced(doc, update),
    upsert() {
      const { _id } = upsertBase(idOnly(env.filter));
      return _id === undefined ? identified(update) : (replaced({ _id }, update) ?? { _id });
    },
  };
}

function idOnly({ _id, $and: branches }: Doc): Doc {
  const own = _id === undefined ? {} : { _id };
  return Array.isArray(branches) ? { ...own, $and: branches.filter(isDoc).map(idOnly) } : own;
}

function replaced(doc: Doc, by: Doc): Doc | null {
  const { _id = doc._id, ...rest } = by;
  if (doc._id !== undefined && !equal(_id, doc._id)) {
    const found = `the (immutable) field '_id' was found to have been altered to _id: ${show(_id)}`;
    fault(66, `After applying the update, ${found}`);
  }
  const result: Doc = { _id: doc._id ?? _id, ...rest };
  return identical(result, doc) ? null : result;
}

const ALLOWED = ['$addFields', '$set', '$unset', '$project', '$replaceRoot', '$replaceWith'];

function pipelineUpdate(stages: unknown[], env: UpdateEnv): Update {
  if (env.arrayFilters?.length) fault(9, 'arrayFilters may not be specified for pipeline-syle updates');
  const scope: Scope = new Map([
    ...(env.scope ?? scopeOf({ NOW: env.now })),
    ...scopeOf(env.constants ?? {}),
  ]);
  const steps = stages.map((stage) => {
    if (!isDoc(stage)) fault(14, `Each element of the 'pipeline' array must be an object`);
    const [name = '', ...others] = Object.keys(stage);
    if (!ALLOWED.includes(name) || others.length > 0)
      fault(72, `${name} is not allowed to be used within an update`);
    return compileReshaping(name, stage[name], { ...env, scope });
  });
  const run = (doc: Doc): Doc => {
    const { _id = doc._id, ...rest } = steps.reduce((result, step) => step(result), doc);
    if (doc._id !== undefined && !equal(_id, doc._id)) keepId(doc, { _id });
    return { _id: doc._id ?? _id, ...rest };
  };
  return {
    kind: 'pipeline',
    apply(doc) {
      const result = run(doc);
      return identical(result, doc) ? null : result;
    },
    upsert() {
      const { _id = new ObjectId(), ...rest } = run(upsertBase(env.filter));
      if (Array.isArray(_id)) fault(53, `The '_id' value cannot be of type ${typeName(_id)}`);
      return { _id, ...rest };
    },
  };
}

/** The document that an upsert starts from: what its filter says by equality. */
function upsertBase(filter: Doc): Doc {
  let base: Doc = {};
  const seen: string[] = [];
  for (const [path, value] of equalities(filter)) {
    if (seen.some((other) => overlap(path, other)))
      fault(54, `cannot infer query fields to set, path '${path}' is matched twice`);
    seen.push(path);
    base = written(base, path.split('.'), clone(value));
  }
  return base;
}

function* equalities(filter: Doc): Generator<[path: string, value: unknown]> {
  for (const [name, spec] of Object.entries(filter)) {
    const branches =
      Array.isArray(spec) && (name === '$and' || (name === '$or' && spec.length === 1)) ? spec : [];
    for (const branch of branches) if (isDoc(branch)) yield* equalities(branch);
    if (name.startsWith('$') || isRegex(spec)) continue;
    if (!isOperatorDoc(spec)) yield [name, spec];
    else if ('$eq' in spec) yield [name, spec.$eq];
    else
      for (const list of [spec.$in, spec.$all])
        if (Array.isArray(list) && list.length === 1 && !isRegex(list[0]) && !isOperatorDoc(list[0]))
          yield [name, list[0]];
  }
}
