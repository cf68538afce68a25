// Filters compiled to predicates, with MongoDB's meaning of null, missing and arrays.
// A field condition is asked of all values at its path; it holds when one of them, or an element of one, satisfies it.
import { comparison, type Leaf, matchesAny, matchesEqual } from './comparing.ts';
import { aliases } from './conversions.ts';
import { type Doc, isDoc } from './documents.ts';
import { bad, fault, unsupported } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { type Scope, truthy } from './operators.ts';
import { REFERENCE, reader } from './paths.ts';
import { isRegex, toRegExp } from './regexes.ts';
import { show } from './showing.ts';
import { compileText } from './text.ts';
import { type Collation, equal, isNumber, toNumber, typeName } from './values.ts';
import { words } from './words.ts';

export interface MatchEnv {
  scope?: Scope | undefined;
  collation?: Collation | undefined;
  /** Paths and weights of the collection's text index. */
  textFields?: readonly (readonly [path: string, weight: number])[] | undefined;
}

export type Predicate = (doc: Doc) => boolean;
type Clause = (found: readonly unknown[]) => boolean;

/** Holds when a value, or unless `whole` an element of an array among them, satisfies the leaf. */
function some(leaf: Leaf, whole = false): Clause {
  return (found) => {
    for (const value of found) {
      if (leaf(value)) return true;
      if (!whole && Array.isArray(value) && value.some(leaf)) return true;
    }
    return false;
  };
}

const not =
  <T>(test: (subject: T) => boolean) =>
  (subject: T): boolean =>
    !test(subject);

function all<T>(tests: readonly ((subject: T) => boolean)[]): (subject: T) => boolean {
  const [first, second] = tests;
  if (!first) return () => true;
  if (!second) return first;
  if (tests.length === 2) return (subject) => first(subject) && second(subject);
  return (subject) => {
    for (const test of tests) if (!test(subject)) return false;
    return true;
  };
}

/** {$gt: 3} and the like, as opposed to a plain document to be equal to. */
export function isOperatorDoc(value: unknown): value is Doc {
  if (!isDoc(value)) return false;
  const [first] = Object.keys(value);
  return first?.startsWith('$') === true && !REFERENCE.has(first);
}

function elementMatch(spec: unknown, env: MatchEnv): Clause {
  if (!isDoc(spec)) bad('$elemMatch needs an Object');
  const [first = ''] = Object.keys(spec);
  if (isOperatorDoc(spec) && !Object.hasOwn(TOP, first)) {
    const clause = operators(spec, env);
    return some((value) => Array.isArray(value) && value.some((element) => clause([element])), true);
  }
  const predicate = compileFilter(spec, env);
  const fits: Leaf = (element) => (isDoc(element) || Array.isArray(element)) && predicate(element as Doc);
  return some((value) => Array.isArray(value) && value.some(fits), true);
}

function everyOf(spec: unknown, env: MatchEnv): Clause {
  if (!Array.isArray(spec)) bad('$all needs an array');
  if (spec.length === 0) return () => false;
  const nested = spec.filter((value) => isDoc(value) && '$elemMatch' in value);
  if (nested.length > 0 && nested.length < spec.length) bad('$all/$elemMatch has to be consistent');
  if (nested.length > 0) return all(nested.map((value) => elementMatch(value.$elemMatch, env)));
  if (spec.some(isOperatorDoc)) bad('no $ expressions in $all');
  return all(spec.map((value) => some(matchesEqual(value, env.collation))));
}

function oneOf(spec: unknown, { collation }: MatchEnv, operator: string): Clause {
  if (!Array.isArray(spec)) bad(`${operator} needs an array`);
  if (spec.some(isOperatorDoc)) bad(`cannot nest $ under ${operator}`);
  return some(matchesAny(spec, collation));
}

function negation(spec: unknown, env: MatchEnv): Clause {
  if (isRegex(spec)) return not(some(matchesEqual(spec)));
  if (!isDoc(spec)) bad('$not needs a regex or a document');
  if (Object.keys(spec).length === 0) bad('$not cannot be empty');
  return not(operators(spec, env));
}

function sized(spec: unknown): Clause {
  const size = toNumber(spec);
  if (!Number.isInteger(size) || size < 0)
    bad(`Failed to parse $size. Expected a non-negative integer in: $size: ${show(spec)}`);
  return some((value) => Array.isArray(value) && value.length === size, true);
}

function modulo(spec: unknown): Clause {
  if (!Array.isArray(spec)) bad('malformed mod, needs to be an array');
  if (spec.length !== 2) bad(`malformed mod, ${spec.length < 2 ? 'not enough' : 'too many'} elements`);
  if (!spec.every(isNumber)) bad('malformed mod, divisor or remainder not a number');
  const [divisor, remainder] = spec.map((number) => Math.trunc(toNumber(number)));
  if (!divisor) bad('divisor cannot be 0');
  return some((value) => isNumber(value) && Math.trunc(toNumber(value)) % divisor === remainder);
}

