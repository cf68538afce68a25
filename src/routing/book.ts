// The book in which a company's tickets are given out, one batch after another, however many processes give them out.
// A batch is written into the book first, by its version: what was reckoned from an older version is thrown away. Then
// it is carried out, each ticket only as it stood. Who dies in between holds up nobody: the next one carries it out.
// So no limit is passed and no turn taken twice, without a lock that anybody could die with.
import { storeTime } from '../clock.ts';
import { systemCtx } from '../context.ts';
import type { Logger } from '../log.ts';
import { routedTotal } from '../metrics.ts';
import { colleagues } from '../people/members.ts';
import { isDuplicate } from '../store.ts';
import { changeRead } from '../tickets/change.ts';
import { ticketsById } from '../tickets/waiting.ts';
import { awayNow } from './absence.ts';
import { bookCollection, type Intent, type StoredBook } from './model.ts';

export type Book = StoredBook;

export async function openBook(company: string): Promise<Book> {
  const found = await bookCollection().findOne({ _id: company });
  if (found) return found;
  const blank: Book = { _id: company, version: 0, last: 0, turns: {}, intents: [] };
  try {
    await bookCollection().insertOne(blank);
    return blank;
  } catch (error) {
    if (isDuplicate(error)) return openBook(company);
    throw error;
  }
}

export const turnsOf = (book: Book, desk: string): Map<string, number> =>
  new Map(Object.entries(book.turns[desk] ?? {}));

function note(turns: Book['turns'], desk: string, user: string, turn: number | null): void {
  const { [user]: _, ...others } = turns[desk] ?? {};
  turns[desk] = turn === null ? others : { ...others, [user]: turn };
}

/** Writes the batch into the book; null: somebody else has turned the page. */
export async function enter(book: Book, intents: readonly Intent[]): Promise<Book | null> {
  const turns = intents.flatMap(({ desk, set, turn }) =>
    turn !== null && set.assignee ? [[desk, set.assignee, turn] as const] : [],
  );
  return turnPage(book, intents, turns);
}

async function turnPage(
  book: Book,
  intents: readonly Intent[],
  turns: readonly (readonly [desk: string, user: string, turn: number | null])[],
): Promise<Book | null> {
  const version = book.version + 1;
  const after: Book = { ...book, version, intents: [...intents], turns: structuredClone(book.turns) };
  const set: Record<string, unknown> = {};
  const unset: Record<string, ''> = {};
  for (const [desk, user, turn] of turns) {
    const path = `turns.${desk}.${user}`;
    note(after.turns, desk, user, turn);
    if (turn === null) unset[path] = '';
    else set[path] = turn;
    if (turn === null) delete set[path];
    else delete unset[path];
    after.last = Math.max(after.last, turn ?? 0);
  }
  const { matchedCount } = await bookCollection().updateOne(
    { _id: book._id, version: book.version },
    {
      $set: { ...set, version, intents: after.intents, last: after.last },
      ...(Object.keys(unset).length ? { $unset: unset } : {}),
    },
  );
  return matchedCount === 1 ? after : null;
}

/**
 * Carries out what the book says and clears it. Somebody else's batch is carried out only for those who are still there.
 * Returns the book after it, null when somebody was quicker, and how many tickets were given out here.
 */
export async function settle(
  book: Book,
  log: Logger,
  { now, isOwn }: { now: Date; isOwn: boolean },
): Promise<{ book: Book | null; written: number }> {
  const { intents } = book;
  if (!intents.length) return { book, written: 0 };
  const { written, lost } = await carryOut(book, isOwn ? intents : await stillRight(book, now), log, now);
  const back = intents.filter(({ ticket }) => lost.has(ticket)).reverse();
  const turns = structuredClone(book.turns);
  const given: [string, string, number | null][] = [];
  for (const { desk, set, turn, before } of back) {
    const user = set.assignee;
    if (turn === null || !user || turns[desk]?.[user] !== turn) continue;
    note(turns, desk, user, before);
    given.push([desk, user, before]);
  }
  return { book: await turnPage(book, [], given), written };
}

async function stillRight({ _id: company, intents }: Book, now: Date): Promise<Intent[]> {
  const receivers = [...new Set(intents.flatMap(({ set }) => set.assignee ?? []))];
  const [there, away] = await Promise.all([colleagues(company, receivers), awayNow(company, now)]);
  const able = new Set(there.map(({ id }) => id).filter((id) => !away.has(id)));
  return intents.filter(({ set }) => !set.assignee || able.has(set.assignee));
}

/** Each ticket as it stood when it was decided, or not at all. `lost` are those that went another way. */
async function carryOut(
  { _id: company, version, intents: all }: Book,
  intents: readonly Intent[],
  log: Logger,
  now: Date,
): Promise<{ written: number; lost: Set<string> }> {
  const wanted = new Map(intents.map((intent) => [intent.ticket, intent]));
  const found = await ticketsById(company, [...wanted.keys()]);
  const tickets = found.filter(({ _id, seq }) => wanted.get(_id)?.seq === seq);
  const ctx = {
    ...systemCtx({ log, now: () => now, request: 'routing' }, company),
    cause: `route:${version}`,
  };
  const { written, failed } = await changeRead(
    () => ctx,
    tickets,
    ({ _id }) => {
      const intent = wanted.get(_id);
      if (!intent) return null;
      const { set, notes, facts } = intent;
      return { action: 'assignment_change', set, notes, facts };
    },
  );
  for (const { ticket, error } of failed)
    log.error({ ticket, err: error }, 'a ticket could not be given out');
  const overtaken = intents.length - written - failed.length;
  for (const [outcome, count] of Object.entries({ given: written, failed: failed.length, overtaken }))
    routedTotal.inc({ outcome }, count);
  if (written === all.length) return { written, lost: new Set() };
  const after = await ticketsById(
    company,
    all.map(({ ticket }) => ticket),
  );
  const has = new Map(after.map(({ _id, seq, assignee }) => [_id, { seq, assignee }]));
  const lost = all.filter(({ ticket, seq, set }) => {
    const now = has.get(ticket);
    return !now || now.seq === seq || (set.assignee !== undefined && now.assignee !== set.assignee);
  });
  return { written, lost: new Set(lost.map(({ ticket }) => ticket)) };
}

const TRIES = 100;

/** After it, nothing is given out any more that was reckoned from what held before: it is done, or thrown away. */
export async function fence(company: string, log: Logger): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const { book } = await settle(await openBook(company), log, { now: await storeTime(), isOwn: true });
    if (book && (await enter(book, []))) return;
  }
  log.warn({ company }, 'tickets are being given out all the time: the last of them by what held before');
}
