// Sums and products with MongoDB's result types: int32 grows to int64, then as the caller says; a double makes
// the result a double, a Decimal128 a Decimal128.
import { Decimal128, type Double } from 'bson';
import { calculateDecimal, type Operation, toDecimal } from './decimals.ts';
import { double, isInt32, isNumber, toNumber } from './values.ts';

export type Numeric = number | bigint | Double | Decimal128;

export function isInteger(value: Numeric): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && isInt32(value));
}

const BY_NUMBER: Record<Operation, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
};
const BY_BIGINT: Record<Operation, (a: bigint, b: bigint) => bigint> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
};

export function fitsLong(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value;
}

/** A whole number in the smallest of int32, int64 and double that holds it. */
export function integer(value: number): Numeric {
  if (isInt32(value)) return value;
  return Number.isSafeInteger(value) ? BigInt(value) : double(value);
}

/** The result, or undefined where two integers leave the range of int64. */
export function exactly(operation: Operation, a: Numeric, b: Numeric): Numeric | undefined {
  if (a instanceof Decimal128 || b instanceof Decimal128)
    return calculateDecimal(operation, lifted(a), lifted(b));
  if (operation === 'divide' || !isInteger(a) || !isInteger(b))
    return double(BY_NUMBER[operation](toNumber(a), toNumber(b)));
  if (typeof a === 'number' && typeof b === 'number') {
    const result = BY_NUMBER[operation](a, b);
    if (isInt32(result)) return result;
    return result === 0 ? 0 : BY_BIGINT[operation](BigInt(a), BigInt(b));
  }
  const result = BY_BIGINT[operation](BigInt(a), BigInt(b));
  return fitsLong(result) ? result : undefined;
}

function lifted(value: Numeric): number | bigint | Decimal128 {
  return value instanceof Decimal128 || typeof value === 'bigint' ? value : toNumber(value);
}

/** As expressions calculate: integers that leave int64 become a double. */
export function calculate(operation: Operation, a: Numeric, b: Numeric): Numeric {
  return exactly(operation, a, b) ?? double(BY_NUMBER[operation](toNumber(a), toNumber(b)));
}

/** A result as a double, or as a decimal where one of the operands is. */
export function like(result: number, ...operands: Numeric[]): Numeric {
  return operands.some((value) => value instanceof Decimal128) ? toDecimal(result) : double(result);
}

/** The sum of the numbers among values, as $sum makes it: other values do not count. */
export function sum(values: readonly unknown[]): Numeric {
  let total: Numeric = 0;
  for (const value of values) if (isNumber(value)) total = calculate('add', total, value);
  return total;
}

/** The mean of the numbers among values, or null where there are none. */
export function average(values: readonly unknown[]): unknown {
  const numbers = values.filter(isNumber);
  return numbers.length === 0 ? null : (exactly('divide', sum(numbers), numbers.length) ?? null);
}
