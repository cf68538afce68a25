// What the keys of one index already say, so that documents need not be read for it. What must stay true: a document
// is passed over only when its keys prove that it does not match, and unread only when they prove that it does.

import { type Condition, pointsOf, type Shape } from './bounds.ts';
import { type Doc, isDoc } from './documents.ts';
import type { Index } from './indexes.ts';
import { LONGEST_KEY } from './keys.ts';
import { RECORD_ID_BYTES, type Storage } from './storage.ts';

/**
 * An array that must hold several values: its document is met under one of them, and under each other the same index
 * has a key that ends alike.
 */
export type Also = {
  /** By range: where the key goes on after the value. */
  cuts: number[];
  /** By condition: how keys under one of its values begin. */
  heads: Buffer[][];
};

const isNothing = (value: unknown): boolean => value === null || value === undefined;
export const saysNothing = ({ values }: Condition): boolean => values?.some(isNothing) === true;

/** The other conditions on an array, where they can be looked up one key each. */
export function alsoOf(
  index: Index,
  position: number,
  prefixes: readonly Buffer[],
  others: readonly Condition[],
  shape: Shape,
): Also | undefined {
  const [before] = prefixes;
  const isOnlyArray = index.multikey.every((is, i) => is === (i === position));
  if (!others.length || !before || prefixes.length > 1 || !isOnlyArray || index.unique || index.shortened)
    return undefined;
  if (others.some(saysNothing)) return undefined;
  const heads = others.map(({ values = [] }) =>
    pointsOf(values, shape).map((low) => Buffer.concat([before, low])),
  );
  return { cuts: [], heads };
}

/** Whether a key of the range `at` belongs to a document that has the other values too. */
export function lookingUp(storage: Storage, { cuts, heads }: Also): (key: Buffer, at: number) => boolean {
  const longest = LONGEST_KEY + RECORD_ID_BYTES;
  const wanted = Buffer.allocUnsafe(longest);
  return (key, at) => {
    const cut = cuts[at] ?? 0;
    return heads.every((values) =>
      values.some((head) => {
        const length = head.length + key.length - cut;
        if (length > longest) return false;
        wanted.set(head, 0);
        key.copy(wanted, head.length, cut);
        return storage.peek(wanted.subarray(0, length)) !== undefined;
      }),
    );
  };
}

/** The filter without what the keys say. */
export function residual(filter: Doc, covered: ReadonlySet<string>): Doc {
  if (covered.size === 0) return filter;
  const left: Doc = {};
  for (const name of Object.keys(filter)) {
    const spec = filter[name];
    if (name === '$and' && Array.isArray(spec)) {
      const parts = spec.map((part) => (isDoc(part) ? residual(part, covered) : part));
      const more = parts.filter((part) => !isDoc(part) || Object.keys(part).length > 0);
      if (more.length > 0) left.$and = more;
    } else if (!covered.has(name)) left[name] = spec;
  }
  return left;
}
