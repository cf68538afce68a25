// Rules of time: for each rule and ticket one row says when it is to look, found by index and worked off in batches. The
// row is only a reminder: whether it is time is reckoned anew from the ticket, and the rule fires under a cause that
// names the spell. So several workers, a worker that dies, or a row too many change nothing.

import { together } from '../batch.ts';
import { storeTime } from '../clock.ts';
import { Refusal } from '../errors.ts';
import type { Logger } from '../log.ts';
import { isAway, onlyDuplicates } from '../store.ts';
import type { Write } from '../table.ts';
import { openAfter, placeOf } from '../tickets/due.ts';
import { entriesOf, load } from '../tickets/find.ts';
import { asTicket, type StoredTicket } from '../tickets/ticket.ts';
import { KINDS } from '../tickets/workflow.ts';
import { movesByItself } from './condition.ts';
import { automationCtx, fire } from './firing.ts';
import { calendarOf } from './hours.ts';
import { ruleCollection, type StoredRule, type StoredTurn, turnCollection } from './model.ts';
import { rulesOn } from './rules.ts';
import { runOf, writeRuns } from './runs.ts';
import { activityOf, type Turn, turnOf } from './turn.ts';

const BATCH = 200;
const ABREAST = 10;
const PAGE = 200;
const LONGEST_MS = 10_000;
/** What does not hold yet but may by mere passing of time is looked at again. */
const LOOK_AGAIN_MS = 5 * 60_000;
const FORGOTTEN_MS = 3_000;
const SPREAD_KINDS = KINDS.filter((kind) => kind !== 'closed');

const rowId = (rule: string, ticket: string) => `${rule}/${ticket}`;
const isOfTime = ({ when }: StoredRule) => !('events' in when);

const write = together<Write<StoredTurn>, true>(async (writes) => {
  try {
    await turnCollection().bulkWrite(writes, { ordered: false });
  } catch (error) {
    if (!onlyDuplicates(error)) throw error;
  }
  return writes.map(() => true as const);
});

/** A turn in this spell, unless the rule has had it: then the row is there, and is left alone. */
const turnWrite = (rule: StoredRule, ticket: string, { spell, at }: Turn): Write<StoredTurn> => ({
  updateOne: {
    filter: { _id: rowId(rule._id, ticket), fired: { $ne: spell } },
    update: { $set: { rule: rule._id, company: rule.company, ticket, spell, at } },
    upsert: true,
  },
});

/** Something happened on the ticket: its turns may be other ones now. */
export async function retime(stored: StoredTicket, rules: readonly StoredRule[]): Promise<void> {
  const timed = rules.filter((rule) => isOfTime(rule) && (rule.desk === null || rule.desk === stored.desk));
  if (!timed.length) return;
  await Promise.all((await writesFor(stored, timed)).map(write));
}

/** Rules of time are on: a ticket that is merely there may have its turn. */
export const hasTurns = async (company: string): Promise<boolean> => (await rulesOn(company)).some(isOfTime);

async function writesFor(stored: StoredTicket, rules: readonly StoredRule[]): Promise<Write<StoredTurn>[]> {
  const turns = await turnsOf(stored, rules);
  return rules.map((rule, nth) => {
    const turn = turns[nth];
    return turn
      ? turnWrite(rule, stored._id, turn)
      : { deleteOne: { filter: { _id: rowId(rule._id, stored._id) } } };
  });
}

async function turnsOf(stored: StoredTicket, rules: readonly StoredRule[]): Promise<(Turn | null)[]> {
  const asksWhen = rules.some(({ when }) => 'idleFor' in when);
  const activity = activityOf(stored, asksWhen ? await entriesOf(stored) : []);
  const calendar = await calendarOf(stored);
  return rules.map(({ when, since }) => {
    const turn = turnOf(when, stored, activity, calendar);
    // Nobody is warned of a date that was past before anybody asked to be warned.
    const isLate = turn && 'untilDue' in when && when.untilDue.minutes > 0 && turn.spell < since;
    return isLate ? null : turn;
  });
}

export const dropTurnsOfTicket = (ticket: string): Promise<unknown> =>
  turnCollection().deleteMany({ ticket });

