// The document that an upsert starts from: what its filter says by equality.
import type { Doc } from './documents.ts';
import { overlap, written } from './drafts.ts';
import { fault } from './errors.ts';
import { isOperatorDoc } from './matching.ts';
import { isRegex } from './regexes.ts';
import { clone, isObject } from './values.ts';

export function upsertBase(filter: Doc): Doc {
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
    for (const branch of branches) if (isObject(branch)) yield* equalities(branch);
    if (name.startsWith('$') || isRegex(spec)) continue;
    if (!isOperatorDoc(spec)) yield [name, spec];
    else if ('$eq' in spec) yield [name, spec.$eq];
    else
      for (const list of [spec.$in, spec.$all])
        if (Array.isArray(list) && list.length === 1 && !isRegex(list[0]) && !isOperatorDoc(list[0]))
          yield [name, list[0]];
  }
}
