// Projections of find and of $project: inclusion or exclusion, computed fields, and find's $slice, $elemMatch and `.$`.
// Each is a tree of what becomes of a field, by name, applied in two passes, as MongoDB does: first fields are kept or
// dropped, then computed ones are added, read from the document as it was.
import { sliceOf } from './array-expressions.ts';
import { type Doc, isDoc, setField } from './documents.ts';
import { fault } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { compileFilter, type MatchEnv } from './matching.ts';
import { type Expression, truthy } from './operators.ts';
import { checkFieldPath, getAt } from './paths.ts';
import { matchedPosition } from './positions.ts';
import { keepScore } from './text.ts';
import { field, isNumber, toNumber } from './values.ts';

type Leaf =
  | { kind: 'include' | 'exclude' }
  /** Keeps the field, changed. */
  | { kind: 'map'; map: (value: unknown, root: Doc) => unknown }
  | { kind: 'compute'; compute: Expression };

export interface Shape {
  kind: 'shape';
  fields: Map<string, Leaf | Shape>;
  computes: boolean;
}

export function newShape(): Shape {
  return { kind: 'shape', fields: new Map(), computes: false };
}

export function addLeaf(shape: Shape, path: string, leaf: Leaf): void {
  const parts = path.split('.');
  let at = shape;
  parts.forEach((part, i) => {
    if (leaf.kind === 'compute') at.computes = true;
    const existing = at.fields.get(part);
    const last = i === parts.length - 1;
    if (existing && (last || existing.kind !== 'shape')) {
      if (last) fault(31250, `Path collision at ${path}`);
      fault(31249, `Path collision at ${path} remaining portion ${parts.slice(i + 1).join('.')}`);
    }
    if (last) at.fields.set(part, leaf);
    else {
      const next = (existing as Shape | undefined) ?? newShape();
      at.fields.set(part, next);
      at = next;
    }
  });
}

/** Keeps what the shape names, and of arrays and documents on the way only that; or drops what it names. */
function pruned(value: unknown, shape: Shape, root: Doc, inclusive: boolean): unknown {
  if (Array.isArray(value)) {
    const inside = value.map((element) => pruned(element, shape, root, inclusive));
    return inside.filter((element) => element !== undefined);
  }
  if (!isDoc(value)) return inclusive ? undefined : value;
  const result: Doc = {};
  for (const name of Object.keys(value)) {
    const part = shape.fields.get(name);
    let kept = inclusive && (!part || part.kind === 'compute') ? undefined : value[name];
    if (part?.kind === 'exclude') kept = undefined;
    else if (part?.kind === 'shape') kept = pruned(kept, part, root, inclusive);
    else if (part?.kind === 'map') kept = part.map(kept, root);
    if (kept !== undefined) setField(result, name, kept);
  }
  return result;
}

/** Adds what the shape computes, into the documents of arrays too; a computed missing removes. */
export function computed(value: unknown, shape: Shape, root: Doc): unknown {
  if (Array.isArray(value)) return value.map((element) => computed(element, shape, root));
  const result: Doc = isDoc(value) ? { ...value } : {};
  for (const [name, part] of shape.fields) {
    if (part.kind === 'compute') {
      const found = part.compute(root);
      if (found === undefined) delete result[name];
      else setField(result, name, found);
    } else if (part.kind === 'shape' && part.computes) {
      setField(result, name, computed(field(result, name), part, root));
    }
  }
  return result;
}

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
  if (!isDoc(spec)) fault(14, 'the projection must be an object');
  if (Object.keys(spec).length === 0) return undefined;
  const plan: Plan = { shape: newShape(), includes: undefined, excludes: undefined, id: undefined };
  collect(plan, spec, '', env);
  const { shape, includes, excludes, id } = plan;
  const inclusive = includes !== undefined || (excludes === undefined && id === true);
  if (id !== undefined || inclusive)
    if (!shape.fields.has('_id')) shape.fields.set('_id', { kind: id === false ? 'exclude' : 'include' });
  return (doc) => {
    const kept = pruned(doc, shape, doc, inclusive) as Doc;
    const result = shape.computes ? (computed(kept, shape, doc) as Doc) : kept;
    keepScore(doc, result);
    return result;
  };
}

