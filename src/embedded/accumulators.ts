// The accumulators of $group: each is compiled once, and started once for every group.

import type { Numeric } from './arithmetic.ts';
import { average, sum } from './arithmetic-expressions.ts';
import { type Doc, setField } from './documents.ts';
import { bad, fault } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { keyText } from './keytext.ts';
import { type Expression, named } from './operators.ts';
import { compileSort, sortDocs } from './ordering.ts';
import type { PipelineEnv } from './stages.ts';
import { deviation, extremes, percentiles } from './statistics.ts';
import { compare, double, isInt32, isNumber, isObject, toNumber, typeName } from './values.ts';

export interface Accumulation {
  add(doc: Doc): void;
  result(): unknown;
}
export type Accumulator = () => Accumulation;

type Fold = (evaluate: Expression, env: PipelineEnv) => Accumulator;

/** Adds doubles with the error of each addition carried along, as MongoDB does. */
class Sum {
  count = 0;
  #whole = 0;
  #double = 0;
  #lost = 0;
  #doubles = false;
  #others: Numeric[] = [];

  add(value: unknown): void {
    if (typeof value === 'number') {
      this.count++;
      if (isInt32(value)) this.#whole += value;
      else this.#addDouble(value);
    } else if (isNumber(value)) {
      this.count++;
      if (typeName(value) === 'double') this.#addDouble(toNumber(value));
      else this.#others = [sum([...this.#others, value])];
    }
  }

  #addDouble(value: number): void {
    this.#doubles = true;
    const total = this.#double + value;
    if (Number.isFinite(total)) {
      this.#lost +=
        Math.abs(this.#double) >= Math.abs(value)
          ? this.#double - total + value
          : value - total + this.#double;
    }
    this.#double = total;
  }

