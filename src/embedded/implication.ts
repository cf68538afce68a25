// Whether a filter can only match documents that a partial index holds. What must stay true: in doubt, no.
import { type Doc, isDoc } from './documents.ts';
import { isOperatorDoc } from './matching.ts';
import { compare, equal, typeOf } from './values.ts';

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

const satisfies = (value: unknown, { operator, operand }: Term): boolean => {
  const alike = typeOf(value) === typeOf(operand);
  switch (operator) {
    case '$eq':
      return equal(value, operand);
    case '$gt':
      return alike && compare(value, operand) > 0;
    case '$gte':
      return alike && compare(value, operand) >= 0;
    case '$lt':
      return alike && compare(value, operand) < 0;
    case '$lte':
      return alike && compare(value, operand) <= 0;
    case '$in':
      return Array.isArray(operand) && operand.some((each) => equal(value, each));
    case '$exists':
      return operand === true && value !== null && value !== undefined;
    default:
      return false;
  }
};

const PRESENT = new Set(['$gt', '$gte', '$lt', '$lte', '$type', '$regex', '$elemMatch', '$size', '$all']);

function provides(given: Term, needed: Term): boolean {
  if (given.operator === '$eq') return satisfies(given.operand, needed);
  if (given.operator === '$in')
    return Array.isArray(given.operand) && given.operand.every((value) => satisfies(value, needed));
  if (given.operator === needed.operator && equal(given.operand, needed.operand)) return true;
  if (needed.operator === '$exists' && needed.operand === true) {
    if (given.operator === '$exists') return given.operand === true || given.operand === 1;
    if (given.operator === '$ne') return given.operand === null;
    return PRESENT.has(given.operator) && given.operand !== null;
  }
  const lower = ['$gt', '$gte'];
  const upper = ['$lt', '$lte'];
  if (lower.includes(given.operator) && lower.includes(needed.operator))
    return satisfies(given.operand, {
      operator: needed.operator === '$gt' && given.operator === '$gt' ? '$gte' : needed.operator,
      operand: needed.operand,
    });
  if (upper.includes(given.operator) && upper.includes(needed.operator))
    return satisfies(given.operand, {
      operator: needed.operator === '$lt' && given.operator === '$lt' ? '$lte' : needed.operator,
      operand: needed.operand,
    });
  return false;
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
