// The positional parts of an update path: `$` is where the filter matched, `$[]` everywhere, `$[name]` where the
// array filter called so holds. They are replaced by the indexes that they stand for in one document.
import { type Doc, isDoc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { compileFilter, isOperatorDoc, type MatchEnv } from './matching.ts';
import { getAt, isIndex } from './paths.ts';
import { show } from './showing.ts';

export type ArrayFilters = ReadonlyMap<string, (element: unknown) => boolean>;

const PLACEHOLDER = /^\$\[(.*)\]$/;

export const isPositional = (path: string): boolean => path.includes('$');

export const placeholders = (path: string): string[] =>
  isPositional(path) ? path.split('.').flatMap((part) => PLACEHOLDER.exec(part)?.[1] || []) : [];

function rootsOf(filter: Doc, found: Set<string>): Set<string> {
  for (const [name, spec] of Object.entries(filter)) {
    if (!name.startsWith('$')) found.add(name.split('.')[0] ?? '');
    else if (Array.isArray(spec)) for (const branch of spec) if (isDoc(branch)) rootsOf(branch, found);
  }
  return found;
}

export function compileArrayFilters(filters: readonly unknown[], env: MatchEnv): ArrayFilters {
  const compiled = new Map<string, (element: unknown) => boolean>();
  for (const filter of filters) {
    if (!isDoc(filter)) fault(14, 'Each array filter must be an object');
    const [name, other] = rootsOf(filter, new Set());
    if (name === undefined)
      fault(9, 'Cannot use an expression without a top-level field name in arrayFilters');
    const wrong = 'Error parsing array filter :: caused by ::';
    if (other !== undefined)
      fault(9, `${wrong} Expected a single top-level field name, found '${name}' and '${other}'`);
    if (!/^[a-z][a-zA-Z0-9]*$/.test(name))
      bad(
        `${wrong} The field must be an alphanumeric string beginning with a lowercase letter, not '${name}'`,
      );
    if (compiled.has(name))
      fault(9, `Found multiple array filters with the same top-level field name ${name}`);
    const test = compileFilter(filter, env);
    compiled.set(name, (element) => test({ [name]: element }));
  }
  return compiled;
}

/** Every concrete path that a positional path means in a document. */
export function resolve(
  path: string,
  root: Doc,
  filters: ArrayFilters,
  positionOf: (prefix: readonly string[]) => number | undefined,
): string[][] {
  let paths: string[][] = [[]];
  for (const part of path.split('.')) {
    const [, name] = PLACEHOLDER.exec(part) ?? [];
    if (name !== undefined) paths = paths.flatMap((parts) => elementsAt(parts, root, filters.get(name)));
    else if (part !== '$') paths = paths.map((parts) => [...parts, part]);
    else {
      const index = positionOf(paths[0] ?? []);
      if (index === undefined) bad('The positional operator did not find the match needed from the query.');
      paths = paths.map((parts) => [...parts, String(index)]);
    }
  }
  return paths;
}

function elementsAt(
  parts: string[],
  root: Doc,
  test: (element: unknown) => boolean = () => true,
): string[][] {
  const array = getAt(root, parts);
  if (array === undefined)
    bad(`The path '${parts.join('.')}' must exist in the document in order to apply array updates.`);
  if (!Array.isArray(array))
    bad(`Cannot apply array updates to non-array element ${parts.at(-1)}: ${show(array)}`);
  return [...array.keys()].filter((i) => test(array[i])).map((i) => [...parts, String(i)]);
}

/** The index of the element, of the array at the prefix, by which the filter matched the document. */
export function matchedPosition(
  filter: Doc,
  doc: Doc,
  prefix: readonly string[],
  env: MatchEnv,
): number | undefined {
  const asked = [...conditions(filter)].map(([path, condition]) => ({ parts: path.split('.'), condition }));
  const own = asked.filter(({ parts }) => prefix.every((part, i) => part === parts[i]));
  // MongoDB remembers the position of whatever array matched, be it another one.
  const places = [
    ...own.map((one) => ({ ...one, size: prefix.length })),
    ...asked.flatMap((one) => one.parts.map((_, i) => ({ ...one, size: i + 1 }))),
  ];
  for (const { parts, condition, size } of places) {
    const found = positionIn(getAt(doc, parts.slice(0, size)), parts.slice(size), condition, env);
    if (found !== undefined) return found;
  }
  return undefined;
}

function* conditions(filter: Doc): Generator<[path: string, condition: unknown]> {
  for (const [name, spec] of Object.entries(filter)) {
    if (!name.startsWith('$')) yield [name, spec];
    else if ((name === '$and' || name === '$or') && Array.isArray(spec))
      for (const branch of spec) if (isDoc(branch)) yield* conditions(branch);
  }
}

function positionIn(array: unknown, rest: string[], condition: unknown, env: MatchEnv): number | undefined {
  if (!Array.isArray(array)) return undefined;
  const [next] = rest;
  if (next !== undefined && isIndex(next)) return Number(next);
  const wrapped = isOperatorDoc(condition) && ('$elemMatch' in condition || '$all' in condition);
  const test = compileFilter({ [['element', ...rest].join('.')]: condition }, env);
  const index = array.findIndex((element) => test({ element: wrapped && !next ? [element] : element }));
  return index < 0 ? undefined : index;
}
