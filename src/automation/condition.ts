// Whether a condition holds, and why: every answer names the leaves that made it so, with the value that was found. Pure.
import { type Facts, fieldNamed, type Kind, rankOf, type Value } from './fields.ts';
import type { Condition, Leaf } from './rule.ts';

export interface Reason {
  field: string;
  op: Leaf['op'];
  wanted: Leaf['value'] | null;
  value: Value;
  holds: boolean;
  /** `priority is low: that does not equal high`. */
  sentence: string;
}

export interface Verdict {
  holds: boolean;
  /** The leaves that decided it: what failed when it does not hold, what made it hold when it does. */
  because: Reason[];
}

export function evaluate(condition: Condition, facts: Facts): Verdict {
  if ('all' in condition) {
    const parts = condition.all.map((one) => evaluate(one, facts));
    const holds = parts.every((one) => one.holds);
    return { holds, because: parts.filter((one) => one.holds === holds).flatMap((one) => one.because) };
  }
  if ('any' in condition) {
    const parts = condition.any.map((one) => evaluate(one, facts));
    const holds = parts.some((one) => one.holds);
    return { holds, because: parts.filter((one) => one.holds === holds).flatMap((one) => one.because) };
  }
  if ('not' in condition) {
    const { holds, because } = evaluate(condition.not, facts);
    return { holds: !holds, because };
  }
  const field = fieldNamed(condition.field);
  const value = field?.read(facts) ?? null;
  const holds = field !== null && compare(condition, value, field.kind);
  const { op, value: wanted = null } = condition;
  const reason = { field: condition.field, op, wanted, value: shortened(value), holds };
  return { holds, because: [{ ...reason, sentence: sentenceOf(condition, value, holds) }] };
}

const plain = (value: unknown): string => String(value).trim().toLowerCase();
const word = (value: unknown): string => plain(value).replaceAll(/[\s-]+/g, '_');
const listOf = (value: unknown): unknown[] => [value ?? []].flat();
const isEmpty = (value: Value): boolean =>
  value === null || (typeof value === 'string' ? value.trim() === '' : Array.isArray(value) && !value.length);

/** Does a leaf hold of this value? What is not there is empty: it contains nothing and equals nothing. */
export function compare({ op, value: wanted }: Leaf, value: Value, kind: Kind): boolean {
  const as = kind === 'word' || kind === 'rank' ? word : plain;
  const some = (fits: (text: string, part: string) => boolean) => {
    if (isEmpty(value)) return false;
    const text = plain(value);
    return listOf(wanted).some((part) => fits(text, plain(part)));
  };
  const has = (part: unknown) => listOf(value).some((one) => word(one) === word(part));
  const equal = () => !isEmpty(value) && listOf(wanted).some((one) => as(one) === as(value));
  switch (op) {
    case 'equals':
    case 'in':
      return equal();
    case 'not_equals':
    case 'not_in':
      return !equal();
    case 'contains':
      return some((text, part) => text.includes(part));
    case 'not_contains':
      return !some((text, part) => text.includes(part));
    case 'contains_word':
      return some(containsWord);
    case 'starts_with':
      return some((text, part) => text.startsWith(part));
    case 'ends_with':
      return some((text, part) => text.endsWith(part));
    case 'greater':
      return measured(value, wanted, kind, (a, b) => a > b);
    case 'less':
      return measured(value, wanted, kind, (a, b) => a < b);
    case 'at_least':
      return measured(value, wanted, kind, (a, b) => a >= b);
    case 'at_most':
      return measured(value, wanted, kind, (a, b) => a <= b);
    case 'has':
    case 'has_any':
      return listOf(wanted).some(has);
    case 'has_all':
      return listOf(wanted).every(has);
    case 'has_none':
      return !listOf(wanted).some(has);
    case 'is_empty':
      return isEmpty(value);
    case 'is_not_empty':
      return !isEmpty(value);
    default:
      return op satisfies never;
  }
}

function measured(value: Value, wanted: unknown, kind: Kind, fits: (a: number, b: number) => boolean) {
  const number = (one: unknown) => (kind === 'rank' ? rankOf(one) : Number(one));
  if (isEmpty(value) || Array.isArray(value)) return false;
  return fits(number(value), number(wanted));
}

const LETTER = /[\p{L}\p{N}_]/u;
/** As a word of its own: `refund` is in "a refund, please" and not in "refunded". */
function containsWord(text: string, part: string): boolean {
  if (!part) return false;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) {
    const before = [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? ' ';
    const after = [...text.slice(at + part.length, at + part.length + 2)][0] ?? ' ';
    if (!LETTER.test(before) && !LETTER.test(after)) return true;
  }
  return false;
}

const LONGEST = 80;
const cut = (text: string): string => (text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text);
const shortened = (value: Value): Value =>
  typeof value === 'string' ? cut(value) : Array.isArray(value) ? value.slice(0, 10) : value;
const shown = (value: unknown): string => {
  if (value === null || value === undefined || value === '') return 'empty';
  if (Array.isArray(value)) return value.length ? cut(value.slice(0, 10).join(', ')) : 'empty';
  return typeof value === 'string' ? `“${cut(value)}”` : String(value);
};
const wantedWords = (value: unknown): string =>
  Array.isArray(value) ? cut(value.slice(0, 10).join(', ')) : shown(value);

/** What the operator says of a value for which it holds, and for which it does not. */
const WORDS: Record<Leaf['op'], [holds: string, fails: string]> = {
  equals: ['that is', 'not'],
  not_equals: ['not', 'that is'],
  in: ['one of', 'none of'],
  not_in: ['none of', 'one of'],
  contains: ['it contains', 'it does not contain'],
  not_contains: ['it does not contain', 'it contains'],
  contains_word: ['it contains the word', 'it does not contain the word'],
  starts_with: ['it begins with', 'it does not begin with'],
  ends_with: ['it ends with', 'it does not end with'],
  greater: ['more than', 'not more than'],
  less: ['less than', 'not less than'],
  at_least: ['at least', 'not at least'],
  at_most: ['at most', 'not at most'],
  has: ['it has', 'it does not have'],
  has_any: ['it has one of', 'it has none of'],
  has_all: ['it has all of', 'it does not have all of'],
  has_none: ['it has none of', 'it has one of'],
  is_empty: ['it is empty', 'it is not empty'],
  is_not_empty: ['it is not empty', 'it is empty'],
};

function sentenceOf({ field, op, value: wanted }: Leaf, value: Value, holds: boolean): string {
  const [yes, no] = WORDS[op];
  const name = field.replaceAll('_', ' ').replace('.', ': ');
  const end = op === 'is_empty' || op === 'is_not_empty' ? '' : ` ${wantedWords(wanted)}`;
  return `${name} is ${shown(value)}: ${holds ? yes : no}${end}`;
}

/** All leaves, in the order in which they stand. */
export function leavesOf(condition: Condition): Leaf[] {
  if ('all' in condition) return condition.all.flatMap(leavesOf);
  if ('any' in condition) return condition.any.flatMap(leavesOf);
  if ('not' in condition) return leavesOf(condition.not);
  return [condition];
}

/** May it come to hold by mere passing of time? */
export const movesByItself = (condition: Condition): boolean =>
  leavesOf(condition).some((leaf) => fieldNamed(leaf.field)?.moves === true);
