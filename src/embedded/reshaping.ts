// The stages that make one document of one document: $project, $set, $unset and $replaceRoot by their several names.
import { type Doc, isDoc } from './documents.ts';
import { bad, fault, MongoFault } from './errors.ts';
import { compileExpression } from './expressions.ts';
import type { MatchEnv } from './matching.ts';
import { scopeOf } from './operators.ts';
import { checkFieldPath } from './paths.ts';
import { compileProjection } from './projecting.ts';
import { addLeaf, computed, newShape, type Shape } from './shapes.ts';
import { show } from './showing.ts';
import { keepScore } from './text.ts';
import { isObject, typeName } from './values.ts';

export type Reshaping = (doc: Doc) => Doc;

export const RESHAPING = [
  '$project',
  '$addFields',
  '$set',
  '$unset',
  '$replaceRoot',
  '$replaceWith',
] as const;

/** The stage as a function of a document; its refusals name the stage. */
export function compileReshaping(stage: string, spec: unknown, env: MatchEnv): Reshaping {
  switch (stage) {
    case '$project':
      return inStage(stage, () => projecting(spec, env));
    case '$addFields':
    case '$set':
      return inStage(stage, () => adding(stage, spec, env));
    case '$unset':
      return inStage(stage, () => unsetting(spec, env));
    case '$replaceRoot':
      if (!isObject(spec) || !('newRoot' in spec))
        fault(40231, 'no newRoot specified for the $replaceRoot stage');
      return replacing('newRoot', spec.newRoot, env);
    default:
      return replacing('replacement document', spec, env);
  }
}

function inStage(stage: string, compile: () => Reshaping): Reshaping {
  try {
    return compile();
  } catch (error) {
    if (!(error instanceof MongoFault) || error.message.startsWith('Invalid $')) throw error;
    throw new MongoFault(error.code, `Invalid ${stage} :: caused by :: ${error.message}`);
  }
}

function projecting(spec: unknown, env: MatchEnv): Reshaping {
  if (!isObject(spec)) fault(15969, '$project specification must be an object');
  return (
    compileProjection(spec, { ...env, stage: true }) ??
    fault(51272, 'projection specification must have at least one field')
  );
}

function adding(stage: string, spec: unknown, env: MatchEnv): Reshaping {
  if (!isObject(spec)) fault(40272, `${stage} specification stage must be an object, got ${typeName(spec)}`);
  const shape = newShape();
  addAll(shape, spec, '', env);
  return (doc) => computed(doc, shape, doc) as Doc;
}

function addAll(shape: Shape, spec: Doc, prefix: string, env: MatchEnv): void {
  const scope = env.scope ?? scopeOf({ NOW: new Date() });
  for (const name of Object.keys(spec)) {
    const path = prefix + name;
    const value = spec[name];
    checkFieldPath(path);
    const nested = isDoc(value) && Object.keys(value).length > 0 && !Object.keys(value)[0]?.startsWith('$');
    if (nested) addAll(shape, value, `${path}.`, env);
    else addLeaf(shape, path, { kind: 'compute', compute: compileExpression(value, scope) });
  }
}

function unsetting(spec: unknown, env: MatchEnv): Reshaping {
  const paths = Array.isArray(spec) ? spec : [spec];
  if (paths.length === 0)
    fault(31119, '$unset specification must be a string or an array with at least one field');
  const projection: Doc = {};
  for (const path of paths) {
    if (typeof path !== 'string')
      fault(31120, '$unset specification must be a string or an array containing only string values');
    checkFieldPath(path);
    projection[path] = 0;
  }
  return (
    compileProjection(projection, { ...env, stage: true }) ?? bad('$unset specification must name a field')
  );
}

function replacing(what: string, spec: unknown, env: MatchEnv): Reshaping {
  const evaluate = compileExpression(spec, env.scope ?? scopeOf({ NOW: new Date() }));
  return (doc) => {
    const result = evaluate(doc);
    if (!isObject(result))
      fault(
        40228,
        `'${what}' expression must evaluate to an object, but resulting value was: ${show(result)}. Type of resulting value: '${typeName(result)}'. Input document: ${show(doc)}`,
      );
    if (result !== doc) keepScore(doc, result);
    return result;
  };
}