function collect(plan: Plan, spec: Doc, prefix: string, env: ProjectionEnv): void {
  for (const [name, value] of Object.entries(spec)) {
    const path = prefix + name;
    const isPositional = path.endsWith('.$') && !env.stage;
    checkFieldPath(isPositional ? path.slice(0, -2) : path);
    const operator = isDoc(value) ? Object.keys(value)[0] : undefined;
    if (isNumber(value) || typeof value === 'boolean') {
      if (path === '_id') plan.id = truthy(value);
      else if (isPositional) positional(plan, path.slice(0, -2), truthy(value), env);
      else flag(plan, path, truthy(value));
    } else if (isDoc(value) && !operator)
      fault(51270, `An empty sub-projection is not a valid value. Found empty object at path`);
    else if (isDoc(value) && !operator?.startsWith('$')) collect(plan, value, `${path}.`, env);
    else if (isDoc(value) && !env.stage && findOperator(plan, path, value, env)) continue;
    else {
      if (plan.excludes !== undefined)
        fault(31252, 'Cannot use expression other than $meta in exclusion projection');
      plan.includes ??= path;
      compute(plan, path, value, env);
    }
  }
}

function compute(plan: Plan, path: string, expression: unknown, env: ProjectionEnv): void {
  addLeaf(plan.shape, path, { kind: 'compute', compute: compileExpression(expression, env.scope) });
}

function flag(plan: Plan, path: string, wanted: boolean): void {
  if (wanted && plan.excludes !== undefined)
    fault(31253, `Cannot do inclusion on field ${path} in exclusion projection`);
  if (!wanted && plan.includes !== undefined)
    fault(31254, `Cannot do exclusion on field ${path} in inclusion projection`);
  if (wanted) plan.includes = path;
  else plan.excludes = path;
  addLeaf(plan.shape, path, { kind: wanted ? 'include' : 'exclude' });
}

function positional(plan: Plan, path: string, wanted: boolean, env: ProjectionEnv): void {
  if (!wanted) fault(31395, 'positional projection cannot be used with exclusion');
  if (plan.excludes !== undefined)
    fault(31253, `Cannot do inclusion on field ${path} in exclusion projection`);
  plan.includes ??= path;
  const map = (value: unknown, root: Doc): unknown => {
    if (!Array.isArray(value)) return value;
    const index = matchedPosition(env.filter ?? {}, root, path.split('.'), env);
    if (index === undefined)
      fault(51246, "positional operator '.$' couldn't find a matching element in the array");
    return value.slice(index, index + 1);
  };
  addLeaf(plan.shape, path, { kind: 'map', map });
}

/** Adds $slice, $elemMatch and $meta as find means them; false if the value is some other expression. */
function findOperator(plan: Plan, path: string, value: Doc, env: ProjectionEnv): boolean {
  const { $slice: range, $elemMatch: condition } = value;
  if ('$meta' in value) compute(plan, path, value, env);
  else if ('$elemMatch' in value) {
    if (path.includes('.')) fault(31275, 'Cannot use $elemMatch projection on a nested field.');
    if (!isDoc(condition)) fault(31274, 'elemMatch: Invalid argument, object required');
    if (plan.excludes === undefined) plan.includes ??= path;
    const test = compileFilter({ [path]: value }, env);
    const first = (root: unknown): unknown => {
      const array = getAt(root, [path]);
      const found = Array.isArray(array) ? array.findIndex((element) => test({ [path]: [element] })) : -1;
      return found < 0 ? undefined : (array as unknown[]).slice(found, found + 1);
    };
    addLeaf(plan.shape, path, { kind: 'compute', compute: first });
  } else if (Array.isArray(range) ? range.length === 2 && range.every(isNumber) : isNumber(range)) {
    const [first = 0, size] = (Array.isArray(range) ? range : [range]).map(toNumber);
    const map = (list: unknown): unknown => (Array.isArray(list) ? sliceOf(list, first, size) : list);
    addLeaf(plan.shape, path, { kind: 'map', map });
  } else if ('$slice' in value && !Array.isArray(range))
    fault(28667, `Invalid $slice syntax: { $slice: ${String(range)} } did not match the find() syntax`);
  else return false;
  return true;
}
