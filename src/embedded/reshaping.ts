// The stages that make one document of one document: $project, $set, $unset and $replaceRoot by their several names.
import { type Doc, isDoc } from './documents.ts';
import { fault, MongoFault } from './errors.ts';
import { compileExpression } from './expressions.ts';
import type { MatchEnv } from './matching.ts';
import type { Scope } from './operators.ts';
import { checkFieldPath } from './paths.ts';
import { addLeaf, compileProjection, computed, newShape, type Shape } from './projecting.ts';
import { show } from './showing.ts';
import { keepScore } from './text.ts';
import { typeName } from './values.ts';

export type Reshaping = (doc: Doc) => Doc;

/** Each stage's reshaping. */
const MAKING: Record<string, (spec: unknown, env: MatchEnv, stage: string) => Reshaping> = {
  $project(spec, env) {
    if (!isDoc(spec)) fault(15969, '$project specification must be an object');
    const project = compileProjection(spec, { ...env, stage: true });
    return project ?? fault(51272, 'projection specification must have at least one field');
  },
  $addFields: adding,
  $set: adding,
  $unset: unsetting,
  $replaceRoot(spec, env) {
    if (isDoc(spec) && 'newRoot' in spec) return replacing('newRoot', spec.newRoot, env);
    return fault(40231, 'no newRoot specified for the $replaceRoot stage');
  },
  $replaceWith: (spec, env) => replacing('replacement document', spec, env),
};
export const RESHAPING = Object.keys(MAKING);

/** The stage as a function of a document; its refusals name the stage. */
export function compileReshaping(stage: string, spec: unknown, env: MatchEnv): Reshaping {
  try {
    return (MAKING[stage] as (typeof MAKING)[string])(spec, env, stage);
  } catch (error) {
    if (!(error instanceof MongoFault) || error.message.startsWith('Invalid $')) throw error;
    throw new MongoFault(error.code, `Invalid ${stage} :: caused by :: ${error.message}`);
  }
}

function adding(spec: unknown, env: MatchEnv, stage: string): Reshaping {
  if (!isDoc(spec)) fault(40272, `${stage} specification stage must be an object, got ${typeName(spec)}`);
  const shape = newShape();
  addAll(shape, spec, '', env.scope);
  return (doc) => computed(doc, shape, doc) as Doc;
}

function addAll(shape: Shape, spec: Doc, prefix: string, scope: Scope | undefined): void {
  for (const [name, value] of Object.entries(spec)) {
    const path = prefix + name;
    checkFieldPath(path);
    const [first] = isDoc(value) ? Object.keys(value) : [];
    if (isDoc(value) && first !== undefined && !first.startsWith('$'))
      addAll(shape, value, `${path}.`, scope);
    else addLeaf(shape, path, { kind: 'compute', compute: compileExpression(value, scope) });
  }
}

function unsetting(spec: unknown, env: MatchEnv): Reshaping {
  const projection: Doc = {};
  for (const path of Array.isArray(spec) ? spec : [spec]) {
    if (typeof path !== 'string')
      fault(31120, '$unset specification must be a string or an array containing only string values');
    checkFieldPath(path);
    projection[path] = 0;
  }
  const project = compileProjection(projection, { ...env, stage: true });
  return project ?? fault(31119, '$unset specification must be a string or an array with at least one field');
}

function replacing(what: string, spec: unknown, env: MatchEnv): Reshaping {
  const evaluate = compileExpression(spec, env.scope);
  return (doc) => {
    const result = evaluate(doc);
    if (!isDoc(result)) {
      const found = `resulting value was: ${show(result)}. Type of resulting value: '${typeName(result)}'`;
      fault(
        40228,
        `'${what}' expression must evaluate to an object, but ${found}. Input document: ${show(doc)}`,
      );
    }
    if (result !== doc) keepScore(doc, result);
    return result;
  };
}
