// A field that is large and changes a little at a time (the clocks) is told by the parts that changed, each by its
// path: `sla.clocks.0.nextAt`. So an entry, and the write that carries it, stays small however long a ticket lives. Pure.

export type Fields = Record<string, [before: unknown, after: unknown]>;

/** Equal as stored: dates by time, lists and objects by what they hold. */
export function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (a instanceof Date || b instanceof Date)
    return a instanceof Date && b instanceof Date && a.getTime() === b.getTime();
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) &&
        same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
    )
  );
}

type Inner = Record<string, unknown>;
const isInner = (value: unknown): value is Inner =>
  typeof value === 'object' && value !== null && !(value instanceof Date);

/** Every part that is otherwise than it was. What has lost something is told as a whole. */
export function partsOf(path: string, was: unknown, is: unknown, out: Fields = {}): Fields {
  if (was === is || is === undefined) return out;
  const grows =
    isInner(was) &&
    isInner(is) &&
    Array.isArray(was) === Array.isArray(is) &&
    Object.keys(was).every((key) => Object.hasOwn(is, key));
  if (!grows) {
    if (!same(was, is)) out[path] = [was ?? null, is];
    return out;
  }
  for (const [key, value] of Object.entries(is))
    if (Object.hasOwn(was, key)) partsOf(`${path}.${key}`, was[key], value, out);
    else if (value !== undefined) out[`${path}.${key}`] = [null, value];
  return out;
}

/** The field that a path begins with. */
export const rootOf = (path: string): string => {
  const dot = path.indexOf('.');
  return dot < 0 ? path : path.slice(0, dot);
};

/** Sets a part; what is touched on the way to it is copied, so that nobody else's thing changes. */
export function setPart(thing: Inner, path: string, value: unknown): void {
  if (!path.includes('.')) {
    thing[path] = value;
    return;
  }
  const names = path.split('.');
  const last = names.pop() as string;
  innermost(thing, names)[last] = value;
}

/** Sets a part back to what it was; what a list had gained it loses. */
export function setBack(thing: Inner, path: string, value: unknown): void {
  const names = path.split('.');
  const last = names.pop() as string;
  const inner = innermost(thing, names);
  if (Array.isArray(inner) && value === null && Number(last) === inner.length - 1) inner.pop();
  else inner[last] = value;
}

function innermost(thing: Inner, names: readonly string[]): Inner {
  let at = thing;
  for (const name of names) {
    const old = at[name];
    const copy = Array.isArray(old) ? [...old] : { ...(isInner(old) ? old : {}) };
    at[name] = copy;
    at = copy as Inner;
  }
  return at;
}
