// Sums and products with MongoDB's result types: int32 grows to int64, then as the caller says; a double makes the
// result a double. Decimal128 is stored, compared and converted, but not calculated with: that is refused.
import { Decimal128, type Double } from 'bson';
import { unsupported } from './errors.ts';
import { double, isInt32, isNumber, toNumber } from './values.ts';

export type Numeric = number | bigint | Double;

const OPERATIONS = {
  add: (a: number, b: number) => a + b,
  subtract: (a: number, b: number) => a - b,
  multiply: (a: number, b: number) => a * b,
  divide: (a: number, b: number) => a / b,
};
type Operation = keyof typeof OPERATIONS;

export function isInteger(value: Numeric): value is number | bigint {
  return typeof value === 'bigint' || (typeof value === 'number' && isInt32(value));
}

export const fitsLong = (value: bigint): boolean => BigInt.asIntN(64, value) === value;

/** A whole number in the smallest of int32, int64 and double that holds it. */
export function integer(value: number): Numeric {
  if (isInt32(value)) return value;
  return Number.isSafeInteger(value) ? BigInt(value) : double(value);
}

/** A number to calculate with; undefined for what is none. */
export function numeric(value: unknown): Numeric | undefined {
  if (value instanceof Decimal128) unsupported('arithmetic with Decimal128');
  return isNumber(value) ? (value as Numeric) : undefined;
}

/** The result, or undefined where two integers leave the range of int64. */
export function exactly(operation: Operation, a: Numeric, b: Numeric): Numeric | undefined {
  const apply = OPERATIONS[operation];
  if (operation === 'divide' || !isInteger(a) || !isInteger(b))
    return double(apply(toNumber(a), toNumber(b)));
  if (typeof a === 'number' && typeof b === 'number') {
    const result = apply(a, b) + 0;
    if (isInt32(result)) return result;
  }
  const result = (apply as unknown as (a: bigint, b: bigint) => bigint)(BigInt(a), BigInt(b));
  return fitsLong(result) ? result : undefined;
}

/** As expressions calculate: integers that leave int64 become a double. */
export function calculate(operation: Operation, a: Numeric, b: Numeric): Numeric {
  return exactly(operation, a, b) ?? double(OPERATIONS[operation](toNumber(a), toNumber(b)));
}

/** The sum and the mean of the numbers among values; of doubles the error of each addition is carried along. */
export class Sum {
  #count = 0;
  #whole = 0;
  #long: bigint | undefined;
  #double: number | undefined;
  #lost = 0;

  add(value: unknown): this {
    const number = numeric(value);
    if (number === undefined) return this;
    this.#count++;
    if (typeof number === 'bigint') this.#long = (this.#long ?? 0n) + number;
    else if (isInteger(number)) this.#whole += number;
    else this.#addDouble(toNumber(number));
    return this;
  }

  #addDouble(value: number): void {
    const before = this.#double ?? 0;
    const total = before + value;
    const [larger, smaller] = Math.abs(before) >= Math.abs(value) ? [before, value] : [value, before];
    if (Number.isFinite(total)) this.#lost += larger - total + smaller;
    this.#double = total;
  }

  total(): Numeric {
    if (this.#double !== undefined)
      return double(this.#double + this.#lost + this.#whole + Number(this.#long ?? 0n));
    if (this.#long === undefined) return integer(this.#whole);
    const sum = this.#long + BigInt(this.#whole);
    return fitsLong(sum) ? sum : double(Number(sum));
  }

  mean(): Numeric | null {
    return this.#count === 0 ? null : double(toNumber(this.total()) / this.#count);
  }
}

export const sum = (values: readonly unknown[]): Sum =>
  values.reduce<Sum>((total, value) => total.add(value), new Sum());
