// What each update operator makes of the value at a path: undefined in is missing, undefined out removes.
// Arguments are checked when the update is compiled, so that a wrong one is refused even if no document matches.
import { Decimal128, Timestamp } from 'bson';
import { exactly, isInteger, type Numeric } from './arithmetic.ts';
import type { Doc } from './documents.ts';
import type { Modifier } from './drafts.ts';
import { bad, fault } from './errors.ts';
import { compileFilter, isOperatorDoc, type MatchEnv } from './matching.ts';
import { pushing } from './pushing.ts';
import { isRegex } from './regexes.ts';
import { show } from './showing.ts';
import { clone, compare, equal, isNumber, isObject, toNumber, typeName } from './values.ts';

export type ModifierEnv = MatchEnv & { now: Date };
type Making = (spec: unknown, env: ModifierEnv, path: string, operator: string) => Modifier;

const last = (path: string): string => path.slice(path.lastIndexOf('.') + 1);
const shellType = (value: Numeric): string =>
  typeof value === 'bigint' ? 'NumberLong' : value instanceof Decimal128 ? 'NumberDecimal' : 'NumberInt';

const calculating =
  (operation: 'add' | 'multiply', verb: string): Making =>
  (by, _env, path, operator) => {
    if (!isNumber(by)) fault(14, `Cannot ${verb} with non-numeric argument: {${path}: ${show(by)}}`);
    return (old, site) => {
      if (old === undefined) return operation === 'add' ? by : exactly('multiply', by, 0);
      if (!isNumber(old))
        fault(
          14,
          `Cannot apply ${operator} to a value of non-numeric type. {_id: ${show(site.id)}} has the field '${last(site.path)}' of non-numeric type ${typeName(old)}`,
        );
      const value = `((${shellType(old)})${show(old)}) for document {_id: ${show(site.id)}}`;
      return (
        exactly(operation, old, by) ?? bad(`Failed to apply ${operator} operations to current value ${value}`)
      );
    };
  };

const BITS: Record<string, (a: bigint, b: bigint) => bigint> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

const bits: Making = (spec, _env, path) => {
  if (!isObject(spec) || Object.keys(spec).length === 0)
    bad(`$bit needs an embedded document, not ${typeName(spec)}: {$bit: {field: {and/or/xor: #}}`);
  const operations = Object.entries(spec).map(([name, by]) => {
    const apply = BITS[name] ?? bad(`The $bit modifier only supports 'and', 'or', and 'xor', not '${name}'`);
    if (!isNumber(by) || !isInteger(by))
      bad(
        `The $bit modifier field must be an Integer(32/64 bit), not ${typeName(by)}: {${name}: ${show(by)}}`,
      );
    return { apply, by };
  });
  return (old = 0, site) => {
    if (!isNumber(old) || !isInteger(old))
      bad(`Cannot apply $bit to ${path} of _id: ${show(site.id)}, of non-integer type ${typeName(old)}`);
    return operations.reduce<number | bigint>((value, { apply, by }) => {
      const result = apply(BigInt(value), BigInt(by));
      return typeof value === 'number' && typeof by === 'number' ? Number(result) : result;
    }, old);
  };
};

const currentDate: Making = (spec, { now }) => {
  if (typeof spec !== 'boolean' && !isObject(spec))
    bad(`${typeName(spec)} is not valid type for $currentDate: use true or {$type: 'timestamp/date'}`);
  const { $type: type = 'date', ...others } = isObject(spec) ? spec : {};
  const [other] = Object.keys(others);
  if (other) bad(`Unrecognized $currentDate option: ${other}`);
  if (type === 'date') return () => now;
  if (type === 'timestamp') return () => new Timestamp({ t: Math.floor(now.getTime() / 1000), i: 1 });
  return bad("The '$type' string field of $currentDate is required to be 'date' or 'timestamp'");
};

const popping: Making = (spec) => {
  const end = isNumber(spec) ? toNumber(spec) : undefined;
  if (end !== 1 && end !== -1) fault(9, `$pop expects 1 or -1, found: ${show(spec)}`);
  return (old, site) => {
    if (old === undefined) return undefined;
    if (!Array.isArray(old))
      fault(14, `Path '${site.path}' contains an element of non-array type '${typeName(old)}'`);
    return end === 1 ? old.slice(0, -1) : old.slice(1);
  };
};

const LOGICAL = ['$and', '$or', '$nor', '$expr'];

/** What $pull removes: by a condition on the element, by a filter of documents, or by equality. */
function pulled(spec: unknown, env: ModifierEnv): (element: unknown) => boolean {
  const isCondition = isOperatorDoc(spec) && !LOGICAL.includes(Object.keys(spec)[0] ?? '');
  if (isObject(spec) && !isCondition) {
    const test = compileFilter(spec, env);
    return (element) => isObject(element) && test(element);
  }
  if (!isCondition && !isRegex(spec)) return (element) => equal(element, spec, env.collation);
  const test = compileFilter({ element: spec }, env);
  return (element) => test({ element });
}

const removing = (operator: string, remove: (element: unknown) => boolean): Modifier => {
  return (old) => {
    if (old === undefined) return undefined;
    return Array.isArray(old)
      ? old.filter((element) => !remove(element))
      : bad(`Cannot apply ${operator} to a non-array value`);
  };
};

const bounded =
  (way: 1 | -1): Making =>
  (spec, { collation }) =>
  (old) =>
    old === undefined || way * compare(spec, old, collation) > 0 ? clone(spec) : old;

const setting: Making = (spec) => () => clone(spec);

const MODIFIERS: Record<string, Making> = {
  $set: setting,
  $setOnInsert: setting,
  $unset: () => () => undefined,
  $inc: calculating('add', 'increment'),
  $mul: calculating('multiply', 'multiply'),
  $min: bounded(-1),
  $max: bounded(1),
  $bit: bits,
  $currentDate: currentDate,
  $push: (spec, { collation }) => pushing('$push', spec, collation),
  $addToSet: (spec, { collation }) => pushing('$addToSet', spec, collation),
  $pop: popping,
  $pull: (spec, env, _path, operator) => removing(operator, pulled(spec, env)),
  $pullAll(spec, { collation }, _path, operator) {
    if (!Array.isArray(spec)) bad(`$pullAll requires an array argument but was given a ${typeName(spec)}`);
    return removing(operator, (element) => spec.some((one) => equal(element, one, collation)));
  },
};

/** The fields of an operator's argument, each with what is to be made of it. */
export function modifiersOf(operator: string, spec: unknown, env: ModifierEnv): [path: string, Modifier][] {
  const make = Object.hasOwn(MODIFIERS, operator) ? MODIFIERS[operator] : undefined;
  if (!make)
    fault(
      9,
      `Unknown modifier: ${operator}. Expected a valid update modifier or pipeline-style update specified as an array`,
    );
  return Object.entries(fieldsOfModifier(operator, spec)).map(([path, value]) => [
    path,
    make(value, env, path, operator),
  ]);
}

/** Fields of an operator's argument, checked to be fields. */
export function fieldsOfModifier(operator: string, spec: unknown): Doc {
  if (isObject(spec)) return spec;
  return fault(
    9,
    `Modifiers operate on fields but we found type ${typeName(spec)} instead. For example: {$mod: {<field>: ...}} not {${operator}: ${show(spec)}}`,
  );
}
