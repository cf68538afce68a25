// What a rule asks, and what it is answered: each operator on each kind of value, the laws of logic, and sentences that
// say which part of a condition failed and with what value.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { evaluate } from '../../src/automation/condition.ts';
import type { Facts } from '../../src/automation/fields.ts';
import { warningsOf } from '../../src/automation/loops.ts';
import { type Condition, chainOf, eventsOf, type Leaf, ruleInput } from '../../src/automation/rule.ts';
import type { Entry } from '../../src/history/entry.ts';
import { ALWAYS } from '../../src/sla/calendar.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';

const now = new Date('2026-03-04T10:00:00Z'); // a Wednesday
const ticket = {
  ...{ _id: 't', company: 'c', desk: 'd', deskKey: 'TKT', key: 'TKT-000001', number: 1, seq: 3 },
  ...{ title: 'The printer is on fire', description: 'It smokes. Refund me.', status: 'in_progress' },
  ...{ statusKind: 'open', priority: 'high', priorityRank: 3, category: 'bug_report', tags: ['vip', 'eu'] },
  ...{ environment: null, assignee: null, team: 'team1', watchers: [], channel: 'email', private: false },
  requester: { kind: 'contact', id: 'k', name: 'Kim Lee', email: 'kim@big.example' },
  customFields: { severity: 3, colour: 'red', areas: ['north', 'south'] },
  ...{ replies: 2, escalated: false, snoozedUntil: null, sla: null, externalRef: null, dueAt: null },
  ...{ createdAt: new Date(now.getTime() - 90 * 60_000), updatedAt: now, firstRespondedAt: null },
} as unknown as Ticket;
const entry: Entry = {
  ...{ _id: 't-3', ticket: 't', company: 'c', desk: 'd', seq: 3, action: 'comment_added', at: now },
  by: { kind: 'contact', id: 'k', name: 'Kim Lee' },
  ...{ via: 'email', request: 'r' },
  fields: { status: ['pending', 'in_progress'], replies: [1, 2] },
  comment: { id: 'x', audience: 'public', text: 'Where is my REFUND?' },
};
const facts: Facts = { ticket, entry, by: 'requester', now, calendar: ALWAYS };
const nine = { from: '09:00', to: '17:00' };
const office = {
  timeZone: 'Europe/Berlin',
  hours: { mon: [nine], tue: [nine], thu: [nine] },
  holidays: [],
};

type Row = [field: string, op: Leaf['op'], value: Leaf['value'], holds: boolean];
const rows: Row[] = [
  ['status', 'equals', 'IN PROGRESS', true],
  ['status', 'not_equals', 'in-progress', false],
  ['status_kind', 'in', ['open', 'new'], true],
  ['priority', 'at_least', 'high', true],
  ['priority', 'at_least', 'P1', false],
  ['priority', 'less', 'urgent', true],
  ['priority', 'in', ['P2'], true],
  ['desk', 'equals', 'tkt', true],
  ['category', 'equals', 'Bug Report', true],
  ['environment', 'is_empty', undefined, true],
  ['environment', 'equals', 'production', false],
  ['environment', 'not_equals', 'production', true],
  ['environment', 'not_in', ['production'], true],
  ['assignee', 'is_not_empty', undefined, false],
  ['tags', 'has', 'VIP', true],
  ['tags', 'has_all', ['vip', 'us'], false],
  ['tags', 'has_any', ['vip', 'us'], true],
  ['tags', 'has_none', ['us'], true],
  ['title', 'contains', 'PRINTER', true],
  ['title', 'contains', ['coffee', 'fire'], true],
  ['title', 'not_contains', ['coffee', 'fire'], false],
  ['text', 'contains_word', 'refund', true],
  ['title', 'contains_word', 'print', false],
  ['title', 'starts_with', 'the p', true],
  ['title', 'ends_with', 'fire', true],
  ['title', 'ends_with', 'on', false],
  ['requester.domain', 'in', ['big.example'], true],
  ['requester.is_contact', 'equals', true, true],
  ['requester.name', 'contains', 'lee', true],
  ['comment.audience', 'equals', 'internal', false],
  ['comment.text', 'contains', 'refund', true],
  ['comment.by', 'equals', 'requester', true],
  ['by', 'not_equals', 'agent', true],
  ['via', 'equals', 'email', true],
  ['changed', 'has', 'status', true],
  ['before.status', 'equals', 'pending', true],
  ['after.status', 'equals', 'pending', false],
  ['before.priority', 'is_empty', undefined, true],
  ['replies', 'greater', 1, true],
  ['replies', 'at_most', 1, false],
  ['age_minutes', 'at_least', 90, true],
  ['due_in_minutes', 'less', 60, false],
  ['custom_fields.severity', 'at_least', 3, true],
  ['custom_fields.colour', 'equals', 'Red', true],
  ['custom_fields.areas', 'has', 'north', true],
  ['custom_fields.nothing', 'is_empty', undefined, true],
  ['custom_fields.constructor', 'is_empty', undefined, true],
  ['weekday', 'in', ['wed', 'thu'], true],
  ['within_business_hours', 'equals', true, true],
];

