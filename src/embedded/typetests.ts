// The arguments of $type: types by their names and by their numbers.
import { bad, fault } from './errors.ts';
import { show } from './showing.ts';
import { isNumber, toNumber } from './values.ts';
import { words } from './words.ts';

/** The types by their numbers, from 1 on. */
const NUMBERED =
  words(`double string object array binData undefined objectId bool date null regex dbPointer javascript
  symbol javascriptWithScope int timestamp long decimal`);
const CODES = new Map([...NUMBERED.entries()].map(([i, name]) => [i + 1, name]))
  .set(-1, 'minKey')
  .set(127, 'maxKey');
const NUMBERS = ['double', 'int', 'long', 'decimal'];
const ALIASES = new Set(CODES.values());

/** The type names that a $type argument stands for. */
export function aliases(spec: unknown): Set<string> {
  const names = new Set<string>();
  for (const one of Array.isArray(spec) ? spec : [spec]) {
    if (one === 'number') for (const name of NUMBERS) names.add(name);
    else names.add(alias(one));
  }
  if (names.size === 0) fault(9, '$type must match at least one type');
  return names;
}

function alias(one: unknown): string {
  if (typeof one === 'string') return ALIASES.has(one) ? one : bad(`Unknown type name alias: ${one}`);
  if (!isNumber(one)) fault(14, 'type must be represented as a number or a string');
  return CODES.get(toNumber(one)) ?? bad(`Invalid numerical type code: ${show(one)}`);
}
