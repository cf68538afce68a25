// The three promises of a ticket, and what each change does to their clocks. Pure: the clocks are a consequence of the
// entry that is being written and of the terms that hold. `advance` runs inside the change (tickets/change.ts).

import type { Priority } from '../desks/desk.ts';
import {
  append,
  deadlineOf,
  type EventKind,
  type Ledger,
  type Mark,
  marksOf,
  nextDeadline,
  pending,
  stateOf,
} from './clock.ts';
import { type Rules, TARGETS, type Target, type Terms, termsFor } from './policy.ts';

export interface TicketClock {
  target: Target;
  /** How long the promise is, in working ms. */
  ms: number;
  ledger: Ledger;
  dueAt: Date | null;
  metAt: Date | null;
  /** When it fell due without being kept; set when that is recorded, and taken back if a new target is longer. */
  breachedAt: Date | null;
  /** How long the promise was when the breach was recorded: the steps after it count from there. */
  breachedMs: number | null;
  fired: string[];
  /** Breaches of earlier rounds that nobody has recorded yet. */
  owed: Date[];
  nextAt: Date | null;
}

export interface TicketSla {
  /** Which terms these clocks run by (Terms.key), and the version of the company's rules they were read from. */
  terms: string;
  version: number;
  policy: string;
  clocks: TicketClock[];
  /** An agent has answered in public. */
  answered: boolean;
  /** The customer spoke last. */
  awaiting: boolean;
  /** A promise of the current round is broken. */
  breached: boolean;
  /** How many breaches were recorded in all rounds. */
  breaches: number;
}

export interface Standing {
  statusKind: 'new' | 'open' | 'pending' | 'resolved' | 'closed';
  status: string;
  priority: Priority;
  snoozedUntil: Date | null;
  deletedAt: Date | null;
}

export interface Happening {
  at: Date;
  seq: number;
  /** Whose public word this entry is, if it is one. */
  spoke: 'agent' | 'customer' | null;
}

const isOver = ({ statusKind, deletedAt }: Standing): boolean =>
  statusKind === 'resolved' || statusKind === 'closed' || deletedAt !== null;

/** The clocks after a change; the very same object if nothing has changed for them. */
export function advance(
  sla: TicketSla | null,
  before: Standing | null,
  after: Standing,
  happening: Happening,
  terms: Terms,
): TicketSla {
  const { at, seq, spoke } = happening;
  const next: TicketSla = sla
    ? { ...sla, clocks: sla.clocks.map((clock) => ({ ...clock })) }
    : outset(terms, spoke !== 'agent');
  const over = isOver(after);
  const wasOver = before !== null && isOver(before);

  if (sla && sla.terms !== terms.key) adopt(next, terms, happening, before, after);
  if (before === null || sla === null) {
    if (!over)
      for (const target of ['first_response', 'resolution'] as const) begin(next, target, terms, at, seq);
  }
  if (spoke === 'agent') {
    next.answered = true;
    next.awaiting = false;
    mark(next, ['first_response', 'next_response'], 'met', at, seq);
  }
  if (spoke === 'customer') {
    next.awaiting = true;
    if (next.answered && !over) begin(next, 'next_response', terms, at, seq, 'the customer wrote');
  }
  if (over && !wasOver) {
    const why = after.deletedAt ? 'deleted' : `status ${after.status}`;
    if (!after.deletedAt) mark(next, ['resolution'], 'met', at, seq, why);
    mark(next, TARGETS, 'stop', at, seq, why);
  }
  if (!over && wasOver) {
    begin(next, 'resolution', terms, at, seq, 'reopened');
    if (!next.answered) begin(next, 'first_response', terms, at, seq, 'reopened');
    else if (next.awaiting) begin(next, 'next_response', terms, at, seq, 'reopened');
  }
  if (!over) {
    const held = heldBy(after, terms);
    mark(next, TARGETS, held === null ? 'resume' : 'pause', at, seq, held ?? undefined);
  }
  return settled(sla, next, terms, at);
}

const outset = (terms: Terms, awaiting: boolean): TicketSla => ({
  terms: terms.key,
  version: terms.version,
  policy: terms.policy,
  clocks: [],
  answered: false,
  awaiting,
  breached: false,
  breaches: 0,
});

function heldBy({ statusKind, status, snoozedUntil }: Standing, { pauseWhile }: Terms): string | null {
  if (statusKind === 'pending' && pauseWhile.includes('pending')) return `status ${status}`;
  if (snoozedUntil !== null && pauseWhile.includes('snoozed')) return 'snoozed';
  return null;
}

/** New terms: the deadline becomes what it would be, had they held since the start of the round. */
function adopt(
  next: TicketSla,
  terms: Terms,
  { at, seq }: Happening,
  before: Standing | null,
  after: Standing,
): void {
  const why =
    before && before.priority !== after.priority
      ? `priority ${before.priority} to ${after.priority}`
      : next.policy !== terms.policy
        ? 'another policy'
        : 'the policy or its calendar changed';
  Object.assign(next, { terms: terms.key, version: terms.version, policy: terms.policy });
  for (const clock of next.clocks) {
    const state = stateOf(clock.ledger);
    if (state !== 'running' && state !== 'paused') continue;
    const ms = terms.promises[clock.target];
    if (ms === null)
      clock.ledger = append(clock.ledger, { kind: 'stop', at, seq, why: 'no longer promised' });
    else clock.ledger = append(clock.ledger, { kind: 'target', at, seq, ms, why });
    if (ms !== null) clock.ms = ms;
  }
  if (isOver(after)) return;
  const lacks = (target: Target): boolean => !next.clocks.some((clock) => clock.target === target);
  if (lacks('resolution')) begin(next, 'resolution', terms, at, seq, why);
  if (lacks('first_response') && !next.answered) begin(next, 'first_response', terms, at, seq, why);
}

