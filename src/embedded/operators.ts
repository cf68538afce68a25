// The forms in which expression operators are written, and the questions most of them ask of their arguments.
// A variable is a cell: compiled once into the closures that read it, filled anew each time it is bound.

import type { Doc } from './documents.ts';
import { fault, MongoFault } from './errors.ts';
import { isInt32, isNumber, isObject, toNumber, typeName } from './values.ts';

export interface Cell {
  value: unknown;
}
export type Scope = ReadonlyMap<string, Cell>;
export type Expression = (root: unknown) => unknown;
export type Compile = (expression: unknown, scope: Scope) => Expression;

/** An operator that gets its argument unevaluated. */
export type Form = (argument: unknown, scope: Scope, compile: Compile, operator: string) => Expression;
/** An operator over evaluated arguments, with how few and how many it takes. */
export type Calculation = readonly [least: number, most: number, apply: (...values: unknown[]) => unknown];

export const ANY = Number.POSITIVE_INFINITY;

export function missing(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

export function truthy(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  return isNumber(value) ? toNumber(value) !== 0 : value !== null && value !== undefined;
}

export function mistyped(message: string): never {
  throw new MongoFault(14, 'TypeMismatch', message);
}

/** The named arguments of an operator that takes an object; unknown names are refused. */
export function named(
  operator: string,
  argument: unknown,
  known: readonly string[],
  required: readonly string[],
): Doc {
  if (!isObject(argument)) fault(28646, `${operator} only supports an object as its argument`);
  for (const name of Object.keys(argument)) {
    if (!known.includes(name)) fault(28647, `Unrecognized parameter to ${operator}: ${name}`);
  }
  for (const name of required)
    if (!(name in argument)) fault(28648, `Missing '${name}' parameter to ${operator}`);
  return argument;
}

export function text(operator: string, value: unknown, code: number): string {
  return typeof value === 'string'
    ? value
    : fault(code, `${operator} requires a string argument, found: ${typeName(value)}`);
}

export function arrayOf(operator: string, value: unknown, code: number): unknown[] {
  return Array.isArray(value)
    ? value
    : fault(code, `The argument to ${operator} must be an array, but was of type: ${typeName(value)}`);
}

/** A whole number that fits 32 bits. */
export function int32(operator: string, value: unknown, code: number): number {
  const number = toNumber(value);
  return isInt32(number) || Object.is(number, -0)
    ? number
    : fault(code, `${operator} requires an integral argument that fits 32 bits, found: ${typeName(value)}`);
}

/** Binds a variable around an expression that reads it. */
export function bound(scope: Scope, cells: Record<string, Cell>): Scope {
  const inner = new Map(scope);
  for (const name of Object.keys(cells)) inner.set(name, cells[name] as Cell);
  return inner;
}
