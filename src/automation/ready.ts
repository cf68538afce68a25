// Ready-made rules, to be switched on with a few values of one's own. What they make is a rule like any other.
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { inWords } from '../complaints.ts';
import type { Ctx } from '../context.ts';
import { conflict, forbidden, unknown } from '../errors.ts';
import { may } from '../people/access.ts';
import { checkReferences } from './references.ts';
import { type RuleInput, ruleInput } from './rule.ts';
import { addRule, rulesOn, type SavedRule } from './rules.ts';

const DAY = 1_440;
const HOUR = 60;
const hours = (usual: number) => z.number().min(0.25).max(8_760).default(usual);
const days = (usual: number) => z.number().min(0.5).max(365).default(usual);
const lines = (usual: string[]) => z.array(z.string().trim().min(1).max(200)).min(1).max(100).default(usual);
const text = (usual: string) => z.string().trim().min(1).max(5_000).default(usual);
const minutesOf = (count: number, unit: number) => Math.max(1, Math.round(count * unit));

const is = (field: string, value: string | boolean) => ({ field, op: 'equals', value });
const among = (field: string, ...value: string[]) => ({ field, op: 'in', value });
const WORKED_ON = among('status_kind', 'new', 'open');

type Said = z.input<typeof ruleInput>;
interface Ready {
  id: string;
  description: string;
  values: z.ZodType<Record<string, unknown>>;
  make: (values: never) => object;
}
/** Only gives the parts their types. */
const ready = <S extends z.ZodType<Record<string, unknown>>>(
  id: string,
  description: string,
  values: S,
  make: (values: z.output<S>) => object,
): Ready => ({ id, description, values, make: make as Ready['make'] });

const READY: readonly Ready[] = [
  ready(
    'acknowledge',
    'Whoever files a ticket hears at once that it has arrived, and under which number.',
    z.strictObject({
      text: text(
        'Hello {{ requester.first_name }},\n\nwe have received your request. Its number is {{ ticket.key }}. We will come back to you.',
      ),
    }),
    (given) => ({
      name: 'Acknowledge new tickets',
      when: { events: ['created'] },
      if: is('by', 'requester'),
      then: [{ do: 'reply', text: given.text }],
      runOnce: true,
    }),
  ),
  ready(
    'remind_assignee',
    'Whoever has a ticket is reminded when nothing has happened on it for some working hours.',
    z.strictObject({ hours: hours(24) }),
    (given) => ({
      name: 'Remind whoever has it',
      when: { idleFor: { minutes: minutesOf(given.hours, HOUR), since: 'change', working: true } },
      if: { all: [WORKED_ON, { field: 'assignee', op: 'is_not_empty' }] },
      then: [
        { do: 'notify', to: ['assignee'], text: 'Nothing has happened on {{ ticket.key }} for a while.' },
      ],
    }),
  ),
  ready(
    'nobody_has_it',
    'The team and its lead are told of tickets that nobody has taken after some working hours.',
    z.strictObject({ hours: hours(1) }),
    (given) => ({
      name: 'Nobody has taken it',
      when: {
        idleFor: { minutes: minutesOf(given.hours, HOUR), since: 'requester_reply', working: true },
      },
      if: { all: [WORKED_ON, { field: 'assignee', op: 'is_empty' }] },
      then: [{ do: 'notify', to: ['team', 'lead'], text: 'Nobody has taken {{ ticket.key }} yet.' }],
    }),
  ),
  ready(
    'vip',
    'Tickets from certain domains are marked and escalated.',
    z.strictObject({ domains: lines(['important.example']), tag: z.string().min(1).max(60).default('vip') }),
    (given) => ({
      name: 'Important customers',
      when: { events: ['created'] },
      if: among('requester.domain', ...given.domains),
      then: [{ do: 'add_tags', tags: [given.tag] }, { do: 'set', priority: 'high' }, { do: 'escalate' }],
      runOnce: true,
    }),
  ),
  ready(
    'tag_by_word',
    'Tickets in which the requester uses one of these words are tagged.',
    z.strictObject({
      words: lines(['refund', 'invoice', 'payment']),
      tag: z.string().min(1).max(60).default('billing'),
    }),
    (given) => ({
      name: `Tag ${given.tag}`,
      when: { events: ['created', 'comment_added'] },
      if: {
        all: [
          is('by', 'requester'),
          {
            any: [
              { field: 'comment.text', op: 'contains_word', value: given.words },
              {
                all: [
                  { field: 'comment.text', op: 'is_empty' },
                  { field: 'text', op: 'contains_word', value: given.words },
                ],
              },
            ],
          },
        ],
      },
      then: [{ do: 'add_tags', tags: [given.tag] }],
    }),
  ),
  ready(
    'critical_after_hours',
    'The lead and the managers are told of a critical ticket outside business hours.',
    z.strictObject({}),
    () => ({
      name: 'Critical after hours',
      when: { events: ['created', 'priority_change'] },
      if: { all: [is('priority', 'critical'), is('within_business_hours', false)] },
      then: [{ do: 'notify', to: ['lead', 'managers'], text: 'Critical, after hours: {{ ticket.title }}' }],
      runOnce: true,
    }),
  ),
  ready(
    'nudge_requester',
    'When we wait for the requester and hear nothing for some days, they are asked once more.',
    z.strictObject({
      days: days(3),
      text: text(
        'Hello {{ requester.first_name }},\n\nwe are still waiting for your answer on {{ ticket.key }}.',
      ),
    }),
    (given) => ({
      name: 'Ask the requester again',
      when: { idleFor: { minutes: minutesOf(given.days, DAY), since: 'change' } },
      if: is('status_kind', 'pending'),
      then: [{ do: 'reply', text: given.text }],
    }),
  ),
  ready(
    'close_pending',
    'When we wait for the requester and hear nothing for some days, the ticket is closed with a word.',
    z.strictObject({
      days: days(7),
      text: text(
        'Hello {{ requester.first_name }},\n\nas we have not heard from you, we close {{ ticket.key }}. Just answer to open it again.',
      ),
    }),
    (given) => ({
      name: 'Close what waits too long',
      when: { idleFor: { minutes: minutesOf(given.days, DAY), since: 'change' } },
      if: is('status_kind', 'pending'),
      then: [
        { do: 'reply', text: given.text },
        { do: 'close', notes: 'No answer from the requester.' },
      ],
    }),
  ),
  ready(
    'due_soon',
    'Whoever has a ticket is told some hours before it is due.',
    z.strictObject({ hours: hours(4) }),
    (given) => ({
      name: 'Due soon',
      when: { untilDue: { minutes: minutesOf(given.hours, HOUR) } },
      then: [{ do: 'notify', to: ['assignee'], text: '{{ ticket.key }} is due soon.' }],
    }),
  ),
  ready(
    'ask_how_it_was',
    'Some hours after a ticket is resolved, the requester is asked how it went.',
    z.strictObject({
      hours: hours(24),
      text: text('Hello {{ requester.first_name }},\n\nhow did we do with {{ ticket.key }}?'),
    }),
    (given) => ({
      name: 'Ask how it was',
      when: { idleFor: { minutes: minutesOf(given.hours, HOUR), since: 'change' } },
      if: { all: [is('status_kind', 'resolved'), { field: 'rating', op: 'is_empty' }] },
      then: [{ do: 'reply', text: given.text }],
      runOnce: true,
    }),
  ),
  ready('unhappy', 'The lead is told of a bad rating.', z.strictObject({}), () => ({
    name: 'A bad rating',
    when: { events: ['feedback'] },
    if: { field: 'rating', op: 'at_most', value: 2 },
    then: [
      { do: 'notify', to: ['lead'], text: '{{ requester.name }} was not content with {{ ticket.key }}.' },
    ],
  })),
];

