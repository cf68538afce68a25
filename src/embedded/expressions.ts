// Aggregation expressions, compiled to closures over a document. Missing is undefined, and comes before null.
import { ARITHMETIC } from './arithmetic-expressions.ts';
import { ARRAY_FORMS, ARRAYS } from './array-expressions.ts';
import { CONVERSION_FORMS, CONVERSIONS } from './conversions.ts';
import { DATE_FORMS } from './date-expressions.ts';
import type { Doc } from './documents.ts';
import { bad, fault, MongoFault } from './errors.ts';
import { LOGIC, LOGIC_FORMS } from './logic-expressions.ts';
import { OBJECT_FORMS, OBJECTS } from './object-expressions.ts';
import type { Calculation, Expression, Form, Scope } from './operators.ts';
import { SET_FORMS, SETS } from './set-expressions.ts';
import { show } from './showing.ts';
import { STRING_FORMS, STRINGS } from './string-expressions.ts';
import { field, isObject } from './values.ts';

const CALCULATIONS = new Map<string, Calculation>(
  Object.entries({ ...ARITHMETIC, ...ARRAYS, ...CONVERSIONS, ...LOGIC, ...OBJECTS, ...SETS, ...STRINGS }),
);
const FORMS = new Map<string, Form>(
  Object.entries({
    ...ARRAY_FORMS,
    ...CONVERSION_FORMS,
    ...DATE_FORMS,
    ...LOGIC_FORMS,
    ...OBJECT_FORMS,
    ...SET_FORMS,
    ...STRING_FORMS,
  }),
);
const REFUSED = new Set(['$function', '$accumulator', '$where']);

export function scopeOf(variables: Doc): Scope {
  return new Map(Object.keys(variables).map((name) => [name, { value: variables[name] }]));
}

export function compileExpression(expression: unknown, scope: Scope): Expression {
  if (typeof expression === 'string') {
    return expression.startsWith('$') ? reference(expression, scope) : () => expression;
  }
  if (Array.isArray(expression)) {
    const parts = expression.map((part) => compileExpression(part, scope));
    return (root) => parts.map((part) => part(root) ?? null);
  }
  if (!isObject(expression)) return () => expression;
  const names = Object.keys(expression);
  const [first] = names;
  if (!first?.startsWith('$')) return literalObject(expression, names, scope);
  if (names.length > 1) {
    fault(
      15983,
      `an expression specification must contain exactly one field, the name of the expression. Found ${names.length} fields in ${show(expression)}`,
    );
  }
  return call(first, expression[first], scope);
}

function literalObject(expression: Doc, names: string[], scope: Scope): Expression {
  const parts = names.map((name) => {
    if (name.includes('.'))
      fault(16412, `FieldPath field names may not contain '.'. Consider using $getField or $setField.`);
    if (name.startsWith('$'))
      fault(16410, `FieldPath field names may not start with '$'. Consider using $getField or $setField.`);
    return [name, compileExpression(expression[name], scope)] as const;
  });
  return (root) => {
    const result: Doc = {};
    for (const [name, part] of parts) {
      const value = part(root);
      if (value !== undefined) setOwn(result, name, value);
    }
    return result;
  };
}

function setOwn(doc: Doc, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(doc, name, { value, writable: true, enumerable: true, configurable: true });
  else doc[name] = value;
}

function call(operator: string, argument: unknown, scope: Scope): Expression {
  const form = FORMS.get(operator);
  if (form) return form(argument, scope, compileExpression, operator);
  const calculation = CALCULATIONS.get(operator);
  if (calculation) return calculated(operator, calculation, argument, scope);
  if (REFUSED.has(operator)) {
    bad(`${operator} is not supported by the embedded engine`, 115, 'CommandNotSupported');
  }
  throw new MongoFault(168, 'InvalidPipelineOperator', `Unrecognized expression '${operator}'`);
}

function calculated(
  operator: string,
  [least, most, apply]: Calculation,
  argument: unknown,
  scope: Scope,
): Expression {
  const given = Array.isArray(argument) ? argument : [argument];
  if (given.length < least || given.length > most) {
    if (least === most) {
      fault(
        16020,
        `Expression ${operator} takes exactly ${least} arguments. ${given.length} were passed in.`,
      );
    }
    fault(
      28667,
      `Expression ${operator} takes at least ${least} arguments, and at most ${most}, but ${given.length} were passed in.`,
    );
  }
  const parts = given.map((part) => compileExpression(part, scope));
  const [first, second] = parts;
  if (!first) return () => apply();
  if (parts.length === 1) return (root) => apply(first(root));
  if (second && parts.length === 2) return (root) => apply(first(root), second(root));
  return (root) => apply(...parts.map((part) => part(root)));
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
  if (name === 'DESCEND' || name === 'PRUNE' || name === 'KEEP') return () => name;
  if (name === 'NOW') return () => new Date();
  if (name === 'CLUSTER_TIME') fault(51144, "Builtin variable '$$CLUSTER_TIME' is not available");
  return fault(17276, `Use of undefined variable: ${name}`);
}

function fieldPath(parts: readonly string[]): Expression {
  const [first = '', ...rest] = parts;
  if (parts.includes('')) {
    fault(
      first === '' && rest.length === 0 ? 16872 : 15998,
      first === '' && rest.length === 0
        ? "'$' by itself is not a valid FieldPath"
        : 'FieldPath field names may not be empty strings.',
    );
  }
  if (parts.some((part) => part.startsWith('$'))) {
    fault(16410, "FieldPath field names may not start with '$'. Consider using $getField or $setField.");
  }
  if (rest.length === 0) return (root) => through(root, first);
  return (root) => {
    let value = root;
    for (const part of parts) {
      if (value === undefined) return undefined;
      value = through(value, part);
    }
    return value;
  };
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
  return isObject(value) ? field(value, name) : undefined;
}
