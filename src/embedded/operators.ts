// How expression operators are declared: by a signature, 'array integer integer?' or 'date:date timezone:zone?', and what
// they make of their arguments. Counting and checking them is done here, and that null or missing in gives null out.
// A mark says more: `?` may be left out, `!` refuses null, `*` any number of them. A number in front, '28724 array', is
// the error of an argument that is of another kind.
// A variable is a cell: compiled once into the closures that read it, filled anew each time it is bound.
import { ObjectId, Timestamp } from 'bson';
import { numeric } from './arithmetic.ts';
import { isUnit, weekdayOf, zoneOf } from './dates.ts';
import { type Doc, isDoc } from './documents.ts';
import { fault } from './errors.ts';
import { isInt32, isNumber, toNumber, typeName } from './values.ts';

export interface Cell {
  value: unknown;
}
export type Scope = ReadonlyMap<string, Cell>;
export type Expression = (root: unknown) => unknown;
export type Compile = (expression: unknown, scope: Scope) => Expression;

/** An operator: it gets its argument unevaluated. */
export type Form = (argument: unknown, scope: Scope, compile: Compile, operator: string) => Expression;

export const missing = (value: unknown): value is null | undefined => value === null || value === undefined;

export function truthy(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  return isNumber(value) ? toNumber(value) !== 0 : !missing(value);
}

export function toDate(value: unknown): Date | undefined {
  if (value instanceof ObjectId) return value.getTimestamp();
  if (value instanceof Timestamp) return new Date(value.getHighBitsUnsigned() * 1000);
  return value instanceof Date ? value : undefined;
}

const ifIs =
  <T>(isOne: (value: unknown) => value is T) =>
  (value: unknown): T | undefined =>
    isOne(value) ? value : undefined;
const isText = (value: unknown): value is string => typeof value === 'string';

/** The kinds of arguments: what they are called in errors, and the value as the operator takes it. */
const KINDS = {
  any: ['anything', (value: unknown) => value],
  textual: [
    'strings, numbers and dates',
    (value: unknown) => {
      if (value instanceof Date) return value.toISOString();
      return missing(value) ? '' : isText(value) || isNumber(value) ? String(value) : undefined;
    },
  ],
  text: ['strings', ifIs(isText)],
  number: ['numeric types', numeric],
  summand: ['numeric or date types', (value: unknown) => (value instanceof Date ? value : numeric(value))],
  integer: [
    'whole numbers of 32 bits',
    (value: unknown) => (isInt32(toNumber(value) + 0) ? toNumber(value) + 0 : undefined),
  ],
  array: ['arrays', ifIs((value): value is unknown[] => Array.isArray(value))],
  object: ['objects', ifIs(isDoc)],
  date: ['dates', toDate],
  zone: ['time zones by their names', (value: unknown) => (isText(value) ? zoneOf(value) : undefined)],
  unit: ['units of time', ifIs(isUnit)],
  weekday: ['names of weekdays', (value: unknown) => weekdayOf(String(value))],
} satisfies Record<string, [wants: string, read: (value: unknown) => unknown]>;

type KindName = keyof typeof KINDS;
type Value<K extends KindName> = K extends 'any' ? unknown : NonNullable<ReturnType<(typeof KINDS)[K][1]>>;
type Of<W> = W extends `${infer K extends KindName}?`
  ? Value<K> | undefined
  : W extends `${infer K extends KindName}!` | (infer K extends KindName)
    ? Value<K>
    : never;
type Placed<S> = S extends `${infer A} ${infer R}`
  ? [Of<A>, ...Placed<R>]
  : S extends `${infer A}*`
    ? Of<A>[]
    : [Of<S>];
type Field<S> = S extends `${infer N}:${infer W}` ? { [P in N]: Of<W> } : never;
type Named<S> = S extends `${infer A} ${infer R}` ? Field<A> & Named<R> : Field<S>;
type Plain<S> = S extends `${number} ${infer R}` ? R : S;
type Apply<S> = S extends `${string}:${string}`
  ? (given: Named<S>) => unknown
  : Placed<S> extends infer V extends unknown[]
    ? (...values: V) => unknown
    : never;

