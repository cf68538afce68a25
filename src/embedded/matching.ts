// Filters compiled to predicates, with MongoDB's meaning of null, missing and arrays.
// A field condition is asked of all values at its path; it holds when one of them, or an element of one, satisfies it.
import { comparison, type Leaf, matchesAny, matchesEqual } from './comparing.ts';
import type { Doc } from './documents.ts';
import { bad, fault, unsupported } from './errors.ts';
import { compileExpression } from './expressions.ts';
import { type Scope, scopeOf, truthy } from './operators.ts';
import { REFERENCE, reader } from './paths.ts';
import { isRegex, toRegExp } from './regexes.ts';
import { compileText } from './text.ts';
import { aliases, exactInteger } from './typetests.ts';
import { type Collation, equal, isNumber, isObject, toNumber, typeName } from './values.ts';

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
  (clause: Clause): Clause =>
  (found) =>
    !clause(found);

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
  if (!isObject(value)) return false;
  const [first] = Object.keys(value);
  return first?.startsWith('$') === true && !REFERENCE.has(first);
}

function elementMatch(spec: unknown, env: MatchEnv): Clause {
  if (!isObject(spec)) bad('$elemMatch needs an Object');
  const [first = ''] = Object.keys(spec);
  if (isOperatorDoc(spec) && !Object.hasOwn(TOP, first)) {
    const clause = operators(spec, env);
    return some((value) => Array.isArray(value) && value.some((element) => clause([element])), true);
  }
  const predicate = compileFilter(spec, env);
  const fits: Leaf = (element) => (isObject(element) || Array.isArray(element)) && predicate(element as Doc);
  return some((value) => Array.isArray(value) && value.some(fits), true);
}

function everyOf(spec: unknown, env: MatchEnv): Clause {
  if (!Array.isArray(spec)) bad('$all needs an array');
  if (spec.length === 0) return () => false;
  const nested = spec.some((value) => isObject(value) && '$elemMatch' in value);
  return all(
    spec.map((value) => {
      if (nested) {
        if (!isObject(value) || !('$elemMatch' in value)) bad('$all/$elemMatch has to be consistent');
        return elementMatch(value.$elemMatch, env);
      }
      if (isOperatorDoc(value)) bad('no $ expressions in $all');
      return some(matchesEqual(value, env.collation));
    }),
  );
}

function oneOf(operator: string, spec: unknown, env: MatchEnv): Clause {
  if (!Array.isArray(spec)) bad(`${operator} needs an array`);
  for (const value of spec) if (isOperatorDoc(value)) bad(`cannot nest $ under ${operator}`);
  return some(matchesAny(spec, env.collation));
}

function negation(spec: unknown, env: MatchEnv): Clause {
  if (isRegex(spec)) return not(some(matchesEqual(spec)));
  if (!isObject(spec)) bad('$not needs a regex or a document');
  if (Object.keys(spec).length === 0) bad('$not cannot be empty');
  return not(operators(spec, env));
}

function sized(spec: unknown): Clause {
  const size = exactInteger(spec, '$size');
  if (size < 0) bad(`Failed to parse $size. Expected a non-negative number in: $size: ${size}`);
  return some((value) => Array.isArray(value) && value.length === size, true);
}

function modulo(spec: unknown): Clause {
  if (!Array.isArray(spec)) bad('malformed mod, needs to be an array');
  if (spec.length < 2) bad('malformed mod, not enough elements');
  if (spec.length > 2) bad('malformed mod, too many elements');
  const [by, rest] = spec;
  if (!isNumber(by)) bad('malformed mod, divisor not a number');
  if (!isNumber(rest)) bad('malformed mod, remainder not a number');
  const [divisor, remainder] = [Math.trunc(toNumber(by)), Math.trunc(toNumber(rest))];
  if (divisor === 0) bad('divisor cannot be 0');
  return some((value) => isNumber(value) && Math.trunc(toNumber(value)) % divisor === remainder);
}

function pattern(spec: Doc): Clause {
  const { $regex: regex, $options: options } = spec;
  if (typeof regex !== 'string' && !isRegex(regex)) bad('$regex has to be a string');
  if (options !== undefined && typeof options !== 'string') bad('$options has to be a string');
  if (options !== undefined && isRegex(regex) && regex.options)
    fault(51075, 'options set in both $regex and $options');
  const expression = toRegExp(regex, options as string | undefined);
  return some((value) => typeof value === 'string' && expression.test(value));
}

