// Who hears of what, what they are told, and when they want to be left alone: pure rules.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ACTIONS, type Entry } from '../../src/history/entry.ts';
import { conversationMessage, publicly, publicNews } from '../../src/notify/messages.ts';
import { mediaFor, NO_PREFERENCES, overridesQuiet, quietUntil } from '../../src/notify/preferences.ts';
import { type Crowd, hearers, mentions } from '../../src/notify/recipients.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';

const ticket = (more: Partial<Ticket> = {}): Ticket =>
  ({
    _id: 't',
    key: 'TKT-000001',
    title: 'It burns',
    status: 'open',
    statusKind: 'open',
    priority: 'high',
    requester: { kind: 'contact', id: 'cara', name: 'Cara', email: 'cara@example.com' },
    assignee: 'ann',
    team: 'fire',
    watchers: ['wim', 'carl'],
    conversations: [],
    ...more,
  }) as Ticket;
const entry = (more: Partial<Entry>): Entry => ({
  _id: 't-2',
  ticket: 't',
  company: 'c',
  desk: 'd',
  seq: 2,
  action: 'update',
  at: new Date('2026-03-02T10:00:00Z'),
  by: { kind: 'user', id: 'bob', name: 'Bob' },
  via: 'api',
  request: 'r',
  fields: {},
  ...more,
});
const agents = ['ann', 'bob', 'wim', 'lea', 'mia'];
const crowd: Crowd = {
  isAgent: (id) => agents.includes(id),
  isActive: () => true,
  members: ['ann', 'bob', 'mia'],
  leads: ['lea'],
  managers: [],
  onCall: ['olga'],
  mentioned: [],
};
const heard = (given: Entry, of = ticket(), among = crowd) =>
  hearers(given, of, among)
    .map((one) => `${one.person.id} ${one.event} ${one.audience}`)
    .sort();
const note = (audience: 'public' | 'internal') => ({ id: 'k', audience, text: 'Marker' }) as const;

describe('who hears', () => {
  test('of a new ticket: who has it, else its team, else those who see to what nobody has', () => {
    const born = (more: Partial<Ticket>) => heard(entry({ action: 'created' }), ticket(more));
    expect(born({})).toContain('ann assigned internal');
    expect(born({ assignee: null })).toEqual(
      expect.arrayContaining(['ann created internal', 'mia created internal']),
    );
    expect(born({ assignee: null })).not.toContain('lea created internal');
    expect(born({ assignee: null, team: null })).toContain('lea created internal');
  });

  test('an escalation: assignee, leads, and whom its step names, but no customer who slipped in', () => {
    const given = (notify: string[]) => entry({ action: 'escalated', facts: { notify } });
    const usual = heard(given([]));
    expect(usual).toContain('lea escalated internal');
    expect(heard(given(['mia', 'eve']))).toEqual([...new Set([...usual, 'mia escalated internal'])].sort());
    const boss = { ...crowd, isAgent: () => true, managers: ['max'] };
    expect(heard(given(['managers']), ticket(), boss)).toContain('max escalated internal');
    const night = { ...crowd, isAgent: () => true };
    expect(heard(given(['on_call']), ticket(), night)).toContain('olga escalated internal');
    expect(heard(given(['team']))).toContain('ann escalated internal');
  });

  test('a note: assignee and watching agents, never a customer, never its author', () => {
    const given = entry({ action: 'comment_added', comment: note('internal') });
    expect(heard(given)).toEqual(['ann note internal', 'wim note internal']);
  });
  test('a reply: the one who asked as well, with public words', () => {
    const given = entry({ action: 'comment_added', comment: note('public') });
    expect(heard(given)).toEqual([
      'ann reply internal',
      'cara reply public',
      'carl reply public',
      'wim reply internal',
    ]);
  });
  test("a customer's reply on a ticket that nobody has: the team", () => {
    const by = { kind: 'contact', id: 'cara', name: 'Cara' } as const;
    const given = entry({ action: 'comment_added', by, comment: note('public') });
    expect(heard(given, ticket({ assignee: null, watchers: [] }))).toEqual([
      'ann reply internal',
      'bob reply internal',
      'mia reply internal',
    ]);
  });
  test('a breach: assignee and lead, not the customer', () => {
    const by = { kind: 'system', id: 'system', name: 'Switchboard' } as const;
    expect(heard(entry({ action: 'sla_breach', by }), ticket({ watchers: [] }))).toEqual([
      'ann sla_breach internal',
      'lea sla_breach internal',
    ]);
  });
  test('who is mentioned hears that, and not also that there was a note', () => {
    const given = entry({ action: 'comment_added', comment: note('internal') });
    const among = { ...crowd, mentioned: ['wim', 'carl'] };
    expect(heard(given, ticket(), among)).toEqual(['ann note internal', 'wim mentioned internal']);
  });
  test('whatever happens, its author hears nothing and a customer nothing internal', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ACTIONS),
        fc.constantFrom('public' as const, 'internal' as const),
        fc.constantFrom(...agents, 'carl'),
        fc.constantFrom<string | null>(null, ...agents, 'carl'),
        fc.subarray([...agents, 'carl']),
        (action, audience, author, assignee, mentioned) => {
          const comment = action.startsWith('comment') ? { comment: note(audience) } : {};
          const given = entry({ action, by: { kind: 'user', id: author, name: author }, ...comment });
          for (const one of hearers(given, ticket({ assignee }), { ...crowd, mentioned })) {
            expect(one.person.id).not.toBe(author);
            if (!crowd.isAgent(one.person.id)) expect(one.audience).toBe('public');
            if (one.audience === 'public') expect(publicly(given)).not.toBeNull();
          }
        },
      ),
    );
  });
  test.each([
    ['ask @mei.chen, and @Bob!', ['mei.chen', 'bob']],
    ['mail mei@example.com', []],
    ['(@ann) @ann', ['ann']],
  ])('mentions in %j', (text, names) => expect(mentions(text)).toEqual(names));
});

