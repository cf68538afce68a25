// Whether a filter can only match documents that a partial index holds. What must stay true: in doubt, no.
import { type Doc, isDoc } from './documents.ts';
import { compileFilter, isOperatorDoc } from './matching.ts';
import { isRegex } from './regexes.ts';
import { equal, ORDER, typeOf } from './values.ts';

type Term = { operator: string; operand: unknown };

function termsOf(filter: Doc, found = new Map<string, Term[]>()): Map<string, Term[]> {
  const add = (path: string, term: Term): void => {
    found.set(path, [...(found.get(path) ?? []), term]);
  };
  for (const name of Object.keys(filter)) {
    const spec = filter[name];
    if (name === '$and' && Array.isArray(spec)) for (const each of spec) isDoc(each) && termsOf(each, found);
    else if (name.startsWith('$')) add(name, { operator: 'other', operand: spec });
    else if (isOperatorDoc(spec))
      for (const operator of Object.keys(spec)) add(name, { operator, operand: spec[operator] });
    else add(name, { operator: '$eq', operand: spec });
  }
  return found;
}

const satisfies = (value: unknown, { operator, operand }: Term): boolean =>
  PROVABLE.has(operator) && compileFilter({ x: { [operator]: operand } })({ x: value });

const PROVABLE = new Set(['$eq', '$gt', '$gte', '$lt', '$lte', '$in', '$exists']);

/** Equal to it is one value, which is there: null may be missing, an array one of its elements. */
const isOne = (value: unknown): boolean =>
  typeOf(value) !== ORDER.NULL && !Array.isArray(value) && !isRegex(value);

const PRESENT = new Set(['$gt', '$gte', '$lt', '$lte', '$type', '$regex', '$elemMatch', '$size', '$all']);

const LIMITS = [
  ['$gt', '$gte'],
  ['$lt', '$lte'],
];

function provides(given: Term, needed: Term): boolean {
  const { operator, operand } = given;
  if (operator === '$eq') return isOne(operand) && satisfies(operand, needed);
  if (operator === '$in')
    return Array.isArray(operand) && operand.every((value) => isOne(value) && satisfies(value, needed));
  if (operator === needed.operator && equal(operand, needed.operand)) return true;
  if (needed.operator === '$exists' && needed.operand === true) {
    if (operator === '$exists') return operand === true || operand === 1;
    if (operator === '$ne') return operand === null;
    return PRESENT.has(operator) && operand !== null;
  }
  const [strict, loose] = LIMITS.find((pair) => pair.includes(operator)) ?? [];
  if (!strict || !loose || ![strict, loose].includes(needed.operator)) return false;
  const both = operator === strict && needed.operator === strict;
  return satisfies(operand, { operator: both ? loose : needed.operator, operand: needed.operand });
}

export function implies(filter: Doc, partial: Doc): boolean {
  const given = termsOf(filter);
  for (const [path, needed] of termsOf(partial)) {
    const known = given.get(path) ?? [];
    if (path.startsWith('$')) return false;
    if (!needed.every((need) => known.some((term) => provides(term, need)))) return false;
  }
  return true;
}
