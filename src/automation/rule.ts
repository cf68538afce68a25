// What an automation rule is: when something happens (or time passes), if a condition holds, then these deeds. Pure.
// A condition is data of bounded size; it knows no regular expressions, so that none can hang a worker.
import { z } from 'zod';
import { oneOfForms } from '../complaints.ts';
import { priorityInput, readPriority } from '../desks/desk.ts';
import { ACTIONS, type Entry } from '../history/entry.ts';
import { FIELD_NAMES, fieldNamed, OPERATORS, OPERATORS_OF, type Operator } from './fields.ts';

const MOST_DEPTH = 6;
const MOST_LEAVES = 60;
/** A chain of rules that set each other off is cut here. */
export const LONGEST_CHAIN = 5;
/** And a circle that leads through others (routing, a hook that calls back): so many firings on a ticket in an hour. */
export const MOST_FIRINGS = 60;

export interface Leaf {
  field: string;
  op: Operator;
  value?: Scalar | Scalar[] | undefined;
}
export type Condition = Leaf | { all: Condition[] } | { any: Condition[] } | { not: Condition };
type Scalar = string | number | boolean;

const scalar = z.union([z.string().max(500), z.number(), z.boolean()]);
const leafShape = z
  .strictObject({
    field: z
      .string()
      .min(1)
      .max(80)
      .meta({
        description: `One of ${FIELD_NAMES.filter((name) => !/^(before|after)\./.test(name)).join(', ')}; custom_fields.<name>; before.<field> and after.<field> of what was changed.`,
        example: 'priority',
      }),
    op: z.enum(OPERATORS),
    value: z.union([scalar, z.array(scalar).min(1).max(100)]).optional(),
  })
  .superRefine((leaf, check) => {
    const problem = problemOf(leaf);
    if (problem) check.addIssue({ code: 'custom', path: [problem.path], message: problem.message });
  })
  .meta({ examples: [{ field: 'priority', op: 'at_least', value: 'high' }] });

/** What is wrong with a leaf, in words. */
function problemOf({ field: name, op, value }: Leaf): { path: string; message: string } | null {
  const field = fieldNamed(name);
  if (!field)
    return { path: 'field', message: `"${name}" is no field that a rule knows: ${FIELD_NAMES.join(', ')}` };
  const allowed = OPERATORS_OF[field.kind];
  if (!allowed.includes(op))
    return { path: 'op', message: `${name} cannot be asked "${op}", but: ${allowed.join(', ')}` };
  const bare = op === 'is_empty' || op === 'is_not_empty';
  if (bare !== (value === undefined))
    return { path: 'value', message: bare ? 'must be left out here' : 'is required' };
  if (bare) return null;
  const isList = Array.isArray(value);
  const many = ['in', 'not_in', 'has_any', 'has_all', 'has_none'].includes(op);
  const mayBeMany =
    many || ['contains', 'not_contains', 'contains_word', 'starts_with', 'ends_with'].includes(op);
  if (isList && !mayBeMany) return { path: 'value', message: 'must be one value here, not a list' };
  if (field.kind === 'flag' && typeof value !== 'boolean')
    return { path: 'value', message: 'must be true or false' };
  const sizes = ['greater', 'less', 'at_least', 'at_most'].includes(op);
  if ((field.kind === 'number' || (field.kind === 'custom' && sizes)) && typeof value !== 'number')
    return { path: 'value', message: 'must be a number' };
  if (field.kind === 'rank' && [value].flat().some((one) => readPriority(String(one)) === undefined))
    return { path: 'value', message: 'must be critical, urgent, high, medium or low (or P1 to P4)' };
  if ((field.kind === 'text' || field.kind === 'word') && [value].flat().some((one) => !String(one).trim()))
    return { path: 'value', message: 'must not be empty: ask is_empty' };
  return null;
}

/** Lists where lists are meant, priorities by their own names. */
function tidied(condition: Condition): Condition {
  if ('all' in condition) return { all: condition.all.map(tidied) };
  if ('any' in condition) return { any: condition.any.map(tidied) };
  if ('not' in condition) return { not: tidied(condition.not) };
  const { field, op, value } = condition;
  if (value === undefined) return { field, op };
  const named = (one: Scalar) =>
    fieldNamed(field)?.kind === 'rank' ? (readPriority(String(one)) ?? one) : one;
  const many = ['in', 'not_in', 'has_any', 'has_all', 'has_none'].includes(op);
  return { field, op, value: many || Array.isArray(value) ? [value].flat().map(named) : named(value) };
}

