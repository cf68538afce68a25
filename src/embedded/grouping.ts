// $group and its relatives. Groups are found by a text that equal values share, whatever their numeric types; each
// accumulator is compiled once, and started once for every group.
import { Sum } from './arithmetic.ts';
import { further } from './array-expressions.ts';
import { type Doc, isDoc, setField } from './documents.ts';
import { fault, LACKING } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { identity } from './keys.ts';
import { compareValues, mergeFields } from './logic-expressions.ts';
import type { Expression } from './operators.ts';
import type { PipelineEnv, StageForm } from './stages.ts';
import type { Collation } from './values.ts';

interface Accumulation {
  add(doc: Doc): void;
  result(): unknown;
}
type Accumulator = () => Accumulation;

type Fold = (evaluate: Expression, collation: Collation | undefined) => Accumulator;

const fold =
  <S>(
    start: () => S,
    step: (state: S, value: unknown, collation: Collation | undefined) => S,
    end: (state: S) => unknown = (state) => state,
  ): Fold =>
  (evaluate, collation) =>
  () => {
    let state = start();
    return {
      add(doc) {
        state = step(state, evaluate(doc), collation);
      },
      result: () => end(state),
    };
  };

const none = (): unknown => null;
const extreme = (way: 1 | -1): Fold => fold(none, (best, value, by) => further(way, by)(best, value));
const summing = (end: (sum: Sum) => unknown): Fold =>
  fold(
    () => new Sum(),
    (sum, value) => sum.add(value),
    end,
  );

const NONE = Symbol('no document yet');

const FOLDS: Record<string, Fold> = {
  $sum: summing((sum) => sum.total()),
  $avg: summing((sum) => sum.mean()),
  $min: extreme(-1),
  $max: extreme(1),
  $first: fold<unknown>(
    () => NONE,
    (found, value) => (found === NONE ? value : found),
  ),
  $last: fold(none, (_, value) => value),
  $push: fold(
    (): unknown[] => [],
    (values, value) => {
      if (value !== undefined) values.push(value);
      return values;
    },
  ),
  $addToSet: fold(
    () => new Map<string, unknown>(),
    (values, value, collation) => {
      const key = identity(value, collation);
      return value === undefined || values.has(key) ? values : values.set(key, value);
    },
    (values) => [...values.values()],
  ),
  $mergeObjects: fold((): Doc => ({}), mergeFields),
};

function accumulator(operator: string, spec: unknown, { scope, collation }: PipelineEnv): Accumulator {
  if (operator === '$count') {
    if (!isDoc(spec) || Object.keys(spec).length > 0) fault(14, '$count takes no arguments, i.e. $count:{}');
    return (FOLDS.$sum as Fold)(() => 1, collation);
  }
  if (!Object.hasOwn(FOLDS, operator)) fault(15952, `unknown group operator '${operator}' ${LACKING}`);
  if (Array.isArray(spec) && spec.length !== 1)
    fault(40237, `The ${operator} accumulator is a unary operator`);
  return (FOLDS[operator] as Fold)(compileExpression(Array.isArray(spec) ? spec[0] : spec, scope), collation);
}

interface Group {
  id: unknown;
  totals: Accumulation[];
}

export const group: StageForm = (spec, env) => {
  if (!isDoc(spec)) fault(15947, "a group's fields must be specified in an object");
  if (!('_id' in spec)) fault(15955, 'a group specification must include an _id');
  const { scope, collation } = env;
  const { _id: by, ...fields } = spec;
  const identify = compileExpression(by, scope);
  const names = Object.keys(fields);
  const accumulators = names.map((name) => {
    if (name.includes('.')) fault(40235, `The field name '${name}' cannot contain '.'`);
    if (name.startsWith('$')) fault(40236, `The field name '${name}' cannot be an operator name`);
    const value = fields[name];
    if (!isDoc(value)) fault(40234, `The field '${name}' must be an accumulator object`);
    const [operator = '', ...others] = Object.keys(value);
    if (others.length > 0 || !operator) fault(40238, `The field '${name}' must specify one accumulator`);
    return accumulator(operator, value[operator], env);
  });
  return function* (docs) {
    const groups = new Map<unknown, Group>();
    for (const doc of docs) {
      const id = identify(doc) ?? null;
      const isPlain = !collation && typeof id !== 'bigint' && (typeof id !== 'object' || id === null);
      const key = isPlain ? id : identity(id, collation);
      let found = groups.get(key);
      if (!found) {
        found = { id, totals: accumulators.map((start) => start()) };
        groups.set(key, found);
      }
      for (const total of found.totals) total.add(doc);
    }
    for (const { id, totals } of groups.values()) {
      const result: Doc = { _id: id };
      for (const [i, name] of names.entries()) setField(result, name, totals[i]?.result() ?? null);
      yield result;
    }
  };
};

const COUNT: Doc = { count: { $sum: 1 } };

export const sortByCount: StageForm = (spec, env, compile) => {
  const [first] = isDoc(spec) ? Object.keys(spec) : [spec];
  if (typeof first !== 'string' || !first.startsWith('$'))
    fault(40149, 'the sortByCount field must be a string with a $-prefix or an expression object');
  return compile([{ $group: { _id: spec, ...COUNT } }, { $sort: { count: -1 } }], env);
};

export const bucket: StageForm = (spec, env, compile) => {
  if (!isDoc(spec)) fault(40201, 'Argument to $bucket stage must be an object');
  const { groupBy, boundaries, default: other, output: fields = COUNT, ...others } = spec;
  for (const name of Object.keys(others)) fault(40197, `Unrecognized option to $bucket: ${name}.`);
  if (groupBy === undefined || boundaries === undefined)
    fault(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified.");
  if (!Array.isArray(boundaries)) fault(40200, "The $bucket 'boundaries' field must be an array");
  if (boundaries.length < 2) fault(40192, "The $bucket 'boundaries' field must have at least 2 values");
  for (const [i, lower] of boundaries.slice(0, -1).entries())
    if (compareValues(lower, boundaries[i + 1]) >= 0)
      fault(40194, "The 'boundaries' option to $bucket must be sorted, without equal values");
  if (!isDoc(fields)) fault(40196, "The $bucket 'output' field must be an object");
  const branches = boundaries.slice(1).map((upper, i) => ({
    case: { $and: [{ $gte: [groupBy, boundaries[i]] }, { $lt: [groupBy, upper] }] },
    // biome-ignore lint/suspicious/noThenProperty: so $switch is written
    then: { $literal: boundaries[i] },
  }));
  const fallback = 'default' in spec ? { default: { $literal: other } } : {};
  const by = { $switch: { branches, ...fallback } };
  return compile([{ $group: { _id: by, ...fields } }, { $sort: { _id: 1 } }], env);
};
