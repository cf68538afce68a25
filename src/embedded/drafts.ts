// Writing into a document that is never changed in place: what comes back shares all that was not touched, and is the
// same document where nothing changes.
import { type Doc, isDoc, setField } from './documents.ts';
import { bad, fault } from './errors.ts';
import { getIn, isIndex } from './paths.ts';
import { show } from './showing.ts';
import { identical } from './values.ts';

interface Site {
  path: string;
  /** The document's _id, for error messages. */
  id: unknown;
}

/** What becomes of a value that is updated. */
export type Modifier = (old: unknown, site: Site) => unknown;

const LARGEST_GAP = 1_500_000;

export const overlap = (a: string, b: string): boolean =>
  a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);

type Container = Doc | unknown[];

/** The container itself where this update has made it, else a copy that it then has made. */
function own<T extends Container>(container: T, made: Set<Container>): T {
  if (made.has(container)) return container;
  const copy = (Array.isArray(container) ? [...container] : { ...container }) as T;
  made.add(copy);
  return copy;
}

/** With the value at a path; documents that are missing on the way are made, and those `made` before are written into. */
export function written<T>(
  inside: T,
  parts: readonly string[],
  value: unknown,
  made?: Set<Container>,
  depth?: number,
): T;
export function written(
  inside: unknown,
  parts: readonly string[],
  value: unknown,
  made: Set<Container> = new Set(),
  depth = 0,
): unknown {
  const part = parts[depth];
  if (part === undefined) return inside !== undefined && identical(inside, value) ? inside : value;
  const old = getIn(inside, part);
  const next = written(old, parts, value, made, depth + 1);
  if (Array.isArray(inside) && isIndex(part)) {
    if (Object.is(next, old)) return inside;
    if (Number(part) - inside.length > LARGEST_GAP)
      bad(`can't backfill more than ${LARGEST_GAP} elements at path '${parts.join('.')}'`);
    const copy = own(inside, made);
    while (copy.length < Number(part)) copy.push(null);
    copy[Number(part)] = next;
    return copy;
  }
  if (inside !== undefined && !isDoc(inside))
    fault(28, `Cannot create field '${part}' in element {${parts[depth - 1] ?? ''}: ${show(inside)}}`);
  if (inside && Object.is(next, old)) return inside;
  const copy = own(inside ?? {}, made);
  setField(copy, part, next);
  return copy;
}

/** Without what is at a path. An element of an array leaves a null behind, so that the others keep their places. */
export function removed<T>(inside: T, parts: readonly string[], depth?: number): T;
export function removed(inside: unknown, parts: readonly string[], depth = 0): unknown {
  const part = parts[depth] ?? '';
  const old = getIn(inside, part);
  if (old === undefined) return inside;
  const isLast = depth + 1 === parts.length;
  const made = isLast ? (Array.isArray(inside) ? null : undefined) : removed(old, parts, depth + 1);
  if (Object.is(made, old)) return inside;
  if (Array.isArray(inside)) return inside.with(Number(part), made);
  const { [part]: _gone, ...rest } = inside as Record<string, unknown>;
  return made === undefined ? rest : { ...(inside as object), [part]: made };
}
