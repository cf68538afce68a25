// What a ticket's dates ask for once they have come: the entries to write for it. Pure: the sweep brings the time, the
// rules and the leads of the teams.

import { type Desk, PRIORITIES, type Priority } from '../desks/desk.ts';
import type { Draft } from '../history/entry.ts';
import type { Ticket } from '../tickets/ticket.ts';
import { nextOf, stateOfKind } from '../tickets/workflow.ts';
import { type Firing, fireNext } from './firing.ts';
import { type Rules, type Step, type Terms, termsFor } from './policy.ts';
import { advance, type TicketSla } from './targets.ts';

export interface Occasion {
  now: Date;
  rules: Rules;
  /** Team to its leads. */
  leads: ReadonlyMap<string, readonly string[]>;
  /** Team to who is on call there, then who stands in. */
  onCall: ReadonlyMap<string, readonly string[]>;
}

const MOST_AT_ONCE = 20;

export function dutiesOf(ticket: Ticket, desk: Desk, occasion: Occasion): Draft<Ticket>[] {
  const { now, rules } = occasion;
  const terms = termsFor(rules, ticket.desk, ticket.priority);
  const happening = { at: now, seq: ticket.seq + 1, spoke: null };
  const drafts: Draft<Ticket>[] = [];
  let sla = advance(ticket.sla, ticket, ticket, happening, terms);
  for (let step = fireNext(sla, now, terms); step; step = fireNext(sla, now, terms)) {
    sla = step.sla;
    if (!step.firing) continue;
    const draft = draftOf(step.firing, sla, ticket, terms, occasion);
    drafts.push(draft);
    // The rest of what is due follows when the new priority's terms hold.
    if (draft.set?.priority || drafts.length >= MOST_AT_ONCE) return drafts;
  }
  if (ticket.snoozedUntil && ticket.snoozedUntil <= now)
    drafts.push({
      action: 'snoozed',
      set: { snoozedUntil: null },
      facts: { woken: true },
      notes: 'Awake again.',
    });
  if (ticket.autoCloseAt && ticket.autoCloseAt <= now) drafts.push(closing(ticket, desk));
  if (!drafts.length) drafts.push({ action: 'update', set: { sla }, silent: true });
  return drafts;
}

function draftOf(
  firing: Firing,
  sla: TicketSla,
  ticket: Ticket,
  terms: Terms,
  occasion: Occasion,
): Draft<Ticket> {
  const { target: clock, dueAt, ms, sentence } = firing;
  const facts = { clock, due_at: dueAt, promised_minutes: ms / 60_000, policy: terms.policy };
  switch (firing.kind) {
    case 'warning': {
      const percent = Math.round((firing.share ?? 0) * 100);
      const deadline = sla.clocks.find((each) => each.target === clock)?.dueAt ?? null;
      return { action: 'sla_warning', set: { sla }, facts: { ...facts, percent, deadline }, notes: sentence };
    }
    case 'breach':
      return {
        action: 'sla_breach',
        set: { sla },
        facts: { ...facts, skipped: firing.passed },
        notes: sentence,
      };
    case 'escalation': {
      const step = terms.steps[firing.step ?? 0];
      if (!step) return { action: 'update', set: { sla }, silent: true };
      return escalation(firing, step, sla, ticket, facts, occasion);
    }
    default:
      return firing.kind satisfies never;
  }
}

/** `notify` and `page` are for the notifications to act upon; the rest is done here. */
function escalation(
  { step: number, sentence }: Firing,
  step: Step,
  sla: TicketSla,
  ticket: Ticket,
  facts: Record<string, unknown>,
  occasion: Occasion,
): Draft<Ticket> {
  const set: Partial<Ticket> = { sla, escalated: true };
  const raised = step.raisePriority ? above(ticket.priority) : null;
  if (raised) set.priority = raised;
  let reassigned: string | null = null;
  if (step.reassign === 'lead' || step.reassign === 'on_call') {
    const [of, who] = step.reassign === 'lead' ? [occasion.leads, 'lead'] : [occasion.onCall, 'one on call'];
    const receiver = ticket.team === null ? undefined : of.get(ticket.team)?.[0];
    if (receiver) set.assignee = receiver;
    reassigned = receiver ? step.reassign : `nobody: the team has no ${who}`;
  } else if (step.reassign) {
    set.team = step.reassign.team;
    set.assignee = null;
    reassigned = 'team';
  }
  const { afterMinutes, notify, page } = step;
  return {
    action: 'escalated',
    set,
    facts: { ...facts, step: (number ?? 0) + 1, after_minutes: afterMinutes, notify, page, reassigned },
    notes: sentence,
  };
}

const above = (priority: Priority): Priority | null => PRIORITIES[PRIORITIES.indexOf(priority) - 1] ?? null;

function closing(ticket: Ticket, { workflow }: Desk): Draft<Ticket> {
  const status = stateOfKind(workflow, 'closed', ticket.status);
  if (!status || !nextOf(workflow, ticket.status).includes(status))
    return { action: 'update', set: { autoCloseAt: null }, silent: true };
  return {
    action: 'closed',
    set: { status },
    facts: { auto: true },
    notes: 'Closed by itself after being resolved.',
  };
}
