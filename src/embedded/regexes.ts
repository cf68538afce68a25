// MongoDB's regular expressions (PCRE) as JavaScript's, as far as they mean the same; what does not compile is refused.
import { BSONRegExp } from 'bson';
import { fault } from './errors.ts';

const LEADING_FLAGS = /^\(\?([imsx]+)\)/;
const EXTENDED = /\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]|\s+|#.*$/gm;

const POSIX: Record<string, string> = {
  alnum: 'a-zA-Z0-9',
  alpha: 'a-zA-Z',
  digit: '0-9',
  lower: 'a-z',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\s',
  upper: 'A-Z',
  word: '\\w',
  xdigit: '0-9a-fA-F',
};

function posixClass(name: string, negated: boolean): string {
  const members = Object.hasOwn(POSIX, name) && !negated ? POSIX[name] : undefined;
  return members ?? fault(51091, `Regular expression is invalid: the class [:${name}:] is not supported`);
}

/** A BSON regular expression, or a pattern with its options, ready to test strings. */
export function toRegExp(value: BSONRegExp | string, options?: string): RegExp {
  let pattern = typeof value === 'string' ? value : value.pattern;
  let flags = options ?? (typeof value === 'string' ? '' : value.options);
  const leading = LEADING_FLAGS.exec(pattern);
  if (leading) {
    pattern = pattern.slice(leading[0].length);
    flags += leading[1];
  }
  const unknown = /[^imsxu]/.exec(flags);
  if (unknown) fault(51108, `invalid flag in regex options: ${unknown[0]}`);
  if (flags.includes('x')) pattern = pattern.replace(EXTENDED, (part) => (/^[\s#]/.test(part) ? '' : part));
  const source = pattern
    .replace(/\[:(\^?)(\w+):\]/g, (_class, not: string, name: string) => posixClass(name, not !== ''))
    .replace(/\\[AzZ]/g, (anchor) => (anchor === '\\A' ? '^' : '$'))
    .replace(/\(\?P</g, '(?<');
  const kept = [...new Set(flags.replace(/[^ims]/g, ''))].join('');
  const unicode = /\\p\{|[\u{10000}-\u{10ffff}]/u.test(source) ? 'u' : '';
  try {
    return new RegExp(source, kept + unicode);
  } catch (error) {
    fault(51091, `Regular expression is invalid: ${error instanceof Error ? error.message : error}`);
  }
}

export function isRegex(value: unknown): value is BSONRegExp {
  return value instanceof BSONRegExp;
}
