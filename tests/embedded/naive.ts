// Filters read the slow way, straight from the documentation: a second opinion for the compiled ones.
import { type Doc, isDoc } from '../../src/embedded/documents.ts';
import { compare, ORDER, toNumber, typeOf } from '../../src/embedded/values.ts';

/** All values that a path can mean; undefined stands for a field that could be there and is not. */
function reach(value: unknown, parts: string[]): unknown[] {
  const [part, ...rest] = parts;
  if (part === undefined) return [value];
  if (Array.isArray(value)) {
    const inside = value.filter(isDoc).flatMap((element) => reach(element, parts));
    const at = /^\d+$/.test(part) && Number(part) < value.length ? value[Number(part)] : undefined;
    if (at === undefined || (rest.length > 0 && typeof at !== 'object') || (rest.length > 0 && at === null))
      return inside;
    if (rest.length > 0 && !Array.isArray(at) && !isDoc(at)) return inside;
    return [...reach(at, rest), ...inside];
  }
  if (!isDoc(value) || !Object.hasOwn(value, part)) return [undefined];
  return reach(value[part], rest);
}

/** A leaf also stands for each of its elements. */
const spread = (values: unknown[]): unknown[] =>
  values.flatMap((value) => (Array.isArray(value) ? [value, ...value] : [value]));

function same(value: unknown, wanted: unknown): boolean {
  if (wanted === null) return value === null || value === undefined;
  return value !== undefined && compare(value, wanted) === 0;
}

function ordered(value: unknown, wanted: unknown, holds: (difference: number) => boolean): boolean {
  if (typeOf(wanted) === ORDER.NULL) return (value === null || value === undefined) && holds(0);
  if (value === undefined || typeOf(value) !== typeOf(wanted)) return false;
  if (typeOf(value) === ORDER.NUMBER) {
    const [x, y] = [Number.isNaN(toNumber(value)), Number.isNaN(toNumber(wanted))];
    if (x || y) return x && y && holds(0);
  }
  return holds(compare(value, wanted));
}

const HOLDS: Record<string, (difference: number) => boolean> = {
  $gt: (difference) => difference > 0,
  $gte: (difference) => difference >= 0,
  $lt: (difference) => difference < 0,
  $lte: (difference) => difference <= 0,
};

function satisfies(values: unknown[], operator: string, wanted: unknown): boolean {
  const holds = HOLDS[operator];
  if (holds) return spread(values).some((value) => ordered(value, wanted, holds));
  switch (operator) {
    case '$eq':
      return spread(values).some((value) => same(value, wanted));
    case '$ne':
      return !satisfies(values, '$eq', wanted);
    case '$in':
      return (wanted as unknown[]).some((one) => satisfies(values, '$eq', one));
    case '$nin':
      return !satisfies(values, '$in', wanted);
    case '$exists':
      return values.some((value) => value !== undefined) === wanted;
    case '$size':
      return values.some((value) => Array.isArray(value) && value.length === wanted);
    case '$not':
      return !Object.entries(wanted as Doc).every(([name, inner]) => satisfies(values, name, inner));
    case '$elemMatch':
      return values.some(
        (value) => Array.isArray(value) && value.some((element) => fits(element, wanted as Doc)),
      );
    default:
      throw new Error(`the naive model does not know ${operator}`);
  }
}

function fits(element: unknown, wanted: Doc): boolean {
  if (Object.keys(wanted)[0]?.startsWith('$')) {
    return Object.entries(wanted).every(([operator, inner]) => satisfies([element], operator, inner));
  }
  return (isDoc(element) || Array.isArray(element)) && matchesNaively(wanted, element as Doc);
}

export function matchesNaively(filter: Doc, doc: Doc): boolean {
  return Object.entries(filter).every(([key, wanted]) => {
    const branches = wanted as Doc[];
    if (key === '$and') return branches.every((branch) => matchesNaively(branch, doc));
    if (key === '$or') return branches.some((branch) => matchesNaively(branch, doc));
    if (key === '$nor') return !branches.some((branch) => matchesNaively(branch, doc));
    const values = reach(doc, key.split('.'));
    if (isDoc(wanted) && Object.keys(wanted)[0]?.startsWith('$')) {
      return Object.entries(wanted).every(([operator, inner]) => satisfies(values, operator, inner));
    }
    return satisfies(values, '$eq', wanted);
  });
}
