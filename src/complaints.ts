// What is wrong with an input, as sentences that a person can act on: `title: is required`, never "Invalid input".
import type { z } from 'zod';

type Issue = z.core.$ZodIssue;
type Raw = Parameters<z.core.$ZodErrorMap>[0];

export interface Complaint {
  path: PropertyKey[];
  message: string;
}

const KINDS: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
  date: 'a date or time such as 2026-01-31T09:00:00Z',
  null: 'null',
};
const FORMATS: Record<string, string> = {
  datetime: 'a time such as 2026-01-31T09:00:00Z',
  date: 'a date such as 2026-01-31',
  time: 'a time of day such as 09:00',
  email: 'an address such as mei@example.com',
  url: 'an address such as https://example.com',
};
/** What a choice between forms says of itself, for its `error`. */
export const oneOfForms =
  (words: string) =>
  ({ input }: { input?: unknown }): string =>
    input === undefined ? 'is required' : words;

const among = (values: readonly unknown[]): string =>
  values.length === 1 ? `must be ${values[0]}` : `must be one of ${values.join(', ')}`;

function tooFew({ origin, minimum, inclusive }: Extract<Raw, { code: 'too_small' }>): string {
  const isText = origin === 'string';
  if (isText || origin === 'array' || origin === 'set')
    return minimum === 1 || minimum === 1n
      ? 'must not be empty'
      : `must have at least ${minimum} ${isText ? 'characters' : 'items'}`;
  return `must be ${inclusive ? 'at least' : 'more than'} ${minimum}`;
}
function tooMany({ origin, maximum, inclusive }: Extract<Raw, { code: 'too_big' }>): string {
  if (origin === 'string') return `must have at most ${maximum} characters`;
  if (origin === 'array' || origin === 'set') return `must have at most ${maximum} items`;
  return `must be ${inclusive ? 'at most' : 'less than'} ${maximum}`;
}

/** For `safeParse(given, { error: inWords })`. What a schema says of itself goes before. */
export const inWords: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is required';
      return `must be ${KINDS[issue.expected] ?? issue.expected}${issue.input === null ? ', not null' : ''}`;
    case 'invalid_value':
      return issue.input === undefined ? 'is required' : among(issue.values);
    case 'too_small':
      return tooFew(issue);
    case 'too_big':
      return tooMany(issue);
    case 'invalid_format':
      return `must be ${FORMATS[issue.format] ?? 'in the right form'}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'unrecognized_keys':
      return 'is not a known field';
    case 'invalid_key':
      return issue.issues[0]?.message ?? 'is not a name that is possible here';
    case 'invalid_union':
      if (issue.input === undefined) return 'is required';
      return Array.isArray(issue.options) && issue.options.length ? among(issue.options) : '';
    default:
      return undefined;
  }
};

/** What is of another kind altogether is not too short as well. */
const isBeside = (issue: Issue, all: readonly Issue[]): boolean =>
  issue.code !== 'invalid_type' &&
  all.some(({ code, path }) => code === 'invalid_type' && path.join('.') === issue.path.join('.'));

/** One for each thing that is wrong; of several forms that were possible, what is wrong with the one that was meant. */
export const complaints = (issues: readonly Issue[], above: PropertyKey[] = []): Complaint[] =>
  issues.flatMap((issue) => {
    if (isBeside(issue, issues)) return [];
    const path = [...above, ...issue.path];
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({ path: [...path, key], message: issue.message }));
    if (issue.code !== 'invalid_union' || !issue.errors.length) return [{ path, message: issue.message }];
    const meant = meantBy(issue.errors);
    if (meant) return complaints(meant, path);
    return [{ path, message: issue.message || eitherOf(issue.errors) }];
  });

/** Of these it was meant to be none at all. */
const FAR = 1_000;
function distance(issue: Issue): number {
  if (issue.code === 'unrecognized_keys') return issue.keys.length;
  if (issue.path.length === 0) return FAR;
  return issue.path.length === 1 && issue.message === 'is required' ? FAR : 1;
}

/** The form that is clearly nearer than the others. */
function meantBy(forms: readonly Issue[][]): Issue[] | null {
  const ranked = forms
    .map((issues) => ({ issues, far: Math.max(0, ...issues.map(distance)) }))
    .sort((a, b) => a.far - b.far);
  const [first, second] = ranked;
  if (!first || first.far >= FAR || first.far === second?.far) return null;
  return first.issues;
}

/** What each form would have wanted; of a value that has the kind of one of them, only that. */
function eitherOf(forms: readonly Issue[][]): string {
  const heads = forms.flatMap((issues) => issues.slice(0, 1));
  const ofKind = heads.filter((one) => one.code !== 'invalid_type' && one.code !== 'invalid_union');
  const said = (ofKind.length ? ofKind : heads).flatMap((one) =>
    complaints([one]).map(({ message }) => message),
  );
  const words = [...new Set(said)].filter(Boolean);
  if (!words.every((one) => one.startsWith('must be '))) return words[0] ?? 'is not in a form that we know';
  const wanted = new Set(words.flatMap((one) => one.slice('must be '.length).split(' or ')));
  return `must be ${[...wanted].join(' or ')}`;
}
