// Which way to the documents: an index for equality, ranges, $in and order, or a walk over all. What must stay true: a plan
// reaches every document that matches, and only once; whether what it reaches must still be matched is `exact`.
import { answers, type Condition, type Conditions, conditionsOf, pointsOf, stretchOf } from './bounds.ts';
import type { Collection } from './catalogue.ts';
import { type Doc, isDoc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { implies } from './implication.ts';
import type { Index } from './indexes.ts';
import { after, highBound, lowBound } from './keys.ts';
import { type Also, alsoOf, saysNothing } from './narrowing.ts';
import { isIndex } from './paths.ts';
import type { Range, Storage } from './storage.ts';
import { type Collation, equal, isNumber, toNumber } from './values.ts';

export type IndexPlan = {
  kind: 'index';
  index: Index;
  ranges: Range[];
  reverse: boolean;
  /** In the order asked for, when the ranges are merged by what follows their first `merge` bytes. */
  sorted: boolean;
  merge: number[] | undefined;
  exact: boolean;
  /** Paths of which the keys say all that the filter does. */
  covered: ReadonlySet<string>;
  /** What else a document must be found under in this index. */
  also: Also | undefined;
  /** The values of a whole unique key: one look, no scan. */
  unique: boolean;
  bounded: number;
  score: number;
};

export type Plan =
  | IndexPlan
  | { kind: 'all'; reverse: boolean; sorted: boolean; exact: boolean }
  | { kind: 'or'; plans: IndexPlan[]; sorted: false; exact: false }
  | { kind: 'text'; index: Index; search: unknown; sorted: false; exact: false };

export type Question = {
  filter: Doc;
  sort?: Doc | undefined;
  collation?: Collation | undefined;
  hint?: unknown;
};

const MOST_RANGES = 1000;
const SAMPLE = 256;
/** Longer keys may be kept by a digest: found by a scan of their beginning. */
const LONG = 1800;

/** A path like a.0 means an element or a field called 0; which of them a key holds is not known. */
const isPositional = (index: Index, at: number): boolean => index.paths[at]?.some(isIndex) === true;

type Bounds = {
  ranges: Range[];
  also: Also | undefined;
  merge: number[];
  /** How many fields are held to values, and which of them to one. */
  points: number;
  single: Set<string>;
  bounded: number;
  used: Condition[];
};

/** Each beginning with each of the values. */
function joined(prefixes: Buffer[], points: Buffer[]): Buffer[] {
  const all: Buffer[] = [];
  for (const prefix of prefixes) for (const point of points) all.push(Buffer.concat([prefix, point]));
  return all;
}

/** Fields before a range are held to their values, in as many combinations as there are; what follows it is not bounded. */
function boundsOf(index: Index, fields: Conditions['fields'], asked: Collation | undefined): Bounds {
  let prefixes = [index.prefix];
  const bounds: Bounds = {
    ranges: [],
    also: undefined,
    merge: [],
    points: 0,
    single: new Set(),
    bounded: 0,
    used: [],
  };
  for (let i = 0; i < index.fields.length; i++) {
    const name = index.fields[i] as string;
    const known = fields.get(name);
    // Two fields of one array may speak of different elements: the first of them alone is bounded.
    const isSecond = index.multikey[i] === true && index.multikey.indexOf(true) < i;
    if (!known || isPositional(index, i) || isSecond) break;
    const shape = { descending: index.descending[i] === true, collation: index.collation };
    const conditions = known.filter((each) => answers(each, index.collation, asked));
    const sets = conditions.filter(({ values }) => values !== undefined);
    // Of several the first is the way, and the others are looked up: whoever knows the rarest writes it first.
    const lead = sets.find(({ values = [] }) => prefixes.length * Math.max(1, values.length) <= MOST_RANGES);
    if (lead?.values) {
      const points = pointsOf(lead.values, shape);
      if (points.length === 1) bounds.single.add(name);
      const others = sets.filter((each) => each !== lead);
      const also = others.length > 0 ? alsoOf(index, i, prefixes, others, shape) : undefined;
      bounds.used.push(...(also ? sets : [lead]));
      prefixes = joined(prefixes, points);
      if (also) bounds.also = { ...also, cuts: prefixes.map(({ length }) => length) };
      else if (bounds.also) bounds.also.cuts = bounds.also.cuts.flatMap((cut) => points.map(() => cut));
      bounds.points++;
      bounds.bounded++;
      continue;
    }
    const limits = conditions.filter(({ low, high }) => low ?? high);
    if (index.multikey[i]) limits.splice(1);
    if (limits.length === 0) break;
    const { low, high } = stretchOf(limits, shape);
    for (const prefix of prefixes) {
      const [from, to] = [Buffer.concat([prefix, low]), Buffer.concat([prefix, high])];
      bounds.ranges.push({ low: lowBound(from), high: highBound(to) });
    }
    bounds.used.push(...limits);
    bounds.bounded++;
    break;
  }
  if (bounds.ranges.length === 0)
    for (const prefix of prefixes)
      bounds.ranges.push({ low: lowBound(prefix), high: highBound(after(prefix)) });
  for (const { length } of prefixes) bounds.merge.push(length);
  return bounds;
}

type Direction = [name: string, direction: number];

/** Whether keys after the points come in the order asked for: forwards, backwards or not at all. */
function orderOf(
  index: Index,
  sort: Direction[],
  bounds: Bounds,
  asked: Collation | undefined,
): 'no' | 'same' | 'reverse' {
  if (index.shortened || index.collation || asked) return 'no';
  let position = bounds.points;
  let flipped: boolean | undefined;
  for (const [name, direction] of sort) {
    if (bounds.single.has(name) && !index.multikey[index.fields.indexOf(name)]) continue;
    if (index.fields[position] !== name || index.multikey[position] || isPositional(index, position))
      return 'no';
    const flip = index.descending[position] !== direction < 0;
    if (flipped !== undefined && flipped !== flip) return 'no';
    flipped = flip;
    position++;
  }
  return flipped ? 'reverse' : 'same';
}

/** Paths whose conditions are all in the bounds. That an array lacks something, no single key can say. */
function coveredBy(index: Index, used: readonly Condition[], { fields, loose }: Conditions): Set<string> {
  const covered = new Set<string>();
  if (index.shortened) return covered;
  const multikey = index.multikey.includes(true);
  const isSaid = (each: Condition): boolean => used.includes(each) && !(multikey && saysNothing(each));
  for (const [path, each] of fields) if (!loose.has(path) && each.every(isSaid)) covered.add(path);
  return covered;
}

function planFor(
  index: Index,
  { filter, collation }: Question,
  all: Conditions,
  sort: Direction[],
  forced = false,
): IndexPlan | undefined {
  if (index.kind !== 'ordered' || index.building) return undefined;
  const partial = index.spec.partialFilterExpression;
  if (partial && !forced && !implies(filter, partial as Doc)) return undefined;
  const bounds = boundsOf(index, all.fields, collation);
  const { ranges, also, used, bounded, points } = bounds;
  if (index.sparse && !forced && used.every(saysNothing)) return undefined;
  const order = sort.length > 0 ? orderOf(index, sort, bounds, collation) : 'no';
  if (bounded === 0 && order === 'no' && !forced) return undefined;
  const sorted = order !== 'no';
  const whole = index.unique && points === index.fields.length;
  const [{ low } = { low: index.prefix }] = ranges;
  const unique = whole && ranges.length === 1 && !index.multikey.includes(true) && low.length < LONG;
  const covered = coveredBy(index, used, all);
  const exact = !all.more && covered.size === all.fields.size && !index.shortened;
  const merge = ranges.length > 1 && sorted ? bounds.merge : undefined;
  const worth = points * 4 + (bounded - points) * 2 + (sorted ? 3 : 0) + (whole ? 50 : 0) + (exact ? 0.5 : 0);
  const score = worth - index.fields.length / 100;
  const reverse = order === 'reverse';
  return {
    kind: 'index',
    index,
    ranges,
    reverse,
    sorted,
    merge,
    exact,
    covered,
    also,
    unique,
    bounded,
    score,
  };
}

/** How many keys these plans reach, counted up to a sample: the fewer the better. */
function reached(storage: Storage, ...plans: IndexPlan[]): number {
  let count = 0;
  for (const { low, high } of plans.flatMap(({ ranges }) => ranges)) {
    if (low.compare(high) < 0) count += storage.some({ low, high }, SAMPLE - count).length;
    if (count >= SAMPLE) break;
  }
  return count;
}

function best(storage: Storage, plans: IndexPlan[], sorting: boolean): IndexPlan | undefined {
  const ranked = plans.sort((a, b) => b.score - a.score);
  const [first] = ranked;
  if (!first || first.unique) return first;
  const rivals = ranked.filter(
    ({ score, bounded, sorted }) =>
      (bounded > 0 && score > first.score - 2.6) || (sorting && sorted && !first.sorted),
  );
  let chosen = first;
  let fewest = rivals.length < 2 ? 0 : reached(storage, first);
  if (fewest < SAMPLE / 8) return first;
  for (const rival of rivals.slice(1, 6)) {
    const count = reached(storage, rival);
    if (count >= fewest / 2 && !(fewest >= SAMPLE && rival.sorted && !chosen.sorted)) continue;
    chosen = rival;
    fewest = count;
  }
  return chosen;
}

function hinted(c: Collection, hint: unknown): Index | 'natural' | undefined {
  if (hint === undefined || hint === null || (isDoc(hint) && Object.keys(hint).length === 0))
    return undefined;
  if (isDoc(hint) && hint.$natural !== undefined) return 'natural';
  const index = c.indexes.find(({ name, spec }) =>
    typeof hint === 'string' ? name === hint : equal(spec.key, hint),
  );
  if (!index || index.building)
    bad('planner returned error :: caused by :: hint provided does not correspond to an existing index');
  return index;
}

/** An order by anything but directions comes from no index. */
function directionsOf(sort: Doc = {}): Direction[] {
  const fields = Object.entries(sort);
  return fields.every(([, direction]) => isNumber(direction))
    ? fields.map(([name, direction]) => [name, toNumber(direction)])
    : [];
}

function textOf(filter: Doc): unknown {
  const parts = Array.isArray(filter.$and) ? filter.$and.filter(isDoc) : [];
  return filter.$text ?? parts.map(textOf).find((search) => search !== undefined);
}

type Either = { branches: Doc[]; rest: Doc };

/** The first $or of a filter, be it inside an $and, and what the filter says beside it. */
function eitherOf(filter: Doc): Either | undefined {
  const { $or: branches, ...rest } = filter;
  if (Array.isArray(branches)) return branches.every(isDoc) ? { branches, rest } : undefined;
  const parts = Array.isArray(filter.$and) ? filter.$and : [];
  for (const [i, part] of parts.entries()) {
    const found = isDoc(part) ? eitherOf(part) : undefined;
    if (found) return { branches: found.branches, rest: { ...filter, $and: parts.with(i, found.rest) } };
  }
  return undefined;
}

/** An $or in a branch, or beside it, is gone into once more: further, the ways would be too many. */
const DEEPEST = 2;

/** A plan for each branch, when every one of them has an index. */
function plansForEach(
  storage: Storage,
  c: Collection,
  { branches, rest }: Either,
  collation: Collation | undefined,
  depth: number,
): IndexPlan[] | undefined {
  const plans: IndexPlan[] = [];
  for (const branch of branches) {
    const plan = planAnd(storage, c, { filter: { $and: [branch, rest] }, collation }, depth + 1);
    if (plan?.kind === 'or') plans.push(...plan.plans);
    else if (plan && plan.bounded > 0) plans.push(plan);
    else return undefined;
    if (plans.length > MOST_RANGES) return undefined;
  }
  return plans.length > 0 ? plans : undefined;
}

function planAnd(
  storage: Storage,
  c: Collection,
  question: Question,
  depth = 0,
): IndexPlan | Extract<Plan, { kind: 'or' }> | undefined {
  const sort = directionsOf(question.sort);
  const conditions = conditionsOf(question.filter);
  const [ids] = c.indexes;
  const byId = ids && conditions.fields.has('_id') ? planFor(ids, question, conditions, sort) : undefined;
  if (byId?.unique) return byId;
  const known = c.indexes.map((index) => planFor(index, question, conditions, sort));
  const plans = known.filter((each) => each !== undefined);
  const chosen = best(storage, plans, sort.length > 0);
  const isNarrow = chosen !== undefined && chosen.bounded > 0 && chosen.score >= 8;
  const asked = depth < DEEPEST ? eitherOf(question.filter) : undefined;
  if (!asked || (isNarrow && reached(storage, chosen) < SAMPLE)) return chosen;
  const each = plansForEach(storage, c, asked, question.collation, depth);
  const isBetter =
    each && isNarrow ? reached(storage, ...each) < SAMPLE : !chosen || (!chosen.sorted && chosen.score < 4);
  return each && isBetter ? { kind: 'or', plans: each, sorted: false, exact: false } : chosen;
}

export function plan(storage: Storage, c: Collection, question: Question): Plan {
  const { filter, sort } = question;
  const search = textOf(filter);
  if (search !== undefined) {
    const index = c.indexes.find(({ kind }) => kind === 'text');
    if (!index) fault(27, 'text index required for $text query');
    return { kind: 'text', index, search, sorted: false, exact: false };
  }
  const exact = Object.keys(filter).every((name) => name === '$comment');
  const hint = hinted(c, question.hint);
  const natural = sort?.$natural ?? (hint === 'natural' ? (question.hint as Doc).$natural : undefined);
  if (natural !== undefined)
    return {
      kind: 'all',
      reverse: toNumber(natural) < 0,
      sorted: !sort || sort.$natural !== undefined,
      exact,
    };
  const forced =
    hint && hint !== 'natural'
      ? planFor(hint, question, conditionsOf(filter), directionsOf(sort), true)
      : undefined;
  const sorted = !sort || Object.keys(sort).length === 0;
  return forced ?? planAnd(storage, c, question) ?? { kind: 'all', reverse: false, sorted, exact };
}
