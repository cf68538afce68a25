// The variables that a command brings: its `let`, and NOW.
import { type Doc, isDoc } from './documents.ts';
import { fault } from './errors.ts';
import { compileExpression, scopeOf } from './expressions.ts';
import type { Scope } from './operators.ts';

export function constants(given: unknown, now: Date): Scope {
  const base = scopeOf({ NOW: now });
  if (given === undefined || given === null) return base;
  if (!isDoc(given)) fault(14, "BSON field 'let' is the wrong type, expected type 'object'");
  const values: Doc = { NOW: now };
  for (const name of Object.keys(given)) {
    if (!/^[a-z\u0080-\uffff][\w\u0080-\uffff]*$/.test(name))
      fault(9, `'${name}' starts with an invalid character for a user variable name`);
    values[name] = compileExpression(given[name], base)({});
  }
  return scopeOf(values);
}
