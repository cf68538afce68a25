import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  listOf,
  requesterCard,
  saying,
  speech,
  type TicketFacts,
  triageCard,
} from '../../adapters/slack/blocks.ts';
import { homeView } from '../../adapters/slack/home.ts';
import { type FormFacts, ticketForm } from '../../adapters/slack/views.ts';
import { blocksProblem, controls, viewProblem } from '../support/fake-slack-blocks.ts';
import type { Json } from '../support/fake-slack-state.ts';

const at = new Date('2026-11-20T10:00:00Z');
const facts = (more: Partial<TicketFacts> = {}): TicketFacts => ({
  id: 't1',
  key: 'TKT-000001',
  url: 'https://desk.example/tickets/TKT-000001',
  title: 'Printer on fire',
  description: 'It *burns*.',
  status: { name: 'new', label: 'New' },
  next: [
    { name: 'open', label: 'Open' },
    { name: 'closed', label: 'Closed' },
  ],
  kind: 'new',
  priority: 'high',
  priorities: ['critical', 'urgent', 'high', 'medium', 'low'],
  category: 'technical',
  requester: 'Ana',
  assignee: null,
  team: null,
  via: 'slack',
  isPrivate: false,
  escalated: false,
  createdAt: at,
  updatedAt: at,
  resolvedAt: null,
  resolutionNotes: null,
  due: [{ label: 'First answer', at, broken: false, left: 'in 2 h' }],
  ...more,
});

const NASTY =
  '<!channel> <@U1> <https://evil.example|bank> @everyone <@&1> [x](javascript:1) \u202Egpj.exe & "';
const nastyText = (most: number) =>
  fc.oneof(
    fc.string({ maxLength: most }),
    fc.constant(NASTY),
    fc.constant('&<>'.repeat(Math.ceil(most / 3))),
    fc.constant('😀'.repeat(most / 2)),
    fc.constant(''),
    fc.constant(`\`\`\`\n${'code\n'.repeat(most / 5)}`),
  );
const anyFacts: fc.Arbitrary<TicketFacts> = fc
  .record({
    title: nastyText(300),
    description: nastyText(20_000),
    requester: nastyText(200),
    assignee: fc.option(nastyText(200)),
    team: fc.option(nastyText(100)),
    category: fc.option(nastyText(60)),
    resolutionNotes: fc.option(nastyText(20_000)),
    kind: fc.constantFrom(
      'new' as const,
      'open' as const,
      'pending' as const,
      'resolved' as const,
      'closed' as const,
    ),
    isPrivate: fc.boolean(),
    escalated: fc.boolean(),
    next: fc
      .array(fc.record({ name: fc.stringMatching(/^[a-z]{1,40}$/), label: nastyText(60) }), { maxLength: 40 })
      .map((list) => [...new Map(list.map((one) => [one.name, one])).values()]),
  })
  .map((more) => facts(more));

const SAFE = /^<(https:\/\/desk\.example[^|<>]*(\|[^<>]*)?|!date\^\d+\^[^<>]*)>$/;