describe('a leaf', () => {
  test.each(rows)('%s %s %j: %s', (field, op, value, holds) => {
    const given = { field, op, ...(value === undefined ? {} : { value }) };
    const { if: condition } = ruleInput.parse({ ...least, if: given });
    const verdict = evaluate(condition, facts);
    expect(verdict.holds).toBe(holds);
    expect(verdict.because).toHaveLength(1);
    expect(verdict.because[0]).toMatchObject({ field, op, holds });
  });

  test('knows the hours and the day of the desk, in its own time zone', () => {
    const hours: Condition = { field: 'within_business_hours', op: 'equals', value: true };
    const thursday: Condition = { field: 'weekday', op: 'equals', value: 'thu' };
    const at = (time: string) => ({ ...facts, calendar: office, now: new Date(time) });
    expect(evaluate(hours, at('2026-03-04T10:00:00Z')).holds).toBe(false);
    expect(evaluate(hours, at('2026-03-05T10:00:00Z')).holds).toBe(true);
    expect(evaluate(hours, at('2026-03-05T16:30:00Z')).holds).toBe(false);
    expect(evaluate(thursday, at('2026-03-04T23:30:00Z')).holds).toBe(true);
  });

  test('about a comment or a change holds of nothing where there was none', () => {
    const bare = { ...facts, entry: null, by: null };
    for (const [field, op, value] of [
      ['comment.text', 'contains', 'a'],
      ['before.status', 'equals', 'pending'],
      ['comment.by', 'equals', 'requester'],
    ] as const)
      expect(evaluate({ field, op, value }, bare).holds).toBe(false);
    expect(evaluate({ field: 'comment.text', op: 'is_empty' }, bare).holds).toBe(true);
  });
});

describe('the answer says why', () => {
  test('of all, the parts that failed, with the value that was found', () => {
    const { holds, because } = evaluate(
      {
        all: [
          { field: 'status', op: 'equals', value: 'in_progress' },
          { field: 'priority', op: 'equals', value: 'critical' },
          { not: { field: 'tags', op: 'has', value: 'vip' } },
        ],
      },
      facts,
    );
    expect(holds).toBe(false);
    expect(because.map((one) => one.sentence)).toEqual([
      'priority is “high”: not “critical”',
      'tags is vip, eu: it has “vip”',
    ]);
    expect(because[0]).toMatchObject({ value: 'high', wanted: 'critical' });
  });

  test('of any, every part, for all of them failed', () => {
    const { because } = evaluate(
      {
        any: [
          { field: 'status', op: 'equals', value: 'new' },
          { field: 'replies', op: 'greater', value: 5 },
        ],
      },
      facts,
    );
    expect(because.map((one) => one.sentence)).toEqual([
      'status is “in_progress”: not “new”',
      'replies is 2: not more than 5',
    ]);
  });

  test('a long value is cut', () => {
    const long = { ...facts, ticket: { ...ticket, title: 'x'.repeat(10_000) } };
    const { because } = evaluate({ field: 'title', op: 'contains', value: 'y' }, long);
    expect(JSON.stringify(because).length).toBeLessThan(600);
  });
});