test('what is made for the public holds nothing of notes, facts or inner fields', () => {
  const given = entry({
    action: 'assignment_change',
    notes: 'Marker',
    facts: { why: 'Marker' },
    fields: { assignee: [null, 'ann'], sla: [null, 'Marker'], customFields: [null, { secret: 'Marker' }] },
  });
  const open = publicly(given);
  if (!open) throw new Error('an assignment is public');
  const news = publicNews(open, 'assigned', ticket(), () => 'Ann');
  const message = conversationMessage('post', { audience: 'public', entry: open, news });
  expect(JSON.stringify({ open, message })).not.toContain('Marker');
});

describe('quiet hours', () => {
  const night = { from: '22:00', to: '07:30', timeZone: null };
  test.each([
    ['before they begin', '2026-03-02T20:59:00Z', null],
    ['in the evening', '2026-03-02T21:00:00Z', '2026-03-03T06:30:00Z'],
    ['after midnight', '2026-03-03T03:00:00Z', '2026-03-03T06:30:00Z'],
    ['at their end', '2026-03-03T06:30:00Z', null],
    ['in the night when clocks go forward', '2026-03-28T23:30:00Z', '2026-03-29T05:30:00Z'],
    ['in the night when clocks go back', '2026-10-24T22:30:00Z', '2026-10-25T06:30:00Z'],
  ])('%s', (_, now, end) => {
    expect(quietUntil(night, 'Europe/Berlin', new Date(now))?.toISOString() ?? null).toBe(
      end && new Date(end).toISOString(),
    );
  });
  test('a breach and whoever is on call are told at once', () => {
    expect(overridesQuiet('sla_breach', false)).toBe(true);
    expect(overridesQuiet('reply', true)).toBe(true);
    expect(overridesQuiet('reply', false)).toBe(false);
  });
});

test('a choice counts over the default, and unsubscribing over both', () => {
  expect(mediaFor(NO_PREFERENCES, 'updated')).toEqual(['in_app']);
  const chosen = { ...NO_PREFERENCES, events: { updated: { email: true, in_app: false } } };
  expect(mediaFor(chosen, 'updated')).toEqual(['email']);
  expect(mediaFor({ ...chosen, unsubscribed: true }, 'updated')).toEqual([]);
});
