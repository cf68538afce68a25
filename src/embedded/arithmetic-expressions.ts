// Arithmetic operators. The result is of MongoDB's type: decimals stay decimals, integers integers where they can.
import { calculate, fitsLong, isInteger, like, type Numeric, integer as smallest } from './arithmetic.ts';
import { atPlace } from './decimals.ts';
import { bad, fault } from './errors.ts';
import { type Form, type Kind, number, optional, takes, takesAll } from './operators.ts';
import { double, isNumber, toNumber, typeName } from './values.ts';

const numberOrDate: Kind<Numeric | Date> = {
  wants: 'numeric or date types',
  read: (value) => (isNumber(value) || value instanceof Date ? value : undefined),
  nulls: 'null',
};
const whole: Kind<number | bigint> = {
  wants: 'int and long operands',
  read: (value) => (isNumber(value) && isInteger(value) ? value : undefined),
  nulls: 'null',
};

function add(values: (Numeric | Date)[]): unknown {
  let sum: Numeric = 0;
  let date: Date | undefined;
  for (const value of values) {
    if (!(value instanceof Date)) sum = calculate('add', sum, value);
    else if (date) fault(16612, 'only one date allowed in an $add expression');
    else date = value;
  }
  return date ? new Date(date.getTime() + Math.round(toNumber(sum))) : sum;
}

function subtract(a: Numeric | Date, b: Numeric | Date): unknown {
  if (a instanceof Date)
    return b instanceof Date
      ? BigInt(a.getTime() - b.getTime())
      : new Date(a.getTime() - Math.round(toNumber(b)));
  return b instanceof Date
    ? fault(14, `can't $subtract date from ${typeName(a)}`)
    : calculate('subtract', a, b);
}

function modulo(a: Numeric, b: Numeric): unknown {
  if (toNumber(b) === 0) fault(16610, "can't $mod by zero");
  if (typeof a === 'number' && typeof b === 'number' && isInteger(a) && isInteger(b)) return (a % b) + 0;
  if (isInteger(a) && isInteger(b)) return BigInt(a) % BigInt(b);
  return like(toNumber(a) % toNumber(b), a, b);
}

/** A function of one number between two ends; integers stay as they are where the function keeps them. */
const real = (apply: (x: number) => number, least = -Infinity, most = Infinity, code = 50989): Form =>
  takes(
    [number],
    (value) => {
      const x = toNumber(value);
      if (x < least || x > most)
        fault(code, `cannot calculate with ${x}, value must be in [${least}, ${most}]`);
      return like(apply(x), value);
    },
    28765,
  );
const rounding = (apply: (x: number) => number): Form =>
  takes([number], (value) => (isInteger(value) ? value : like(apply(toNumber(value)), value)), 28765);
const angle = (apply: (x: number) => number): Form => real(apply, -Number.MAX_VALUE, Number.MAX_VALUE);

function absolute(value: Numeric): unknown {
  if (typeof value === 'bigint') return value < 0n ? -value : value;
  const result = Math.abs(toNumber(value));
  return isInteger(value) ? smallest(result) : like(result, value);
}

const places = (cut: boolean): Form =>
  takes(
    [number, optional(number)],
    (value, place = 0) => {
      const digits = toNumber(place);
      if (!Number.isInteger(digits) || digits < -20 || digits > 100)
        fault(51083, `cannot round at precision ${digits}, value must be in [-20, 100]`);
      if (isInteger(value) && digits >= 0) return value;
      const x = toNumber(value);
      const result = Number.isFinite(x) ? atPlace(x, digits, cut) : x;
      return isInteger(value) ? smallest(result) : like(result, value);
    },
    51081,
  );

function power(base: Numeric, exponent: Numeric): unknown {
  const [x, y] = [toNumber(base), toNumber(exponent)];
  if (x === 0 && y < 0) fault(28764, '$pow cannot take a base of 0 and a negative exponent');
  const exact = isInteger(base) && isInteger(exponent) && y >= 0 && (y <= 64 || Math.abs(x) <= 1);
  const result = exact ? BigInt(base) ** BigInt(exponent) : undefined;
  if (result === undefined || !fitsLong(result)) return like(x ** y, base, exponent);
  return typeof base === 'bigint' || typeof exponent === 'bigint' ? result : smallest(Number(result));
}

function logarithm(value: Numeric, base: Numeric): unknown {
  const [x, b] = [toNumber(value), toNumber(base)];
  if (x <= 0) fault(28758, `$log's argument must be a positive number, but is ${x}`);
  if (b <= 0 || b === 1) fault(28759, `$log's base must be a positive number not equal to 1, but is ${b}`);
  return like(Math.log(x) / Math.log(b), value, base);
}

const bitwise = (start: bigint, apply: (a: bigint, b: bigint) => bigint): Form =>
  takesAll(whole, (values) => {
    const result = values.reduce<bigint>((bits, value) => apply(bits, BigInt(value)), start);
    return values.some((value) => typeof value === 'bigint') ? result : Number(result);
  });

const RADIANS = Math.PI / 180;
const LEAST = Number.MIN_VALUE;

export const ARITHMETIC: Record<string, Form> = {
  $add: takesAll(numberOrDate, add),
  $subtract: takes([numberOrDate, numberOrDate], subtract),
  $multiply: takesAll(number, (values) => values.reduce((a, b) => calculate('multiply', a, b), 1)),
  $divide: takes([number, number], (a, b) =>
    toNumber(b) === 0 ? bad("can't $divide by zero") : calculate('divide', a, b),
  ),
  $mod: takes([number, number], modulo, 16611),
  $abs: takes([number], absolute, 28765),
  $ceil: rounding(Math.ceil),
  $floor: rounding(Math.floor),
  $round: places(false),
  $trunc: places(true),
  $pow: takes([number, number], power, 28762),
  $sqrt: real(Math.sqrt, 0, Infinity, 28714),
  $exp: real(Math.exp),
  $ln: real(Math.log, LEAST, Infinity, 28766),
  $log: takes([number, number], logarithm, 28756),
  $log10: real(Math.log10, LEAST, Infinity, 28761),
  $sin: angle(Math.sin),
  $cos: angle(Math.cos),
  $tan: angle(Math.tan),
  $asin: real(Math.asin, -1, 1),
  $acos: real(Math.acos, -1, 1),
  $atan: real(Math.atan),
  $atan2: takes([number, number], (y, x) => like(Math.atan2(toNumber(y), toNumber(x)), y, x)),
  $sinh: real(Math.sinh),
  $cosh: real(Math.cosh),
  $tanh: real(Math.tanh),
  $asinh: real(Math.asinh),
  $acosh: real(Math.acosh, 1),
  $atanh: real(Math.atanh, -1, 1),
  $degreesToRadians: real((x) => x * RADIANS),
  $radiansToDegrees: real((x) => x / RADIANS),
  $bitAnd: bitwise(-1n, (a, b) => a & b),
  $bitOr: bitwise(0n, (a, b) => a | b),
  $bitXor: bitwise(0n, (a, b) => a ^ b),
  $bitNot: takes([whole], (value) => ~value),
  $rand: () => () => double(Math.random()),
};
