// The accumulators of $group: each is compiled once, and started once for every group.
import { average, type Numeric, sum } from './arithmetic.ts';
import type { Doc } from './documents.ts';
import { bad, fault, unsupported } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { identity } from './keys.ts';
import { mergeFields } from './object-expressions.ts';
import { type Expression, missing, named } from './operators.ts';
import { compileSort, sortDocs } from './ordering.ts';
import type { PipelineEnv } from './stages.ts';
import { deviation, extremes } from './statistics.ts';
import { compare, double, isInt32, isNumber, isObject, toNumber, typeName } from './values.ts';

export interface Accumulation {
  add(doc: Doc): void;
  result(): unknown;
}
export type Accumulator = () => Accumulation;

/** Adds doubles with the error of each addition carried along, as MongoDB does. */
class Sum {
  count = 0;
  #whole = 0;
  #double = 0;
  #lost = 0;
  #doubles = false;
  #others: Numeric[] = [];

  add(value: unknown): this {
    if (!isNumber(value)) return this;
    this.count++;
    if (typeof value === 'number' && isInt32(value)) this.#whole += value;
    else if (typeof value === 'number' || typeName(value) === 'double') this.#addDouble(toNumber(value));
    else this.#others = [sum([...this.#others, value])];
    return this;
  }

  #addDouble(value: number): void {
    this.#doubles = true;
    const total = this.#double + value;
    const [larger, smaller] =
      Math.abs(this.#double) >= Math.abs(value) ? [this.#double, value] : [value, this.#double];
    if (Number.isFinite(total)) this.#lost += larger - total + smaller;
    this.#double = total;
  }

  total(): Numeric {
    const whole = isInt32(this.#whole) ? this.#whole : BigInt(this.#whole);
    const parts: Numeric[] = [whole, ...this.#others];
    if (this.#doubles) parts.push(double(this.#double + this.#lost));
    return parts.length === 1 ? whole : sum(parts);
  }

  mean(): unknown {
    if (this.count === 0) return null;
    const total = this.total();
    return typeName(total) === 'decimal'
      ? average([total, ...new Array(this.count - 1).fill(0)])
      : double(toNumber(total) / this.count);
  }
}

type Fold = (evaluate: Expression, env: PipelineEnv) => Accumulator;

const fold =
  <S>(
    start: () => S,
    step: (state: S, value: unknown, env: PipelineEnv) => S,
    end: (state: S) => unknown = (state) => state,
  ): Fold =>
  (evaluate, env) =>
  () => {
    let state = start();
    return {
      add(doc) {
        state = step(state, evaluate(doc), env);
      },
      result: () => end(state),
    };
  };

const best = (way: 1 | -1): Fold =>
  fold<unknown>(
    () => null,
    (found, value, { collation }) =>
      missing(value) || (found !== null && way * compare(value, found, collation) <= 0) ? found : value,
  );

/** Keeps all values, to calculate over them at the end. */
const over = (calculate: (values: unknown[]) => unknown): Fold =>
  fold(
    (): unknown[] => [],
    (values, value) => {
      values.push(value ?? null);
      return values;
    },
    calculate,
  );

const NONE = Symbol('no document yet');

const FOLDS: Record<string, Fold> = {
  $sum: fold(
    () => new Sum(),
    (total, value) => total.add(value),
    (total) => total.total(),
  ),
  $avg: fold(
    () => new Sum(),
    (total, value) => total.add(value),
    (total) => total.mean(),
  ),
  $min: best(-1),
  $max: best(1),
  $first: fold<unknown>(
    () => NONE,
    (found, value) => (found === NONE ? value : found),
  ),
  $last: fold<unknown>(
    () => null,
    (_, value) => value,
  ),
  $push: fold(
    (): unknown[] => [],
    (values, value) => {
      if (value !== undefined) values.push(value);
      return values;
    },
  ),
  $addToSet: fold(
    () => new Map<string, unknown>(),
    (values, value, { collation }) => {
      const key = identity(value, collation);
      return value === undefined || values.has(key) ? values : values.set(key, value);
    },
    (values) => [...values.values()],
  ),
  $mergeObjects: fold((): Doc => ({}), mergeFields),
  $stdDevPop: over((values) => deviation(values, 0)),
  $stdDevSamp: over((values) => deviation(values, 1)),
};

const SEVERAL: Record<string, (values: unknown[], n: number) => unknown[]> = {
  $firstN: (values, n) => values.slice(0, n),
  $lastN: (values, n) => values.slice(-n),
  $minN: (values, n) => extremes(values, n, -1),
  $maxN: (values, n) => extremes(values, n, 1),
};

function countOf(operator: string, spec: Doc, env: PipelineEnv): number {
  const n = toNumber(compileExpression(spec.n, env.scope)({}));
  return Number.isInteger(n) && n > 0
    ? n
    : fault(5787908, `${operator}: 'n' must be greater than 0, found ${n}`);
}

function ranked(operator: string, spec: unknown, env: PipelineEnv): Accumulator {
  const many = operator.endsWith('N');
  const names = ['sortBy', 'output', ...(many ? ['n'] : [])];
  const given = named(operator, spec, names, names);
  const n = many ? countOf(operator, given, env) : 1;
  const ordering = compileSort(given.sortBy, env.collation);
  const output = compileExpression(given.output, env.scope);
  return () => {
    const docs: Doc[] = [];
    return {
      add: (doc) => {
        docs.push(doc);
      },
      result() {
        const sorted = sortDocs(docs, ordering);
        const kept = operator.startsWith('$top') ? sorted.slice(0, n) : sorted.slice(-n);
        const found = kept.map((doc) => output(doc) ?? null);
        return many ? found : found[0];
      },
    };
  };
}

export function accumulator(operator: string, spec: unknown, env: PipelineEnv): Accumulator {
  if (Object.hasOwn(FOLDS, operator)) {
    if (Array.isArray(spec) && spec.length !== 1)
      fault(40237, `The ${operator} accumulator is a unary operator`);
    const evaluate = compileExpression(Array.isArray(spec) ? spec[0] : spec, env.scope);
    return (FOLDS[operator] as Fold)(evaluate, env);
  }
  if (Object.hasOwn(SEVERAL, operator)) {
    const given = named(operator, spec, ['n', 'input'], ['n', 'input']);
    const n = countOf(operator, given, env);
    const take = over((values) => SEVERAL[operator]?.(values, n));
    return take(compileExpression(given.input, env.scope), env);
  }
  if (operator === '$count') {
    if (!isObject(spec) || Object.keys(spec).length > 0)
      fault(14, '$count takes no arguments, i.e. $count:{}');
    return (FOLDS.$sum ?? bad('$sum'))(() => 1, env);
  }
  if (/^\$(top|bottom)N?$/.test(operator)) return ranked(operator, spec, env);
  if (/^\$(accumulator|median|percentile)$/.test(operator)) unsupported(operator);
  return fault(15952, `unknown group operator '${operator}'`);
}
