// Updates compiled once and applied to many documents. A document is never changed in place: what comes back is a new
// one that shares all that was not touched, or null when nothing would change.
import { ObjectId } from 'bson';
import type { Doc } from './documents.ts';
import { Draft, type Modifier } from './drafts.ts';
import { bad, fault } from './errors.ts';
import type { MatchEnv } from './matching.ts';
import { fieldsOfModifier, modifiersOf } from './modifiers.ts';
import type { Scope } from './operators.ts';
import { scopeOf } from './operators.ts';
import {
  type ArrayFilters,
  compileArrayFilters,
  isPositional,
  matchedPosition,
  placeholders,
  resolve,
} from './positions.ts';
import { compileReshaping } from './reshaping.ts';
import { show } from './showing.ts';
import { upsertBase } from './upserting.ts';
import { compareStrings, equal, identical, isObject, typeName } from './values.ts';

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
  if (!isObject(update)) fault(9, 'Update argument must be either an object or an array');
  const [first] = Object.keys(update);
  return first?.startsWith('$') ? operatorUpdate(update, env) : replacement(update, env);
}

interface Step {
  operator: string;
  path: string;
  modify: Modifier;
  target?: string;
}

/** The arguments of $rename, each a step that moves a field. */
function renamings(fields: Doc): Step[] {
  return Object.entries(fields).map(([path, target]) => {
    if (typeof target !== 'string')
      bad(`The 'to' field for $rename must be a string: ${path}: ${show(target)}`);
    checkPath(target);
    if (target.includes('\0')) bad("The 'to' field for $rename cannot contain an embedded null byte");
    if (target === path) bad(`The source and target field for $rename must differ: ${path}: ${show(target)}`);
    if (isPositional(path)) bad(`The source field for $rename may not be dynamic: ${path}`);
    if (isPositional(target)) bad(`The destination field for $rename may not be dynamic: ${target}`);
    return { operator: '$rename', path, target, modify: (old) => old };
  });
}

function stepsOf(operator: string, spec: unknown, env: UpdateEnv): Step[] {
  for (const path of isObject(spec) ? Object.keys(spec) : []) checkPath(path);
  if (operator === '$rename') return renamings(fieldsOfModifier(operator, spec));
  return modifiersOf(operator, spec, env).map(([path, modify]) => ({ operator, path, modify }));
}

function operatorUpdate(update: Doc, env: UpdateEnv): Update {
  const steps = Object.keys(update).flatMap((operator) => stepsOf(operator, update[operator], env));
  refuseConflicts(steps);
  steps.sort((a, b) => comparePaths(a.path, b.path));
  const filters = compileArrayFilters(env.arrayFilters ?? [], env);
  checkPlaceholders(steps, filters, update);
  const run = (doc: Doc, inserting: boolean): Draft => {
    const draft = new Draft(doc);
    const touched: string[] = [];
    for (const step of steps) {
      if (!inserting) checkStorable(step);
      if (step.operator !== '$setOnInsert' || inserting) perform(step, draft, filters, env, touched);
    }
    return draft;
  };
  return {
    kind: 'operators',
    apply(doc) {
      const draft = run(doc, false);
      if (!draft.changed) return null;
      keepId(doc, draft.root);
      return draft.root;
    },
    upsert() {
      const base = upsertBase(env.filter);
      const { root } = run(base, true);
      if (base._id !== undefined) keepId(base, root);
      return identified(root);
    },
  };
}

function perform(step: Step, draft: Draft, filters: ArrayFilters, env: UpdateEnv, touched: string[]): void {
  const { path, modify, operator, target } = step;
  const paths = isPositional(path)
    ? resolve(path, draft.root, filters, (prefix) => matchedPosition(env.filter, draft.original, prefix, env))
    : [path.split('.')];
  for (const parts of paths) {
    const concrete = isPositional(path) ? parts.join('.') : path;
    if (filters.size > 0) {
      const clash = touched.find((other) => overlap(other, concrete));
      if (clash !== undefined) conflict(concrete, clash);
      touched.push(concrete);
    }
    const old = draft.read(parts);
    if (target !== undefined) {
      move(draft, parts, target);
      continue;
    }
    const value = modify(old, { path: concrete, id: draft.original._id });
    if (value !== undefined) draft.write(parts, value);
    else if (operator === '$unset') draft.remove(parts);
  }
}

function move(draft: Draft, from: string[], target: string): void {
  const value = draft.read(from);
  if (value === undefined) return;
  const to = target.split('.');
  refuseElements(draft, from, 'source');
  refuseElements(draft, to, 'destination');
  draft.remove(from);
  draft.write(to, value);
}

function refuseElements(draft: Draft, parts: string[], role: string): void {
  for (let size = 1; size < parts.length; size++) {
    if (Array.isArray(draft.read(parts.slice(0, size))))
      bad(
        `The ${role} field cannot be an array element, '${parts.join('.')}' in doc with _id: ${show(draft.original._id)} has an array field called '${parts[size - 1]}'`,
      );
  }
}

function checkPath(path: string): void {
  if (path === '') fault(56, 'An empty update path is not valid.');
  if (path.split('.').includes(''))
    fault(56, `The update path '${path}' contains an empty field name, which is not allowed.`);
  const [first = ''] = path.split('.');
  if (first === '$' || /^\$\[.*\]$/.test(first))
    bad(
      `Cannot have array filter identifier (i.e. '$[<id>]') element in the first position in path '${path}'`,
    );
}

