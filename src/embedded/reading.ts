// What a filter, an expression or a pipeline asks of the storage: which top-level fields it can read, so that only those need
// decoding, and what the front of a pipeline leaves to an index. Undefined fields mean: it could be any. A name too many
// costs time, a name too few would be a wrong answer.
import { type Doc, isDoc } from './documents.ts';
import { truthy } from './operators.ts';
import { isNumber, toNumber } from './values.ts';

type Names = Set<string>;

/** No field is called so: stands for all of them. */
const ALL = '\0';

const top = (path: string): string => path.split('.', 1)[0] ?? '';

function ofFilter(filter: unknown, names: Names): void {
  for (const [name, spec] of isDoc(filter) ? Object.entries(filter) : []) {
    if (!name.startsWith('$')) names.add(top(name));
    else if (Array.isArray(spec)) for (const branch of spec) ofFilter(branch, names);
    else if (name === '$expr') ofExpression(spec, names);
    else if (name !== '$comment') names.add(ALL);
  }
}

/** References by name; whatever reaches for the whole document reads all. */
function ofExpression(expression: unknown, names: Names): void {
  if (typeof expression === 'string') {
    if (/^\$\$(ROOT|CURRENT)\b/.test(expression)) names.add(ALL);
    else if (/^\$[^$]/.test(expression)) names.add(top(expression.slice(1)));
  } else if (Array.isArray(expression)) for (const part of expression) ofExpression(part, names);
  else if (isDoc(expression))
    for (const name of Object.keys(expression)) {
      if (name === '$meta') names.add(ALL);
      ofExpression(expression[name], names);
    }
}

function ofProjection(spec: unknown, names: Names): void {
  const isFlag = (value: unknown): boolean => isNumber(value) || typeof value === 'boolean';
  const kept = isDoc(spec) ? Object.entries(spec) : [];
  const fields = kept.filter(([name, value]) => name !== '_id' || !isFlag(value));
  if (fields.length === 0 || fields.some(([, value]) => isFlag(value) && !truthy(value))) names.add(ALL);
  for (const [name, value] of [['_id', true] as const, ...fields]) {
    names.add(top(name));
    ofExpression(value, names);
  }
}

const nothing = (): void => undefined;

/** What a stage reads, of those that pass on what they get and of those after which nothing else is seen. */
const PASSING: Record<string, (spec: unknown, names: Names) => void> = {
  $match: ofFilter,
  $limit: nothing,
  $skip: nothing,
  $sample: nothing,
  $sort(spec, names) {
    for (const [path, way] of isDoc(spec) ? Object.entries(spec) : [])
      names.add(isDoc(way) ? ALL : top(path));
  },
  $unwind: (spec, names) => ofExpression(isDoc(spec) ? spec.path : spec, names),
};
const MAKING: Record<string, (spec: unknown, names: Names) => void> = {
  $group: ofExpression,
  $sortByCount: ofExpression,
  $bucket: ofExpression,
  $count: nothing,
  $project: ofProjection,
};

const known = (names: Names): ReadonlySet<string> | undefined => (names.has(ALL) ? undefined : names);

export function fieldsOf(filter: Doc): ReadonlySet<string> | undefined {
  const names: Names = new Set();
  ofFilter(filter, names);
  return known(names);
}

export function neededFields(stages: readonly Doc[]): ReadonlySet<string> | undefined {
  const names: Names = new Set();
  for (const stage of stages) {
    const [name = ''] = Object.keys(stage);
    const read = MAKING[name] ?? PASSING[name];
    if (!read) return undefined;
    read(stage[name], names);
    if (name in MAKING) return known(names);
  }
  return undefined;
}

/** What the front of a pipeline asks of the storage: a filter, then an order, then how many. The rest runs in memory. */
export interface Leading {
  filter: Doc;
  sort: Doc | undefined;
  skip: number;
  limit: number | undefined;
  rest: Doc[];
}

export function leading(stages: readonly unknown[], { filterOnly = false } = {}): Leading {
  const rest = [...stages] as Doc[];
  /** Takes the stage that comes next away, if it is of this name and its argument is as it should be. */
  const take = <T>(name: string, read: (spec: unknown) => T | undefined): T | undefined => {
    const [stage] = rest;
    const found =
      isDoc(stage) && name in stage && Object.keys(stage).length === 1 ? read(stage[name]) : undefined;
    if (found !== undefined) rest.shift();
    return found;
  };
  const whole = (least: number) => (spec: unknown) =>
    Number.isInteger(toNumber(spec)) && toNumber(spec) >= least ? toNumber(spec) : undefined;
  const match = (spec: unknown): Doc | undefined => (isDoc(spec) ? spec : undefined);
  const order = (spec: unknown): Doc | undefined =>
    isDoc(spec) && Object.keys(spec).length > 0 && Object.values(spec).every(isNumber) ? spec : undefined;
  const filters: Doc[] = [];
  for (let filter = take('$match', match); filter; filter = take('$match', match)) filters.push(filter);
  const [first = {}] = filters;
  const filter = filters.length > 1 ? { $and: filters } : first;
  if (filterOnly) return { filter, sort: undefined, skip: 0, limit: undefined, rest };
  const sort = take('$sort', order);
  const skip = take('$skip', whole(0)) ?? 0;
  return { filter, sort, skip, limit: take('$limit', whole(1)), rest };
}
