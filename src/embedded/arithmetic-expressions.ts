// Arithmetic operators. The result is of MongoDB's type: integers stay integers where they can.
import { calculate, fitsLong, isInteger, type Numeric, integer as smallest } from './arithmetic.ts';
import { atPlace } from './decimals.ts';
import { bad, fault } from './errors.ts';
import { type Form, op } from './operators.ts';
import { double, toNumber, typeName } from './values.ts';

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
  if (!(a instanceof Date))
    return b instanceof Date
      ? fault(14, `can't $subtract date from ${typeName(a)}`)
      : calculate('subtract', a, b);
  if (b instanceof Date) return BigInt(a.getTime() - b.getTime());
  return new Date(a.getTime() - Math.round(toNumber(b)));
}

function modulo(a: Numeric, b: Numeric): unknown {
  if (toNumber(b) === 0) fault(16610, "can't $mod by zero");
  if (!isInteger(a) || !isInteger(b)) return double(toNumber(a) % toNumber(b));
  return typeof a === 'number' && typeof b === 'number' ? (a % b) + 0 : BigInt(a) % BigInt(b);
}

/** A function of doubles, between two ends. */
const real = (apply: (x: number) => number, least = -Infinity, code = 28765): Form =>
  op('28765 number', (value) => {
    const x = toNumber(value);
    if (x < least) fault(code, `cannot calculate with ${x}, value must be at least ${least}`);
    return double(apply(x));
  });

const rounding = (apply: (x: number) => number): Form =>
  op('28765 number', (value) => (isInteger(value) ? value : double(apply(toNumber(value)))));

const places = (cut: boolean): Form =>
  op('51081 number number?', (value, place = 0) => {
    const digits = toNumber(place);
    if (!Number.isInteger(digits) || digits < -20 || digits > 100)
      fault(51083, `cannot round at precision ${digits}, value must be in [-20, 100]`);
    if (isInteger(value)) return digits >= 0 ? value : smallest(atPlace(Number(value), digits, cut));
    return double(atPlace(toNumber(value), digits, cut));
  });

function absolute(value: Numeric): unknown {
  if (typeof value === 'bigint') return value < 0n ? -value : value;
  const result = Math.abs(toNumber(value));
  return isInteger(value) ? smallest(result) : double(result);
}

function power(base: Numeric, exponent: Numeric): unknown {
  const [x, y] = [toNumber(base), toNumber(exponent)];
  if (x === 0 && y < 0) fault(28764, '$pow cannot take a base of 0 and a negative exponent');
  const isExact = isInteger(base) && isInteger(exponent) && y >= 0 && (y <= 64 || Math.abs(x) <= 1);
  const result = isExact ? BigInt(base) ** BigInt(exponent) : undefined;
  if (result === undefined || !fitsLong(result)) return double(x ** y);
  return typeof base === 'bigint' || typeof exponent === 'bigint' ? result : smallest(Number(result));
}

function logarithm(value: Numeric, base: Numeric): unknown {
  const [x, b] = [toNumber(value), toNumber(base)];
  if (x <= 0) fault(28758, `$log's argument must be a positive number, but is ${x}`);
  if (b <= 0 || b === 1) fault(28759, `$log's base must be a positive number not equal to 1, but is ${b}`);
  return double(Math.log(x) / Math.log(b));
}

export const ARITHMETIC: Record<string, Form> = {
  $add: op('summand*', (...values) => add(values)),
  $subtract: op('summand summand', subtract),
  $multiply: op('number*', (...values) => values.reduce((a, b) => calculate('multiply', a, b), 1)),
  $divide: op('number number', (a, b) =>
    toNumber(b) === 0 ? bad("can't $divide by zero") : calculate('divide', a, b),
  ),
  $mod: op('16611 number number', modulo),
  $abs: op('28765 number', absolute),
  $ceil: rounding(Math.ceil),
  $floor: rounding(Math.floor),
  $round: places(false),
  $trunc: places(true),
  $pow: op('28762 number number', power),
  $sqrt: real(Math.sqrt, 0, 28714),
  $exp: real(Math.exp),
  $ln: real(Math.log, Number.MIN_VALUE, 28766),
  $log: op('28756 number number', logarithm),
  $log10: real(Math.log10, Number.MIN_VALUE, 28761),
  $rand: () => () => double(Math.random()),
};