/** Starts the clock, or starts it again if its last round is over. A promise that nobody made does not start. */
function begin(next: TicketSla, target: Target, terms: Terms, at: Date, seq: number, why?: string): void {
  const ms = terms.promises[target];
  if (ms === null) return;
  const clock = next.clocks.find((each) => each.target === target);
  if (!clock) {
    next.clocks.push({
      target,
      ms,
      ledger: [event('start', at, seq, why)],
      dueAt: null,
      metAt: null,
      breachedAt: null,
      breachedMs: null,
      fired: [],
      owed: [],
      nextAt: null,
    });
    return;
  }
  const ledger = append(clock.ledger, event('restart', at, seq, why));
  if (ledger === clock.ledger) return;
  const missed = pending(clock.ledger, marks(clock, terms), clock.fired, terms.calendar).find(
    (due) => due.mark.kind === 'breach',
  );
  Object.assign(clock, {
    ...{ ms, ledger, metAt: null, breachedAt: null, breachedMs: null, fired: [] },
    owed: missed ? [...clock.owed, missed.at] : clock.owed,
  });
}

const event = (kind: EventKind, at: Date, seq: number, why?: string) =>
  why === undefined ? { kind, at, seq } : { kind, at, seq, why };

function mark(
  next: TicketSla,
  targets: readonly Target[],
  kind: EventKind,
  at: Date,
  seq: number,
  why?: string,
): void {
  for (const clock of next.clocks) {
    if (!targets.includes(clock.target)) continue;
    const ledger = append(clock.ledger, event(kind, at, seq, why));
    if (ledger === clock.ledger) continue;
    clock.ledger = ledger;
    if (kind === 'met') clock.metAt = ledger.at(-1)?.at ?? at;
  }
}

/** After the breach there is nothing left to warn of. */
export function marks({ target, ms, breachedMs, fired }: TicketClock, { warnAt, steps }: Terms): Mark[] {
  const own = steps.flatMap((each, step) =>
    each.targets.includes(target) ? [{ after: each.afterMinutes * 60_000, step }] : [],
  );
  return marksOf(ms, fired.includes('breach') ? [] : warnAt, own, breachedMs);
}

const hasEnded = ({ ledger }: TicketClock): boolean => ['met', 'stopped'].includes(stateOf(ledger));

/** Reckons the dates of every clock that something happened to; keeps the rest, and all if nothing did. */
function settled(was: TicketSla | null, next: TicketSla, terms: Terms, at: Date): TicketSla {
  const newTerms = was?.terms !== next.terms;
  let same = was !== null && !newTerms && was.answered === next.answered && was.awaiting === next.awaiting;
  next.clocks = next.clocks.map((clock) => {
    const old = was?.clocks.find((each) => each.target === clock.target);
    if (old && old.ledger === clock.ledger && (!newTerms || hasEnded(clock))) return old;
    same = false;
    if (newTerms) rearm(clock, terms, at);
    return reckoned(clock, terms);
  });
  next.breached = next.clocks.some((clock) => clock.breachedAt !== null);
  return same && was ? was : next;
}

/** What has fired and, by the new terms, has not come yet, may fire again when it comes. */
function rearm(clock: TicketClock, terms: Terms, at: Date): void {
  if (!clock.fired.length && !clock.breachedAt) return;
  const still = pending(
    clock.ledger,
    marks({ ...clock, breachedMs: null, fired: [] }, terms),
    [],
    terms.calendar,
  )
    .filter((due) => due.at <= at)
    .map((due) => due.mark.name);
  if (clock.breachedAt && !still.includes('breach')) {
    clock.breachedAt = null;
    clock.breachedMs = null;
    clock.fired = clock.fired.filter((name) => still.includes(name));
  } else if (!clock.breachedAt) clock.fired = clock.fired.filter((name) => still.includes(name));
}

export function reckoned(clock: TicketClock, terms: Terms): TicketClock {
  const due = pending(clock.ledger, marks(clock, terms), clock.fired, terms.calendar)[0];
  return {
    ...clock,
    dueAt: deadlineOf(clock.ledger, clock.ms, terms.calendar),
    nextAt: clock.owed[0] ?? due?.at ?? null,
  };
}

/** What the clocks need to know of a ticket, and what they say of it. */
export interface Clocked extends Standing {
  desk: string;
  dueDate: Date | null;
  sla: TicketSla | null;
  dueAt: Date | null;
  autoCloseAt: Date | null;
  nextDeadlineAt: Date | null;
}

/** The dates that follow from a change: the clocks, when a resolved ticket closes, and what is due next of all. */
export function datesAfter(
  before: Clocked | null,
  after: Clocked,
  happening: Happening,
  rules: Rules,
): Pick<Clocked, 'sla' | 'dueAt' | 'autoCloseAt' | 'nextDeadlineAt'> {
  const terms = termsFor(rules, after.desk, after.priority);
  const sla = advance(after.sla, before, after, happening, terms);
  let { autoCloseAt } = after;
  if (after.statusKind !== 'resolved' || after.deletedAt) autoCloseAt = null;
  else if (before?.statusKind !== 'resolved')
    autoCloseAt = terms.closeAfter === null ? null : new Date(happening.at.getTime() + terms.closeAfter);
  const snoozedUntil = after.deletedAt ? null : after.snoozedUntil;
  const nextDeadlineAt = nextDeadline([...sla.clocks, { nextAt: snoozedUntil }, { nextAt: autoCloseAt }]);
  const resolution = sla.clocks.find((clock) => clock.target === 'resolution');
  const dueAt = after.dueDate ?? resolution?.dueAt ?? null;
  return { sla, dueAt, autoCloseAt, nextDeadlineAt };
}
