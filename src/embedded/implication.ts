// Whether a filter can only match documents that a partial index holds. What must stay true: in doubt, no.
import { type Doc, isDoc } from './documents.ts';
import { compileFilter, isOperatorDoc } from './matching.ts';
import { isRegex } from './regexes.ts';
import { equal, ORDER, typeOf } from './values.ts';

type Term = { operator: string; operand: unknown };

/** What a filter says of each path; undefined when it says more than that. */
function termsOf(filter: Doc, found = new Map<string, Term[]>()): Map<string, Term[]> {
  for (const [name, spec] of Object.entries(filter)) {
    if (name === '$and' && Array.isArray(spec)) for (const each of spec) isDoc(each) && termsOf(each, found);
    else {
      const terms = isOperatorDoc(spec) ? Object.entries(spec) : [['$eq', spec] as const];
      const known = found.get(name) ?? [];
      found.set(name, [...known, ...terms.map(([operator, operand]) => ({ operator, operand }))]);
    }
  }
  return found;
}

/** Equal to it is one value, which is there: null may be missing, an array one of its elements. */
const isOne = (value: unknown): boolean =>
  typeOf(value) !== ORDER.NULL && !Array.isArray(value) && !isRegex(value);

const satisfies = (value: unknown, { operator, operand }: Term): boolean =>
  isOne(value) && compileFilter({ x: { [operator]: operand } })({ x: value });

const PROVABLE = new Set(['$eq', '$gt', '$gte', '$lt', '$lte', '$in', '$exists', '$type']);
const ABOVE = ['$gt', '$gte'];
const BELOW = ['$lt', '$lte'];

/** The same words say the same; a value says what it satisfies; what is beyond a further limit is beyond the nearer. */
function provides({ operator, operand }: Term, needed: Term): boolean {
  if (operator === needed.operator && equal(operand, needed.operand)) return true;
  if (!PROVABLE.has(needed.operator)) return false;
  if (operator === '$eq') return satisfies(operand, needed);
  if (operator === '$in') return Array.isArray(operand) && operand.every((value) => satisfies(value, needed));
  const side = [ABOVE, BELOW].find((each) => each.includes(operator));
  if (needed.operator === '$exists') return needed.operand === true && side !== undefined && isOne(operand);
  return side?.includes(needed.operator) === true && satisfies(operand, needed);
}

export function implies(filter: Doc, partial: Doc): boolean {
  const given = termsOf(filter);
  for (const [path, needed] of termsOf(partial)) {
    const known = given.get(path) ?? [];
    if (!path.startsWith('$') && needed.every((need) => known.some((term) => provides(term, need)))) continue;
    return false;
  }
  return true;
}
