// Arithmetic operators. Null or missing in gives null out; what is no number is refused by MongoDB's sentence.
import { Decimal128 } from 'bson';
import { calculate, exactly, fitsLong, integer, isInteger, type Numeric } from './arithmetic.ts';
import { atPlace, toDecimal } from './decimals.ts';
import { bad, fault } from './errors.ts';
import { ANY, type Calculation, missing, mistyped } from './operators.ts';
import { double, isNumber, toNumber, typeName } from './values.ts';

function add(...values: unknown[]): unknown {
  let sum: Numeric = 0;
  let date: Date | undefined;
  for (const value of values) {
    if (missing(value)) return null;
    if (value instanceof Date) {
      if (date) fault(16612, 'only one date allowed in an $add expression');
      date = value;
    } else if (isNumber(value)) sum = calculate('add', sum, value);
    else mistyped(`$add only supports numeric or date types, not ${typeName(value)}`);
  }
  return date ? new Date(date.getTime() + Math.round(toNumber(sum))) : sum;
}

function subtract(a: unknown, b: unknown): unknown {
  if (missing(a) || missing(b)) return null;
  if (a instanceof Date) {
    if (b instanceof Date) return BigInt(a.getTime() - b.getTime());
    if (isNumber(b)) return new Date(a.getTime() - Math.round(toNumber(b)));
  } else if (isNumber(a) && isNumber(b)) return calculate('subtract', a, b);
  return mistyped(`can't $subtract ${typeName(b)} from ${typeName(a)}`);
}

function multiply(...values: unknown[]): unknown {
  let product: Numeric = 1;
  for (const value of values) {
    if (missing(value)) return null;
    if (!isNumber(value)) mistyped(`$multiply only supports numeric types, not ${typeName(value)}`);
    product = calculate('multiply', product, value);
  }
  return product;
}

function divide(a: unknown, b: unknown): unknown {
  if (missing(a) || missing(b)) return null;
  if (!isNumber(a) || !isNumber(b)) {
    mistyped(`$divide only supports numeric types, not ${typeName(a)} and ${typeName(b)}`);
  }
  if (toNumber(b) === 0) bad("can't $divide by zero");
  return calculate('divide', a, b);
}

function modulo(a: unknown, b: unknown): unknown {
  if (missing(a) || missing(b)) return null;
  if (!isNumber(a) || !isNumber(b)) {
    fault(16611, `$mod only supports numeric types, not ${typeName(a)} and ${typeName(b)}`);
  }
  if (toNumber(b) === 0) fault(16610, "can't $mod by zero");
  if (isInteger(a) && isInteger(b)) {
    return typeof a === 'number' && typeof b === 'number' ? (a % b) + 0 : BigInt(a) % BigInt(b);
  }
  const rest = toNumber(a) % toNumber(b);
  return a instanceof Decimal128 || b instanceof Decimal128 ? toDecimal(rest) : double(rest);
}

/** A function of one number; integers stay as they are where the function keeps them. */
function unary(operator: string, apply: (x: number) => number, kept = false): Calculation {
  return [
    1,
    1,
    (value) => {
      if (missing(value)) return null;
      if (!isNumber(value)) fault(28765, `${operator} only supports numeric types, not ${typeName(value)}`);
      if (kept && isInteger(value)) return value;
      const result = apply(toNumber(value));
      return value instanceof Decimal128 ? toDecimal(result) : double(result);
    },
  ];
}

function absolute(value: unknown): unknown {
  if (missing(value)) return null;
  if (!isNumber(value)) fault(28765, `$abs only supports numeric types, not ${typeName(value)}`);
  if (typeof value === 'bigint') return value < 0n ? -value : value;
  const result = Math.abs(toNumber(value));
  if (value instanceof Decimal128) return toDecimal(result);
  return isInteger(value) ? integer(result) : double(result);
}

function places(operator: string, cut: boolean): Calculation {
  return [
    1,
    2,
    (value, place = 0) => {
      if (missing(value) || missing(place)) return null;
      if (!isNumber(value)) fault(51081, `${operator} only supports numeric types, not ${typeName(value)}`);
      const digits = toNumber(place);
      if (!Number.isInteger(digits) || digits < -20 || digits > 100) {
        fault(51083, `cannot apply ${operator} with precision value ${digits} value must be in [-20, 100]`);
      }
      if (isInteger(value) && digits >= 0) return value;
      const number = toNumber(value);
      const result = Number.isFinite(number) ? atPlace(number, digits, cut) : number;
      if (value instanceof Decimal128) return toDecimal(result);
      return isInteger(value) ? integer(result) : double(result);
    },
  ];
}

