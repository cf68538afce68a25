// Why a ticket's deadlines are where they are, and how its clocks stand: for reading, by the terms that hold now.

import { storeTime } from '../clock.ts';
import type { Ctx } from '../context.ts';
import { find } from '../tickets/find.ts';
import { need } from './changes.ts';
import { stateOf } from './clock.ts';
import { type Explanation, explain } from './explain.ts';
import { policyFor, type Target, termsFor } from './policy.ts';
import { rulesOf } from './rules.ts';
import { advance, type TicketSla } from './targets.ts';

export interface ExplainedTicket {
  ticket: string;
  key: string;
  at: Date;
  policy: { id: string; name: string };
  calendar: { id: string | null; name: string; timeZone: string };
  breached: boolean;
  breaches: number;
  warnAtPercent: number[];
  nextDeadlineAt: Date | null;
  clocks: (Explanation & { target: Target; metAt: Date | null; breachedAt: Date | null; fired: string[] })[];
}

export async function explainTicket(ctx: Ctx, ref: string): Promise<ExplainedTicket> {
  need(ctx, 'sla.read');
  const ticket = await find(ctx, ref);
  const [rules, at] = await Promise.all([rulesOf(ticket.company, ticket.sla?.version), storeTime()]);
  const terms = termsFor(rules, ticket.desk, ticket.priority);
  const happening = { at, seq: ticket.seq, spoke: null };
  const sla = ticket.sla ? advance(ticket.sla, ticket, ticket, happening, terms) : null;
  const policy = policyFor(rules, ticket.desk);
  const calendar = rules.calendars.find((each) => each.id === terms.calendarId);
  return {
    ticket: ticket._id,
    key: ticket.key,
    at,
    policy: { id: policy.id, name: policy.name },
    calendar: {
      id: terms.calendarId,
      name: calendar?.name ?? 'Around the clock',
      timeZone: terms.calendar.timeZone,
    },
    breached: sla?.breached ?? false,
    breaches: sla?.breaches ?? 0,
    warnAtPercent: policy.warnAtPercent,
    nextDeadlineAt: ticket.nextDeadlineAt,
    clocks: (sla?.clocks ?? []).map((clock) => ({
      target: clock.target,
      metAt: clock.metAt,
      breachedAt: clock.breachedAt,
      fired: clock.fired,
      ...explain(clock.ledger, clock.ms, terms.calendar, at),
    })),
  };
}

export interface Standing {
  breached: boolean;
  breaches: number;
  policy: string;
  clocks: {
    target: Target;
    state: ReturnType<typeof stateOf>;
    targetMinutes: number;
    dueAt: Date | null;
    metAt: Date | null;
    breachedAt: Date | null;
  }[];
}

/** How the clocks stand, as a ticket shows it. */
export function standingOf(sla: TicketSla | null): Standing | null {
  if (!sla) return null;
  const { breached, breaches, policy } = sla;
  const clocks = sla.clocks.map(({ target, ledger, ms, dueAt, metAt, breachedAt }) => ({
    ...{ target, state: stateOf(ledger), targetMinutes: ms / 60_000, dueAt, metAt, breachedAt },
  }));
  return { breached, breaches, policy, clocks };
}
