// A rule fires: all its deeds as one change of the ticket, under a cause of its own, so that whoever dies and does it
// again, and however many do it at once, it has happened once. What cannot be done is told, and the rest is done.
import { storeNow } from '../clock.ts';
import { type Ctx, systemCtx } from '../context.ts';
import { findDesk } from '../desks/desks.ts';
import { conflict, Refusal } from '../errors.ts';
import type { Logger } from '../log.ts';
import { isAway } from '../store.ts';
import { change, type TicketDraft } from '../tickets/change.ts';
import { entriesOf, load } from '../tickets/find.ts';
import type { Ticket } from '../tickets/ticket.ts';
import { evaluate, type Reason } from './condition.ts';
import { effectOf } from './effects.ts';
import type { Facts } from './fields.ts';
import type { Outcome, StoredRule } from './model.ts';
import { chainOf, LONGEST_CHAIN, MOST_FIRINGS, rootOf } from './rule.ts';

/** What set a rule off: an entry, or the passing of time. */
export interface Occasion extends Pick<Facts, 'entry' | 'by' | 'calendar'> {
  /** The same occasion fires a rule once. */
  key: string;
  event: string;
  /** The ticket as the entry left it, whatever has happened since. */
  then: () => Ticket;
  /** How rules are called, for the sentence that says why they were stopped. */
  nameOf: (rule: string) => string;
  /** Only if nothing has happened on the ticket since. */
  seen?: number;
}

export interface Fired {
  ticket: Ticket;
  outcome: Outcome;
  /** Under which the run is kept. */
  key: string;
  reasons: Reason[];
  did: string[];
  problems: string[];
}

export function automationCtx(log: Logger, company: string, at: Date, cause?: string): Ctx {
  const ctx = systemCtx({ log, now: () => at, request: 'automation' }, company, 'automation');
  return cause ? { ...ctx, cause, redo: true } : ctx;
}

export async function fire(
  log: Logger,
  rule: StoredRule,
  ticket: Ticket,
  occasion: Occasion,
): Promise<Fired> {
  const base = { ticket, key: occasion.key, reasons: [] as Reason[], did: [], problems: [] };
  try {
    return await attempt(log, rule, ticket, occasion);
  } catch (error) {
    if (isAway(error)) throw error;
    // Somebody was quicker, again and again: whoever asked asks again.
    if (error instanceof Refusal && (error.kind === 'stale' || error.reason === 'ticket.contended'))
      throw error;
    if (error instanceof Refusal) return { ...base, outcome: 'failed', problems: [error.message] };
    log.error({ err: error, rule: rule._id, ticket: ticket.key }, 'an automation rule failed');
    return { ...base, outcome: 'failed', problems: ['It failed by a mistake of ours, which was logged.'] };
  }
}

async function attempt(log: Logger, rule: StoredRule, ticket: Ticket, occasion: Occasion): Promise<Fired> {
  const { entry, key, seen } = occasion;
  const at = storeNow();
  const facts = { entry, by: occasion.by, calendar: occasion.calendar, now: at };
  const nothing = { key, did: [], problems: [] };
  const chain = chainOf(entry);
  const isLoop = chain.includes(rule._id) || chain.length >= LONGEST_CHAIN;
  const first = evaluate(rule.if, { ...facts, ticket: isLoop ? occasion.then() : ticket });
  if (!first.holds) return { ...nothing, ticket, outcome: 'not_matched', reasons: first.because };
  if (isLoop) return stop(log, rule, ticket, occasion, first.because);
  const cause = `rule:${rule._id}:${rule.runOnce ? 'once' : key}`;
  const ctx = automationCtx(log, ticket.company, at, cause);
  const effect = await effectOf(ctx, rule, ticket, entry);
  let decided: Omit<Fired, 'ticket'> = { ...nothing, outcome: 'failed', reasons: [] };
  let on = -1;
  const after = await change(
    ctx,
    ticket._id,
    (now, desk) => {
      on = now.seq;
      const verdict = evaluate(rule.if, { ...facts, ticket: now });
      const reasons = verdict.because;
      decided = { ...nothing, outcome: 'not_matched', reasons };
      if (!verdict.holds) return null;
      if (now.mergedInto !== null)
        throw conflict('ticket.merged', `${now.key} became part of another ticket.`);
      const { drafts, did, problems } = effect(now, desk);
      const idle = problems.length ? 'failed' : 'nothing_to_do';
      decided = { key, reasons, did, problems, outcome: drafts.length ? 'fired' : idle };
      if (!drafts.length) return null;
      const { ruleFirings, isOver, isFirstOver } = counted(now, at);
      const set = { ruleFirings };
      if (isOver) decided = { ...decided, did: [], problems: [TOO_OFTEN], outcome: 'stopped' };
      if (isFirstOver) return marked(rule, occasion, { ...STOP_LINE, set });
      if (isOver) return null;
      const [head, ...rest] = drafts;
      return [{ ...head, set } as TicketDraft, ...rest].map((draft) => marked(rule, occasion, draft));
    },
    { follow: false, ...(seen === undefined ? {} : { seen }) },
  );
  const wasDone = decided.outcome === 'fired' && after.seq === on;
  return { ...decided, ticket: after, ...(wasDone && rule.runOnce ? { outcome: 'already' } : {}) };
}

