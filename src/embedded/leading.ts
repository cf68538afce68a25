// What the front of a pipeline asks of the storage: a filter, then an order, then how many. The rest runs in memory.
import type { Doc } from './documents.ts';
import { isNumber, isObject, toNumber } from './values.ts';

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
      isObject(stage) && name in stage && Object.keys(stage).length === 1 ? read(stage[name]) : undefined;
    if (found !== undefined) rest.shift();
    return found;
  };
  const whole = (least: number) => (spec: unknown) =>
    Number.isInteger(toNumber(spec)) && toNumber(spec) >= least ? toNumber(spec) : undefined;
  const match = (spec: unknown): Doc | undefined => (isObject(spec) ? spec : undefined);
  const order = (spec: unknown): Doc | undefined =>
    isObject(spec) && Object.keys(spec).length > 0 && Object.values(spec).every(isNumber) ? spec : undefined;
  const filters: Doc[] = [];
  for (let filter = take('$match', match); filter; filter = take('$match', match)) filters.push(filter);
  const [first = {}] = filters;
  const filter = filters.length > 1 ? { $and: filters } : first;
  if (filterOnly) return { filter, sort: undefined, skip: 0, limit: undefined, rest };
  const sort = take('$sort', order);
  const skip = take('$skip', whole(0)) ?? 0;
  return { filter, sort, skip, limit: take('$limit', whole(1)), rest };
}
