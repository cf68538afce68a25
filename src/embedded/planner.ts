// Which way to the documents: an index for equality, ranges, $in and order, or a walk over all. What must stay true: a plan
// reaches every document that matches, and only once; whether what it reaches must still be matched is `exact`.

import { answers, type Condition, conditionsOf, pointsOf, rangeOf, type Stretch } from './bounds.ts';
import type { Collection } from './catalogue.ts';
import { indexRange } from './catalogue.ts';
import { type Doc, isDoc } from './documents.ts';
import { bad, fault } from './errors.ts';
import { implies } from './implication.ts';
import type { Index } from './indexes.ts';
import { highBound, lowBound } from './keys.ts';
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

const usableIn = (index: Index, known: Condition[] | undefined, asked: Collation | undefined): Condition[] =>
  (known ?? []).filter((condition) => answers(condition, index.collation, asked));

/** A path like a.0 means an element or a field called 0; which of them a key holds is not known. */
const isPositional = (index: Index, at: number): boolean => index.paths[at]?.some(isIndex) === true;

type Bounds = {
  ranges: Range[];
  also: Also | undefined;
  merge: number[];
  points: number;
  single: Set<string>;
  bounded: number;
  used: Condition[];
};

function prepend(prefixes: Buffer[], stretches: Stretch[]): Buffer[] {
  const joined: Buffer[] = [];
  for (const prefix of prefixes) for (const { low } of stretches) joined.push(Buffer.concat([prefix, low]));
  return joined;
}

/** Fields of one array speak of the same element only inside one $elemMatch; otherwise the first alone is bounded. */
function inGroup(
  index: Index,
  position: number,
  conditions: Condition[],
  used: Condition[],
  bounded: number,
) {
  const earlier = index.multikey.findIndex((is, i) => is && i < bounded);
  if (!index.multikey[position] || earlier < 0) return conditions;
  const group = used[earlier]?.group ?? 0;
  return group === 0 ? [] : conditions.filter((condition) => condition.group === group);
}

function boundsOf(index: Index, fields: Map<string, Condition[]>, asked: Collation | undefined): Bounds {
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
    if (isPositional(index, i)) break;
    const usable = usableIn(index, fields.get(name), asked);
    const conditions = inGroup(index, i, usable, bounds.used, bounds.bounded);
    const shape = { descending: index.descending[i] === true, collation: index.collation };
    const sets = conditions.filter(({ values }) => values !== undefined);
    const smallest = sets.sort((a, b) => (a.values?.length ?? 0) - (b.values?.length ?? 0))[0];
    if (smallest?.values && prefixes.length * Math.max(1, smallest.values.length) <= MOST_RANGES) {
      const points = pointsOf(smallest.values, shape);
      if (points.length === 1) bounds.single.add(name);
      const also = alsoOf(index, i, prefixes, sets.slice(1), shape);
      bounds.used.push(smallest, ...(also ? sets.slice(1) : []));
      bounds.also ??= also;
      prefixes = prepend(prefixes, points);
      if (also) also.cuts = prefixes.map((prefix) => prefix.length);
      else if (bounds.also) bounds.also.cuts = bounds.also.cuts.flatMap((cut) => points.map(() => cut));
      bounds.points++;
      bounds.bounded++;
      continue;
    }
    const limits = conditions.filter(({ low, high }) => low ?? high);
    if (limits.length > 0) {
      const chosen = index.multikey[i] ? limits.slice(0, 1) : limits;
      const { low, high } = rangeOf(chosen, shape);
      bounds.ranges = prefixes.map((prefix) => ({
        low: lowBound(Buffer.concat([prefix, low])),
        high: highBound(Buffer.concat([prefix, high])),
      }));
      bounds.used.push(...chosen);
      bounds.bounded++;
    }
    break;
  }
  if (bounds.ranges.length === 0)
    bounds.ranges = prefixes.map((low) => {
      const { low: first, high } = indexRange({ prefix: low } as Index);
      return { low: lowBound(first), high: highBound(high) };
    });
  bounds.merge = prefixes.map((prefix) => prefix.length);
  return bounds;
}