const conditionShape: z.ZodType<Condition, Condition> = z
  .lazy(() =>
    z.union(
      [
        leafShape,
        z.strictObject({ all: z.array(conditionShape).max(MOST_LEAVES) }),
        z.strictObject({ any: z.array(conditionShape).min(1).max(MOST_LEAVES) }),
        z.strictObject({ not: conditionShape }),
      ],
      {
        error: oneOfForms(
          `must be {field, op, value} with op one of ${OPERATORS.join(', ')}; or {all: [...]}, {any: [...]}, {not: ...}`,
        ),
      },
    ),
  )
  .meta({
    id: 'RuleCondition',
    description: 'A leaf {field, op, value}, or {all: [...]}, {any: [...]}, {not: ...} of such.',
    examples: [{ all: [{ field: 'priority', op: 'at_least', value: 'high' }] }],
  });

const sizeOf = (condition: Condition): { depth: number; leaves: number } => {
  const inner =
    'all' in condition
      ? condition.all
      : 'any' in condition
        ? condition.any
        : 'not' in condition
          ? [condition.not]
          : null;
  if (!inner) return { depth: 1, leaves: 1 };
  const sizes = inner.map(sizeOf);
  return {
    depth: 1 + Math.max(0, ...sizes.map((one) => one.depth)),
    leaves: sizes.reduce((sum, one) => sum + one.leaves, 0),
  };
};
const boundedCondition = conditionShape
  .superRefine((condition, check) => {
    const { depth, leaves } = sizeOf(condition);
    if (depth > MOST_DEPTH)
      check.addIssue({ code: 'custom', message: `may be nested ${MOST_DEPTH} deep at most` });
    if (leaves > MOST_LEAVES)
      check.addIssue({ code: 'custom', message: `may ask ${MOST_LEAVES} things at most` });
  })
  .transform(tidied);

/** Bookkeeping sets off no rule. */
const UNHEARD: readonly Entry['action'][] = ['rule_applied', 'bound', 'deleted', 'delivery_failed'];
const HEARD = ACTIONS.filter((action) => action !== 'rule_applied' && action !== 'deleted');
const eventName = z
  .string()
  .toLowerCase()
  .pipe(z.enum(['any', ...HEARD]))
  .meta({ description: `any, ${HEARD.join(', ')}`, example: 'created' });

export const SINCE = ['change', 'reply', 'requester_reply', 'agent_reply'] as const;
const whenShape = z
  .union(
    [
      z.strictObject({ events: z.array(eventName).min(1).max(40) }),
      z.strictObject({
        idleFor: z.strictObject({
          minutes: z.int().min(1).max(1_051_200),
          since: z.enum(SINCE).default('change').meta({
            description:
              'Since the last change or word of a person, reply of anybody, of the requester, of an agent.',
          }),
          working: z.boolean().default(false).meta({ description: "Only the desk's business hours count." }),
        }),
      }),
      z.strictObject({
        untilDue: z.strictObject({
          minutes: z.int().min(-525_600).max(525_600).meta({
            description: 'So long before the ticket is due; less than nothing: after it.',
          }),
        }),
      }),
    ],
    {
      error: oneOfForms(
        'must be one of {events: [...]}, {idle_for: {minutes, since?, working?}}, {until_due: {minutes}}: when it happens, when nothing happened for so long, or so long before it is due',
      ),
    },
  )
  .meta({ id: 'RuleTrigger', examples: [{ events: ['created'] }] });
export type When = z.output<typeof whenShape>;

const template = z
  .string()
  .min(1)
  .max(20_000)
  .refine((text) => text.trim().length > 0, 'must not be empty')
  .meta({
    description: 'Liquid over `ticket`, `requester`, `agent`.',
    example: 'Hello {{ requester.name }}',
  });
