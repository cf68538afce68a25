// When a rule of time is to look at a ticket: reckoned from what persons do, in plain or in working time.
import { describe, expect, test } from '@jest/globals';
import { activityOf, turnOf } from '../../src/automation/turn.ts';
import type { Entry } from '../../src/history/entry.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';

const now = new Date('2026-03-04T10:00:00Z'); // a Wednesday
const ticket = {
  requester: { kind: 'contact', id: 'k', name: 'Kim', email: null },
  createdAt: new Date(now.getTime() - 90 * 60_000),
} as Pick<Ticket, 'requester' | 'createdAt'>;
const entry: Entry = {
  ...{ _id: 't-3', ticket: 't', company: 'c', desk: 'd', seq: 3, action: 'comment_added', at: now },
  by: { kind: 'contact', id: 'k', name: 'Kim' },
  ...{ via: 'email', request: 'r', fields: {} },
  comment: { id: 'x', audience: 'public', text: 'Hello?' },
};
const nine = { from: '09:00', to: '17:00' };
const office = {
  timeZone: 'Europe/Berlin',
  hours: { mon: [nine], tue: [nine], thu: [nine] },
  holidays: [],
};

describe('the turn of a rule of time', () => {
  const MINUTE = 60_000;
  const at = (minutes: number) => new Date(now.getTime() + minutes * MINUTE);
  const said = (minutes: number, kind: 'user' | 'contact' | 'system', more: Partial<Entry> = {}): Entry => ({
    ...{ ...entry, at: at(minutes), via: 'api', by: { kind, id: kind === 'contact' ? 'k' : 'u', name: 'x' } },
    ...more,
  });
  const note = { comment: { id: 'n', audience: 'internal' as const, text: 'n' } };
  const entries = [
    said(1, 'contact'),
    said(2, 'user'),
    said(3, 'user', note),
    said(4, 'system'),
    said(5, 'user', { via: 'automation' }),
  ];

  test('is reckoned from what persons do and say', () => {
    expect(activityOf(ticket, entries)).toEqual({
      change: at(3),
      reply: at(2),
      requester_reply: at(1),
      agent_reply: at(2),
    });
    expect(activityOf(ticket, [])).toMatchObject({ change: ticket.createdAt, agent_reply: null });
  });

  test('comes in working time where that is meant', () => {
    const idle = (working: boolean) => ({ idleFor: { minutes: 60, since: 'change' as const, working } });
    const still = { dueAt: null, statusKind: 'open', mergedInto: null } as const;
    const activity = activityOf(ticket, entries);
    expect(turnOf(idle(false), still, activity, office)?.at).toEqual(at(63));
    // Wednesday is a day off, and Berlin begins at eight by UTC.
    expect(turnOf(idle(true), still, activity, office)?.at).toEqual(new Date('2026-03-05T09:00:00Z'));
    expect(turnOf(idle(false), { ...still, statusKind: 'closed' }, activity, office)).toBeNull();
    expect(turnOf({ untilDue: { minutes: 30 } }, { ...still, dueAt: at(90) }, activity, office)).toEqual({
      spell: at(90),
      at: at(60),
    });
  });
});