/** All that is due by the database's clock, the longest due first. Answers how many rows it settled. */
export async function takeTurns(log: Logger): Promise<number> {
  const began = performance.now();
  let settled = await spreadRules();
  for (;;) {
    const now = await storeTime();
    const rows = await turnCollection()
      .find({ at: { $type: 'date', $lte: now } })
      .sort({ at: 1 })
      .limit(BATCH)
      .toArray();
    let moved = 0;
    for (let from = 0; from < rows.length; from += ABREAST) {
      const done = rows.slice(from, from + ABREAST).map((row) => settleOr(log, row, now));
      moved += (await Promise.all(done)).filter(Boolean).length;
    }
    settled += moved;
    if (rows.length < BATCH || !moved || performance.now() - began > LONGEST_MS) return settled;
  }
}

/** A row that cannot be settled does not hold up those behind it. */
async function settleOr(log: Logger, row: StoredTurn, now: Date): Promise<boolean> {
  try {
    return await settle(log, row, now);
  } catch (error) {
    if (isAway(error)) throw error;
    log.error(
      { err: error, rule: row.rule, ticket: row.ticket },
      'a rule of time could not look at a ticket',
    );
    const at = new Date(now.getTime() + LOOK_AGAIN_MS);
    return (
      (await turnCollection().updateOne({ _id: row._id, at: row.at }, { $set: { at } })).modifiedCount > 0
    );
  }
}

/** False: somebody was quicker, or the ticket has just changed; the next round sees to it. */
async function settle(log: Logger, row: StoredTurn, now: Date): Promise<boolean> {
  const same = { _id: row._id, at: row.at, spell: row.spell };
  const on = await rulesOn(row.company);
  const rule = on.find((one) => one._id === row.rule);
  const stored = rule ? await ticketOf(log, row) : null;
  const [turn] = rule && stored ? await turnsOf(stored, [rule]) : [];
  if (!rule || !stored || !turn || (rule.desk !== null && rule.desk !== stored.desk))
    return (await turnCollection().deleteOne(same)).deletedCount > 0;
  if (turn.at > now || turn.spell.getTime() !== row.spell.getTime()) {
    const { modifiedCount } = await turnCollection().updateOne(same, { $set: { ...turn } });
    return modifiedCount > 0;
  }
  const event = 'idleFor' in rule.when ? 'idle_for' : 'until_due';
  const ticket = asTicket(stored);
  try {
    const fired = await fire(log, rule, ticket, {
      ...{ entry: null, by: null, calendar: await calendarOf(stored), then: () => ticket, seen: stored.seq },
      ...{ key: `${event}:${turn.spell.getTime()}`, event, nameOf: (id) => id },
    });
    await writeRuns([runOf(rule, ticket, { entry: null, event, at: now }, fired)]);
    const isDone = fired.outcome === 'fired' || fired.outcome === 'already';
    const later = fired.outcome === 'not_matched' && movesByItself(rule.if);
    const next = later ? new Date(now.getTime() + LOOK_AGAIN_MS) : null;
    const set = isDone ? { at: null, fired: turn.spell } : { at: next };
    return (await turnCollection().updateOne(same, { $set: set })).modifiedCount > 0;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

async function ticketOf(log: Logger, { company, ticket }: StoredTurn): Promise<StoredTicket | null> {
  try {
    return await load(automationCtx(log, company, new Date()), ticket, { follow: false });
  } catch (error) {
    if (error instanceof Refusal) return null;
    throw error;
  }
}

/**
 * A rule of time that is new, or says something else now, gets its turn at every ticket there is: at once, and once more
 * when no process can still work by the rules as they were.
 */
async function spreadRules(): Promise<number> {
  const waiting = await ruleCollection()
    .find({ 'spread.at': { $type: 'date', $lte: await storeTime() } })
    .sort({ 'spread.at': 1 })
    .limit(20)
    .toArray();
  let tickets = 0;
  for (const rule of waiting) {
    const page = await openAfter(rule.company, rule.spread?.after ?? null, PAGE, SPREAD_KINDS);
    const own = page.filter((ticket) => rule.desk === null || rule.desk === ticket.desk);
    const writes = await Promise.all(own.map((ticket) => writesFor(ticket, [rule])));
    await Promise.all(writes.flat().map(write));
    const last = page.at(-1);
    const isOver = !last || page.length < PAGE;
    const again = { at: new Date(Date.now() + FORGOTTEN_MS), after: null, again: true };
    const next = rule.spread?.again ? { $unset: { spread: '' } } : { $set: { spread: again } };
    await ruleCollection().updateOne(
      { _id: rule._id, version: rule.version },
      isOver ? next : { $set: { 'spread.after': placeOf(last) } },
    );
    tickets += page.length;
  }
  return tickets;
}
