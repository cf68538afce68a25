// MongoDB's regular expressions (PCRE) as JavaScript's, as far as they mean the same; what does not compile is refused.
// What must stay true: no pattern holds up the engine. One that goes back too often is begun again by an engine that never
// goes back; a pattern that this other engine cannot take must not repeat what repeats.
import { setFlagsFromString } from 'node:v8';
import { BSONRegExp } from 'bson';
import { fault, unsupported } from './errors.ts';

setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');

const LEADING_FLAGS = /^\(\?([ims]+)\)/;
const ABSENT = /\[:\^?\w+:\]|(?<!\\)\\[GKQRX]/;

/** A BSON regular expression, or a pattern with its options, ready to test strings. */
export function toRegExp(value: BSONRegExp | string, options?: string): RegExp {
  const { pattern, options: own } = typeof value === 'string' ? { pattern: value, options: '' } : value;
  const [leading = '', more = ''] = LEADING_FLAGS.exec(pattern) ?? [];
  const flags = (options ?? own) + more;
  if (flags.includes('x')) unsupported('the option x of regular expressions');
  const unknown = /[^imsu]/.exec(flags);
  if (unknown) fault(51108, `invalid flag in regex options: ${unknown[0]}`);
  const absent = ABSENT.exec(pattern);
  if (absent) unsupported(`${absent[0]} in regular expressions`);
  const source = pattern
    .slice(leading.length)
    .replace(/\\[AzZ]/g, (anchor) => (anchor === '\\A' ? '^' : '$'))
    .replace(/\(\?P</g, '(?<');
  const unicode = /\\p\{|[\u{10000}-\u{10ffff}]/u.test(source) ? 'u' : '';
  return guarded(source, [...new Set(flags.replace('u', ''))].join('') + unicode);
}

/** A pattern of JavaScript's that takes time in proportion to the text; any other is refused. */
export function guarded(pattern: string, given: string): RegExp {
  const either = given.includes('i') && !given.includes('u') ? inEitherCase(pattern) : undefined;
  const [source, flags] = either === undefined ? [pattern, given] : [either, given.replace('i', '')];
  if ((/[iu]/.test(flags) || /\(\?<?[=!]|\\[1-9]|\\k</.test(source)) && repeatsRepetition(source))
    fault(51091, `Regular expression is invalid: ${pattern} repeats a repetition, which could take forever`);
  try {
    return new RegExp(source, flags);
  } catch (error) {
    fault(51091, `Regular expression is invalid: ${error instanceof Error ? error.message : error}`);
  }
}

const TOKEN = /\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]|\(\?(?::|<?[=!]|<\w+>)|\{\d+(?:,\d*)?\}|[\s\S]/g;

/** Whether a group that is repeated holds a repetition or a choice itself. */
function repeatsRepetition(source: string): boolean {
  const open = [false];
  let closed = false;
  for (const [token] of source.matchAll(TOKEN)) {
    const isRepeat = /^(?:[*+]|\{.+\})$/.test(token);
    if (isRepeat && closed) return true;
    if (token.startsWith('(')) open.push(false);
    closed = token === ')' && open.pop() === true;
    if (isRepeat || token === '|' || closed) open[open.length - 1] = true;
  }
  return false;
}

const caseless = (letter: string): string => {
  const [lower, upper] = [letter.toLowerCase(), letter.toUpperCase()];
  return lower !== upper && lower.length === 1 && upper.length === 1 ? lower + upper : letter;
};

/** The pattern with both cases of its letters instead of the flag i; nothing where that is not so simple. */
function inEitherCase(pattern: string): string | undefined {
  let simple = !/\\(?:[xucpPk]|[1-9])|\(\?</.test(pattern);
  const source = pattern.replace(TOKEN, (token) => {
    if (token === '[') simple = false;
    if (token.length === 1) return caseless(token) === token ? token : `[${caseless(token)}]`;
    if (!token.startsWith('[')) return token;
    return token.replace(/\\[\s\S]|([\s\S])-([^\]])|[\s\S]/g, (part, from?: string, to?: string) => {
      if (!from || !to) return part.length === 1 ? caseless(part) : part;
      const letters = /^[a-z]-[a-z]$|^[A-Z]-[A-Z]$/.test(part);
      simple &&= letters || /^[0-9]-[0-9]$/.test(part);
      return letters ? `${part.toLowerCase()}${part.toUpperCase()}` : part;
    });
  });
  return simple ? source : undefined;
}

export function isRegex(value: unknown): value is BSONRegExp {
  return value instanceof BSONRegExp;
}
