// Exact order and arithmetic of Decimal128, by big integers: coefficient times ten to the exponent.
import { Decimal128 } from 'bson';

interface Exact {
  coefficient: bigint;
  exponent: number;
}

const FINITE = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]?\d+))?$/i;

function exactly(value: Decimal128): Exact | undefined {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = FINITE.exec(value.toString()) ?? [];
  if (!whole) return undefined;
  return { coefficient: BigInt(sign + whole + fraction), exponent: Number(exponent) - fraction.length };
}

const BITS = new DataView(new ArrayBuffer(8));

/** What a finite double is: so many times two to the power. */
function doubleParts(value: number): { mantissa: bigint; power: number } {
  BITS.setFloat64(0, value);
  const raw = BITS.getBigUint64(0);
  const biased = Number((raw >> 52n) & 0x7ffn);
  const fraction = raw & 0xfffffffffffffn;
  const mantissa = biased === 0 ? fraction : fraction | 0x10000000000000n;
  return { mantissa: value < 0 ? -mantissa : mantissa, power: (biased || 1) - 1075 };
}

/** A finite double as an exact decimal: halves are fives of the next decimal place. */
function exactDouble(value: number): Exact {
  const { mantissa, power } = doubleParts(value);
  if (power >= 0) return { coefficient: mantissa << BigInt(power), exponent: 0 };
  return { coefficient: mantissa * 5n ** BigInt(-power), exponent: power };
}

/** How far an exact number is from its nearest double, in 2^-60ths of that double's last place. */
export function beyondDouble(value: bigint | Decimal128, nearest: number): bigint {
  const exact = typeof value === 'bigint' ? { coefficient: value, exponent: 0 } : exactly(value);
  if (!exact || !Number.isFinite(nearest)) return 0n;
  const near = exactDouble(nearest);
  const exponent = Math.min(exact.exponent, near.exponent);
  const distance = scaled(exact, exponent) - scaled(near, exponent);
  const { power } = doubleParts(nearest);
  const top = distance * 10n ** BigInt(Math.max(0, exponent)) * 2n ** BigInt(Math.max(0, -power));
  return (top << 60n) / (10n ** BigInt(Math.max(0, -exponent)) * 2n ** BigInt(Math.max(0, power)));
}

const sign = (n: bigint | number): number => (n > 0 ? 1 : n < 0 ? -1 : 0);

function compareExact(a: Exact, b: Exact): number {
  const signs = sign(a.coefficient) - sign(b.coefficient);
  if (signs !== 0 || a.coefficient === 0n) return sign(signs);
  const size = (x: Exact): number => String(x.coefficient).replace('-', '').length + x.exponent;
  if (size(a) !== size(b)) return sign(size(a) - size(b)) * sign(a.coefficient);
  const exponent = Math.min(a.exponent, b.exponent);
  return sign(scaled(a, exponent) - scaled(b, exponent));
}

const scaled = (x: Exact, exponent: number): bigint => x.coefficient * 10n ** BigInt(x.exponent - exponent);

export function compareDecimals(a: Decimal128, b: Decimal128): number {
  const [x, y] = [exactly(a), exactly(b)];
  if (x && y) return compareExact(x, y);
  return compareSpecial(Number(a.toString()), Number(b.toString()));
}

function compareSpecial(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
  return a < b ? -1 : a > b ? 1 : 0;
}

export function compareWithDecimal(a: Decimal128, b: number | bigint): number {
  const x = exactly(a);
  if (!x || (typeof b === 'number' && !Number.isFinite(b))) {
    const special = x ? 0 : Number(a.toString());
    return compareSpecial(special, Number(b));
  }
  return compareExact(x, typeof b === 'bigint' ? { coefficient: b, exponent: 0 } : exactDouble(b));
}

const PRECISION = 34;

function rounded({ coefficient, exponent }: Exact): Decimal128 {
  const negative = coefficient < 0n;
  let digits = negative ? -coefficient : coefficient;
  const excess = String(digits).length - PRECISION;
  if (excess > 0) {
    const unit = 10n ** BigInt(excess);
    const rest = (digits % unit) * 2n;
    digits /= unit;
    if (rest > unit || (rest === unit && digits % 2n === 1n)) digits += 1n;
    return rounded({ coefficient: negative ? -digits : digits, exponent: exponent + excess });
  }
  return Decimal128.fromString(`${negative ? '-' : ''}${digits}E${exponent}`);
}

function lift(value: number | bigint | Decimal128): Exact | undefined {
  if (typeof value === 'bigint') return { coefficient: value, exponent: 0 };
  if (value instanceof Decimal128) return exactly(value);
  // MongoDB turns a double into a decimal by its fifteen significant digits.
  return Number.isInteger(value)
    ? { coefficient: BigInt(value), exponent: 0 }
    : Number.isFinite(value)
      ? exactly(Decimal128.fromString(value.toPrecision(15)))
      : undefined;
}

export type Operation = 'add' | 'subtract' | 'multiply' | 'divide';
type Numeric = number | bigint | Decimal128;

export function calculateDecimal(operation: Operation, left: Numeric, right: Numeric): Decimal128 {
  const [a, b] = [lift(left), lift(right)];
  if (!a || !b || (operation === 'divide' && b.coefficient === 0n))
    return inexact(operation, Number(left.toString()), Number(right.toString()));
  if (operation === 'multiply')
    return rounded({ coefficient: a.coefficient * b.coefficient, exponent: a.exponent + b.exponent });
  if (operation === 'divide') return quotient(a, b);
  const exponent = Math.min(a.exponent, b.exponent);
  const [x, y] = [scaled(a, exponent), scaled(b, exponent)];
  return rounded({ coefficient: operation === 'add' ? x + y : x - y, exponent });
}

function quotient(a: Exact, b: Exact): Decimal128 {
  const shift = 2 * PRECISION;
  let coefficient = (a.coefficient * 10n ** BigInt(shift)) / b.coefficient;
  let exponent = a.exponent - b.exponent - shift;
  while (exponent < 0 && coefficient !== 0n && coefficient % 10n === 0n) {
    coefficient /= 10n;
    exponent += 1;
  }
  return rounded({ coefficient, exponent: coefficient === 0n ? 0 : exponent });
}

function inexact(operation: Operation, a: number, b: number): Decimal128 {
  const result =
    operation === 'add' ? a + b : operation === 'subtract' ? a - b : operation === 'multiply' ? a * b : a / b;
  return Decimal128.fromString(String(result));
}

/** Any number as a Decimal128. */
export function toDecimal(value: Numeric): Decimal128 {
  if (value instanceof Decimal128) return value;
  const exact = lift(value);
  return exact ? rounded(exact) : Decimal128.fromString(String(value));
}

/** A double at so many decimal places, by its exact value: half to even, or cut off. */
export function atPlace(value: number, place: number, cut: boolean): number {
  const exact = exactDouble(value);
  const drop = -place - exact.exponent;
  if (drop <= 0) return value;
  const unit = 10n ** BigInt(drop);
  let whole = exact.coefficient / unit;
  const rest = (exact.coefficient % unit) * 2n;
  const size = rest < 0n ? -rest : rest;
  if (!cut && (size > unit || (size === unit && whole % 2n !== 0n))) whole += value < 0 ? -1n : 1n;
  return Number(`${whole}e${-place}`);
}