interface Slot {
  name: string;
  kind: KindName;
  marks: string;
}

function slotsOf(signature: string): Slot[] {
  return signature.split(' ').map((word) => {
    const [, name = '', kind = 'any', marks = ''] = /^(?:(\w+):)?(\w+)(\W*)$/.exec(word) ?? [];
    return { name, kind: kind as KindName, marks };
  });
}

/** What a reader says when the whole result is null. */
const NOTHING = Symbol('null');

function reader({ kind, marks }: Slot, evaluate: Expression, operator: string, code: number): Expression {
  if (kind === 'any') return evaluate;
  const [wants, read] = KINDS[kind];
  const passes = kind !== 'textual' && !marks.includes('!');
  return (root) => {
    const value = evaluate(root);
    if (passes && missing(value)) return NOTHING;
    return read(value) ?? fault(code, `${operator} only supports ${wants}, not ${typeName(value)}`);
  };
}

function checkCount(operator: string, given: number, least: number, most: number): void {
  if (given >= least && given <= most) return;
  if (least === most)
    fault(16020, `Expression ${operator} takes exactly ${least} arguments. ${given} were passed in.`);
  const range = `at least ${least} arguments, and at most ${most}, but got ${given}`;
  fault(28667, `Expression ${operator} takes ${range}.`);
}

export const listed = (argument: unknown): unknown[] => (Array.isArray(argument) ? argument : [argument]);

/** An operator by its signature. */
export function op<const S extends string>(signature: S, apply: Apply<Plain<S>>): Form {
  const [, number = '14', words = ''] = /^(?:(\d+) )?(.*)$/.exec(signature) ?? [];
  const [code, slots] = [Number(number), slotsOf(words)];
  const call = apply as (...values: unknown[]) => unknown;
  if (words.includes(':')) return byName(slots, call, code);
  const last = slots.at(-1) as Slot;
  const isMany = last.marks.includes('*');
  const least = slots.filter(({ marks }) => !/[?*]/.test(marks)).length;
  return (argument, scope, compile, operator) => {
    const given = listed(argument);
    checkCount(operator, given.length, least, isMany ? Number.POSITIVE_INFINITY : slots.length);
    const readers = given.map((part, i) => reader(slots[i] ?? last, compile(part, scope), operator, code));
    const [first, second] = readers;
    if (first && second && readers.length === 2)
      return (root) => {
        const a = first(root);
        const b = a === NOTHING ? NOTHING : second(root);
        return b === NOTHING ? null : call(a, b);
      };
    return (root) => {
      const values: unknown[] = [];
      for (const read of readers) if (values.push(read(root)) && values.at(-1) === NOTHING) return null;
      return call(...values);
    };
  };
}

function byName(slots: Slot[], apply: (given: Doc) => unknown, code: number): Form {
  const known = slots.map(({ name }) => name);
  const required = slots.filter(({ marks }) => !marks.includes('?')).map(({ name }) => name);
  return (argument, scope, compile, operator) => {
    const spec = named(operator, argument, known, required);
    const readers = slots
      .filter(({ name }) => name in spec)
      .map((slot) => [slot.name, reader(slot, compile(spec[slot.name], scope), operator, code)] as const);
    return (root) => {
      const given: Doc = {};
      for (const [name, read] of readers) given[name] = read(root);
      return Object.values(given).includes(NOTHING) ? null : apply(given);
    };
  };
}

/** The named arguments of an operator that takes an object; unknown names are refused. */
export function named(operator: string, argument: unknown, known: string[], required = known): Doc {
  if (!isDoc(argument)) fault(28646, `${operator} only supports an object as its argument`);
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

/** Variables with their values. */
export function scopeOf(variables: Doc): Scope {
  return new Map(Object.keys(variables).map((name) => [name, { value: variables[name] }]));
}
