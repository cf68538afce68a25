// Projections of find and of $project: inclusion or exclusion, computed fields, and find's $slice, $elemMatch and `.$`.
import type { Doc } from './documents.ts';
import { fault } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { compileFilter, type MatchEnv } from './matching.ts';
import { scopeOf, truthy } from './operators.ts';
import { checkFieldPath, getAt } from './paths.ts';
import { matchedPosition } from './positions.ts';
import { addLeaf, computed, excluded, included, type Leaf, newShape, type Shape } from './shapes.ts';
import { keepScore } from './text.ts';
import { isNumber, isObject, toNumber } from './values.ts';

export interface ProjectionEnv extends MatchEnv {
  /** The filter by which `.$` finds its element. */
  filter?: Doc | undefined;
  /** A $project stage, which has none of find's own operators. */
  stage?: boolean;
}

export type Projection = (doc: Doc) => Doc;

/** Whether a projection is about top-level fields and nothing else, so that bytes can be copied. */
export function plainFields(spec: Doc): { include: boolean; names: Set<string>; id: boolean } | undefined {
  let include: boolean | undefined;
  let id: boolean | undefined;
  const names = new Set<string>();
  for (const name of Object.keys(spec)) {
    const value = spec[name];
    if (name.includes('.') || name.startsWith('$') || (!isNumber(value) && typeof value !== 'boolean'))
      return undefined;
    if (name === '_id') id = truthy(value);
    else if (include !== undefined && include !== truthy(value)) return undefined;
    else {
      include = truthy(value);
      names.add(name);
    }
  }
  return { include: include ?? id ?? false, names, id: id ?? true };
}

interface Plan {
  shape: Shape;
  includes: string | undefined;
  excludes: string | undefined;
  id: boolean | undefined;
}

export function compileProjection(spec: unknown, env: ProjectionEnv = {}): Projection | undefined {
  if (spec === undefined || spec === null) return undefined;
  if (!isObject(spec)) fault(14, 'the projection must be an object');
  if (Object.keys(spec).length === 0) return undefined;
  const plan: Plan = { shape: newShape(), includes: undefined, excludes: undefined, id: undefined };
  collect(plan, spec, '', env);
  return projector(plan);
}

function projector({ shape, includes, excludes, id }: Plan): Projection {
  const inclusive = includes !== undefined || (excludes === undefined && id === true);
  if (inclusive && id !== false && !shape.fields.has('_id')) shape.fields.set('_id', { kind: 'include' });
  if (!inclusive && id === false) shape.fields.set('_id', { kind: 'exclude' });
  return (doc) => {
    const kept = (inclusive ? included(doc, shape, doc) : excluded(doc, shape, doc)) as Doc;
    const result = shape.computes ? (computed(kept, shape, doc) as Doc) : kept;
    keepScore(doc, result);
    return result;
  };
}

function collect(plan: Plan, spec: Doc, prefix: string, env: ProjectionEnv): void {
  for (const name of Object.keys(spec)) {
    const path = prefix + name;
    checkFieldPath(path.endsWith('.$') && !env.stage ? path.slice(0, -2) : path);
    const value = spec[name];
    if (isNumber(value) || typeof value === 'boolean') flag(plan, path, truthy(value), env);
    else if (isObject(value) && Object.keys(value).length === 0) {
      fault(51270, `An empty sub-projection is not a valid value. Found empty object at path`);
    } else if (isObject(value) && !Object.keys(value)[0]?.startsWith('$'))
      collect(plan, value, `${path}.`, env);
    else if (isObject(value) && !env.stage && findOperator(plan, path, value, env)) continue;
    else {
      include(plan, path, true);
      const scope = env.scope ?? scopeOf({ NOW: new Date() });
      addLeaf(plan.shape, path, { kind: 'compute', compute: compileExpression(value, scope) as Compute });
    }
  }
}

type Compute = Extract<Leaf, { kind: 'compute' }>['compute'];

function include(plan: Plan, path: string, expression = false): void {
  if (plan.excludes !== undefined) {
    if (expression) fault(31252, 'Cannot use expression other than $meta in exclusion projection');
    fault(31253, `Cannot do inclusion on field ${path} in exclusion projection`);
  }
  plan.includes ??= path;
}

function flag(plan: Plan, path: string, wanted: boolean, env: ProjectionEnv): void {
  if (path === '_id') {
    plan.id = wanted;
    return;
  }
  if (path.endsWith('.$') && !env.stage) {
    positional(plan, path.slice(0, -2), wanted, env);
    return;
  }
  if (wanted) include(plan, path);
  else if (plan.includes !== undefined)
    fault(31254, `Cannot do exclusion on field ${path} in inclusion projection`);
  else plan.excludes ??= path;
  addLeaf(plan.shape, path, { kind: wanted ? 'include' : 'exclude' });
}

function positional(plan: Plan, path: string, wanted: boolean, env: ProjectionEnv): void {
  if (!wanted) fault(31395, 'positional projection cannot be used with exclusion');
  include(plan, path);
  const parts = path.split('.');
  const map = (value: unknown, root: Doc): unknown => {
    if (!Array.isArray(value)) return value;
    const index = matchedPosition(env.filter ?? {}, root, parts, env);
    if (index === undefined)
      fault(
        51246,
        "Executor error during find command :: caused by :: positional operator '.$' couldn't find a matching element in the array",
      );
    return index < value.length ? [value[index]] : [];
  };
  addLeaf(plan.shape, path, { kind: 'map', map });
}

/** Adds $slice, $elemMatch and $meta as find means them; false if the value is some other expression. */
function findOperator(plan: Plan, path: string, value: Doc, env: ProjectionEnv): boolean {
  const [operator = ''] = Object.keys(value);
  if (operator === '$elemMatch') {
    if (path.includes('.')) fault(31275, 'Cannot use $elemMatch projection on a nested field.');
    if (!isObject(value.$elemMatch)) fault(31274, 'elemMatch: Invalid argument, object required');
    if (plan.excludes === undefined) plan.includes ??= path;
    addLeaf(plan.shape, path, { kind: 'compute', compute: firstMatch(path, value, env) });
    return true;
  }
  if (operator === '$meta') {
    const scope = env.scope ?? new Map();
    addLeaf(plan.shape, path, { kind: 'compute', compute: compileExpression(value, scope) as Compute });
    return true;
  }
  if (operator !== '$slice') return false;
  const { $slice: range } = value;
  if (Array.isArray(range) && (range.length !== 2 || !range.every(isNumber))) return false;
  if (!Array.isArray(range) && !isNumber(range))
    fault(
      28667,
      `Invalid $slice syntax. The given syntax { $slice: ${String(range)} } did not match the find() syntax`,
    );
  addLeaf(plan.shape, path, { kind: 'map', map: slicer(range) });
  return true;
}

function firstMatch(path: string, value: Doc, env: ProjectionEnv): Compute {
  const test = compileFilter({ [path]: value }, env);
  return (root) => {
    const array = getAt(root, [path]);
    if (!Array.isArray(array)) return undefined;
    const found = array.find((element) => test({ [path]: [element] }));
    return found === undefined ? undefined : [found];
  };
}

function slicer(range: unknown): (value: unknown) => unknown {
  const [first, size] = Array.isArray(range) ? range.map(toNumber) : [toNumber(range), undefined];
  return (value) => {
    if (!Array.isArray(value) || first === undefined) return value;
    if (size === undefined) return first >= 0 ? value.slice(0, first) : value.slice(first);
    const from = first < 0 ? Math.max(0, value.length + first) : first;
    return value.slice(from, from + size);
  };
}