function power(base: unknown, exponent: unknown): unknown {
  if (missing(base) || missing(exponent)) return null;
  if (!isNumber(base)) fault(28762, `$pow's base must be numeric, not ${typeName(base)}`);
  if (!isNumber(exponent)) fault(28763, `$pow's exponent must be numeric, not ${typeName(exponent)}`);
  const [x, y] = [toNumber(base), toNumber(exponent)];
  if (x === 0 && y < 0) fault(28764, '$pow cannot take a base of 0 and a negative exponent');
  if (base instanceof Decimal128 || exponent instanceof Decimal128) return toDecimal(x ** y);
  if (!isInteger(base) || !isInteger(exponent) || y < 0) return double(x ** y);
  if (y > 64 && Math.abs(x) > 1) return double(x ** y);
  const result = BigInt(base) ** BigInt(exponent);
  if (typeof base === 'number' && typeof exponent === 'number')
    return fitsLong(result) ? integer(Number(result)) : double(x ** y);
  return fitsLong(result) ? result : double(x ** y);
}

function positive(operator: string, code: number, apply: (x: number) => number): Calculation {
  return unary(operator, (x) => {
    if (x <= 0) fault(code, `${operator}'s argument must be a positive number, but is ${x}`);
    return apply(x);
  });
}

function logarithm(value: unknown, base: unknown): unknown {
  if (missing(value) || missing(base)) return null;
  if (!isNumber(value)) fault(28756, `$log's argument must be numeric, not ${typeName(value)}`);
  if (!isNumber(base)) fault(28757, `$log's base must be numeric, not ${typeName(base)}`);
  const [x, b] = [toNumber(value), toNumber(base)];
  if (x <= 0) fault(28758, `$log's argument must be a positive number, but is ${x}`);
  if (b <= 0 || b === 1) fault(28759, `$log's base must be a positive number not equal to 1, but is ${b}`);
  return double(Math.log(x) / Math.log(b));
}

function squareRoot(x: number): number {
  if (x < 0) fault(28714, "$sqrt's argument must be greater than or equal to 0");
  return Math.sqrt(x);
}

function bitwise(operator: string, start: bigint, apply: (a: bigint, b: bigint) => bigint): Calculation {
  return [
    0,
    ANY,
    (...values) => {
      let result = start;
      let long = false;
      for (const value of values) {
        if (missing(value)) return null;
        if (!isNumber(value) || !isInteger(value))
          mistyped(`${operator} only supports int and long operands.`);
        long ||= typeof value === 'bigint';
        result = apply(result, BigInt(value));
      }
      return long ? result : Number(result);
    },
  ];
}

const RADIANS = Math.PI / 180;

export const ARITHMETIC: Record<string, Calculation> = {
  $add: [0, ANY, add],
  $subtract: [2, 2, subtract],
  $multiply: [0, ANY, multiply],
  $divide: [2, 2, divide],
  $mod: [2, 2, modulo],
  $abs: [1, 1, absolute],
  $ceil: unary('$ceil', Math.ceil, true),
  $floor: unary('$floor', Math.floor, true),
  $round: places('$round', false),
  $trunc: places('$trunc', true),
  $pow: [2, 2, power],
  $sqrt: unary('$sqrt', squareRoot),
  $exp: unary('$exp', Math.exp),
  $ln: positive('$ln', 28766, Math.log),
  $log: [2, 2, logarithm],
  $log10: positive('$log10', 28761, Math.log10),
  $sin: unary('$sin', Math.sin),
  $cos: unary('$cos', Math.cos),
  $tan: unary('$tan', Math.tan),
  $asin: unary('$asin', Math.asin),
  $acos: unary('$acos', Math.acos),
  $atan: unary('$atan', Math.atan),
  $atan2: [2, 2, (y, x) => (missing(y) || missing(x) ? null : double(Math.atan2(toNumber(y), toNumber(x))))],
  $sinh: unary('$sinh', Math.sinh),
  $cosh: unary('$cosh', Math.cosh),
  $tanh: unary('$tanh', Math.tanh),
  $asinh: unary('$asinh', Math.asinh),
  $acosh: unary('$acosh', Math.acosh),
  $atanh: unary('$atanh', Math.atanh),
  $degreesToRadians: unary('$degreesToRadians', (x) => x * RADIANS),
  $radiansToDegrees: unary('$radiansToDegrees', (x) => x / RADIANS),
  $bitAnd: bitwise('$bitAnd', -1n, (a, b) => a & b),
  $bitOr: bitwise('$bitOr', 0n, (a, b) => a | b),
  $bitXor: bitwise('$bitXor', 0n, (a, b) => a ^ b),
  $bitNot: [1, 1, (value) => (missing(value) ? null : typeof value === 'bigint' ? ~value : ~toNumber(value))],
};

/** The sum of the numbers among values, as $sum makes it: other values do not count. */
export function sum(values: readonly unknown[]): Numeric {
  let total: Numeric = 0;
  for (const value of values) if (isNumber(value)) total = calculate('add', total, value);
  return total;
}

/** The mean of the numbers among values, or null where there are none. */
export function average(values: readonly unknown[]): unknown {
  const numbers = values.filter(isNumber);
  if (numbers.length === 0) return null;
  const total = sum(numbers);
  return exactly('divide', total, numbers.length) ?? null;
}
