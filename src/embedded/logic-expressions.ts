// Comparisons, booleans and the operators that choose which of their arguments to evaluate.
import { fault } from './errors.ts';
import {
  any,
  bound,
  type Cell,
  type Expression,
  type Form,
  missing,
  named,
  takes,
  truthy,
} from './operators.ts';
import { compare, isObject, ORDER, typeOf } from './values.ts';

/** The order of values in expressions, where missing comes before null. */
export function compareValues(a: unknown, b: unknown): number {
  if (a === undefined || b === undefined) {
    if (a === b) return 0;
    const other = a === undefined ? b : a;
    const first = typeOf(other) === ORDER.MIN_KEY ? 1 : -1;
    return a === undefined ? first : -first;
  }
  return Math.sign(compare(a, b));
}

const comparing = (holds: (difference: number) => boolean): Form =>
  takes([any, any], (a, b) => {
    const plain = typeof a === 'number' && typeof b === 'number' && a !== b && Number.isFinite(a - b);
    return holds(plain ? a - b : compareValues(a, b));
  });

const each = (argument: unknown): unknown[] => (Array.isArray(argument) ? argument : [argument]);

// biome-ignore lint/suspicious/noThenProperty: so $cond is written
const BRANCHES = { if: 17080, then: 17081, else: 17082 };

function branchesOf(argument: unknown): unknown[] {
  const given = each(argument);
  if (isObject(argument)) {
    for (const name of Object.keys(argument))
      if (!(name in BRANCHES)) fault(17083, `Unrecognized parameter to $cond: ${name}`);
    for (const [name, code] of Object.entries(BRANCHES))
      if (!(name in argument)) fault(code, `Missing '${name}' parameter to $cond`);
    return Object.keys(BRANCHES).map((name) => argument[name]);
  }
  if (given.length !== 3)
    fault(16020, `Expression $cond takes exactly 3 arguments. ${given.length} were passed in.`);
  return given;
}

const choosing: Form = (argument, scope, compile) => {
  const [test, yes, no] = branchesOf(argument).map((part) => compile(part, scope)) as [
    Expression,
    Expression,
    Expression,
  ];
  return (root) => (truthy(test(root)) ? yes(root) : no(root));
};

const switching: Form = (argument, scope, compile) => {
  if (!isObject(argument)) fault(40060, '$switch requires an object as an argument');
  const { branches, default: fallback } = argument;
  if (!Array.isArray(branches)) fault(40061, '$switch expected an array for "branches"');
  if (branches.length === 0) fault(40068, '$switch requires at least one branch.');
  const cases = branches.map((branch) => {
    if (!isObject(branch)) fault(40062, '$switch expected each branch to be an object');
    if (!('case' in branch)) fault(40064, '$switch requires each branch have a "case" expression');
    if (!('then' in branch)) fault(40065, '$switch requires each branch have a "then" expression');
    return { when: compile(branch.case, scope), result: compile(branch.then, scope) };
  });
  const otherwise = 'default' in argument ? compile(fallback, scope) : undefined;
  return (root) => {
    for (const { when, result } of cases) if (truthy(when(root))) return result(root);
    return otherwise
      ? otherwise(root)
      : fault(40066, '$switch could not find a matching branch, and has no default');
  };
};

const ifNull: Form = (argument, scope, compile) => {
  const parts = each(argument).map((part) => compile(part, scope));
  if (parts.length < 2) fault(1257300, `$ifNull needs at least two arguments, had: ${parts.length}`);
  return (root) => {
    let value: unknown;
    for (const part of parts) {
      value = part(root);
      if (!missing(value)) return value;
    }
    return value;
  };
};

const letting: Form = (argument, scope, compile) => {
  const { vars, in: body } = named('$let', argument, ['vars', 'in'], ['vars', 'in']);
  if (!isObject(vars)) fault(10065, 'invalid parameter: expected an object (vars)');
  const cells: Record<string, Cell> = Object.create(null);
  const values = Object.keys(vars).map((name) => {
    if (!/^[a-z\u0080-\uffff]/.test(name) && name !== 'CURRENT')
      fault(16867, `'${name}' starts with an invalid character for a user variable name`);
    const cell: Cell = { value: undefined };
    cells[name] = cell;
    return { cell, value: compile(vars[name], scope) };
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

export const LOGIC: Record<string, Form> = {
  $literal: (argument) => () => argument,
  $expr: (argument, scope, compile) => compile(argument, scope),
  $cond: choosing,
  $switch: switching,
  $ifNull: ifNull,
  $let: letting,
  $and: (argument, scope, compile) => {
    const parts = each(argument).map((part) => compile(part, scope));
    return (root) => parts.every((part) => truthy(part(root)));
  },
  $or: (argument, scope, compile) => {
    const parts = each(argument).map((part) => compile(part, scope));
    return (root) => parts.some((part) => truthy(part(root)));
  },
  $not: takes([any], (value) => !truthy(value)),
  $cmp: takes([any, any], compareValues),
  $eq: comparing((difference) => difference === 0),
  $ne: comparing((difference) => difference !== 0),
  $gt: comparing((difference) => difference > 0),
  $gte: comparing((difference) => difference >= 0),
  $lt: comparing((difference) => difference < 0),
  $lte: comparing((difference) => difference <= 0),
};