/** A field whose name starts with a dollar may come to be with a document, not be added to one. */
function checkStorable({ operator, path }: Step): void {
  if (!path.startsWith('$') || operator === '$setOnInsert' || operator === '$unset') return;
  const [first] = path.split('.');
  const message = `The dollar ($) prefixed field '${first}' in '${path}' is not valid for storage.`;
  fault(52, message);
}

const overlap = (a: string, b: string): boolean => a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);

function conflict(path: string, other: string): never {
  const at = path.length < other.length ? path : other;
  const message = `Updating the path '${path}' would create a conflict at '${at}'`;
  fault(40, message);
}

function refuseConflicts(steps: readonly Step[]): void {
  const seen: string[] = [];
  for (const { path, target } of steps) {
    for (const one of target === undefined ? [path] : [path, target]) {
      const clash = seen.find((other) => overlap(other, one));
      if (clash !== undefined) conflict(one, clash);
      seen.push(one);
    }
  }
}

/** New fields appear in the order of their names, numeric names in numeric order. */
function comparePaths(a: string, b: string): number {
  const [x, y] = [a.split('.'), b.split('.')];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const [left = '', right = ''] = [x[i], y[i]];
    if (left === right) continue;
    const numeric = /^\d+$/.test(left) && /^\d+$/.test(right);
    return numeric ? Number(left) - Number(right) : compareStrings(left, right);
  }
  return x.length - y.length;
}

function checkPlaceholders(steps: readonly Step[], filters: ArrayFilters, update: Doc): void {
  const used = new Set<string>();
  for (const { path } of steps) {
    for (const name of placeholders(path)) {
      used.add(name);
      if (!filters.has(name)) bad(`No array filter found for identifier '${name}' in path '${path}'`);
    }
  }
  for (const name of filters.keys()) {
    if (used.has(name)) continue;
    fault(9, `The array filter for identifier '${name}' was not used in the update ${show(update)}`);
  }
}

function keepId(before: Doc, after: Doc): void {
  if (before._id === undefined || identical(before._id, after._id)) return;
  const message = "Performing an update on the path '_id' would modify the immutable field '_id'";
  fault(66, message);
}

/** _id comes first, and is there. */
function identified(doc: Doc): Doc {
  if (Object.keys(doc)[0] === '_id') return doc;
  const { _id = new ObjectId(), ...rest } = doc;
  return { _id, ...rest };
}

function replacement(update: Doc, env: UpdateEnv): Update {
  for (const name of Object.keys(update)) {
    if (!name.startsWith('$') || name === '$ref' || name === '$id') continue;
    fault(
      52,
      `The dollar ($) prefixed field '${name}' in '${name}' is not allowed in the context of an update's replacement document. Consider using an aggregation pipeline with $replaceWith.`,
    );
  }
  if (env.arrayFilters && env.arrayFilters.length > 0)
    fault(9, 'arrayFilters may not be specified for replacement-style update');
  return {
    kind: 'replacement',
    apply: (doc) => replaced(doc, update),
    upsert() {
      const { _id } = upsertBase(idOnly(env.filter));
      return _id === undefined ? identified(update) : (replaced({ _id }, update) ?? { _id });
    },
  };
}

function idOnly(filter: Doc): Doc {
  const kept: Doc = {};
  for (const name of Object.keys(filter)) {
    const spec = filter[name];
    if (name === '_id') kept._id = spec;
    else if (name === '$and' && Array.isArray(spec)) kept.$and = spec.filter(isObject).map(idOnly);
  }
  return kept;
}

function replaced(doc: Doc, by: Doc): Doc | null {
  const { _id = doc._id, ...rest } = by;
  if (doc._id !== undefined && !equal(_id, doc._id))
    fault(
      66,
      `After applying the update, the (immutable) field '_id' was found to have been altered to _id: ${show(_id)}`,
    );
  const result: Doc = { _id: doc._id ?? _id, ...rest };
  return identical(result, doc) ? null : result;
}

const ALLOWED = ['$addFields', '$set', '$unset', '$project', '$replaceRoot', '$replaceWith'];

function pipelineUpdate(stages: unknown[], env: UpdateEnv): Update {
  if (env.arrayFilters && env.arrayFilters.length > 0)
    fault(9, 'arrayFilters may not be specified for pipeline-syle updates');
  const scope: Scope = new Map([
    ...(env.scope ?? scopeOf({ NOW: env.now })),
    ...scopeOf(env.constants ?? {}),
  ]);
  const steps = stages.map((stage) => {
    if (!isObject(stage)) fault(14, `Each element of the 'pipeline' array must be an object`);
    const [name = ''] = Object.keys(stage);
    if (!ALLOWED.includes(name)) fault(72, `${name} is not allowed to be used within an update`);
    return compileReshaping(name, stage[name], { ...env, scope });
  });
  const run = (doc: Doc): Doc => {
    let result = doc;
    for (const step of steps) result = step(result);
    return result;
  };
  return {
    kind: 'pipeline',
    apply(doc) {
      const result = run(doc);
      if (result._id !== undefined && !equal(result._id, doc._id)) keepId(doc, result);
      const { _id: _dropped, ...rest } = result;
      const kept = { _id: doc._id, ...rest };
      return identical(kept, doc) ? null : kept;
    },
    upsert() {
      const base = upsertBase(env.filter);
      const { _id = base._id ?? new ObjectId(), ...rest } = run(base);
      if (base._id !== undefined && !equal(_id, base._id)) keepId(base, { _id });
      if (Array.isArray(_id)) fault(53, `The '_id' value cannot be of type ${typeName(_id)}`);
      return { _id, ...rest };
    },
  };
}
