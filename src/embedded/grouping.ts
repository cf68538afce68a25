// $group and its relatives. Groups are found by a text that equal values share, whatever their numeric types.
import { type Accumulation, type Accumulator, accumulator } from './accumulators.ts';
import { type Doc, setField } from './documents.ts';
import { fault } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { identity } from './keys.ts';
import type { Expression } from './operators.ts';
import type { PipelineEnv, Stage, StageForm } from './stages.ts';
import { isObject } from './values.ts';

interface Group {
  id: unknown;
  totals: Accumulation[];
}

function output(names: readonly string[], spec: Doc, env: PipelineEnv): Accumulator[] {
  return names.map((name) => {
    if (name.includes('.')) fault(40235, `The field name '${name}' cannot contain '.'`);
    if (name.startsWith('$')) fault(40236, `The field name '${name}' cannot be an operator name`);
    const value = spec[name];
    if (!isObject(value)) fault(40234, `The field '${name}' must be an accumulator object`);
    const [operator = '', ...others] = Object.keys(value);
    if (others.length > 0 || operator === '')
      fault(40238, `The field '${name}' must specify one accumulator`);
    return accumulator(operator, value[operator], env);
  });
}

/** Gathers documents by an identity, and says of each group what its accumulators found. */
function gather(
  identify: Expression,
  names: readonly string[],
  accumulators: readonly Accumulator[],
  env: PipelineEnv,
): Stage {
  return function* (docs) {
    const groups = new Map<unknown, Group>();
    for (const doc of docs) {
      const id = identify(doc) ?? null;
      const key =
        env.collation || (typeof id === 'object' && id !== null) || typeof id === 'bigint'
          ? identity(id, env.collation)
          : id;
      let group = groups.get(key);
      if (!group) {
        group = { id, totals: accumulators.map((create) => create()) };
        groups.set(key, group);
      }
      for (const total of group.totals) total.add(doc);
    }
    for (const { id, totals } of groups.values()) {
      const result: Doc = { _id: id };
      for (let i = 0; i < names.length; i++) setField(result, names[i] ?? '', totals[i]?.result() ?? null);
      yield result;
    }
  };
}

export const group: StageForm = (spec, env) => {
  if (!isObject(spec)) fault(15947, "a group's fields must be specified in an object");
  if (!('_id' in spec)) fault(15955, 'a group specification must include an _id');
  const names = Object.keys(spec).filter((name) => name !== '_id');
  return gather(compileExpression(spec._id, env.scope), names, output(names, spec, env), env);
};

const COUNT: Doc = { count: { $sum: 1 } };

export const sortByCount: StageForm = (spec, env, compile) => {
  const valid =
    (typeof spec === 'string' && spec.startsWith('$')) ||
    (isObject(spec) && Object.keys(spec)[0]?.startsWith('$'));
  if (!valid)
    fault(
      40149,
      'the sortByCount field must be specified as a string with a $-prefix or as an expression object',
    );
  return compile([{ $group: { _id: spec, ...COUNT } }, { $sort: { count: -1 } }], env);
};

export const bucket: StageForm = (spec, env, compile) => {
  if (!isObject(spec)) fault(40201, 'Argument to $bucket stage must be an object');
  const { groupBy, boundaries, default: other, output: fields = COUNT } = spec;
  if (groupBy === undefined || boundaries === undefined)
    fault(40198, "$bucket requires 'groupBy' and 'boundaries' to be specified.");
  if (!Array.isArray(boundaries)) fault(40200, "The $bucket 'boundaries' field must be an array");
  if (boundaries.length < 2)
    fault(
      40192,
      `The $bucket 'boundaries' field must have at least 2 values, but found ${boundaries.length} value(s).`,
    );
  if (!isObject(fields)) fault(40196, "The $bucket 'output' field must be an object");
  const branches = boundaries.slice(1).map((upper, i) => ({
    case: { $and: [{ $gte: [groupBy, boundaries[i]] }, { $lt: [groupBy, upper] }] },
    // biome-ignore lint/suspicious/noThenProperty: so $switch is written
    then: { $literal: boundaries[i] },
  }));
  const fallback = 'default' in spec ? { default: { $literal: other } } : {};
  return compile(
    [{ $group: { _id: { $switch: { branches, ...fallback } }, ...fields } }, { $sort: { _id: 1 } }],
    env,
  );
};
