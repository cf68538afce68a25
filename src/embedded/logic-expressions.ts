// Comparisons, booleans, documents, and the operators that choose which of their arguments to evaluate.
import { type Doc, isDoc, setField } from './documents.ts';
import { fault } from './errors.ts';
import {
  bound,
  type Cell,
  type Expression,
  type Form,
  listed,
  missing,
  named,
  op,
  truthy,
} from './operators.ts';
import { scoreOf } from './text.ts';
import { compare, field, ORDER, typeName, typeOf } from './values.ts';

/** The order of values in expressions, where missing comes before null. */
export function compareValues(a: unknown, b: unknown): number {
  if (a !== undefined && b !== undefined) return Math.sign(compare(a, b));
  if (a === b) return 0;
  const first = typeOf(a ?? b) === ORDER.MIN_KEY ? 1 : -1;
  return a === undefined ? first : -first;
}

const comparing = (holds: (difference: number) => boolean): Form =>
  op('any any', (a, b) => {
    const plain = typeof a === 'number' && typeof b === 'number' && a !== b && Number.isFinite(a - b);
    return holds(plain ? a - b : compareValues(a, b));
  });

const compiling =
  (build: (parts: Expression[]) => Expression): Form =>
  (argument, scope, compile) =>
    build(listed(argument).map((part) => compile(part, scope)));

// biome-ignore lint/suspicious/noThenProperty: so $cond is written
const BRANCHES = { if: 17080, then: 17081, else: 17082 };

const choosing: Form = (argument, scope, compile) => {
  const given = isDoc(argument) ? Object.keys(BRANCHES).map((name) => argument[name]) : listed(argument);
  for (const name of isDoc(argument) ? Object.keys(argument) : [])
    if (!(name in BRANCHES)) fault(17083, `Unrecognized parameter to $cond: ${name}`);
  for (const [name, code] of Object.entries(isDoc(argument) ? BRANCHES : {}))
    if (!(name in (argument as Doc))) fault(code, `Missing '${name}' parameter to $cond`);
  if (given.length !== 3)
    fault(16020, `Expression $cond takes exactly 3 arguments. ${given.length} were passed in.`);
  const [test, yes, no] = given.map((part) => compile(part, scope)) as [Expression, Expression, Expression];
  return (root) => (truthy(test(root)) ? yes(root) : no(root));
};

const switching: Form = (argument, scope, compile) => {
  if (!isDoc(argument)) fault(40060, '$switch requires an object as an argument');
  const { branches, default: fallback } = argument;
  if (!Array.isArray(branches)) fault(40061, '$switch expected an array for "branches"');
  if (branches.length === 0) fault(40068, '$switch requires at least one branch.');
  const cases = branches.map((branch) => {
    const { case: when, then: result } = named('$switch', branch, ['case', 'then']);
    return { when: compile(when, scope), result: compile(result, scope) };
  });
  const otherwise = 'default' in argument ? compile(fallback, scope) : undefined;
  return (root) => {
    for (const { when, result } of cases) if (truthy(when(root))) return result(root);
    if (!otherwise) fault(40066, '$switch could not find a matching branch, and has no default');
    return otherwise(root);
  };
};

const ifNull = compiling((parts) => {
  if (parts.length < 2) fault(1257300, `$ifNull needs at least two arguments, had: ${parts.length}`);
  return (root) => {
    let value: unknown;
    for (const part of parts) {
      value = part(root);
      if (!missing(value)) return value;
    }
    return value;
  };
});

const letting: Form = (argument, scope, compile) => {
  const { vars, in: body } = named('$let', argument, ['vars', 'in']);
  if (!isDoc(vars)) fault(10065, 'invalid parameter: expected an object (vars)');
  const cells: Record<string, Cell> = Object.create(null);
  const values = Object.keys(vars).map((name) => {
    checkVariable(name);
    cells[name] = { value: undefined };
    return { cell: cells[name], value: compile(vars[name], scope) };
  });
  const inside = compile(body, bound(scope, cells));
  return (root) => {
    const found = values.map(({ value }) => value(root));
    values.forEach(({ cell }, i) => {
      cell.value = found[i];
    });
    return inside(root);
  };
};

export function checkVariable(name: string): void {
  if (/^[a-z\u0080-\uffff][\w\u0080-\uffff]*$/.test(name) || name === 'CURRENT') return;
  fault(16867, `'${name}' starts with an invalid character for a user variable name`);
}

/** Writes the fields of one document over those of another. */
export function mergeFields(result: Doc, value: unknown): Doc {
  if (missing(value)) return result;
  if (!isDoc(value))
    fault(40400, `$mergeObjects requires object inputs, but one is of type ${typeName(value)}`);
  for (const name of Object.keys(value)) setField(result, name, value[name]);
  return result;
}

/** Whatever its name: dots and dollars mean nothing. Missing removes it. */
function withField(doc: Doc, name: string, value?: unknown): Doc {
  const { [name]: _, ...others } = doc;
  if (value === undefined) return others;
  const result = { ...doc };
  setField(result, name, value);
  return result;
}

export const LOGIC: Record<string, Form> = {
  $literal: (argument) => () => argument,
  $expr: (argument, scope, compile) => compile(argument, scope),
  $cond: choosing,
  $switch: switching,
  $ifNull: ifNull,
  $let: letting,
  $and: compiling((parts) => (root) => parts.every((part) => truthy(part(root)))),
  $or: compiling((parts) => (root) => parts.some((part) => truthy(part(root)))),
  $not: op('any', (value) => !truthy(value)),
  $cmp: op('any any', compareValues),
  $eq: comparing((difference) => difference === 0),
  $ne: comparing((difference) => difference !== 0),
  $gt: comparing((difference) => difference > 0),
  $gte: comparing((difference) => difference >= 0),
  $lt: comparing((difference) => difference < 0),
  $lte: comparing((difference) => difference <= 0),
  $mergeObjects: op('any*', (...values) => {
    const [only] = values;
    return (values.length === 1 && Array.isArray(only) ? only : values).reduce<Doc>(mergeFields, {});
  }),
  $getField: (argument, scope, compile, operator) => {
    const spec = isDoc(argument) && 'field' in argument ? argument : { field: argument };
    const read = op('3041702 field:text! input:any', ({ field: name, input }) =>
      isDoc(input) ? field(input, name) : input === null ? null : undefined,
    );
    return read({ input: '$$CURRENT', ...spec }, scope, compile, operator);
  },
  $setField: op('4161108 field:text! input:object value:any', ({ field: name, input, value }) =>
    withField(input, name, value),
  ),
  $unsetField: op('4161108 field:text! input:object', ({ field: name, input }) => withField(input, name)),
  $objectToArray: op('40390 object', (doc) => Object.keys(doc).map((k) => ({ k, v: doc[k] }))),
  $meta(argument) {
    if (argument === 'indexKey' || argument === 'recordId') return () => undefined;
    if (argument !== 'textScore') fault(17308, `Unsupported argument to $meta: ${String(argument)}`);
    return (root) => (isDoc(root) ? scoreOf(root) : undefined);
  },
};
