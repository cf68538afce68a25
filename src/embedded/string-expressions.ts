// Operators over strings. Positions count code points or UTF-8 bytes, never UTF-16 units.
import { fault } from './errors.ts';
import { type Form, missing, op } from './operators.ts';
import { guarded, isRegex, toRegExp } from './regexes.ts';
import { compareStrings, toNumber } from './values.ts';

const isInside = (bytes: Buffer, at: number): boolean => ((bytes[at] ?? 0) & 0xc0) === 0x80;

const substringBytes = op('16034 textual number number', (value, start, size) => {
  const bytes = Buffer.from(value);
  const [from, length] = [toNumber(start), toNumber(size)];
  if (from < 0) return '';
  const to = length < 0 ? bytes.length : from + length;
  if (isInside(bytes, from)) fault(28656, 'Invalid range, starting index is a UTF-8 continuation byte.');
  if (isInside(bytes, to)) fault(28657, 'Invalid range, ending index is in the middle of a UTF-8 character.');
  return bytes.subarray(from, to).toString();
});

const substringPoints = op('16034 textual number number', (value, start, size) => {
  const [from, length] = [toNumber(start), toNumber(size)];
  if (from < 0) fault(34451, '$substrCP: the starting index must be nonnegative integer.');
  if (length < 0) fault(34454, '$substrCP: length must be a nonnegative integer.');
  return [...value].slice(from, from + length).join('');
});

const indexOf = (units: (value: string) => readonly unknown[]): Form =>
  op('40091 text text! integer? integer?', (value, wanted, from = 0, end = Number.POSITIVE_INFINITY) => {
    if (from < 0) fault(40097, `a starting index must not be negative: ${from}`);
    const [all, part] = [units(value), units(wanted)];
    const last = Math.min(end, all.length);
    for (let i = from; i + part.length <= last; i++)
      if (part.every((unit, j) => all[i + j] === unit)) return i;
    return -1;
  });

const WHITESPACE =
  '\0 \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a';

const trimming = (left: boolean, right: boolean): Form =>
  op('50699 input:text chars:text?', ({ input, chars = WHITESPACE }) => {
    const cut = new Set(chars);
    const points = [...input];
    let [from, to] = [0, points.length];
    while (left && from < to && cut.has(points[from] ?? '')) from++;
    while (right && to > from && cut.has(points[to - 1] ?? '')) to--;
    return points.slice(from, to).join('');
  });

const replacing = (method: 'replace' | 'replaceAll'): Form =>
  op('51746 input:text find:text replacement:text', ({ input, find, replacement }) =>
    input[method](find, () => replacement),
  );

function* matches(input: string, expression: RegExp): Generator<object> {
  for (const match of input.matchAll(expression)) {
    const idx = [...input.slice(0, match.index)].length;
    yield { match: match[0], idx, captures: match.slice(1).map((capture) => capture ?? null) };
  }
}

/** `none` is the result where input or regex is null. */
function searching(none: unknown, answer: (found: Generator<object>) => unknown): Form {
  let last: { source: unknown; flags: unknown; wide: string; expression: RegExp } | undefined;
  return op('input:any regex:any options:any?', ({ input, regex: source, options }) => {
    if (missing(input) || missing(source)) return none;
    if (typeof input !== 'string') fault(51104, "a search needs 'input' to be of type string");
    if (typeof source !== 'string' && !isRegex(source))
      fault(51105, "a search needs 'regex' to be of type string or regex");
    const flags = typeof options === 'string' && options !== '' ? options : undefined;
    if (flags && isRegex(source) && source.options)
      fault(51107, "found regex option(s) specified in both 'regex' and 'option' fields");
    // A character beyond 16 bits is one, to the dot too.
    const wide = /[\ud800-\udfff]/.test(input) ? 'u' : '';
    if (last?.source !== source || last.flags !== flags || last.wide !== wide) {
      const plain = toRegExp(source, flags);
      const expression = guarded(plain.source, `${plain.flags.replace('u', wide)}g`);
      last = { source, flags, wide, expression };
    }
    return answer(matches(input, last.expression));
  });
}

export const STRINGS: Record<string, Form> = {
  $concat: op('16702 text*', (...parts) => parts.join('')),
  $toUpper: op('16007 textual', (value) => value.toUpperCase()),
  $toLower: op('16007 textual', (value) => value.toLowerCase()),
  $substr: substringBytes,
  $substrBytes: substringBytes,
  $substrCP: substringPoints,
  $strLenBytes: op('34473 text!', (value) => Buffer.byteLength(value)),
  $strLenCP: op('34471 text!', (value) => [...value].length),
  $strcasecmp: op('16007 textual textual', (a, b) =>
    Math.sign(compareStrings(a.toUpperCase(), b.toUpperCase())),
  ),
  $split: op('40085 text text', (value, by) =>
    by === '' ? fault(40087, '$split requires a non-empty separator') : value.split(by),
  ),
  $indexOfBytes: indexOf((value) => [...Buffer.from(value)]),
  $indexOfCP: indexOf((value) => [...value]),
  $trim: trimming(true, true),
  $ltrim: trimming(true, false),
  $rtrim: trimming(false, true),
  $replaceOne: replacing('replace'),
  $replaceAll: replacing('replaceAll'),
  $regexMatch: searching(false, (found) => !found.next().done),
  $regexFind: searching(null, (found) => found.next().value ?? null),
  $regexFindAll: searching([], (found) => [...found]),
};