  total(): Numeric {
    const whole = isInt32(this.#whole) ? this.#whole : BigInt(this.#whole);
    const parts: Numeric[] = [whole, ...this.#others];
    if (this.#doubles) parts.push(double(this.#double + this.#lost));
    return parts.length === 1 ? whole : sum(parts);
  }
}

const summing: Fold = (evaluate) => () => {
  const total = new Sum();
  return { add: (doc) => total.add(evaluate(doc)), result: () => total.total() };
};

const averaging: Fold = (evaluate) => () => {
  const total = new Sum();
  return {
    add: (doc) => total.add(evaluate(doc)),
    result: () => (total.count === 0 ? null : quotient(total.total(), total.count)),
  };
};

function quotient(total: Numeric, count: number): unknown {
  return typeName(total) === 'decimal'
    ? average([total, ...new Array(count - 1).fill(0)])
    : double(toNumber(total) / count);
}

const best =
  (way: 1 | -1): Fold =>
  (evaluate, env) =>
  () => {
    let found: unknown = null;
    return {
      add(doc) {
        const value = evaluate(doc);
        if (value === null || value === undefined) return;
        if (found === null || way * compare(value, found, env.collation) > 0) found = value;
      },
      result: () => found,
    };
  };

const first: Fold = (evaluate) => () => {
  let found: unknown;
  let any = false;
  return {
    add(doc) {
      if (!any) found = evaluate(doc);
      any = true;
    },
    result: () => found,
  };
};

const last: Fold = (evaluate) => () => {
  let doc: Doc | undefined;
  return {
    add(next) {
      doc = next;
    },
    result: () => (doc === undefined ? null : evaluate(doc)),
  };
};

const pushing: Fold = (evaluate) => () => {
  const values: unknown[] = [];
  return {
    add(doc) {
      const value = evaluate(doc);
      if (value !== undefined) values.push(value);
    },
    result: () => values,
  };
};

const collecting: Fold = (evaluate, env) => () => {
  const values = new Map<string, unknown>();
  return {
    add(doc) {
      const value = evaluate(doc);
      if (value === undefined) return;
      const key = keyText(value, env.collation);
      if (!values.has(key)) values.set(key, value);
    },
    result: () => [...values.values()],
  };
};

const merging: Fold = (evaluate) => () => {
  const merged: Doc = {};
  return {
    add(doc) {
      const value = evaluate(doc);
      if (value === null || value === undefined) return;
      if (!isObject(value))
        fault(40400, `$mergeObjects requires object inputs, but input is of type ${typeName(value)}`);
      for (const name of Object.keys(value)) setField(merged, name, value[name]);
    },
    result: () => merged,
  };
};

/** Keeps all values, to calculate over them at the end. */
const over =
  (calculate: (values: unknown[]) => unknown): Fold =>
  (evaluate) =>
  () => {
    const values: unknown[] = [];
    return {
      add(doc) {
        values.push(evaluate(doc) ?? null);
      },
      result: () => calculate(values),
    };
  };

const FOLDS: Record<string, Fold> = {
  $sum: summing,
  $avg: averaging,
  $min: best(-1),
  $max: best(1),
  $first: first,
  $last: last,
  $push: pushing,
  $addToSet: collecting,
  $mergeObjects: merging,
  $stdDevPop: over((values) => deviation(values, 0)),
  $stdDevSamp: over((values) => deviation(values, 1)),
};

function countOf(operator: string, spec: Doc, env: PipelineEnv): number {
  const n = toNumber(compileExpression(spec.n, env.scope)({}));
  return Number.isInteger(n) && n > 0
    ? n
    : fault(5787908, `${operator}: 'n' must be greater than 0, found ${n}`);
}

const SEVERAL: Record<string, (values: unknown[], n: number) => unknown[]> = {
  $firstN: (values, n) => values.slice(0, n),
  $lastN: (values, n) => values.slice(-n),
  $minN: (values, n) => extremes(values, n, -1),
  $maxN: (values, n) => extremes(values, n, 1),
};

function several(operator: string, spec: unknown, env: PipelineEnv): Accumulator {
  const given = named(operator, spec, ['n', 'input'], ['n', 'input']);
  const n = countOf(operator, given, env);
  const take = SEVERAL[operator] ?? ((values) => values);
  return over((values) => take(values, n))(compileExpression(given.input, env.scope), env);
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

function percentile(operator: string, spec: unknown, env: PipelineEnv): Accumulator {
  const median = operator === '$median';
  const given = named(
    operator,
    spec,
    ['input', 'p', 'method'],
    median ? ['input', 'method'] : ['input', 'p', 'method'],
  );
  const shares = median ? [0.5] : compileExpression(given.p, env.scope)({});
  if (!Array.isArray(shares))
    bad(`The $percentile 'p' field must be an array of numbers from [0.0, 1.0]`, 7750301, 'Location7750301');
  const fold = over((values) => {
    const found = percentiles(values, shares.map(toNumber));
    return median ? found[0] : found;
  });
  return fold(compileExpression(given.input, env.scope), env);
}

export function accumulator(operator: string, spec: unknown, env: PipelineEnv): Accumulator {
  const fold = FOLDS[operator];
  if (fold && Object.hasOwn(FOLDS, operator)) {
    if (Array.isArray(spec) && spec.length !== 1)
      fault(40237, `The ${operator} accumulator is a unary operator`);
    return fold(compileExpression(Array.isArray(spec) ? spec[0] : spec, env.scope), env);
  }
  if (Object.hasOwn(SEVERAL, operator)) return several(operator, spec, env);
  switch (operator) {
    case '$count':
      if (!isObject(spec) || Object.keys(spec).length > 0)
        bad('$count takes no arguments, i.e. $count:{}', 14, 'TypeMismatch');
      return summing(() => 1, env);
    case '$top':
    case '$topN':
    case '$bottom':
    case '$bottomN':
      return ranked(operator, spec, env);
    case '$median':
    case '$percentile':
      return percentile(operator, spec, env);
    case '$accumulator':
      bad('$accumulator is not supported by the embedded engine', 115, 'CommandNotSupported');
      break;
    default:
  }
  return fault(15952, `unknown group operator '${operator}'`);
}
