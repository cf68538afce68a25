// The tree of a projection: what becomes of each field, by name. It is applied in two passes, as MongoDB does:
// first fields are kept or dropped, then computed ones are added, read from the document as it was.
import { type Doc, setField } from './documents.ts';
import { fault } from './errors.ts';
import type { Expression } from './operators.ts';
import { field, isObject } from './values.ts';

export type Leaf =
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
export function pruned(value: unknown, shape: Shape, root: Doc, inclusive: boolean): unknown {
  if (Array.isArray(value)) {
    const inside = value.map((element) => pruned(element, shape, root, inclusive));
    return inside.filter((element) => element !== undefined);
  }
  if (!isObject(value)) return inclusive ? undefined : value;
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
  const result: Doc = isObject(value) ? { ...value } : {};
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
