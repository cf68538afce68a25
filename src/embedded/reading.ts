// Which top-level fields a filter, an expression or a pipeline can read, so that only those need decoding.
// Undefined means: it could be any. A name too many costs time, a name too few would be a wrong answer.
import type { Doc } from './documents.ts';
import { truthy } from './operators.ts';
import { isNumber, isObject } from './values.ts';

type Names = Set<string>;

class ReadsAll extends Error {}

const top = (path: string): string => path.slice(0, path.indexOf('.') < 0 ? path.length : path.indexOf('.'));

function ofFilter(filter: unknown, names: Names): void {
  if (!isObject(filter)) return;
  for (const name of Object.keys(filter)) {
    const spec = filter[name];
    if (!name.startsWith('$')) names.add(top(name));
    else if (Array.isArray(spec)) for (const branch of spec) ofFilter(branch, names);
    else if (name === '$expr') ofExpression(spec, names);
    else if (name !== '$comment' && name !== '$sampleRate') throw new ReadsAll();
  }
}

/** References by name; whatever reaches for the whole document reads all. */
function ofExpression(expression: unknown, names: Names): void {
  if (typeof expression === 'string') {
    if (/^\$\$(ROOT|CURRENT)\b/.test(expression)) throw new ReadsAll();
    if (expression.startsWith('$') && !expression.startsWith('$$')) names.add(top(expression.slice(1)));
  } else if (Array.isArray(expression)) for (const part of expression) ofExpression(part, names);
  else if (isObject(expression)) {
    for (const name of Object.keys(expression)) {
      if (name === '$getField' || name === '$setField' || name === '$unsetField' || name === '$meta')
        throw new ReadsAll();
      ofExpression(expression[name], names);
    }
  }
}

function ofProjection(spec: unknown, names: Names): boolean {
  if (!isObject(spec)) throw new ReadsAll();
  let inclusive = false;
  for (const name of Object.keys(spec)) {
    const value = spec[name];
    const flag = isNumber(value) || typeof value === 'boolean';
    if (flag && !truthy(value)) {
      if (name !== '_id') throw new ReadsAll();
      continue;
    }
    inclusive ||= name !== '_id';
    names.add(top(name));
    if (!flag) ofExpression(value, names);
  }
  names.add('_id');
  return inclusive;
}

/** True when what follows the stage sees only what the stage made. */
function ofStage(stage: Doc, names: Names): boolean {
  const [name = ''] = Object.keys(stage);
  const spec = stage[name];
  switch (name) {
    case '$match':
      ofFilter(spec, names);
      return false;
    case '$sort':
      if (!isObject(spec) || Object.values(spec).some(isObject)) throw new ReadsAll();
      for (const path of Object.keys(spec)) names.add(top(path));
      return false;
    case '$limit':
    case '$skip':
    case '$sample':
      return false;
    case '$unwind': {
      const path = isObject(spec) ? spec.path : spec;
      if (typeof path === 'string') names.add(top(path.slice(1)));
      return false;
    }
    case '$group':
    case '$sortByCount':
    case '$bucket':
      ofExpression(spec, names);
      return true;
    case '$count':
      return true;
    case '$project':
      if (!ofProjection(spec, names)) throw new ReadsAll();
      return true;
    default:
      throw new ReadsAll();
  }
}

function collected(collect: (names: Names) => void): ReadonlySet<string> | undefined {
  const names: Names = new Set();
  try {
    collect(names);
    return names;
  } catch (error) {
    if (error instanceof ReadsAll) return undefined;
    throw error;
  }
}

export function fieldsOf(filter: Doc): ReadonlySet<string> | undefined {
  return collected((names) => ofFilter(filter, names));
}

export function neededFields(stages: readonly Doc[]): ReadonlySet<string> | undefined {
  return collected((names) => {
    for (const stage of stages) if (ofStage(stage, names)) return;
    throw new ReadsAll();
  });
}
