// What a desk promises: how soon, for which priority, when somebody is warned, and what follows a breach. Pure.
// A company always has the policy `default`; a desk may have its own. Times are working time of the policy's calendar.

import { z } from 'zod';
import { oneOfForms } from '../complaints.ts';
import { PRIORITIES, type Priority, readPriority } from '../desks/desk.ts';
import { ALWAYS, type Calendar } from './calendar.ts';

export const TARGETS = ['first_response', 'next_response', 'resolution'] as const;
export type Target = (typeof TARGETS)[number];

const MINUTE = 60_000;
const minutes = z.number().int().min(1).max(5_256_000).nullable();
const id = z.string().min(1).max(40);

const promiseSchema = z
  .strictObject({ firstResponseMinutes: minutes, nextResponseMinutes: minutes, resolutionMinutes: minutes })
  .partial()
  .meta({ description: 'Minutes of working time; null promises nothing; absent leaves it as it is.' });
export interface Promised {
  firstResponseMinutes: number | null;
  nextResponseMinutes: number | null;
  resolutionMinutes: number | null;
}

/** Priorities by their names or as P1 to P4. */
const targetsSchema = z.record(z.string().max(20), promiseSchema).transform((given, check) => {
  const out: Partial<Record<Priority, z.infer<typeof promiseSchema>>> = {};
  for (const [word, promise] of Object.entries(given)) {
    const priority = readPriority(word);
    if (priority) out[priority] = promise;
    else check.addIssue({ code: 'custom', path: [word], message: `must be one of ${PRIORITIES.join(', ')}` });
  }
  return out;
});

const stepSchema = z.strictObject({
  afterMinutes: z.number().int().min(0).max(525_600).meta({ description: 'Working time after the breach.' }),
  targets: z
    .array(z.enum(TARGETS))
    .min(1)
    .max(3)
    .default([...TARGETS]),
  notify: z.array(z.string().min(1).max(40)).max(20).default([]).meta({
    description: "assignee, team, lead, on_call (of the ticket's team), managers, or the id of a user.",
  }),
  raisePriority: z.boolean().default(false),
  reassign: z
    .union([z.enum(['lead', 'on_call']), z.strictObject({ team: id })], {
      error: oneOfForms('must be lead, on_call, {"team": "<id>"} or null'),
    })
    .nullable()
    .default(null)
    .meta({ description: "To the lead of the ticket's team, to who is on call in it, or to a team." }),
  page: z
    .string()
    .max(200)
    .nullable()
    .default(null)
    .meta({ description: 'A channel to page, such as slack:C0123 or discord:42.' }),
});
export type Step = z.output<typeof stepSchema>;

const words = {
  name: z.string().trim().min(1).max(120),
  description: z.string().max(2_000),
  desk: id
    .nullable()
    .meta({ description: 'The desk (id or key) it holds for; left out when creating: the default desk.' }),
  calendar: id.nullable().meta({ description: 'The calendar whose hours count; null: around the clock.' }),
  targets: targetsSchema,
  warnAtPercent: z.array(z.number().min(1).max(99)).max(10),
  pauseWhile: z.array(z.enum(['pending', 'snoozed'])).max(2),
  escalation: z.array(stepSchema).max(20),
  closeResolvedAfterHours: z.number().int().min(1).max(87_600).nullable(),
};
export const policyInput = z.strictObject(words).partial().required({ name: true });
export const policyPatch = z.strictObject(words).partial();
export type PolicyInput = z.output<typeof policyInput>;
export type PolicyPatch = z.output<typeof policyPatch>;

