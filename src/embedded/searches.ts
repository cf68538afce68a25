// Which commands are searches, and how each is begun: in the thread that serves people for a few milliseconds, and
// when that is not enough in a reading thread, from the start.
import { openAggregate } from './aggregating.ts';
import type { Doc } from './documents.ts';
import { runExplain } from './explaining.ts';
import { type Opened, openFind, runCount, runDistinct, type Side, type Tick } from './searching.ts';

type Search<T> = (side: Side, database: string, body: Doc, tick: Tick) => T;

/** Searches with one answer. */
const ANSWERED: Record<string, Search<Doc>> = { count: runCount, distinct: runDistinct, explain: runExplain };

export function runSearch(command: string, ...asked: Parameters<Search<Doc>>): Doc | undefined {
  return ANSWERED[command]?.(...asked);
}

/** Those that give a cursor. */
export function openSearch(command: string, ...asked: Parameters<Search<Opened>>): Opened {
  return command === 'find' ? openFind(...asked) : openAggregate(...asked);
}
