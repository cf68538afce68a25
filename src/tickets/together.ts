// Many tickets filed at once: each as if it were filed alone, but in one trip for the numbers and one for the tickets.
// Nobody is told of them, so the relay has nothing to do for them: their entries are filed here, and struck off. Whoever
// dies in between leaves that to the relay, which finds them as it finds all others.
import { takeBreath } from '../breath.ts';
import { nextNumbers } from '../desks/numbers.ts';
import { file } from '../history/history.ts';
import { insertRows } from '../inserts.ts';
import { signal } from '../signals.ts';
import { rulesOf } from '../sla/rules.ts';
import { isDuplicate } from '../store.ts';
import { asRow } from './birth.ts';
import { type Birth, bornAs, contended } from './change.ts';
import { ticketCollection } from './model.ts';
import { passTaken } from './numbering.ts';
import { ticketSettings } from './settings.ts';
import type { StoredTicket } from './ticket.ts';
import { strikes } from './unfiled.ts';

/** Each has its id already: one that is there is not filed again. */
export type Named = Birth & { _id: string };
/** True: it is new; false: it was there before. */
export type Outcome = boolean | Error;

const ATTEMPTS = 10;

/** Files tickets of one company, silent ones, of which no two have the same id. */
export async function openTogether<B extends Named>(
  births: readonly B[],
  numbers: Numbers,
): Promise<Map<B, Outcome>> {
  const outcomes = new Map<B, Outcome>();
  let left = births;
  for (let attempt = 0; left.length && attempt < ATTEMPTS; attempt++) {
    const rows = await rowsOf(left, attempt ? await numbersFor(left) : numbers);
    const results = await insertRows(ticketCollection(), rows.map(asRow));
    const twice: B[] = [];
    for (const [at, birth] of left.entries()) {
      const result = results[at] ?? true;
      if (result !== true && isDuplicate(result)) twice.push(birth);
      else outcomes.set(birth, result);
    }
    await settle(rows.filter((_, at) => results[at] === true));
    if (!twice.length) return outcomes;
    const there = await whichAreThere(twice.map(({ _id }) => _id));
    for (const birth of twice) if (there.has(birth._id)) outcomes.set(birth, false);
    left = twice.filter(({ _id }) => !there.has(_id));
    for (const desk of new Set(left.map((birth) => birth.desk)))
      await passTaken(desk, Math.max(...rows.filter((row) => row.desk === desk.id).map((row) => row.number)));
  }
  for (const birth of left) outcomes.set(birth, contended());
  return outcomes;
}

/** By id. */
export type Numbers = ReadonlyMap<string, number>;

/** Numbers in their order, desk by desk. */
export async function numbersFor(births: readonly Named[]): Promise<Numbers> {
  const numbers = new Map<string, number>();
  for (const desk of new Set(births.map((birth) => birth.desk.id))) {
    const ids = births.filter((birth) => birth.desk.id === desk).map(({ _id }) => _id);
    for (const [at, number] of (await nextNumbers(desk, ids.length)).entries())
      numbers.set(ids[at] ?? '', number);
  }
  return numbers;
}

async function rowsOf(births: readonly Named[], numbers: Numbers): Promise<StoredTicket[]> {
  const rows: StoredTicket[] = [];
  const breathe = takeBreath();
  for (const birth of births) {
    await breathe();
    const { _id, ctx } = birth;
    const rules = await rulesOf(ctx.actor.company);
    rows.push(bornAs(birth, { _id, number: numbers.get(_id) ?? 0, at: ctx.now(), rules }));
  }
  return rows;
}

/** Which of these are in the store. */
export async function whichAreThere(ids: readonly string[]): Promise<Set<string>> {
  if (!ids.length) return new Set();
  const found = await ticketCollection()
    .find({ _id: { $in: [...ids] } }, { projection: { _id: 1 } })
    .toArray();
  return new Set(found.map(({ _id }) => _id));
}

/** Filed into the history and struck off, but for what somebody changed meanwhile, and what is waited for by others. */
async function settle(rows: readonly StoredTicket[]): Promise<void> {
  const [first] = rows;
  if (!first) return;
  if (await ticketSettings().isFollowed?.(first.company)) return signal('entry', { company: first.company });
  await file(rows.flatMap(({ pending }) => pending));
  await ticketCollection().bulkWrite(strikes(rows), { ordered: false });
}
