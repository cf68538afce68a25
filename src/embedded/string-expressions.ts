// Operators over strings. Positions count code points or UTF-8 bytes, never UTF-16 units.
import { BSONRegExp } from 'bson';
import { fault } from './errors.ts';
import {
  any,
  type Form,
  integer,
  type Kind,
  missing,
  number,
  optional,
  strict,
  takes,
  takesAll,
  takesNamed,
  text,
} from './operators.ts';
import { guarded, isRegex, toRegExp } from './regexes.ts';
import { compareStrings, isNumber, toNumber } from './values.ts';

/** What operators that want a string make of numbers, dates and null. */
const textual: Kind<string> = {
  wants: 'strings, numbers and dates',
  read(value) {
    if (missing(value)) return '';
    if (value instanceof Date) return value.toISOString();
    return typeof value === 'string' || isNumber(value) ? String(value) : undefined;
  },
  nulls: 'refused',
};

const isInside = (bytes: Buffer, at: number): boolean => ((bytes[at] ?? 0) & 0xc0) === 0x80;

const substringBytes = takes(
  [textual, number, number],
  (value, start, size) => {
    const bytes = Buffer.from(value);
    const [from, length] = [toNumber(start), toNumber(size)];
    if (from < 0) return '';
    const to = length < 0 ? bytes.length : from + length;
    if (isInside(bytes, from)) fault(28656, 'Invalid range, starting index is a UTF-8 continuation byte.');
    if (isInside(bytes, to))
      fault(28657, 'Invalid range, ending index is in the middle of a UTF-8 character.');
    return bytes.subarray(from, to).toString();
  },
  16034,
);

const substringPoints = takes(
  [textual, number, number],
  (value, start, size) => {
    const [from, length] = [toNumber(start), toNumber(size)];
    if (from < 0) fault(34451, '$substrCP: the starting index must be nonnegative integer.');
    if (length < 0) fault(34454, '$substrCP: length must be a nonnegative integer.');
    return [...value].slice(from, from + length).join('');
  },
  16034,
);

const indexOf = (units: (value: string) => readonly unknown[]): Form =>
  takes(
    [text, strict(text), optional(integer), optional(integer)],
    (value, wanted, from = 0, end?: number) => {
      if (from < 0) fault(40097, `a starting index must not be negative: ${from}`);
      const [all, part] = [units(value), units(wanted)];
      const last = Math.min(end ?? all.length, all.length);
      for (let i = from; i + part.length <= last; i++)
        if (part.every((unit, j) => all[i + j] === unit)) return i;
      return -1;
    },
    40091,
  );

const WHITESPACE =
  '\0 \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a';

const trimming = (left: boolean, right: boolean): Form =>
  takesNamed(
    { input: text, chars: optional(text) },
    ({ input, chars = WHITESPACE }) => {
      const cut = new Set(chars);
      const points = [...input];
      let [from, to] = [0, points.length];
      while (left && from < to && cut.has(points[from] ?? '')) from++;
      while (right && to > from && cut.has(points[to - 1] ?? '')) to--;
      return points.slice(from, to).join('');
    },
    50699,
  );

const replacing = (replace: (input: string, find: string, by: string) => string): Form =>
  takesNamed(
    { input: text, find: text, replacement: text },
    ({ input, find, replacement }) => replace(input, find, replacement),
    51746,
  );

const regex: Kind<string | BSONRegExp> = {
  wants: 'strings and regular expressions',
  read: (value) => (typeof value === 'string' || isRegex(value) ? value : undefined),
  nulls: 'taken',
};

interface Found {
  match: string;
  idx: number;
  captures: (string | null)[];
}

function* matches(input: string, expression: RegExp): Generator<Found> {
  for (const match of input.matchAll(expression)) {
    const idx = [...input.slice(0, match.index)].length;
    yield { match: match[0], idx, captures: match.slice(1).map((capture) => capture ?? null) };
  }
}

/** `none` is the result where input or regex is null. */
function searching(none: unknown, answer: (found: Generator<Found>) => unknown): Form {
  let last: { source: unknown; flags: unknown; wide: string; expression: RegExp } | undefined;
  return takesNamed(
    { input: { ...text, nulls: 'taken' }, regex, options: optional(any) },
    ({ input, regex: source, options }, operator) => {
      if (missing(input) || missing(source)) return none;
      if (typeof input !== 'string') fault(51104, `${operator} needs 'input' to be of type string`);
      if (regex.read(source) === undefined)
        fault(51105, `${operator} needs 'regex' to be of type string or regex`);
      const flags = typeof options === 'string' && options !== '' ? options : undefined;
      if (flags && source instanceof BSONRegExp && source.options)
        fault(51107, `${operator}: found regex option(s) specified in both 'regex' and 'option' fields`);
      // A character beyond 16 bits is one, to the dot too.
      const wide = /[\ud800-\udfff]/.test(input) ? 'u' : '';
      if (last?.source !== source || last.flags !== flags || last.wide !== wide) {
        const plain = toRegExp(source, flags);
        const expression = guarded(plain.source, `${plain.flags.replace('u', wide)}g`);
        last = { source, flags, wide, expression };
      }
      return answer(matches(input, last.expression));
    },
  );
}

const lengthOf = (code: number, units: (value: string) => number): Form => takes([strict(text)], units, code);

export const STRINGS: Record<string, Form> = {
  $concat: takesAll(text, (parts) => parts.join(''), 16702),
  $toUpper: takes([textual], (value) => value.toUpperCase(), 16007),
  $toLower: takes([textual], (value) => value.toLowerCase(), 16007),
  $substr: substringBytes,
  $substrBytes: substringBytes,
  $substrCP: substringPoints,
  $strLenBytes: lengthOf(34473, (value) => Buffer.byteLength(value)),
  $strLenCP: lengthOf(34471, (value) => [...value].length),
  $strcasecmp: takes(
    [textual, textual],
    (a, b) => Math.sign(compareStrings(a.toUpperCase(), b.toUpperCase())),
    16007,
  ),
  $split: takes(
    [text, text],
    (value, by) => (by === '' ? fault(40087, '$split requires a non-empty separator') : value.split(by)),
    40085,
  ),
  $indexOfBytes: indexOf((value) => [...Buffer.from(value)]),
  $indexOfCP: indexOf((value) => [...value]),
  $trim: trimming(true, true),
  $ltrim: trimming(true, false),
  $rtrim: trimming(false, true),
  $replaceOne: replacing((input, find, by) => input.replace(find, () => by)),
  $replaceAll: replacing((input, find, by) => input.replaceAll(find, () => by)),
  $regexMatch: searching(false, (found) => !found.next().done),
  $regexFind: searching(null, (found) => found.next().value ?? null),
  $regexFindAll: searching([], (found) => [...found]),
};
