// Operators over strings. Positions count code points or UTF-8 bytes, never UTF-16 units.
import { BSONRegExp, ObjectId } from 'bson';
import type { Doc } from './documents.ts';
import { fault } from './errors.ts';
import {
  ANY,
  type Calculation,
  type Compile,
  type Form,
  missing,
  named,
  type Scope,
  text,
} from './operators.ts';
import { isRegex, toRegExp } from './regexes.ts';
import { compareStrings, isNumber, toNumber, typeName } from './values.ts';

/** What operators that want a string make of numbers, dates and null. */
export function coerced(operator: string, value: unknown): string {
  if (missing(value)) return '';
  if (typeof value === 'string') return value;
  if (isNumber(value)) return String(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof ObjectId) fault(16007, `can't convert from BSON type objectId to String`);
  return fault(16007, `can't convert from BSON type ${typeName(value)} to String in ${operator}`);
}

function concat(...values: unknown[]): unknown {
  let result = '';
  for (const value of values) {
    if (missing(value)) return null;
    if (typeof value !== 'string') fault(16702, `$concat only supports strings, not ${typeName(value)}`);
    result += value;
  }
  return result;
}

function substringBytes(value: unknown, start: unknown, size: unknown): unknown {
  const bytes = Buffer.from(coerced('$substrBytes', value));
  const from = toNumber(start);
  const length = toNumber(size);
  if (from < 0) return '';
  if (((bytes[from] ?? 0) & 0xc0) === 0x80) {
    fault(28656, '$substrBytes:  Invalid range, starting index is a UTF-8 continuation byte.');
  }
  const to = length < 0 ? bytes.length : from + length;
  if (((bytes[to] ?? 0) & 0xc0) === 0x80) {
    fault(28657, '$substrBytes:  Invalid range, ending index is in the middle of a UTF-8 character.');
  }
  return bytes.subarray(from, to).toString();
}

function substringPoints(value: unknown, start: unknown, size: unknown): unknown {
  const from = toNumber(start);
  const length = toNumber(size);
  if (from < 0) fault(34451, '$substrCP: the starting index must be nonnegative integer.');
  if (length < 0) fault(34454, '$substrCP: length must be a nonnegative integer.');
  return [...coerced('$substrCP', value)].slice(from, from + length).join('');
}

function split(value: unknown, by: unknown): unknown {
  if (missing(value) || missing(by)) return null;
  if (typeof value !== 'string')
    fault(
      40085,
      `$split requires an expression that evaluates to a string as a first argument, found: ${typeName(value)}`,
    );
  if (typeof by !== 'string')
    fault(
      40086,
      `$split requires an expression that evaluates to a string as a second argument, found: ${typeName(by)}`,
    );
  if (by === '') fault(40087, '$split requires a non-empty separator');
  return value.split(by);
}

function indexOf(operator: string, units: (value: string) => readonly unknown[]): Calculation {
  return [
    2,
    4,
    (value, wanted, start = 0, end) => {
      if (missing(value)) return null;
      if (typeof value !== 'string')
        fault(40091, `${operator} requires a string as the first argument, found: ${typeName(value)}`);
      if (typeof wanted !== 'string')
        fault(40092, `${operator} requires a string as the second argument, found: ${typeName(wanted)}`);
      const [all, part] = [units(value), units(wanted)];
      const last = Math.min(end === undefined ? all.length : toNumber(end), all.length);
      for (let i = toNumber(start); i + part.length <= last; i++) {
        if (part.every((unit, j) => all[i + j] === unit)) return i;
      }
      return -1;
    },
  ];
}

const WHITESPACE = [
  ...'\0 \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a',
];

const trimming =
  (left: boolean, right: boolean): Form =>
  (argument, scope, compile, operator) => {
    const spec = named(operator, argument, ['input', 'chars'], ['input']);
    const input = compile(spec.input, scope);
    const chars = 'chars' in spec ? compile(spec.chars, scope) : undefined;
    return (root) => {
      const value = input(root);
      const given = chars?.(root);
      if (missing(value) || (chars && missing(given))) return null;
      if (typeof value !== 'string')
        fault(
          50699,
          `${operator} requires its input to be a string, got ${String(value)} (of type ${typeName(value)}) instead.`,
        );
      const cut = new Set(chars ? text(operator, given, 50700) : WHITESPACE);
      const points = [...value];
      let [from, to] = [0, points.length];
      while (left && from < to && cut.has(points[from] ?? '')) from++;
      while (right && to > from && cut.has(points[to - 1] ?? '')) to--;
      return points.slice(from, to).join('');
    };
  };

