// The arguments of $type and the bit tests.
import { Binary } from 'bson';
import { bad, fault } from './errors.ts';
import { show } from './showing.ts';
import { isNumber, toNumber, typeName } from './values.ts';
import { words } from './words.ts';

/** The types by their numbers, from 1 on. */
const NUMBERED =
  words(`double string object array binData undefined objectId bool date null regex dbPointer javascript
  symbol javascriptWithScope int timestamp long decimal`);
const CODES = new Map([...NUMBERED.entries()].map(([i, name]) => [i + 1, name]))
  .set(-1, 'minKey')
  .set(127, 'maxKey');
const NUMBERS = ['double', 'int', 'long', 'decimal'];
const ALIASES = new Set(CODES.values());

/** The type names that a $type argument stands for. */
export function aliases(spec: unknown): Set<string> {
  const names = new Set<string>();
  for (const one of Array.isArray(spec) ? spec : [spec]) {
    if (one === 'number') for (const name of NUMBERS) names.add(name);
    else names.add(alias(one));
  }
  if (names.size === 0) fault(9, '$type must match at least one type');
  return names;
}

function alias(one: unknown): string {
  if (typeof one === 'string') return ALIASES.has(one) ? one : bad(`Unknown type name alias: ${one}`);
  if (!isNumber(one)) fault(14, 'type must be represented as a number or a string');
  return CODES.get(toNumber(one)) ?? bad(`Invalid numerical type code: ${show(one)}`);
}

/** A whole number, or the error of an operator that wants one. */
export function exactInteger(spec: unknown, operator: string): number {
  if (!isNumber(spec)) bad(`Failed to parse ${operator}. Expected a number in: ${operator}: ${show(spec)}`);
  const number = toNumber(spec);
  if (!Number.isInteger(number))
    bad(`Failed to parse ${operator}. Expected an integer: ${operator}: ${show(spec)}`);
  return number;
}

type BitOperator = '$bitsAllSet' | '$bitsAnySet' | '$bitsAllClear' | '$bitsAnyClear';

export function bitTest(operator: BitOperator, spec: unknown): (value: unknown) => boolean {
  const mask = bitMask(operator, spec);
  return (value) => {
    const bits = bitsOf(value);
    if (bits === undefined) return false;
    const shared = bits & mask;
    if (operator === '$bitsAllSet') return shared === mask;
    if (operator === '$bitsAnySet') return shared !== 0n;
    return operator === '$bitsAllClear' ? shared === 0n : shared !== mask;
  };
}

const HIGHEST_BIT = 8 * 1024 * 1024;

function bitMask(operator: string, spec: unknown): bigint {
  if (Array.isArray(spec))
    return spec.reduce((mask: bigint, position) => {
      const bit = toNumber(position);
      if (!Number.isInteger(bit) || bit < 0)
        bad(`Failed to parse bit position. Expected a non-negative number in: ${show(position)}`);
      if (bit > HIGHEST_BIT)
        bad(`bit positions cannot be represented as a mask beyond ${HIGHEST_BIT}: ${bit}`);
      return mask | (1n << BigInt(bit));
    }, 0n);
  if (isNumber(spec) && toNumber(spec) < 0)
    fault(9, `Expected a non-negative number in: ${operator}: ${show(spec)}`);
  return (
    bitsOf(spec) ??
    bad(`${operator} takes an Array, a number, or a BinData but received: ${operator}: ${typeName(spec)}`)
  );
}

function bitsOf(value: unknown): bigint | undefined {
  if (value instanceof Binary)
    return [...value.value()].reduceRight((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
  if (!isNumber(value)) return undefined;
  if (typeof value === 'bigint') return BigInt.asUintN(64, value);
  const number = toNumber(value);
  if (!Number.isInteger(number) || Math.abs(number) >= 2 ** 63) return undefined;
  return BigInt.asUintN(64, BigInt(number));
}