function pattern({ $regex: regex, $options: options }: Doc): Clause {
  if (typeof regex !== 'string' && !isRegex(regex)) bad('$regex has to be a string');
  if (options !== undefined && typeof options !== 'string') bad('$options has to be a string');
  if (options !== undefined && isRegex(regex) && regex.options)
    fault(51075, 'options set in both $regex and $options');
  const expression = toRegExp(regex, options);
  return some((value) => typeof value === 'string' && expression.test(value));
}

/** What an operator says of the values at a path; nothing where it belongs to another, or is a comment. */
type Operator = (spec: unknown, env: MatchEnv, name: string, whole: Doc) => Clause | undefined;

const ordered: Operator = (spec, { collation }, name) => some(comparison(name, spec, collation));

const OPERATORS: Record<string, Operator> = {
  $eq: (spec, { collation }) =>
    some(isRegex(spec) ? (value) => isRegex(value) && equal(value, spec) : matchesEqual(spec, collation)),
  $ne: (spec, { collation }) =>
    isRegex(spec) ? bad("Can't have regex as arg to $ne.") : not(some(matchesEqual(spec, collation))),
  $gt: ordered,
  $gte: ordered,
  $lt: ordered,
  $lte: ordered,
  $in: oneOf,
  $nin: (spec, env) => not(oneOf(spec, env, '$nin')),
  $exists: (spec) => {
    const wanted = truthy(spec);
    return (found) => found.some((value) => value !== undefined) === wanted;
  },
  $type: (spec) => {
    const names = aliases(spec);
    return some((value) => names.has(typeName(value)));
  },
  $size: sized,
  $mod: modulo,
  $regex: (_spec, _env, _name, whole) => pattern(whole),
  $options: (_spec, _env, _name, whole) => ('$regex' in whole ? undefined : bad('$options needs a $regex')),
  $not: negation,
  $all: everyOf,
  $elemMatch: elementMatch,
  $comment: () => undefined,
};

/** What MongoDB has and this engine has not. */
const ABSENT = new Set(
  words(`$bitsAllClear $bitsAllSet $bitsAnyClear $bitsAnySet $geoIntersects $geoWithin $jsonSchema $near $nearSphere
  $sampleRate $where $within`),
);

function operators(spec: Doc, env: MatchEnv): Clause {
  const clauses = Object.keys(spec).map((name) => {
    if (ABSENT.has(name)) unsupported(name);
    const operator = OPERATORS[name] ?? bad(`unknown operator: ${name}`);
    return operator(spec[name], env, name, spec);
  });
  return all(clauses.filter((clause) => clause !== undefined));
}

function fieldTest(path: string, condition: unknown, env: MatchEnv): Predicate {
  const clause = isOperatorDoc(condition)
    ? operators(condition, env)
    : some(matchesEqual(condition, env.collation));
  const read = reader(path);
  return (doc) => clause(read(doc));
}

function branches(spec: unknown, env: MatchEnv): Predicate[] {
  if (!Array.isArray(spec) || spec.length === 0) bad('$and/$or/$nor must be a nonempty array');
  return spec.map((branch) => {
    if (!isDoc(branch)) bad('$or/$and/$nor entries need to be full objects');
    return compileFilter(branch, env);
  });
}

function any(spec: unknown, env: MatchEnv): Predicate {
  const tests = branches(spec, env);
  return (doc) => tests.some((test) => test(doc));
}

/** Operators that say something of the document. */
const TOP: Record<string, (spec: unknown, env: MatchEnv) => Predicate | undefined> = {
  $and: (spec, env) => all(branches(spec, env)),
  $or: any,
  $nor: (spec, env) => not(any(spec, env)),
  $expr(spec, env) {
    const evaluate = compileExpression(spec, env.scope);
    return (doc) => truthy(evaluate(doc));
  },
  $text: (spec, { textFields }) =>
    compileText(spec, textFields ?? fault(27, 'text index required for $text query')),
  $comment: () => undefined,
};

export function compileFilter(filter: Doc, env: MatchEnv = {}): Predicate {
  const tests = Object.keys(filter).map((name) => {
    if (!name.startsWith('$') || REFERENCE.has(name)) return fieldTest(name, filter[name], env);
    if (ABSENT.has(name)) unsupported(name);
    const operator = TOP[name] ?? bad(`unknown top level operator: ${name}`);
    return operator(filter[name], env);
  });
  return all(tests.filter((test) => test !== undefined));
}
