// What is due on a ticket's clocks, one thing at a time and the oldest first. Pure: the sweep asks with the
// database's time, writes what it is told, and asks again. Nothing fires early, and nothing twice.

import { type Mark, pending } from './clock.ts';
import { duration } from './explain.ts';
import type { Target, Terms } from './policy.ts';
import { marks, reckoned, type TicketClock, type TicketSla } from './targets.ts';

export interface Firing {
  target: Target;
  kind: Mark['kind'];
  /** When it was due, however late it is recorded. */
  dueAt: Date;
  ms: number;
  share: number | null;
  step: number | null;
  /** Warnings that had become pointless by the time they could be given. */
  passed: string[];
  sentence: string;
}

/**
 * The oldest thing that is due on these clocks by `now`, and the clocks after it; null when nothing is. (No firing,
 * but other clocks: what seemed due is not, by the terms that hold now.)
 */
export function fireNext(
  sla: TicketSla,
  now: Date,
  terms: Terms,
): { sla: TicketSla; firing: Firing | null } | null {
  const clock = sla.clocks.reduce<TicketClock | null>(
    (first, each) => (each.nextAt !== null && (!first?.nextAt || each.nextAt < first.nextAt) ? each : first),
    null,
  );
  if (!clock?.nextAt || clock.nextAt > now) return null;
  const replace = (changed: TicketClock, breaches: number): TicketSla => {
    const clocks = sla.clocks.map((each) => (each === clock ? reckoned(changed, terms) : each));
    const breached = clocks.some((each) => each.breachedAt !== null);
    return { ...sla, clocks, breached, breaches: sla.breaches + breaches };
  };
  const [owed, ...rest] = clock.owed;
  if (owed) {
    const firing = firingOf(clock, { name: 'breach', kind: 'breach', ms: clock.ms }, owed, []);
    return { sla: replace({ ...clock, owed: rest }, 1), firing };
  }
  const due = pending(clock.ledger, marks(clock, terms), clock.fired, terms.calendar).filter(
    (each) => each.at <= now,
  );
  const index = Math.max(
    0,
    due.findLastIndex((each) => each.mark.kind !== 'escalation'),
  );
  const chosen = due[index];
  if (!chosen) return { sla: replace(clock, 0), firing: null };
  const passed = due.slice(0, index).filter((each) => each.mark.kind === 'warning');
  const changed: TicketClock = {
    ...clock,
    fired: [...clock.fired, ...passed.map((each) => each.mark.name), chosen.mark.name],
    ...(chosen.mark.kind === 'breach' ? { breachedAt: chosen.at, breachedMs: clock.ms } : {}),
  };
  return {
    sla: replace(changed, chosen.mark.kind === 'breach' ? 1 : 0),
    firing: firingOf(
      clock,
      chosen.mark,
      chosen.at,
      passed.map((each) => each.mark.name),
    ),
  };
}

const NAMES: Record<Target, string> = {
  first_response: 'first response',
  next_response: 'next response',
  resolution: 'resolution',
};

function firingOf(clock: TicketClock, one: Mark, dueAt: Date, passed: string[]): Firing {
  const name = NAMES[clock.target];
  const base = { target: clock.target, kind: one.kind, dueAt, ms: clock.ms, passed, share: null, step: null };
  switch (one.kind) {
    case 'warning':
      return {
        ...base,
        share: one.share,
        sentence: `${Math.round(one.share * 100)} % of the ${name} time (${duration(clock.ms)}) are used up.`,
      };
    case 'breach':
      return { ...base, sentence: `The ${name} was promised within ${duration(clock.ms)} and did not come.` };
    case 'escalation':
      return {
        ...base,
        step: one.step,
        sentence: `The ${name} is overdue: step ${one.step + 1} of the escalation.`,
      };
    default:
      return one satisfies never;
  }
}
