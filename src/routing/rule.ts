// The routing rule of a desk: who gets its tickets when nobody was named. Pure: how a rule is said, and what holds for a
// desk that has none of its own.
import { z } from 'zod';
import { categoryWord } from '../desks/desk.ts';

export const STRATEGIES = [
  'manual',
  'round_robin',
  'least_loaded',
  'by_skill',
  'by_category',
  'best_fit',
  'on_call',
] as const;
export const PICKS = ['round_robin', 'least_loaded', 'on_call'] as const;
export type Pick = (typeof PICKS)[number];

const word = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z
    .string()
    .max(40)
    .transform((text) => text.trim().toLowerCase())
    .pipe(z.enum(words));
const id = z.string().min(1).max(40);
const skills = z.array(z.string().trim().min(1).max(60)).max(20).default([]);

const strategyInput = word(STRATEGIES).meta({
  description:
    'manual: nobody by itself. round_robin, least_loaded, by_skill, on_call: a person of the team, or of all agents. ' +
    "by_category: to the team or person named for the category, else to the team whose own category it is. best_fit: to the team whose description fits the ticket's words.",
  example: 'round_robin',
});
const pickInput = word(PICKS).meta({ example: 'least_loaded' });

const shape = {
  teamId: id.nullable().meta({
    description: 'Whose members get them; for by_category and best_fit: who gets what nothing else says.',
  }),
  assignPerson: z
    .boolean()
    .meta({ description: 'by_category and best_fit: also choose a person of the team.' }),
  capacity: z
    .int()
    .min(1)
    .max(10_000)
    .nullable()
    .meta({ description: 'So many new and open tickets at most; what waits for others does not count.' }),
  minFit: z
    .number()
    .min(0)
    .max(1)
    .meta({ description: 'best_fit: the share of the recognised words that must speak for one team.' }),
  skipAway: z.boolean().meta({ description: 'Who is away gets nothing.' }),
  handOver: z.boolean().meta({ description: 'Who goes away hands their tickets of this desk over.' }),
};
const load = z.enum(['number', 'weight']).meta({
  description: 'least_loaded: by the number of open tickets, or by their priorities (critical 5 to low 1).',
});

export const ruleInput = z
  .strictObject({
    strategy: strategyInput,
    teamId: shape.teamId.default(null),
    assignPerson: shape.assignPerson.default(true),
    personBy: pickInput
      .default('round_robin')
      .meta({ description: 'by_skill, by_category, best_fit: how the person is chosen.' }),
    load: load.default('number'),
    capacity: shape.capacity.default(null),
    skills: skills.meta({ description: 'What everybody who gets one must know.' }),
    categories: z
      .array(
        z.strictObject({
          category: z.string().trim().min(1).max(60),
          teamId: id.nullable().default(null),
          userId: id.nullable().default(null),
          skills,
        }),
      )
      .max(200)
      .refine((list) => new Set(list.map((one) => categoryWord(one.category))).size === list.length, {
        message: 'has a category twice',
      })
      .default([])
      .meta({ description: 'For a category: the team or person, and what they must know.' }),
    minFit: shape.minFit.default(0.6),
    skipAway: shape.skipAway.default(true),
    handOver: shape.handOver.default(false),
  })
  .meta({
    examples: [
      {
        strategy: 'by_skill',
        person_by: 'least_loaded',
        capacity: 8,
        categories: [{ category: 'billing', skills: ['invoices'] }],
      },
    ],
  });
export type Rule = z.output<typeof ruleInput>;

export const ruleShape = z.object({
  strategy: z.enum(STRATEGIES),
  teamId: shape.teamId,
  assignPerson: shape.assignPerson,
  personBy: z.enum(PICKS),
  load,
  capacity: shape.capacity,
  skills: z.array(z.string()),
  categories: z.array(
    z.object({
      category: z.string(),
      teamId: z.string().nullable(),
      userId: z.string().nullable(),
      skills: z.array(z.string()),
    }),
  ),
  minFit: shape.minFit,
  skipAway: shape.skipAway,
  handOver: shape.handOver,
});

const MANUAL: Rule = ruleInput.parse({ strategy: 'manual' });
/** `auto_assign` of a company: what its desks do that have no rule of their own. */
const BY_COMPANY: Rule = ruleInput.parse({ strategy: 'best_fit', assignPerson: false });

export const withoutRule = (autoAssign: boolean): Rule => (autoAssign ? BY_COMPANY : MANUAL);
export const isAutomatic = (rule: Rule): boolean => rule.strategy !== 'manual';

/** Only teams are chosen: what a team has is settled, and its people take it. */
export const teamsOnly = (rule: Rule): boolean =>
  !rule.assignPerson && (rule.strategy === 'by_category' || rule.strategy === 'best_fit');