/** Whether keys after the points come in the order asked for: forwards, backwards or not at all. */
function orderOf(
  index: Index,
  sort: [string, number][],
  bounds: Bounds,
  asked?: Collation,
): 'no' | 'same' | 'reverse' {
  if (index.shortened || index.collation?.key !== asked?.key || index.collation) return 'no';
  let position = bounds.points;
  let flipped: boolean | undefined;
  for (const [name, direction] of sort) {
    const at = index.fields.indexOf(name);
    if (bounds.single.has(name) && !index.multikey[at]) continue;
    if (index.fields[position] !== name || index.multikey[position] || isPositional(index, position))
      return 'no';
    const flip = index.descending[position] !== direction < 0;
    if (flipped !== undefined && flipped !== flip) return 'no';
    flipped = flip;
    position++;
  }
  return flipped ? 'reverse' : 'same';
}

const NONE: ReadonlySet<string> = new Set();

/** Paths whose conditions are all in the bounds. That an array lacks something, no single key can say. */
function coveredBy(
  used: readonly Condition[],
  { fields, loose }: ReturnType<typeof conditionsOf>,
  multikey: boolean,
): ReadonlySet<string> {
  const covered = new Set<string>();
  for (const [path, conditions] of fields)
    if (
      !loose.has(path) &&
      conditions.every((each) => used.includes(each) && each.group === 0 && !(multikey && saysNothing(each)))
    )
      covered.add(path);
  return covered;
}

function planFor(
  index: Index,
  question: Question,
  all: ReturnType<typeof conditionsOf>,
  sort: [string, number][],
  forced: boolean,
): IndexPlan | undefined {
  const { filter, collation } = question;
  if (index.kind !== 'ordered' || index.building) return undefined;
  const partial = index.spec.partialFilterExpression;
  if (partial && !forced && !implies(filter, partial as Doc)) return undefined;
  const bounds = boundsOf(index, all.fields, collation);
  const { used, bounded, points } = bounds;
  const present = used.some(({ values }) => !values?.some((value) => value === null || value === undefined));
  if (index.sparse && !forced && !present) return undefined;
  const order = sort.length > 0 ? orderOf(index, sort, bounds, collation) : 'no';
  const whole = index.unique && points === index.fields.length;
  const multikey = index.multikey.includes(true);
  const conditions = [...all.fields.values()].reduce((count, each) => count + each.length, 0);
  const covered = index.shortened ? NONE : coveredBy(used, all, multikey);
  const exact =
    !all.more && !index.shortened && used.length === conditions && covered.size === all.fields.size;
  const unique =
    whole && bounds.ranges.length === 1 && !multikey && (bounds.ranges[0]?.low.length ?? 0) < LONG;
  const range = bounded - points;
  if (bounded === 0 && order === 'no' && !forced) return undefined;
  return {
    kind: 'index',
    index,
    ranges: bounds.ranges,
    reverse: order === 'reverse',
    sorted: order !== 'no',
    merge: bounds.ranges.length > 1 && order !== 'no' ? bounds.merge : undefined,
    exact,
    covered,
    also: bounds.also,
    unique,
    bounded,
    score:
      points * 4 +
      range * 2 +
      (order === 'no' ? 0 : 3) +
      (whole ? 50 : 0) +
      (exact ? 0.5 : 0) -
      index.fields.length / 100,
  };
}

/** What an index reaches, counted up to a sample: the fewer the better. */
function reached(storage: Storage, plan: IndexPlan): number {
  let count = 0;
  for (const range of plan.ranges) {
    if (range.low.compare(range.high) >= 0) continue;
    count += storage.some(range, SAMPLE - count).length;
    if (count >= SAMPLE) break;
  }
  return count;
}

const reachedByAll = (storage: Storage, plans: readonly IndexPlan[]): number =>
  plans.reduce((sum, plan) => (sum >= SAMPLE ? sum : sum + reached(storage, plan)), 0);

function best(storage: Storage, plans: IndexPlan[], sorting: boolean): IndexPlan | undefined {
  const ranked = plans.sort((a, b) => b.score - a.score);
  const [first, second] = ranked;
  if (!first || !second || first.unique) return first;
  const rivals = ranked.filter(
    ({ score, bounded, sorted }) =>
      (bounded > 0 && score > first.score - 2.6) || (sorting && sorted && !first.sorted),
  );
  if (rivals.length < 2) return first;
  let chosen = first;
  let fewest = reached(storage, first);
  if (fewest < SAMPLE / 8) return first;
  for (const rival of rivals.slice(1, 6)) {
    const count = reached(storage, rival);
    const better = count < fewest / 2 || (fewest >= SAMPLE && rival.sorted && !chosen.sorted);
    if (better) {
      chosen = rival;
      fewest = count;
    }
  }
  return chosen;
}

