// Operators that take arrays as sets, and those that ask something of all elements.
import { fault } from './errors.ts';
import { ANY, type Calculation, type Form, missing, truthy } from './operators.ts';
import { compare, equal, typeName } from './values.ts';

function sets(operator: string, code: number, values: readonly unknown[]): unknown[][] {
  return values.map((value) =>
    Array.isArray(value)
      ? value
      : fault(
          code,
          `All operands of ${operator} must be arrays. One argument is of type: ${typeName(value)}`,
        ),
  );
}

const has = (array: readonly unknown[], value: unknown): boolean => array.some((one) => equal(one, value));

export function distinct(values: readonly unknown[]): unknown[] {
  const sorted = [...values].sort((a, b) => compare(a, b));
  return sorted.filter((value, i) => i === 0 || !equal(value, sorted[i - 1]));
}

function union(...values: unknown[]): unknown {
  if (values.some(missing)) return null;
  return distinct(sets('$setUnion', 17043, values).flat());
}

function intersection(...values: unknown[]): unknown {
  if (values.some(missing)) return null;
  const [first = [], ...rest] = sets('$setIntersection', 17047, values);
  return distinct(first.filter((value) => rest.every((other) => has(other, value))));
}

function difference(...values: unknown[]): unknown {
  if (values.some(missing)) return null;
  const [first = [], second = []] = sets('$setDifference', 17048, values);
  const kept: unknown[] = [];
  for (const value of first) if (!has(second, value) && !has(kept, value)) kept.push(value);
  return kept;
}

function sameSets(...values: unknown[]): unknown {
  const [first = [], ...rest] = sets('$setEquals', 17044, values);
  return rest.every(
    (other) => first.every((one) => has(other, one)) && other.every((one) => has(first, one)),
  );
}

function subset(...values: unknown[]): unknown {
  const [first = [], second = []] = sets('$setIsSubset', 17046, values);
  return first.every((one) => has(second, one));
}

const every =
  (code: number, test: (elements: unknown[]) => boolean): Form =>
  (argument, scope, compile, operator) => {
    const [only] = Array.isArray(argument) && argument.length === 1 ? argument : [argument];
    const input = compile(only, scope);
    return (root) => {
      const value = input(root);
      if (!Array.isArray(value))
        fault(code, `${operator}'s argument must be an array, but is ${typeName(value)}`);
      return test(value);
    };
  };

export const SET_FORMS: Record<string, Form> = {
  $allElementsTrue: every(17040, (elements) => elements.every(truthy)),
  $anyElementTrue: every(17041, (elements) => elements.some(truthy)),
};

export const SETS: Record<string, Calculation> = {
  $setUnion: [0, ANY, union],
  $setIntersection: [0, ANY, intersection],
  $setDifference: [2, 2, difference],
  $setEquals: [2, ANY, sameSets],
  $setIsSubset: [2, 2, subset],
};