const leaf = fc.constantFrom(
  ...rows.map(([field, op, value]): Leaf => ({ field, op, ...(value === undefined ? {} : { value }) })),
);
const condition: fc.Arbitrary<Condition> = fc.letrec<{ condition: Condition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.record({ all: fc.array(tie('condition'), { maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('condition'), { maxLength: 3 }) }),
    fc.record({ not: tie('condition') }),
  ),
})).condition;

describe('the laws of logic', () => {
  const holds = (one: Condition) => evaluate(one, facts).holds;
  test('not not x is x', () => {
    fc.assert(fc.property(condition, (x) => holds({ not: { not: x } }) === holds(x)));
  });
  test('not all is any not, not any is all not', () => {
    fc.assert(
      fc.property(fc.array(condition, { maxLength: 4 }), (list) => {
        const negated = list.map((x): Condition => ({ not: x }));
        expect(holds({ not: { all: list } })).toBe(holds({ any: negated }));
        expect(holds({ not: { any: list } })).toBe(holds({ all: negated }));
      }),
    );
  });
  test('what decided it, alone, decides it the same', () => {
    fc.assert(
      fc.property(fc.array(leaf, { minLength: 1, maxLength: 5 }), (all) => {
        const { holds: whole, because } = evaluate({ all }, facts);
        expect(because.length).toBeGreaterThan(0);
        expect(because.every((one) => one.holds === whole)).toBe(true);
      }),
    );
  });
});

const least = { name: 'A rule', when: { events: ['created'] }, then: [{ do: 'escalate' }] };
const problems = (given: object): string[] =>
  (ruleInput.safeParse({ ...least, ...given }).error?.issues ?? []).map(
    (issue) => `${issue.path.join('.')}: ${issue.message}`,
  );

describe('a rule that cannot be meant is refused with a sentence', () => {
  test.each([
    ['an unknown field', { if: { field: 'colour', op: 'equals', value: 'red' } }, /"colour" is no field/],
    ['a pattern', { if: { field: 'title', op: 'matches', value: '(a+)+$' } }, /./],
    [
      'an operator of another kind',
      { if: { field: 'title', op: 'at_least', value: 'x' } },
      /cannot be asked/,
    ],
    ['a value that is missing', { if: { field: 'title', op: 'contains' } }, /is required/],
    ['a value too many', { if: { field: 'title', op: 'is_empty', value: 'x' } }, /left out/],
    [
      'a priority that there is not',
      { if: { field: 'priority', op: 'equals', value: 'P9' } },
      /critical, urgent/,
    ],
    ['a list where one is meant', { if: { field: 'status', op: 'equals', value: ['a', 'b'] } }, /not a list/],
    ['a number in words', { if: { field: 'replies', op: 'greater', value: 'many' } }, /must be a number/],
    ['any of nothing', { if: { any: [] } }, /./],
    ['an unknown event', { when: { events: ['rule_applied'] } }, /./],
    ['a hook, which there is not yet', { then: [{ do: 'webhook', url: 'https://example.com' }] }, /./],
    ['nothing to do', { then: [] }, /./],
    ['a priority to set that there is not', { then: [{ do: 'set', priority: 'huge' }] }, /must be one of/],
  ])('%s', (_, given, told) => {
    const found = problems(given);
    expect(found.length).toBeGreaterThan(0);
    expect(found.join('\n')).toMatch(told);
  });

  test('one that is nested too deep, or asks too much', () => {
    let deep: object = { field: 'status', op: 'equals', value: 'new' };
    for (let level = 0; level < 8; level++) deep = { not: deep };
    expect(problems({ if: deep })).toEqual([expect.stringContaining('nested 6 deep')]);
    const wide = Array.from({ length: 40 }, () => ({ field: 'status', op: 'equals', value: 'new' }));
    expect(problems({ if: { all: [{ any: wide }, { any: wide }] } })).toEqual([
      expect.stringContaining('60 things'),
    ]);
  });

  test('and one without a condition always holds', () => {
    expect(evaluate(ruleInput.parse(least).if, facts).holds).toBe(true);
  });
});

