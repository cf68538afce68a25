// When a rule of time is to look at a ticket. Pure. A turn belongs to a spell: the stillness since one certain word, or
// one certain due date. In each spell a rule fires once. What machines do breaks no stillness.
import type { Entry } from '../history/entry.ts';
import { addWorkingTime, type Calendar } from '../sla/calendar.ts';
import type { Ticket } from '../tickets/ticket.ts';
import type { SINCE, When } from './rule.ts';

const MINUTE = 60_000;

export interface Turn {
  /** What the turn is reckoned from. */
  spell: Date;
  at: Date;
}

export type Activity = Record<(typeof SINCE)[number], Date | null>;

type Told = Pick<Entry, 'action' | 'at' | 'by' | 'via' | 'comment'>;

/** When somebody last did or said something (after `before`). Filing a ticket is the requester's first word. */
export function activityOf(
  ticket: Pick<Ticket, 'createdAt' | 'requester'>,
  entries: readonly Told[],
  before?: Activity,
): Activity {
  const { createdAt, requester } = ticket;
  const last: Activity = before
    ? { ...before }
    : {
        change: createdAt,
        reply: createdAt,
        requester_reply: createdAt,
        agent_reply: null,
      };
  for (const { action, at, by, via, comment } of entries) {
    if (by.kind === 'system' || via === 'automation' || via === 'import' || action === 'created') continue;
    last.change = at;
    if (action !== 'comment_added' || comment?.audience !== 'public') continue;
    last.reply = at;
    if (by.id === requester.id && by.kind === requester.kind) last.requester_reply = at;
    else if (by.kind === 'user') last.agent_reply = at;
  }
  return last;
}

/** Null: never, as things stand. */
export function turnOf(
  when: When,
  ticket: Pick<Ticket, 'dueAt' | 'statusKind' | 'mergedInto'>,
  activity: Activity,
  calendar: Calendar,
): Turn | null {
  if (ticket.statusKind === 'closed' || ticket.mergedInto !== null) return null;
  if ('idleFor' in when) {
    const { minutes, since, working } = when.idleFor;
    const spell = activity[since];
    if (!spell) return null;
    const plain = new Date(spell.getTime() + minutes * MINUTE);
    const at = working ? addWorkingTime(calendar, spell, minutes * MINUTE) : plain;
    return at && { spell, at };
  }
  if (!('untilDue' in when) || !ticket.dueAt) return null;
  if (ticket.statusKind === 'resolved') return null;
  return { spell: ticket.dueAt, at: new Date(ticket.dueAt.getTime() - when.untilDue.minutes * MINUTE) };
}