const tags = z.array(z.string().trim().toLowerCase().min(1).max(60)).min(1).max(50);
const word = z.string().trim().max(200).nullable();
const actionShape = z
  .discriminatedUnion('do', [
    z.strictObject({
      do: z.literal('set'),
      status: z.string().min(1).max(60).optional(),
      priority: priorityInput.optional(),
      category: z.string().max(60).nullish(),
      environment: word.optional(),
      impactLevel: word.optional(),
      affectedService: word.optional(),
      dueInMinutes: z.int().min(0).max(525_600).optional(),
      customFields: z.record(z.string().max(40), z.unknown()).optional(),
    }),
    z.strictObject({ do: z.literal('add_tags'), tags }),
    z.strictObject({ do: z.literal('remove_tags'), tags }),
    z.strictObject({
      do: z.literal('assign'),
      assigneeId: z.string().max(40).nullish().meta({ description: 'Null: nobody.' }),
      teamId: z.string().max(40).nullish(),
      onCallOf: z.string().max(40).optional().meta({ description: 'To whoever of this team is on call.' }),
    }),
    z.strictObject({
      do: z.literal('reply'),
      text: template,
      everyMinutes: z.int().min(1).max(525_600).default(60).meta({
        description: 'This rule replies on one ticket at most once in so many minutes.',
      }),
    }),
    z.strictObject({ do: z.literal('note'), text: template }),
    z.strictObject({
      do: z.literal('notify'),
      to: z.array(z.string().min(1).max(60)).min(1).max(20).meta({
        description: 'assignee, team, lead, on_call, managers, team:<id>, or ids of users.',
      }),
      text: template,
    }),
    z.strictObject({ do: z.literal('escalate'), priority: priorityInput.optional() }),
    z.strictObject({ do: z.literal('resolve'), notes: z.string().trim().min(1).max(2_000) }),
    z.strictObject({ do: z.literal('close'), notes: z.string().trim().max(2_000).optional() }),
    z.strictObject({ do: z.literal('snooze'), minutes: z.int().min(1).max(525_600) }),
    z.strictObject({ do: z.literal('macro'), macroId: z.string().min(1).max(120) }),
  ])
  .meta({ id: 'RuleAction', examples: [{ do: 'add_tags', tags: ['vip'] }] });
export type RuleAction = z.output<typeof actionShape>;

const words = {
  name: z.string().trim().min(1).max(120),
  description: z.string().max(2_000),
  desk: z.string().max(40).nullable().meta({ description: 'Only on this desk (id or key); null: on all.' }),
  enabled: z.boolean(),
  position: z.int().min(1).max(100_000).meta({ description: 'Lower ones come first.' }),
  stopHere: z.boolean().meta({ description: 'When it fires, no later rule looks at the same event.' }),
  runOnce: z.boolean().meta({ description: 'At most once on each ticket, ever.' }),
};
const EXAMPLE = {
  name: 'Escalate what is critical',
  when: { events: ['created', 'priority_change'] },
  if: { all: [{ field: 'priority', op: 'equals', value: 'critical' }] },
  then: [{ do: 'escalate' }, { do: 'add_tags', tags: ['hot'] }],
};
const parts = {
  when: whenShape,
  if: boundedCondition,
  then: z.array(actionShape).min(1).max(20),
};
export const ruleInput = z
  .strictObject({
    name: words.name,
    description: words.description.default(''),
    desk: words.desk.default(null),
    enabled: words.enabled.default(true),
    position: words.position.optional(),
    stopHere: words.stopHere.default(false),
    runOnce: words.runOnce.default(false),
    when: parts.when,
    if: parts.if.default({ all: [] }),
    then: parts.then,
  })
  .meta({ examples: [EXAMPLE] });
export type RuleInput = z.output<typeof ruleInput>;
export const rulePatch = z
  .strictObject({ ...words, ...parts })
  .partial()
  .meta({ examples: [{ enabled: false }] });

export const ruleShape = z
  .object({
    id: z.string(),
    companyId: z.string(),
    ...words,
    ...parts,
    if: conditionShape,
    version: z.int(),
    createdAt: z.date(),
    updatedAt: z.date(),
  })
  .meta({ id: 'Rule' });
export type Rule = z.output<typeof ruleShape>;

/** What an entry is to a rule: its own action, and whatever else it changed. */
export function eventsOf(entry: Pick<Entry, 'action' | 'fields' | 'silent' | 'via'>): Set<string> {
  if (entry.silent || entry.via === 'import' || entry.action === 'rule_applied') return new Set();
  const events = new Set<string>([entry.action]);
  if (!UNHEARD.includes(entry.action)) events.add('any');
  if (entry.action === 'created') return events;
  if (entry.fields.status) events.add('status_change');
  if (entry.fields.priority) events.add('priority_change');
  if (entry.fields.assignee || entry.fields.team) events.add('assignment_change');
  return events;
}

export const isSetOffBy = ({ when }: Pick<Rule, 'when'>, events: ReadonlySet<string>): boolean =>
  'events' in when && when.events.some((event) => events.has(event));

/** The rules that led to an entry, the first one first. */
export function chainOf(entry: Pick<Entry, 'facts'> | null): string[] {
  const rules = entry?.facts?.rules;
  return Array.isArray(rules) ? rules.filter((id) => typeof id === 'string') : [];
}
/** The entry with which it all began: a person's, or the passing of time. */
export const rootOf = (entry: Pick<Entry, '_id' | 'facts'>): string =>
  typeof entry.facts?.root === 'string' ? entry.facts.root : entry._id;
