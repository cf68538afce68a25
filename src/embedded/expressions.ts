import type { Doc } from './documents.ts';
import { bad } from './errors.ts';
import { isNumber, toNumber } from './values.ts';
export interface Cell {
  value: unknown;
}
export type Scope = ReadonlyMap<string, Cell>;
export type Expression = (root: Doc) => unknown;
export function scopeOf(vars: Doc): Scope {
  return new Map(Object.keys(vars).map((name) => [name, { value: vars[name] }]));
}
export function truthy(value: unknown): boolean {
  return isNumber(value) ? toNumber(value) !== 0 : value !== false && value !== null && value !== undefined;
}
export function compileExpression(_expression: unknown, _scope: Scope): Expression {
  return bad('expressions are being written', 115, 'CommandNotSupported');
}