/** What an operator says of the values at a path; nothing where it belongs to another, or is a comment. */
type Operator = (spec: unknown, env: MatchEnv, whole: Doc, name: string) => Clause | undefined;

const comparing =
  (name: '$gt' | '$gte' | '$lt' | '$lte'): Operator =>
  (spec, { collation }) =>
    some(comparison(name, spec, collation));
const refused: Operator = (_spec, _env, _whole, name) => unsupported(name);

const OPERATORS: Record<string, Operator> = {
  $eq: (spec, { collation }) =>
    some(isRegex(spec) ? (value) => isRegex(value) && equal(value, spec) : matchesEqual(spec, collation)),
  $ne: (spec, { collation }) =>
    isRegex(spec) ? bad("Can't have regex as arg to $ne.") : not(some(matchesEqual(spec, collation))),
  $gt: comparing('$gt'),
  $gte: comparing('$gte'),
  $lt: comparing('$lt'),
  $lte: comparing('$lte'),
  $in: (spec, env) => oneOf('$in', spec, env),
  $nin: (spec, env) => not(oneOf('$nin', spec, env)),
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
  $regex: (_spec, _env, whole) => pattern(whole),
  $options: (_spec, _env, whole) => ('$regex' in whole ? undefined : bad('$options needs a $regex')),
  $not: negation,
  $all: everyOf,
  $elemMatch: elementMatch,
  $bitsAllSet: refused,
  $bitsAnySet: refused,
  $bitsAllClear: refused,
  $bitsAnyClear: refused,
  $comment: () => undefined,
  $near: refused,
  $nearSphere: refused,
  $geoWithin: refused,
  $geoIntersects: refused,
  $within: refused,
  $where: refused,
};

function operators(spec: Doc, env: MatchEnv): Clause {
  const clauses: Clause[] = [];
  for (const name of Object.keys(spec)) {
    const operator = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
    if (!operator) bad(`unknown operator: ${name}`);
    const clause = operator(spec[name], env, spec, name);
    if (clause) clauses.push(clause);
  }
  return all(clauses);
}

function fieldTest(path: string, condition: unknown, env: MatchEnv): Predicate {
  const clause = isOperatorDoc(condition)
    ? operators(condition, env)
    : some(matchesEqual(condition, env.collation));
  const read = reader(path);
  return (doc) => clause(read(doc));
}

function branches(name: string, spec: unknown, env: MatchEnv): Predicate[] {
  if (!Array.isArray(spec)) bad(`${name} must be an array`);
  if (spec.length === 0) bad('$and/$or/$nor must be a nonempty array');
  return spec.map((branch) => {
    if (!isObject(branch)) bad('$or/$and/$nor entries need to be full objects');
    return compileFilter(branch, env);
  });
}

/** Operators that say something of the document. */
const TOP: Record<string, (spec: unknown, env: MatchEnv) => Predicate | undefined> = {
  $and: (spec, env) => all(branches('$and', spec, env)),
  $or(spec, env) {
    const tests = branches('$or', spec, env);
    return (doc) => tests.some((test) => test(doc));
  },
  $nor(spec, env) {
    const tests = branches('$nor', spec, env);
    return (doc) => !tests.some((test) => test(doc));
  },
  $expr(spec, env) {
    const evaluate = compileExpression(spec, env.scope ?? scopeOf({ NOW: new Date() }));
    return (doc) => truthy(evaluate(doc));
  },
  $jsonSchema: () => unsupported('$jsonSchema'),
  $text: (spec, { textFields }) =>
    compileText(spec, textFields ?? fault(27, 'text index required for $text query')),
  $comment: () => undefined,
  $alwaysTrue: () => undefined,
  $alwaysFalse: () => () => false,
  $sampleRate(spec) {
    const rate = toNumber(spec);
    return () => Math.random() < rate;
  },
  $where: () => unsupported('$where'),
};

function topLevel(name: string, spec: unknown, env: MatchEnv): Predicate | undefined {
  const operator = Object.hasOwn(TOP, name) ? TOP[name] : undefined;
  if (operator) return operator(spec, env);
  if (OPERATORS[name] === refused) unsupported(name);
  return bad(`unknown top level operator: ${name}`);
}

export function compileFilter(filter: Doc, env: MatchEnv = {}): Predicate {
  const tests: Predicate[] = [];
  for (const name of Object.keys(filter)) {
    const test =
      name.startsWith('$') && !REFERENCE.has(name)
        ? topLevel(name, filter[name], env)
        : fieldTest(name, filter[name], env);
    if (test) tests.push(test);
  }
  return all(tests);
}
