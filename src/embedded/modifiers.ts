// What each update operator makes of the value at a path: undefined in is missing, undefined out leaves it or removes it.
// Arguments are checked when the update is compiled, so that a wrong one is refused even if no document matches.
import { Timestamp } from 'bson';
import { exactly, isInteger, numeric } from './arithmetic.ts';
import { type Doc, isDoc } from './documents.ts';
import type { Modifier } from './drafts.ts';
import { bad, fault } from './errors.ts';
import { compileFilter, isOperatorDoc, type MatchEnv } from './matching.ts';
import { pushing } from './pushing.ts';
import { isRegex } from './regexes.ts';
import { show } from './showing.ts';
import { clone, compare, equal, toNumber, typeName } from './values.ts';

export type ModifierEnv = MatchEnv & { now: Date };
type Making = (spec: unknown, env: ModifierEnv, path: string, operator: string) => Modifier;

const calculating =
  (operation: 'add' | 'multiply', verb: string): Making =>
  (spec, _env, path, operator) => {
    const by =
      numeric(spec) ?? fault(14, `Cannot ${verb} with non-numeric argument: {${path}: ${show(spec)}}`);
    return (before, site) => {
      const old = numeric(before === undefined ? 0 : before);
      if (old === undefined) {
        const name = site.path.slice(site.path.lastIndexOf('.') + 1);
        const where = `{_id: ${show(site.id)}} has the field '${name}' of non-numeric type ${typeName(before)}`;
        fault(14, `Cannot apply ${operator} to a value of non-numeric type. ${where}`);
      }
      if (before === undefined && operation === 'add') return by;
      const result = exactly(operation, old, by);
      if (result !== undefined) return result;
      const type = typeof old === 'bigint' ? 'NumberLong' : 'NumberInt';
      const value = `((${type})${show(old)}) for document {_id: ${show(site.id)}}`;
      return bad(`Failed to apply ${operator} operations to current value ${value}`);
    };
  };

const BITS: Record<string, (a: bigint, b: bigint) => bigint> = {
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
};

const whole = (value: unknown): value is number | bigint => {
  const number = numeric(value);
  return number !== undefined && isInteger(number);
};

const bits: Making = (spec, _env, path) => {
  if (!isDoc(spec) || Object.keys(spec).length === 0)
    bad(`$bit needs an embedded document, not ${typeName(spec)}: {$bit: {field: {and/or/xor: #}}`);
  const operations = Object.entries(spec).map(([name, by]) => {
    const apply = Object.hasOwn(BITS, name) ? BITS[name] : undefined;
    if (!apply) bad(`The $bit modifier only supports 'and', 'or', and 'xor', not '${name}'`);
    if (!whole(by))
      bad(`The $bit modifier field must be an Integer(32/64 bit), not ${typeName(by)}: ${show(by)}`);
    return { apply, by };
  });
  return (old = 0, site) => {
    if (!whole(old))
      bad(`Cannot apply $bit to ${path} of _id: ${show(site.id)}, of non-integer type ${typeName(old)}`);
    return operations.reduce<number | bigint>((value, { apply, by }) => {
      const result = apply(BigInt(value), BigInt(by));
      return typeof value === 'number' && typeof by === 'number' ? Number(result) : result;
    }, old);
  };
};

const currentDate: Making = (spec, { now }) => {
  if (typeof spec !== 'boolean' && !isDoc(spec))
    bad(`${typeName(spec)} is not valid type for $currentDate: use true or {$type: 'timestamp/date'}`);
  const { $type: type = 'date', ...others } = isDoc(spec) ? spec : {};
  const [other] = Object.keys(others);
  if (other) bad(`Unrecognized $currentDate option: ${other}`);
  if (type === 'date') return () => now;
  if (type === 'timestamp') return () => new Timestamp({ t: Math.floor(now.getTime() / 1000), i: 1 });
  return bad("The '$type' string field of $currentDate is required to be 'date' or 'timestamp'");
};

const popping: Making = (spec) => {
  const end = toNumber(spec);
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
  if (isDoc(spec) && !isCondition) {
    const test = compileFilter(spec, env);
    return (element) => isDoc(element) && test(element);
  }
  if (!isCondition && !isRegex(spec)) return (element) => equal(element, spec, env.collation);
  const test = compileFilter({ element: spec }, env);
  return (element) => test({ element });
}

const removing =
  (tester: (spec: unknown, env: ModifierEnv) => (element: unknown) => boolean): Making =>
  (spec, env, _path, operator) => {
    const isRemoved = tester(spec, env);
    return (old) => {
      if (old === undefined) return undefined;
      if (!Array.isArray(old)) bad(`Cannot apply ${operator} to a non-array value`);
      return old.filter((element) => !isRemoved(element));
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
  $push: pushing,
  $addToSet: pushing,
  $pop: popping,
  $pull: removing(pulled),
  $pullAll: removing((spec, { collation }) => {
    if (!Array.isArray(spec)) bad(`$pullAll requires an array argument but was given a ${typeName(spec)}`);
    return (element) => spec.some((one) => equal(element, one, collation));
  }),
};

/** The fields of an operator's argument, each with what is to be made of it. */
export function modifiersOf(operator: string, spec: unknown, env: ModifierEnv): [path: string, Modifier][] {
  const make = Object.hasOwn(MODIFIERS, operator) ? MODIFIERS[operator] : undefined;
  if (!make) {
    const expected = 'a valid update modifier or pipeline-style update specified as an array';
    fault(9, `Unknown modifier: ${operator}. Expected ${expected}`);
  }
  const fields = fieldsOfModifier(operator, spec);
  return Object.keys(fields).map((path) => [path, make(fields[path], env, path, operator)]);
}

/** Fields of an operator's argument, checked to be fields. */
export function fieldsOfModifier(operator: string, spec: unknown): Doc {
  if (isDoc(spec)) return spec;
  const example = `For example: {$mod: {<field>: ...}} not {${operator}: ${show(spec)}}`;
  return fault(9, `Modifiers operate on fields but we found type ${typeName(spec)} instead. ${example}`);
}