describe('whatever a ticket says', () => {
  test('Slack takes every drawing of it', () => {
    fc.assert(
      fc.property(anyFacts, (one) => {
        for (const drawing of [
          triageCard(one),
          triageCard(one, 'Ana claims it'),
          requesterCard(one),
          listOf('Mine', [one, one], 99),
        ]) {
          expect(blocksProblem(drawing.blocks, 'message')).toBeUndefined();
          expect(drawing.text.length).toBeLessThanOrEqual(3000);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('no drawing mentions anybody or links anywhere but to the desk', () => {
    const one = facts({
      title: NASTY,
      description: NASTY,
      requester: NASTY,
      assignee: NASTY,
      team: NASTY,
      category: NASTY,
      resolutionNotes: NASTY,
      kind: 'resolved',
    });
    const drawings = [
      triageCard(one),
      triageCard({ ...one, kind: 'open' }, NASTY),
      requesterCard(one),
      listOf(NASTY, [one], 1),
      saying(NASTY),
      speech(NASTY, NASTY),
    ];
    for (const drawing of drawings) {
      for (const sequence of controls(drawing as unknown as Json)) expect(sequence).toMatch(SAFE);
      expect(JSON.stringify(drawing)).not.toContain('\u202E');
    }
    for (const sequence of controls(homeView(home([one])) as unknown as Json)) expect(sequence).toMatch(SAFE);
  });

  test('long words come in pieces and none is lost', () => {
    const words = Array.from({ length: 3000 }, (_, at) => `word${at}`).join(' ');
    const drawing = speech('Ana', words);
    expect(blocksProblem(drawing.blocks, 'message')).toBeUndefined();
    expect(JSON.stringify(drawing.blocks)).toContain('word2999');
  });
});

const SHELVES = ['working', 'queue', 'waiting', 'mine', 'closed'] as const;
const home = (items: TicketFacts[]) => ({
  name: NASTY,
  shelves: SHELVES.map((name) => ({ name, items: items.slice(0, 10), total: 300, page: 2 })),
});

describe('the buttons of the card', () => {
  const ids = (one: TicketFacts): string[] =>
    JSON.stringify(triageCard(one).blocks)
      .match(/"action_id":"(\w+)"/g)
      ?.map((found) => found.slice(13, -1)) ?? [];

  test('follow the state of the ticket', () => {
    expect(ids(facts())).toEqual(expect.arrayContaining(['ticket_claim', 'ticket_resolve', 'ticket_assign']));
    expect(ids(facts({ assignee: 'Mei' }))).not.toContain('ticket_claim');
    expect(ids(facts({ kind: 'resolved' }))).toEqual(['ticket_reopen']);
  });

  test('are gone while somebody’s press is being worked on', () => {
    const drawing = triageCard(facts(), 'Ana is claiming this');
    expect(JSON.stringify(drawing)).not.toContain('action_id');
    expect(JSON.stringify(drawing)).toContain('Ana is claiming this');
  });
});

describe('the form', () => {
  const form: FormFacts = {
    desks: [
      { id: 'd1', name: 'Support' },
      { id: 'd2', name: 'Operations' },
    ],
    desk: 'd1',
    categories: ['technical', 'billing'],
    category: 'billing',
    priorities: ['critical', 'high', 'medium', 'low'],
    priority: null,
    fields: [],
    isAgent: true,
    title: 'x'.repeat(400),
    description: 'y'.repeat(5000),
    origin: { channel: 'C1' },
  };

  test('is a view that Slack takes, with every kind of field and far too many of them', () => {
    const types = ['text', 'number', 'boolean', 'date', 'choice', 'choices'] as const;
    const fields = Array.from({ length: 120 }, (_, at) => ({
      name: `f${at}`,
      label: `Field ${at}`,
      type: types[at % 6] ?? 'text',
      options: at % 2 ? ['a', 'b'] : [],
      required: at % 3 === 0,
    }));
    expect(viewProblem(ticketForm({ ...form, fields }) as unknown as Json)).toBeUndefined();
    expect(
      viewProblem(ticketForm({ ...form, categories: [], desks: [] }) as unknown as Json),
    ).toBeUndefined();
  });

  test('asks for whom only where an agent files', () => {
    const asks = (one: FormFacts): boolean =>
      ticketForm(one).blocks.some((block) => block.block_id === 'requester');
    expect(asks(form)).toBe(true);
    expect(asks({ ...form, isAgent: false })).toBe(false);
  });

  test('the home tab with hundreds of tickets is still a view', () => {
    const many = Array.from({ length: 300 }, (_, at) => facts({ id: `t${at}` }));
    expect(viewProblem(homeView(home(many)) as unknown as Json)).toBeUndefined();
  });
});
