// Aggregation expressions, compiled to closures over a document. Missing is undefined, and comes before null.
import { ARITHMETIC } from './arithmetic-expressions.ts';
import { ARRAYS } from './array-expressions.ts';
import { CONVERSIONS } from './conversions.ts';
import { DATES } from './date-expressions.ts';
import { type Doc, isDoc, setField } from './documents.ts';
import { fault, LACKING } from './errors.ts';
import { checkVariable, LOGIC } from './logic-expressions.ts';
import { type Expression, type Form, type Scope, scopeOf } from './operators.ts';
import { checkFieldPath } from './paths.ts';
import { show } from './showing.ts';
import { STRINGS } from './string-expressions.ts';
import { field } from './values.ts';

const OPERATORS = new Map<string, Form>(
  Object.entries({ ...ARITHMETIC, ...ARRAYS, ...CONVERSIONS, ...DATES, ...LOGIC, ...STRINGS }),
);

/** The variables that a command brings: its `let`, and NOW. */
export function constants(given: unknown, now: Date): Scope {
  const base = scopeOf({ NOW: now });
  if (given === undefined || given === null) return base;
  if (!isDoc(given)) fault(14, "BSON field 'let' is the wrong type, expected type 'object'");
  const values: Doc = { NOW: now };
  for (const name of Object.keys(given)) {
    checkVariable(name);
    values[name] = compileExpression(given[name], base)({});
  }
  return scopeOf(values);
}

export function compileExpression(expression: unknown, scope: Scope = new Map()): Expression {
  if (typeof expression === 'string')
    return expression.startsWith('$') ? reference(expression, scope) : () => expression;
  if (Array.isArray(expression)) {
    const parts = expression.map((part) => compileExpression(part, scope));
    return (root) => parts.map((part) => part(root) ?? null);
  }
  if (!isDoc(expression)) return () => expression;
  const names = Object.keys(expression);
  const [first] = names;
  if (!first?.startsWith('$')) return literalObject(expression, names, scope);
  if (names.length > 1)
    fault(
      15983,
      `an expression must contain exactly one field, the name of the expression: ${show(expression)}`,
    );
  return call(first, expression[first], scope);
}

function literalObject(expression: Doc, names: string[], scope: Scope): Expression {
  const parts = names.map((name) => {
    if (name.includes('.')) fault(16412, `FieldPath field names may not contain '.': '${name}'`);
    checkFieldPath(name);
    return [name, compileExpression(expression[name], scope)] as const;
  });
  return (root) => {
    const result: Doc = {};
    for (const [name, part] of parts) {
      const value = part(root);
      if (value !== undefined) setField(result, name, value);
    }
    return result;
  };
}

function call(operator: string, argument: unknown, scope: Scope): Expression {
  const form = OPERATORS.get(operator) ?? fault(168, `Unrecognized expression '${operator}' ${LACKING}`);
  return form(argument, scope, compileExpression, operator);
}

function reference(path: string, scope: Scope): Expression {
  if (!path.startsWith('$$')) return fieldPath(path.slice(1).split('.'));
  const [name = '', ...rest] = path.slice(2).split('.');
  const from = variable(name, scope);
  if (rest.length === 0) return from;
  const read = fieldPath(rest);
  return (root) => read(from(root));
}

function variable(name: string, scope: Scope): Expression {
  const cell = scope.get(name);
  if (cell) return () => cell.value;
  if (name === 'ROOT' || name === 'CURRENT') return (root) => root;
  if (name === 'REMOVE') return () => undefined;
  if (name === 'NOW') return () => new Date();
  if (name === 'CLUSTER_TIME') fault(51144, "Builtin variable '$$CLUSTER_TIME' is not available");
  return fault(17276, `Use of undefined variable: ${name}`);
}

function fieldPath(parts: readonly string[]): Expression {
  const path = parts.join('.');
  if (path === '') fault(16872, "'$' by itself is not a valid FieldPath");
  checkFieldPath(path);
  if (parts.length === 1) return (root) => through(root, path);
  return (root) => parts.reduce(through, root);
}

/** A field of a document, or of each of the documents of an array. */
function through(value: unknown, name: string): unknown {
  if (Array.isArray(value)) {
    const found: unknown[] = [];
    for (const element of value) {
      const inner = through(element, name);
      if (inner !== undefined) found.push(inner);
    }
    return found;
  }
  return isDoc(value) ? field(value, name) : undefined;
}