function hinted(c: Collection, hint: unknown): Index | 'natural' | undefined {
  if (hint === undefined || hint === null || (isDoc(hint) && Object.keys(hint).length === 0))
    return undefined;
  if (isDoc(hint) && hint.$natural !== undefined) return 'natural';
  const index = c.indexes.find((each) =>
    typeof hint === 'string' ? each.name === hint : equal(each.spec.key, hint),
  );
  if (!index || index.building)
    bad(
      'error processing query: planner returned error :: caused by :: hint provided does not correspond to an existing index',
    );
  return index;
}

function sortFields(sort: Doc | undefined): [string, number][] | undefined {
  const fields: [string, number][] = [];
  for (const name of Object.keys(sort ?? {})) {
    const direction = sort?.[name];
    if (!isNumber(direction)) return undefined;
    fields.push([name, toNumber(direction)]);
  }
  return fields;
}

function textOf(filter: Doc): unknown {
  if (filter.$text !== undefined) return filter.$text;
  if (Array.isArray(filter.$and))
    for (const each of filter.$and) if (isDoc(each) && textOf(each) !== undefined) return textOf(each);
  return undefined;
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

function planOr(
  storage: Storage,
  c: Collection,
  { branches, rest }: Either,
  collation: Collation | undefined,
  depth: number,
): Plan | undefined {
  if (branches.length === 0) return undefined;
  const plans: IndexPlan[] = [];
  for (const branch of branches) {
    const plan = planAnd(storage, c, { filter: { $and: [branch, rest] }, collation }, depth + 1);
    if (plan?.kind === 'index' && plan.bounded > 0) plans.push(plan);
    else if (plan?.kind === 'or') plans.push(...plan.plans);
    else return undefined;
    if (plans.length > MOST_RANGES) return undefined;
  }
  return { kind: 'or', plans, sorted: false, exact: false };
}

function planAnd(
  storage: Storage,
  c: Collection,
  question: Question,
  depth = 0,
): IndexPlan | Extract<Plan, { kind: 'or' }> | undefined {
  const sort = sortFields(question.sort) ?? [];
  const conditions = conditionsOf(question.filter);
  const byId =
    conditions.fields.has('_id') && c.indexes[0]
      ? planFor(c.indexes[0], question, conditions, sort, false)
      : undefined;
  if (byId?.unique) return byId;
  const plans: IndexPlan[] = [];
  for (const index of c.indexes) {
    const plan = planFor(index, question, conditions, sort, false);
    if (plan) plans.push(plan);
  }
  const chosen = best(storage, plans, sort.length > 0);
  const isNarrow = chosen && chosen.bounded > 0 && chosen.score >= 8;
  const asked = depth < DEEPEST ? eitherOf(question.filter) : undefined;
  if (!asked || (isNarrow && reached(storage, chosen) < SAMPLE)) return chosen;
  const either = planOr(storage, c, asked, question.collation, depth);
  if (either?.kind !== 'or') return chosen;
  if (isNarrow) return reachedByAll(storage, either.plans) < SAMPLE ? either : chosen;
  if (!chosen || chosen.bounded === 0) return chosen?.sorted ? chosen : either;
  return chosen.score >= 4 ? chosen : either;
}

const isEmpty = (filter: Doc): boolean => Object.keys(filter).every((name) => name === '$comment');

export function plan(storage: Storage, c: Collection, question: Question): Plan {
  const { filter, sort } = question;
  const search = textOf(filter);
  if (search !== undefined) {
    const index = c.indexes.find(({ kind }) => kind === 'text');
    if (!index) fault(27, 'text index required for $text query');
    return { kind: 'text', index, search, sorted: false, exact: false };
  }
  const natural = sort?.$natural === undefined ? undefined : toNumber(sort.$natural);
  const hint = hinted(c, question.hint);
  const exact = isEmpty(filter);
  if (hint === 'natural' || natural !== undefined) {
    const backwards = natural ?? toNumber((question.hint as Doc).$natural);
    return { kind: 'all', reverse: backwards < 0, sorted: natural !== undefined || !sort, exact };
  }
  if (hint && hint.kind === 'ordered') {
    const forced = planFor(hint, question, conditionsOf(filter), sortFields(sort) ?? [], true);
    if (forced) return forced;
  }
  const all: Plan = { kind: 'all', reverse: false, sorted: !sort || Object.keys(sort).length === 0, exact };
  return planAnd(storage, c, question) ?? all;
}
