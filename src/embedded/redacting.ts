// $redact: each level of a document says whether it is kept, pruned, or gone into.
import { type Doc, setField } from './documents.ts';
import { fault } from './errors.ts';
import { compileExpression } from './expressions.ts';
import type { Expression } from './operators.ts';
import type { StageForm } from './stages.ts';
import { isObject } from './values.ts';

export const redact: StageForm = (spec, env) => {
  const decide = compileExpression(spec, env.scope);
  return function* (docs) {
    for (const doc of docs) {
      const kept = level(doc, decide);
      if (kept) yield kept;
    }
  };
};

function level(doc: Doc, decide: Expression): Doc | undefined {
  const verdict = decide(doc);
  if (verdict === 'KEEP') return doc;
  if (verdict === 'PRUNE') return undefined;
  if (verdict !== 'DESCEND') {
    fault(17053, '$redact must evaluate to one of $$DESCEND, $$PRUNE, or $$KEEP');
  }
  const result: Doc = {};
  for (const name of Object.keys(doc)) {
    const kept = inside(doc[name], decide);
    if (kept !== undefined) setField(result, name, kept);
  }
  return result;
}

function inside(value: unknown, decide: Expression): unknown {
  if (Array.isArray(value)) {
    return value.map((element) => inside(element, decide)).filter((element) => element !== undefined);
  }
  return isObject(value) ? level(value, decide) : value;
}
