// Which commands are searches, and how each is begun: in the thread that serves people for a few milliseconds, and
// when that is not enough in a reading thread, from the start.
import { openAggregate } from './aggregating.ts';
import type { Doc } from './documents.ts';
import { type Opened, openFind, runCount, runDistinct, type Side, type Tick } from './searching.ts';

/** Searches with one answer; nothing for those that give a cursor. */
export function runSearch(
  side: Side,
  command: string,
  database: string,
  body: Doc,
  tick: Tick,
): Doc | undefined {
  if (command === 'count') return runCount(side, database, body, tick);
  if (command === 'distinct') return runDistinct(side, database, body, tick);
  return undefined;
}

export function openSearch(side: Side, command: string, database: string, body: Doc, tick: Tick): Opened {
  return command === 'find'
    ? openFind(side, database, body, tick)
    : openAggregate(side, database, body, tick);
}
