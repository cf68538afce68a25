// Exact order of Decimal128 among all numbers, by big integers: coefficient times ten to the exponent.
import type { Decimal128 } from 'bson';

interface Exact {
  coefficient: bigint;
  exponent: number;
}
export type Comparable = number | bigint | Decimal128;

const FINITE = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]?\d+))?$/i;
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

/** A finite number as a decimal: halves are fives of the next decimal place. Nothing for NaN and infinity. */
function exact(value: Comparable): Exact | undefined {
  if (typeof value === 'bigint') return { coefficient: value, exponent: 0 };
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return undefined;
    const { mantissa, power } = doubleParts(value);
    if (power >= 0) return { coefficient: mantissa << BigInt(power), exponent: 0 };
    return { coefficient: mantissa * 5n ** BigInt(-power), exponent: power };
  }
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = FINITE.exec(value.toString()) ?? [];
  if (!whole) return undefined;
  return { coefficient: BigInt(sign + whole + fraction), exponent: Number(exponent) - fraction.length };
}

const scaled = (x: Exact, exponent: number): bigint => x.coefficient * 10n ** BigInt(x.exponent - exponent);

/** How far an exact number is from its nearest double, in 2^-60ths of that double's last place. */
export function beyondDouble(value: bigint | Decimal128, nearest: number): bigint {
  const [far, near] = [exact(value), exact(nearest)];
  if (!far || !near) return 0n;
  const exponent = Math.min(far.exponent, near.exponent);
  const distance = scaled(far, exponent) - scaled(near, exponent);
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

/** NaN comes before every number. */
export function compareDecimals(a: Comparable, b: Comparable): number {
  const [x, y] = [exact(a), exact(b)];
  if (x && y) return compareExact(x, y);
  const [left, right] = [x ? 0 : Number(a.toString()), y ? 0 : Number(b.toString())];
  if (Number.isNaN(left) || Number.isNaN(right))
    return Number(Number.isNaN(right)) - Number(Number.isNaN(left));
  return sign(left - right || 0);
}

/** A double at so many decimal places, by its exact value: half to even, or cut off. */
export function atPlace(value: number, place: number, cut: boolean): number {
  const number = exact(value);
  const drop = number ? -place - number.exponent : 0;
  if (!number || drop <= 0) return value;
  const unit = 10n ** BigInt(drop);
  let whole = number.coefficient / unit;
  const rest = (number.coefficient % unit) * 2n;
  const size = rest < 0n ? -rest : rest;
  if (!cut && (size > unit || (size === unit && whole % 2n !== 0n))) whole += value < 0 ? -1n : 1n;
  return Number(`${whole}e${-place}`);
}
