// A document being updated: copied along the paths that are written, so that the original and all that is untouched
// stay as they were, and nothing is copied when nothing changes.
import { type Doc, setField } from './documents.ts';
import { bad, fault } from './errors.ts';
import { getAt, isIndex } from './paths.ts';
import { show } from './showing.ts';
import { field, identical, isObject } from './values.ts';

type Container = Doc | unknown[];

interface Site {
  path: string;
  /** The document's _id, for error messages. */
  id: unknown;
}

/** What becomes of a value of a draft. */
export type Modifier = (old: unknown, site: Site) => unknown;

const LARGEST_GAP = 1_500_000;

export const overlap = (a: string, b: string): boolean =>
  a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);

export class Draft {
  readonly original: Doc;
  #root: Doc;
  #owned = new Set<Container>();

  constructor(original: Doc) {
    this.original = original;
    this.#root = original;
  }

  get root(): Doc {
    return this.#root;
  }

  get changed(): boolean {
    return this.#root !== this.original;
  }

  read(parts: readonly string[]): unknown {
    return getAt(this.#root, parts);
  }

  write(parts: readonly string[], value: unknown): void {
    const old = this.read(parts);
    if (old !== undefined && identical(old, value)) return;
    const container = this.#containerOf(parts);
    const last = parts[parts.length - 1] ?? '';
    if (Array.isArray(container)) place(container, last, value, parts);
    else setField(container, last, value);
  }

  /** An element of an array leaves a null behind, so that the others keep their places. */
  remove(parts: readonly string[]): void {
    const inArray = Array.isArray(this.read(parts.slice(0, -1)));
    const old = this.read(parts);
    if (old === undefined || (inArray && old === null)) return;
    const container = this.#containerOf(parts);
    const last = parts[parts.length - 1] ?? '';
    if (Array.isArray(container)) container[Number(last)] = null;
    else delete container[last];
  }

  #own<T extends Container>(container: T): T {
    if (this.#owned.has(container)) return container;
    const copy = (Array.isArray(container) ? [...container] : { ...container }) as T;
    this.#owned.add(copy);
    return copy;
  }

  #containerOf(parts: readonly string[]): Container {
    this.#root = this.#own(this.#root);
    let container: Container = this.#root;
    for (let i = 0; i < parts.length - 1; i++) {
      const part = parts[i] ?? '';
      const inside: unknown = Array.isArray(container)
        ? container[indexOf(part, container, parts, i)]
        : field(container, part);
      if (inside !== undefined && !Array.isArray(inside) && !isObject(inside))
        notViable(parts[i + 1] ?? '', part, inside);
      const next: Container = inside === undefined ? {} : this.#own(inside as Container);
      if (inside === undefined) this.#owned.add(next);
      if (Array.isArray(container)) place(container, part, next, parts);
      else setField(container, part, next);
      container = next;
    }
    if (Array.isArray(container)) indexOf(parts[parts.length - 1] ?? '', container, parts, parts.length - 1);
    return container;
  }
}

function indexOf(part: string, array: unknown[], parts: readonly string[], at: number): number {
  if (isIndex(part)) return Number(part);
  return notViable(part, parts[at - 1] ?? '', array);
}

function notViable(name: string, inside: string, value: unknown): never {
  fault(28, `Cannot create field '${name}' in element {${inside}: ${show(value)}}`);
}

function place(array: unknown[], part: string, value: unknown, parts: readonly string[]): void {
  const index = Number(part);
  if (index - array.length > LARGEST_GAP)
    bad(`can't backfill more than ${LARGEST_GAP} elements at path '${parts.join('.')}'`);
  while (array.length < index) array.push(null);
  array[index] = value;
}
