// What accumulators and their expression namesakes calculate over many values.
import { compare, double, isNumber, toNumber } from './values.ts';

const present = (value: unknown): boolean => value !== null && value !== undefined;

/** The least (-1) or greatest (1) value, null and missing aside. */
export function extreme(values: readonly unknown[], way: 1 | -1): unknown {
  let best: unknown = null;
  for (const value of values) {
    if (present(value) && (best === null || way * compare(value, best) > 0)) best = value;
  }
  return best;
}

export function extremes(values: readonly unknown[], n: number, way: 1 | -1): unknown[] {
  return values
    .filter(present)
    .sort((a, b) => -way * compare(a, b))
    .slice(0, n);
}

/** The standard deviation; `fewer` is 1 for that of a sample. */
export function deviation(values: readonly unknown[], fewer: 0 | 1): unknown {
  const numbers = values.filter(isNumber).map(toNumber);
  if (numbers.length <= fewer) return null;
  const mean = numbers.reduce((total, x) => total + x, 0) / numbers.length;
  const squares = numbers.reduce((total, x) => total + (x - mean) ** 2, 0);
  return double(Math.sqrt(squares / (numbers.length - fewer)));
}
