// The document that an upsert starts from: what its filter says by equality.
import type { Doc } from './documents.ts';
import { Draft } from './drafts.ts';
import { fault } from './errors.ts';
import { isOperatorDoc } from './matching.ts';
import { isRegex } from './regexes.ts';
import { clone, isObject } from './values.ts';

export function upsertBase(filter: Doc): Doc {
  const found = new Map<string, unknown>();
  collect(filter, found);
  const draft = new Draft({});
  for (const [path, value] of found) draft.write(path.split('.'), clone(value));
  return draft.root;
}

function collect(filter: Doc, found: Map<string, unknown>): void {
  for (const name of Object.keys(filter)) {
    const spec = filter[name];
    if (name === '$and' && Array.isArray(spec)) {
      for (const branch of spec) if (isObject(branch)) collect(branch, found);
    } else if (name === '$or' && Array.isArray(spec) && spec.length === 1 && isObject(spec[0])) {
      collect(spec[0], found);
    } else if (!name.startsWith('$')) equality(name, spec, found);
  }
}

function equality(path: string, spec: unknown, found: Map<string, unknown>): void {
  if (isRegex(spec)) return;
  if (!isOperatorDoc(spec)) add(path, spec, found);
  else if ('$eq' in spec) add(path, spec.$eq, found);
  else {
    const { $in: any, $all: all } = spec;
    if (Array.isArray(any) && any.length === 1 && !isRegex(any[0])) add(path, any[0], found);
    if (Array.isArray(all) && all.length === 1 && !isRegex(all[0]) && !isOperatorDoc(all[0]))
      add(path, all[0], found);
  }
}

function add(path: string, value: unknown, found: Map<string, unknown>): void {
  for (const other of found.keys()) {
    if (other !== path && !other.startsWith(`${path}.`) && !path.startsWith(`${other}.`)) continue;
    const message = `cannot infer query fields to set, path '${path}' is matched twice`;
    fault(54, message);
  }
  found.set(path, value);
}
