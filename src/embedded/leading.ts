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

export function leading(stages: readonly unknown[], options: { filterOnly?: boolean } = {}): Leading {
  const pipeline = stages as readonly Doc[];
  const filters: Doc[] = [];
  let at = 0;
  const take = (name: string): unknown => {
    const stage = pipeline[at];
    return isObject(stage) && name in stage && Object.keys(stage).length === 1 ? stage[name] : undefined;
  };
  for (let filter = take('$match'); isObject(filter); filter = take('$match')) {
    filters.push(filter);
    at++;
  }
  const [first = {}] = filters;
  const result: Leading = {
    filter: filters.length > 1 ? { $and: filters } : first,
    sort: undefined,
    skip: 0,
    limit: undefined,
    rest: [],
  };
  if (!options.filterOnly) {
    const sort = take('$sort');
    if (isObject(sort) && Object.values(sort).every(isNumber) && Object.keys(sort).length > 0) {
      result.sort = sort;
      at++;
    }
    const skip = take('$skip');
    if (isNumber(skip) && Number.isInteger(toNumber(skip)) && toNumber(skip) >= 0) {
      result.skip = toNumber(skip);
      at++;
    }
    const limit = take('$limit');
    if (isNumber(limit) && Number.isInteger(toNumber(limit)) && toNumber(limit) > 0) {
      result.limit = toNumber(limit);
      at++;
    }
  }
  result.rest = pipeline.slice(at);
  return result;
}