export const readyShape = z
  .object({
    id: z.string(),
    name: z.string(),
    description: z.string(),
    values: z
      .record(z.string(), z.unknown())
      .meta({ description: 'What may be said when it is switched on.' }),
    when: ruleInput.shape.when,
    if: z.unknown(),
    then: z.array(z.unknown()),
  })
  .meta({ id: 'ReadyRule' });

export const switchOnInput = z.strictObject({
  values: z
    .record(z.string().max(40), z.unknown())
    .default({})
    .meta({ description: 'Instead of the values that it shows.', examples: [{}] }),
  name: ruleInput.shape.name.optional(),
  desk: z.string().max(40).nullable().default(null).meta({ description: 'Only on this desk.' }),
  enabled: z.boolean().default(true),
});

const madeOf = (one: Ready, values: unknown): RuleInput =>
  ruleInput.parse({ ...one.make(values as never), description: one.description } as Said, { error: inWords });

export function readyRules(ctx: Ctx): z.output<typeof readyShape>[] {
  if (!may(ctx.actor, 'rule.read')) throw forbidden('rule.read', 'Only leads see this.');
  return READY.map((one) => {
    const values = one.values.parse({});
    const { name, when, if: condition, then } = madeOf(one, values);
    return { id: one.id, name, description: one.description, values, when, if: condition, then };
  });
}

export async function switchOn(
  ctx: Ctx,
  id: string,
  { values, name, desk, enabled }: z.output<typeof switchOnInput>,
): Promise<SavedRule> {
  const one = READY.find((each) => each.id === id);
  if (!one) throw unknown('workflow_template', 'There is no such ready-made rule.');
  const read = one.values.safeParse(values, { error: inWords });
  if (!read.success)
    throw new z.ZodError(
      read.error.issues.map((issue) => ({ ...issue, path: ['values', ...issue.path] })) as never,
    );
  const rule = await checkReferences(ctx, {
    ...madeOf(one, read.data),
    ...(name ? { name } : {}),
    desk,
    enabled,
  });
  const same = (await rulesOn(ctx.actor.company)).find((each) => doesTheSame(each, rule));
  if (same && enabled && !ctx.redo)
    throw conflict('workflow.on_already', `“${same.name}” is on already and does just this.`);
  return addRule(ctx, rule);
}

/** Two of the same would answer everybody twice. */
const doesTheSame = (one: DoneBy, other: DoneBy): boolean =>
  (['desk', 'when', 'if', 'then'] as const).every((part) => isDeepStrictEqual(one[part], other[part]));
type DoneBy = Pick<RuleInput, 'desk' | 'when' | 'if' | 'then'>;