describe('what sets a rule off', () => {
  const of = (more: Partial<Entry>) => [...eventsOf({ ...entry, fields: {}, ...more })].sort();
  test.each([
    [
      'a resolved ticket has changed its status',
      { action: 'resolved', fields: { status: ['open', 'resolved'] } },
      ['any', 'resolved', 'status_change'],
    ],
    [
      'a new ticket has changed nothing',
      { action: 'created', fields: { status: [null, 'new'] } },
      ['any', 'created'],
    ],
    [
      'an escalation that raises the priority',
      { action: 'escalated', fields: { priority: ['low', 'high'] } },
      ['any', 'escalated', 'priority_change'],
    ],
    ['what a rule says of itself', { action: 'rule_applied' }, []],
    ['an import', { via: 'import' }, []],
    ['what nobody is told', { silent: true }, []],
    ['bookkeeping is not anything', { action: 'bound' }, ['bound']],
  ] as [string, Partial<Entry>, string[]][])('%s', (_, more, events) => {
    expect(of(more)).toEqual(events);
  });

  test('an entry knows the rules that led to it', () => {
    expect(chainOf({ facts: { rules: ['a', 'b'] } })).toEqual(['a', 'b']);
    expect(chainOf({ facts: { rules: 'a' } })).toEqual([]);
    expect(chainOf(null)).toEqual([]);
  });
});

describe('rules that set each other off are told when they are saved', () => {
  const rule = (name: string, given: object) => ({
    ...ruleInput.parse({ ...least, name, ...given }),
    id: name,
  });
  const on = (...events: string[]) => ({ when: { events } });
  const tag = (name: string) => ({ do: 'add_tags', tags: [name] });
  const priority = (from: string, to: string) => ({
    ...on('priority_change'),
    if: { field: 'priority', op: 'equals', value: from },
    then: [{ do: 'set', priority: to }],
  });
  const note = { do: 'note', text: 'x' };

  test.each([
    ['a note on every comment', [rule('A', { ...on('comment_added'), then: [note] })], 1],
    ['a note on anything', [rule('A', { ...on('any'), then: [tag('x'), note] })], 1],
    [
      'a note on what persons say',
      [
        rule('A', {
          ...on('comment_added'),
          if: { field: 'by', op: 'equals', value: 'requester' },
          then: [note],
        }),
      ],
      0,
    ],
    ['a tag on every change, for then it is there', [rule('A', { ...on('any'), then: [tag('x')] })], 0],
    ['a note on a new ticket', [rule('A', { ...on('created'), then: [note] })], 0],
    ['ping and pong', [rule('A', priority('high', 'low')), rule('B', priority('low', 'high'))], 1],
    ['ping and peng', [rule('A', priority('high', 'low')), rule('B', priority('medium', 'high'))], 0],
    [
      'a tag and its removal',
      [
        rule('A', { ...on('update'), then: [tag('x')] }),
        rule('B', { ...on('update'), then: [{ do: 'remove_tags', tags: ['x'] }] }),
      ],
      1,
    ],
    [
      'two tags, for then both are there',
      [rule('A', { ...on('update'), then: [tag('x')] }), rule('B', { ...on('update'), then: [tag('y')] })],
      0,
    ],
    [
      'a circle of three',
      [
        rule('A', priority('high', 'low')),
        rule('B', priority('low', 'urgent')),
        rule('C', priority('urgent', 'high')),
      ],
      1,
    ],
    [
      'ping and pong of two desks',
      [
        rule('A', { ...priority('high', 'low'), desk: 'x' }),
        rule('B', { ...priority('low', 'high'), desk: 'y' }),
      ],
      0,
    ],
    ['rules of time', [rule('A', { when: { idleFor: { minutes: 5 } }, then: [note] })], 0],
  ])('%s', (_, rules, count) => {
    const [saved] = rules;
    if (!saved) throw new Error('no rule');
    expect(warningsOf(saved, rules)).toHaveLength(count);
  });

  test('with the way they take', () => {
    const [a, b] = [rule('A', priority('high', 'low')), rule('B', priority('low', 'high'))];
    expect(warningsOf(a, [a, b])[0]).toContain('“A” → “B” → “A”');
  });
});
