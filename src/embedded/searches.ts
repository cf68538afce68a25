// A search begun and gone on with, the same in the thread that serves people, for a few milliseconds, and when that is not
// enough in a reading thread, from the start.
import { openAggregate } from './aggregating.ts';
import { type Batches, inBatches } from './cursors.ts';
import type { Doc } from './documents.ts';
import { runExplain } from './explaining.ts';
import { openFind, runCount, runDistinct, type Side, type Tick } from './searching.ts';
import { cursorReply } from './wire.ts';

type Search = (side: Side, database: string, body: Doc, tick: Tick) => Doc;

/** Searches with one answer; the others give a cursor. */
const ANSWERED: Record<string, Search> = { count: runCount, distinct: runDistinct, explain: runExplain };

export type Asked = { command: string; database: string; body: Doc };
export type Rest = { namespace: string; batches: Batches; cheap: boolean };

/** The first answer, and what is left when there is more. */
export function begin(
  side: Side,
  { command, database, body }: Asked,
  tick: Tick,
  takeId: () => bigint,
): { reply: Doc | Buffer; id: bigint; rest?: Rest } {
  const answer = ANSWERED[command]?.(side, database, body, tick);
  if (answer) return { reply: answer, id: 0n };
  const opened = (command === 'find' ? openFind : openAggregate)(side, database, body, tick);
  const { namespace, cheap } = opened;
  const batches = inBatches(opened.rows);
  const { batch, done } = batches.next(opened.batchSize);
  const id = done || opened.singleBatch ? 0n : takeId();
  const reply = cursorReply(id, namespace, 'firstBatch', batch);
  return id === 0n ? { reply, id } : { reply, id, rest: { namespace, batches, cheap } };
}

export function goOn(
  id: bigint,
  { namespace, batches }: Pick<Rest, 'namespace' | 'batches'>,
  batchSize: number | undefined,
): { reply: Buffer; open: boolean } {
  const { batch, done } = batches.next(batchSize);
  return { reply: cursorReply(done ? 0n : id, namespace, 'nextBatch', batch), open: !done };
}