const HOUR = 3_600_000;
const TOO_OFTEN = `Stopped: rules fired more than ${MOST_FIRINGS} times on this ticket within an hour.`;
const STOP_LINE = { action: 'rule_applied', facts: { stopped: true }, notes: TOO_OFTEN } as const;

/** One more firing, and whether it is one too many. */
function counted({ ruleFirings: before }: Ticket, at: Date) {
  const isFresh = before && at.getTime() - before.since.getTime() < HOUR;
  const ruleFirings = isFresh ? { since: before.since, count: before.count + 1 } : { since: at, count: 1 };
  const { count } = ruleFirings;
  return { ruleFirings, isOver: count > MOST_FIRINGS, isFirstOver: count === MOST_FIRINGS + 1 };
}

/** Every entry of a rule says which rules led to it. */
function marked(rule: StoredRule, { entry, key }: Occasion, draft: TicketDraft): TicketDraft {
  const facts = {
    ...{ rule: rule._id, name: rule.name, rules: [...chainOf(entry), rule._id] },
    ...(entry ? { root: rootOf(entry), trigger: entry._id } : { root: `${rule._id}:${key}` }),
  };
  return { ...draft, facts: { ...draft.facts, ...facts } };
}

/**
 * The rule would act upon its own effect, or the chain is too long. It is stopped with one line for each event that
 * began it all; where it would have changed nothing, there is nothing to stop.
 */
async function stop(
  log: Logger,
  rule: StoredRule,
  ticket: Ticket,
  { entry, key, then: asItWas, nameOf }: Occasion,
  reasons: Reason[],
): Promise<Fired> {
  const then = asItWas();
  const root = entry ? rootOf(entry) : key;
  const ctx = automationCtx(log, ticket.company, storeNow(), `stop:${root}`);
  const desk = await findDesk(ticket.company, ticket.desk);
  const effect = await effectOf(ctx, rule, then, entry);
  const rest = { reasons, did: [] };
  if (!effect(then, desk).drafts.length)
    return { ...rest, ticket, key, outcome: 'nothing_to_do', problems: [] };
  const chain = [...chainOf(entry), rule._id];
  const names = chain.map((id) => (id === rule._id ? rule.name : nameOf(id)));
  const why = chainOf(entry).includes(rule._id)
    ? 'it was set off by its own effect'
    : `more than ${LONGEST_CHAIN} rules set each other off`;
  const problem = `Stopped: ${why} (${names.join(' → ')}).`;
  const facts = { rule: rule._id, name: rule.name, rules: chain, root, stopped: true };
  const line: TicketDraft = { action: 'rule_applied', facts, notes: problem };
  const after = await change(ctx, ticket._id, () => line, { follow: false });
  // Of two relays the other may have gone the same round from another of its rules: that is told once.
  const told = (await entriesOf(await load(ctx, ticket._id, { follow: false }))).find(
    (one) => one.cause === `${ctx.cause}/${line.action}`,
  );
  if (told && told.facts?.rule !== rule._id)
    return { ...rest, ticket: after, key, outcome: 'nothing_to_do', problems: [] };
  return { ...rest, ticket: after, key: `stop:${root}`, outcome: 'stopped', problems: [problem] };
}
