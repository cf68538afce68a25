// How expression operators are declared: the kinds of arguments that each takes, by place or by name, and what it makes of
// them. Counting and checking them is done here, and that null or missing in gives null out; an operator only calculates.
// A variable is a cell: compiled once into the closures that read it, filled anew each time it is bound.
import { ObjectId, Timestamp } from 'bson';
import { type Doc, isDoc } from './documents.ts';
import { fault } from './errors.ts';
import { isInt32, isNumber, isObject, toNumber, typeName } from './values.ts';

export interface Cell {
  value: unknown;
}
export type Scope = ReadonlyMap<string, Cell>;
export type Expression = (root: unknown) => unknown;
export type Compile = (expression: unknown, scope: Scope) => Expression;

/** An operator: it gets its argument unevaluated. */
export type Form = (argument: unknown, scope: Scope, compile: Compile, operator: string) => Expression;

export interface Kind<T> {
  wants: string;
  /** The value as the operator takes it, undefined when it is of another kind. */
  read(value: unknown): T | undefined;
  /** What a null or missing argument does: it makes the result null, is refused, or is taken as a value. */
  nulls: 'null' | 'refused' | 'taken';
  optional?: boolean;
}

export function missing(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

export function truthy(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  return isNumber(value) ? toNumber(value) !== 0 : value !== null && value !== undefined;
}

const kind = <T>(wants: string, read: (value: unknown) => T | undefined): Kind<T> => ({
  wants,
  read,
  nulls: 'null',
});

export const any: Kind<unknown> = { wants: 'anything', read: (value) => value, nulls: 'taken' };
export const number = kind('numeric types', (value) => (isNumber(value) ? value : undefined));
export const integer = kind('whole numbers of 32 bits', (value) => {
  const whole = toNumber(value);
  return isInt32(whole) || Object.is(whole, -0) ? whole : undefined;
});
export const text = kind('strings', (value) => (typeof value === 'string' ? value : undefined));
export const array = kind('arrays', (value) => (Array.isArray(value) ? (value as unknown[]) : undefined));
export const object = kind('objects', (value) => (isDoc(value) ? value : undefined));
export const date = kind('dates', (value) => {
  if (value instanceof ObjectId) return value.getTimestamp();
  if (value instanceof Timestamp) return new Date(value.getHighBitsUnsigned() * 1000);
  return value instanceof Date ? value : undefined;
});

export const strict = <T>(of: Kind<T>): Kind<T> => ({ ...of, nulls: 'refused' });
export const optional = <T>(of: Kind<T>): Kind<T | undefined> => ({ ...of, optional: true });

type Kinds = Kind<unknown>;
type Value<K> = K extends Kind<infer T> ? T : never;

/** What a reader says when the whole result is null. */
const NOTHING = Symbol('null');

function reader(of: Kinds, evaluate: Expression | undefined, operator: string, code: number): Expression {
  if (!evaluate) return () => undefined;
  const { nulls } = of;
  if (nulls === 'taken') return evaluate;
  return (root) => {
    const value = evaluate(root);
    if (nulls === 'null' && missing(value)) return NOTHING;
    return expected(of, value, operator, code);
  };
}

export function expected<T>({ read, wants }: Kind<T>, value: unknown, operator: string, code: number): T {
  return read(value) ?? fault(code, `${operator} only supports ${wants}, not ${typeName(value)}`);
}

function checkCount(operator: string, given: number, least: number, most: number): void {
  if (given >= least && given <= most) return;
  if (least === most)
    fault(16020, `Expression ${operator} takes exactly ${least} arguments. ${given} were passed in.`);
  fault(
    28667,
    `Expression ${operator} takes at least ${least} arguments, and at most ${most}, but got ${given}.`,
  );
}

const listed = (argument: unknown): unknown[] => (Array.isArray(argument) ? argument : [argument]);

/** An operator whose arguments have their places. */
export function takes<const K extends readonly Kinds[]>(
  kinds: K,
  apply: (...values: { -readonly [I in keyof K]: Value<K[I]> }) => unknown,
  code = 14,
): Form {
  const call = apply as unknown as (...values: unknown[]) => unknown;
  const least = kinds.filter((each) => !each.optional).length;
  return (argument, scope, compile, operator) => {
    const given = listed(argument).map((part) => compile(part, scope));
    checkCount(operator, given.length, least, kinds.length);
    const readers = kinds.map((each, i) => reader(each, given[i], operator, code));
    const [first, second] = readers;
    if (first && readers.length === 1)
      return (root) => {
        const a = first(root);
        return a === NOTHING ? null : call(a);
      };
    if (first && second && readers.length === 2)
      return (root) => {
        const [a, b] = [first(root), second(root)];
        return a === NOTHING || b === NOTHING ? null : call(a, b);
      };
    return (root) => {
      const values = readers.map((read) => read(root));
      return values.includes(NOTHING) ? null : call(...values);
    };
  };
}

/** An operator over any number of arguments of one kind. */
export function takesAll<T>(of: Kind<T>, apply: (values: T[]) => unknown, code = 14, least = 0): Form {
  return (argument, scope, compile, operator) => {
    const given = listed(argument);
    checkCount(operator, given.length, least, Number.POSITIVE_INFINITY);
    const readers = given.map((part) => reader(of, compile(part, scope), operator, code));
    return (root) => {
      const values: unknown[] = [];
      for (const read of readers) {
        const value = read(root);
        if (value === NOTHING) return null;
        values.push(value);
      }
      return apply(values as T[]);
    };
  };
}

/** An operator whose arguments have names. */
export function takesNamed<const K extends Record<string, Kinds>>(
  kinds: K,
  apply: (given: { -readonly [N in keyof K]: Value<K[N]> }, operator: string) => unknown,
  code = 14,
): Form {
  const known = Object.keys(kinds);
  const required = known.filter((name) => !kinds[name]?.optional);
  return (argument, scope, compile, operator) => {
    const spec = named(operator, argument, known, required);
    const readers = Object.entries(kinds)
      .filter(([name]) => name in spec)
      .map(([name, each]) => [name, reader(each, compile(spec[name], scope), operator, code)] as const);
    return (root) => {
      const given: Doc = {};
      let nothing = false;
      for (const [name, read] of readers) {
        given[name] = read(root);
        nothing ||= given[name] === NOTHING;
      }
      return nothing ? null : apply(given as { -readonly [N in keyof K]: Value<K[N]> }, operator);
    };
  };
}

/** The named arguments of an operator that takes an object; unknown names are refused. */
export function named(
  operator: string,
  argument: unknown,
  known: readonly string[],
  required: readonly string[],
): Doc {
  if (!isObject(argument)) fault(28646, `${operator} only supports an object as its argument`);
  for (const name of Object.keys(argument))
    if (!known.includes(name)) fault(28647, `Unrecognized parameter to ${operator}: ${name}`);
  for (const name of required)
    if (!(name in argument)) fault(28648, `Missing '${name}' parameter to ${operator}`);
  return argument;
}

/** Binds variables around an expression that reads them. */
export function bound(scope: Scope, cells: Record<string, Cell>): Scope {
  return new Map([...scope, ...Object.entries(cells)]);
}
