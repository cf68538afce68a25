// What each update operator makes of the value at a path: undefined in is missing, undefined out removes.
// Arguments are checked when the update is compiled, so that a wrong one is refused even if no document matches.
import { Decimal128, Timestamp } from 'bson';
import { exactly, isInteger, type Numeric } from './arithmetic.ts';
import type { Doc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { compileFilter, isOperatorDoc, type MatchEnv } from './matching.ts';
import { pushing } from './pushing.ts';
import { isRegex } from './regexes.ts';
import { show } from './showing.ts';
import { clone, compare, equal, isNumber, isObject, toNumber, typeName } from './values.ts';

export interface Site {
  path: string;
  /** The document's _id, for error messages. */
  id: unknown;
}

export type Modifier = (old: unknown, site: Site) => unknown;
export type ModifierEnv = MatchEnv & { now: Date };

function mistyped(message: string): never {
  fault(14, message);
}

function arithmetic(operator: '$inc' | '$mul', path: string, by: unknown): Modifier {
  const increment = operator === '$inc';
  if (!isNumber(by)) {
    mistyped(
      `Cannot ${increment ? 'increment' : 'multiply'} with non-numeric argument: {${path}: ${show(by)}}`,
    );
  }
  return (old, site) => {
    if (old === undefined) return increment ? by : exactly('multiply', by, 0);
    if (!isNumber(old)) {
      mistyped(
        `Cannot apply ${operator} to a value of non-numeric type. {_id: ${show(site.id)}} has the field '${lastPart(site.path)}' of non-numeric type ${typeName(old)}`,
      );
    }
    return (
      exactly(increment ? 'add' : 'multiply', old, by) ??
      bad(
        `Failed to apply ${operator} operations to current value ((${shellType(old)})${show(old)}) for document {_id: ${show(site.id)}}`,
      )
    );
  };
}

const lastPart = (path: string): string => path.slice(path.lastIndexOf('.') + 1);
const shellType = (value: Numeric): string =>
  typeof value === 'bigint' ? 'NumberLong' : value instanceof Decimal128 ? 'NumberDecimal' : 'NumberInt';

function bits(path: string, spec: unknown): Modifier {
  if (!isObject(spec)) {
    bad(
      `The $bit modifier is not compatible with a ${typeName(spec)}. You must pass in an embedded document: {$bit: {field: {and/or/xor: #}}`,
    );
  }
  const operations = Object.entries(spec).map(([name, by]) => {
    if (!['and', 'or', 'xor'].includes(name)) {
      bad(
        `The $bit modifier only supports 'and', 'or', and 'xor', not '${name}' which is an unknown operator: {${name}: ${show(by)}}`,
      );
    }
    if (!isNumber(by) || !isInteger(by)) {
      bad(
        `The $bit modifier field must be an Integer(32/64 bit); a '${typeName(by)}' is not supported here: {${name}: ${show(by)}}`,
      );
    }
    return [name, by] as const;
  });
  if (operations.length === 0) {
    bad(`You must pass in at least one bitwise operation. The format is: {$bit: {field: {and/or/xor: #}}`);
  }
  return (old, site) => {
    if (old !== undefined && (!isNumber(old) || !isInteger(old))) {
      bad(
        `Cannot apply $bit to a value of non-integral type._id: ${show(site.id)} has the field ${path} of non-integer type ${typeName(old)}`,
      );
    }
    let result: number | bigint = old === undefined ? 0 : (old as number | bigint);
    for (const [name, by] of operations) result = bitwise(name, result, by);
    return result;
  };
}

function bitwise(name: string, a: number | bigint, b: number | bigint): number | bigint {
  if (typeof a === 'number' && typeof b === 'number')
    return name === 'and' ? a & b : name === 'or' ? a | b : a ^ b;
  const [x, y] = [BigInt(a), BigInt(b)];
  return name === 'and' ? x & y : name === 'or' ? x | y : x ^ y;
}

function currentDate(spec: unknown, now: Date): Modifier {
  const type = isObject(spec) ? spec.$type : 'date';
  if (typeof spec !== 'boolean' && !isObject(spec)) {
    bad(
      `${typeName(spec)} is not valid type for $currentDate. Please use a boolean ('true') or a $type expression ({$type: 'timestamp/date'}).`,
    );
  }
  if (isObject(spec)) {
    const other = Object.keys(spec).find((name) => name !== '$type');
    if (other) bad(`Unrecognized $currentDate option: ${other}`);
  }
  if (type !== 'date' && type !== 'timestamp') {
    bad(
      "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : {$type: 'date'}}}",
    );
  }
  return () => (type === 'date' ? now : new Timestamp({ t: Math.floor(now.getTime() / 1000), i: 1 }));
}

function popping(path: string, spec: unknown): Modifier {
  if (!isNumber(spec)) fault(9, `Expected a number in: ${path}: ${show(spec)}`);
  const end = toNumber(spec);
  if (end !== 1 && end !== -1) fault(9, `$pop expects 1 or -1, found: ${show(spec)}`);
  return (old, site) => {
    if (old === undefined) return undefined;
    if (!Array.isArray(old)) {
      mistyped(`Path '${site.path}' contains an element of non-array type '${typeName(old)}'`);
    }
    return end === 1 ? old.slice(0, -1) : old.slice(1);
  };
}

function pullTest(spec: unknown, env: ModifierEnv): (element: unknown) => boolean {
  if (isOperatorDoc(spec) && !['$and', '$or', '$nor', '$expr'].includes(Object.keys(spec)[0] ?? '')) {
    const test = compileFilter({ element: spec }, env);
    return (element) => test({ element });
  }
  if (isObject(spec)) {
    const test = compileFilter(spec, env);
    return (element) => isObject(element) && test(element);
  }
  if (isRegex(spec)) {
    const test = compileFilter({ element: spec }, env);
    return (element) => test({ element });
  }
  return (element) => equal(element, spec, env.collation);
}

function removing(operator: string, remove: (element: unknown) => boolean): Modifier {
  return (old) => {
    if (old === undefined) return undefined;
    if (!Array.isArray(old)) bad(`Cannot apply ${operator} to a non-array value`);
    return old.filter((element) => !remove(element));
  };
}

function pullingAll(spec: unknown, env: ModifierEnv): Modifier {
  if (!Array.isArray(spec)) bad(`$pullAll requires an array argument but was given a ${typeName(spec)}`);
  return removing('$pullAll', (element) => spec.some((one) => equal(element, one, env.collation)));
}

function bounded(spec: unknown, env: ModifierEnv, keeps: (difference: number) => boolean): Modifier {
  return (old) => (old === undefined || !keeps(compare(spec, old, env.collation)) ? clone(spec) : old);
}

export function modifier(operator: string, path: string, spec: unknown, env: ModifierEnv): Modifier {
  switch (operator) {
    case '$set':
    case '$setOnInsert':
      return () => clone(spec);
    case '$unset':
      return () => undefined;
    case '$inc':
    case '$mul':
      return arithmetic(operator, path, spec);
    case '$min':
      return bounded(spec, env, (difference) => difference >= 0);
    case '$max':
      return bounded(spec, env, (difference) => difference <= 0);
    case '$bit':
      return bits(path, spec);
    case '$currentDate':
      return currentDate(spec, env.now);
    case '$push':
    case '$addToSet':
      return pushing(operator, spec, env.collation);
    case '$pop':
      return popping(path, spec);
    case '$pull':
      return removing(operator, pullTest(spec, env));
    case '$pullAll':
      return pullingAll(spec, env);
    default:
      fault(
        9,
        `Unknown modifier: ${operator}. Expected a valid update modifier or pipeline-style update specified as an array`,
      );
  }
}

/** Fields of an operator's argument, checked to be fields. */
export function fieldsOfModifier(operator: string, spec: unknown): Doc {
  if (isObject(spec)) return spec;
  return fault(
    9,
    `Modifiers operate on fields but we found type ${typeName(spec)} instead. For example: {$mod: {<field>: ...}} not {${operator}: ${show(spec)}}`,
  );
}
