// The accumulators of $group: each is compiled once, and started once for every group.
import { Sum } from './arithmetic.ts';
import { further } from './array-expressions.ts';
import type { Doc } from './documents.ts';
import { fault, unsupported } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { identity } from './keys.ts';
import { mergeFields } from './logic-expressions.ts';
import type { Expression } from './operators.ts';
import type { PipelineEnv } from './stages.ts';
import { type Collation, isObject } from './values.ts';

export interface Accumulation {
  add(doc: Doc): void;
  result(): unknown;
}
export type Accumulator = () => Accumulation;

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

const ABSENT =
  /^\$(accumulator|median|percentile|concatArrays|setUnion|stdDev(Pop|Samp)|(top|bottom)N?|(first|last|min|max)N)$/;

export function accumulator(operator: string, spec: unknown, { scope, collation }: PipelineEnv): Accumulator {
  if (operator === '$count') {
    if (!isObject(spec) || Object.keys(spec).length > 0)
      fault(14, '$count takes no arguments, i.e. $count:{}');
    return (FOLDS.$sum as Fold)(() => 1, collation);
  }
  if (ABSENT.test(operator)) unsupported(`the accumulator ${operator}`);
  if (!Object.hasOwn(FOLDS, operator)) fault(15952, `unknown group operator '${operator}'`);
  if (Array.isArray(spec) && spec.length !== 1)
    fault(40237, `The ${operator} accumulator is a unary operator`);
  return (FOLDS[operator] as Fold)(compileExpression(Array.isArray(spec) ? spec[0] : spec, scope), collation);
}