export interface Policy {
  id: string;
  company: string;
  name: string;
  description: string;
  desk: string | null;
  calendar: string | null;
  targets: Record<Priority, Promised>;
  warnAtPercent: number[];
  pauseWhile: ('pending' | 'snoozed')[];
  escalation: Step[];
  closeResolvedAfterHours: number | null;
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

export interface NamedCalendar extends Calendar {
  id: string;
  company: string;
  name: string;
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

const hours = (response: number, resolution: number): Promised => ({
  firstResponseMinutes: response * 60,
  nextResponseMinutes: response * 60,
  resolutionMinutes: resolution * 60,
});

/** What holds until somebody says otherwise: P1 1 h / 4 h, P2 4 h / 24 h, P3 8 h / 72 h, P4 24 h / 168 h. */
export const DEFAULT_ID = 'default';
export function defaultPolicy(company: string): Policy {
  return {
    id: DEFAULT_ID,
    company,
    name: 'Default',
    description: '',
    desk: null,
    calendar: null,
    targets: {
      critical: hours(1, 4),
      urgent: hours(2, 12),
      high: hours(4, 24),
      medium: hours(8, 72),
      low: hours(24, 168),
    },
    warnAtPercent: [75, 90],
    pauseWhile: ['pending', 'snoozed'],
    escalation: [],
    closeResolvedAfterHours: 168,
    version: 0,
    createdAt: new Date(0),
    updatedAt: new Date(0),
  };
}

export function patched(policy: Policy, { targets, ...given }: PolicyPatch): Policy {
  const next: Policy = { ...policy, targets: { ...policy.targets } };
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) Object.assign(next, { [name]: value });
  for (const priority of PRIORITIES) {
    const promise = targets?.[priority];
    if (!promise) continue;
    const had = next.targets[priority];
    const { firstResponseMinutes = had.firstResponseMinutes, nextResponseMinutes = had.nextResponseMinutes } =
      promise;
    const { resolutionMinutes = had.resolutionMinutes } = promise;
    next.targets[priority] = { firstResponseMinutes, nextResponseMinutes, resolutionMinutes };
  }
  next.warnAtPercent = [...new Set(next.warnAtPercent)].sort((a, b) => a - b);
  return next;
}

/** All that a company has laid down, as it stood at one moment. */
export interface Rules {
  /** Counts the changes of the company's policies and calendars. */
  version: number;
  policies: readonly Policy[];
  calendars: readonly NamedCalendar[];
}

/** What holds for one ticket, ready to reckon with. */
export interface Terms {
  /** Equal keys, equal terms. */
  key: string;
  version: number;
  policy: string;
  calendar: Calendar;
  calendarId: string | null;
  promises: Record<Target, number | null>;
  warnAt: number[];
  steps: Step[];
  pauseWhile: readonly ('pending' | 'snoozed')[];
  closeAfter: number | null;
}

const made = new WeakMap<Rules, Map<string, Terms>>();

export function policyFor(rules: Rules, desk: string): Policy {
  const { policies } = rules;
  const own = policies.find((each) => each.desk === desk) ?? policies.find((each) => each.desk === null);
  return own ?? defaultPolicy('');
}

const calendarOf = (rules: Rules, { calendar }: Policy): NamedCalendar | null =>
  rules.calendars.find((each) => each.id === calendar) ?? null;

/** The hours by which the promises of a desk are reckoned. */
export const hoursFor = (rules: Rules, desk: string): Calendar =>
  calendarOf(rules, policyFor(rules, desk)) ?? ALWAYS;

export function termsFor(rules: Rules, desk: string, priority: Priority): Terms {
  let known = made.get(rules);
  if (!known) {
    known = new Map();
    made.set(rules, known);
  }
  const at = `${desk} ${priority}`;
  let terms = known.get(at);
  if (!terms) {
    terms = termsOf(rules, policyFor(rules, desk), priority);
    known.set(at, terms);
  }
  return terms;
}

function termsOf(rules: Rules, policy: Policy, priority: Priority): Terms {
  const calendar = calendarOf(rules, policy);
  const promise = policy.targets[priority];
  const ms = (count: number | null): number | null => (count === null ? null : count * MINUTE);
  const hoursOf = calendar ? `${calendar.id}@${calendar.version}` : '24x7';
  return {
    key: `${policy.id}@${policy.version}/${priority}/${hoursOf}`,
    version: rules.version,
    policy: policy.id,
    calendar: calendar ?? ALWAYS,
    calendarId: calendar?.id ?? null,
    promises: {
      first_response: ms(promise.firstResponseMinutes),
      next_response: ms(promise.nextResponseMinutes),
      resolution: ms(promise.resolutionMinutes),
    },
    warnAt: policy.warnAtPercent.map((percent) => percent / 100),
    steps: policy.escalation,
    pauseWhile: policy.pauseWhile,
    closeAfter: policy.closeResolvedAfterHours === null ? null : policy.closeResolvedAfterHours * 60 * MINUTE,
  };
}