const replacing =
  (all: boolean): Form =>
  (argument, scope, compile, operator) => {
    const names = ['input', 'find', 'replacement'];
    const spec = named(operator, argument, names, names);
    const parts = names.map((name) => compile(spec[name], scope));
    return (root) => {
      const values = parts.map((part) => part(root));
      if (values.some(missing)) return null;
      const [input = '', find = '', by = ''] = values.map((value) => text(operator, value, 51746));
      if (all) return input.split(find).join(by);
      const at = input.indexOf(find);
      return at < 0 ? input : input.slice(0, at) + by + input.slice(at + find.length);
    };
  };

function pattern(operator: string, argument: unknown, scope: Scope, compile: Compile) {
  const spec: Doc = named(operator, argument, ['input', 'regex', 'options'], ['input', 'regex']);
  const [input, regex, options] = [spec.input, spec.regex, spec.options ?? ''].map((part) =>
    compile(part, scope),
  );
  let last: { source: unknown; flags: unknown; expression: RegExp } | undefined;
  return (root: unknown): { value: string; expression: RegExp } | undefined => {
    const [value, source, flags] = [input?.(root), regex?.(root), options?.(root)];
    if (missing(value) || missing(source)) return undefined;
    if (typeof value !== 'string') fault(51104, `${operator} needs 'input' to be of type string`);
    if (typeof source !== 'string' && !isRegex(source))
      fault(51105, `${operator} needs 'regex' to be of type string or regex`);
    if (last?.source !== source || last?.flags !== flags) {
      const given = typeof flags === 'string' && flags !== '' ? flags : undefined;
      if (given && source instanceof BSONRegExp && source.options) {
        fault(51107, `${operator}: found regex option(s) specified in both 'regex' and 'option' fields`);
      }
      const plain = toRegExp(source, given);
      last = { source, flags, expression: new RegExp(plain.source, `${plain.flags.replace('u', '')}gu`) };
    }
    return { value, expression: last.expression };
  };
}

interface Found {
  match: string;
  idx: number;
  captures: (string | null)[];
}

function* found(value: string, expression: RegExp): Generator<Found> {
  for (const match of value.matchAll(expression)) {
    const idx = [...value.slice(0, match.index)].length;
    yield { match: match[0], idx, captures: match.slice(1).map((capture) => capture ?? null) };
  }
}

const regexes: Record<string, Form> = {
  $regexMatch: (argument, scope, compile, operator) => {
    const read = pattern(operator, argument, scope, compile);
    return (root) => {
      const subject = read(root);
      return subject !== undefined && subject.value.search(subject.expression) >= 0;
    };
  },
  $regexFind: (argument, scope, compile, operator) => {
    const read = pattern(operator, argument, scope, compile);
    return (root) => {
      const subject = read(root);
      return (subject && found(subject.value, subject.expression).next().value) ?? null;
    };
  },
  $regexFindAll: (argument, scope, compile, operator) => {
    const read = pattern(operator, argument, scope, compile);
    return (root) => {
      const subject = read(root);
      return subject ? [...found(subject.value, subject.expression)] : [];
    };
  },
};

const lengthOf =
  (operator: string, code: number, units: (value: string) => number) =>
  (value: unknown): number =>
    units(text(operator, value, code));

export const STRINGS: Record<string, Calculation> = {
  $concat: [0, ANY, concat],
  $toUpper: [1, 1, (value) => coerced('$toUpper', value).toUpperCase()],
  $toLower: [1, 1, (value) => coerced('$toLower', value).toLowerCase()],
  $substr: [3, 3, substringBytes],
  $substrBytes: [3, 3, substringBytes],
  $substrCP: [3, 3, substringPoints],
  $strLenBytes: [1, 1, lengthOf('$strLenBytes', 34473, (value) => Buffer.byteLength(value))],
  $strLenCP: [1, 1, lengthOf('$strLenCP', 34471, (value) => [...value].length)],
  $strcasecmp: [
    2,
    2,
    (a, b) =>
      Math.sign(
        compareStrings(coerced('$strcasecmp', a).toUpperCase(), coerced('$strcasecmp', b).toUpperCase()),
      ),
  ],
  $split: [2, 2, split],
  $indexOfBytes: indexOf('$indexOfBytes', (value) => [...Buffer.from(value)]),
  $indexOfCP: indexOf('$indexOfCP', (value) => [...value]),
};

export const STRING_FORMS: Record<string, Form> = {
  ...regexes,
  $trim: trimming(true, true),
  $ltrim: trimming(true, false),
  $rtrim: trimming(false, true),
  $replaceOne: replacing(false),
  $replaceAll: replacing(true),
};
