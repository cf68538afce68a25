// What a condition may ask about: each field by name, of what kind it is, and how its value is read. Pure.
import { DateTime } from 'luxon';
import { PRIORITY_RANK, type Priority } from '../desks/desk.ts';
import type { Entry } from '../history/entry.ts';
import { rootOf } from '../history/parts.ts';
import { type Calendar, WEEKDAYS, workingTime } from '../sla/calendar.ts';
import type { Ticket } from '../tickets/ticket.ts';

/** Who did it: the one who asked, another customer, an agent, Switchboard itself, a rule. */
export const AUTHORS = ['requester', 'customer', 'agent', 'system', 'rule'] as const;
export type Author = (typeof AUTHORS)[number];

/** What a rule knows when it decides. */
export interface Facts {
  ticket: Ticket;
  /** What set it off; null when time did. */
  entry: Entry | null;
  by: Author | null;
  now: Date;
  /** The hours of the ticket's desk. */
  calendar: Calendar;
}

export type Kind = 'text' | 'word' | 'rank' | 'list' | 'number' | 'flag' | 'custom';
export type Value = string | number | boolean | readonly string[] | null;

const MINUTE = 60_000;
const HAS = ['has', 'has_any', 'has_all', 'has_none'] as const;
const EMPTY = ['is_empty', 'is_not_empty'] as const;
const WORDS = ['equals', 'not_equals', 'in', 'not_in'] as const;
const TEXTS = ['contains', 'not_contains', 'contains_word', 'starts_with', 'ends_with'] as const;
const SIZES = ['greater', 'less', 'at_least', 'at_most'] as const;
export const OPERATORS = [...WORDS, ...TEXTS, ...SIZES, ...HAS, ...EMPTY] as const;
export type Operator = (typeof OPERATORS)[number];

export const OPERATORS_OF: Record<Kind, readonly Operator[]> = {
  text: [...WORDS, ...TEXTS, ...EMPTY],
  word: [...WORDS, ...EMPTY],
  rank: [...WORDS, 'at_least', 'at_most', 'greater', 'less', ...EMPTY],
  list: [...HAS, ...EMPTY],
  number: ['equals', 'not_equals', ...SIZES, ...EMPTY],
  flag: ['equals'],
  custom: OPERATORS,
};

interface Field {
  kind: Kind;
  /** Other than by an entry: it may hold later though nothing happens on the ticket. */
  moves?: true;
  read: (facts: Facts) => Value;
}

const of = (kind: Kind, read: (ticket: Ticket) => Value): Field => ({
  kind,
  read: ({ ticket }) => read(ticket),
});
const said = (kind: Kind, read: (comment: NonNullable<Entry['comment']>) => Value): Field => ({
  kind,
  read: ({ entry }) => (entry?.comment ? read(entry.comment) : null),
});
const minutesSince = (from: Date | null, now: Date): number | null =>
  from && Math.floor((now.getTime() - from.getTime()) / MINUTE);

/** `before.` and `after.` tell of these what the change was. */
const CHANGING: Record<string, [name: string, kind: Kind]> = {
  status: ['status', 'word'],
  status_kind: ['statusKind', 'word'],
  priority: ['priority', 'rank'],
  category: ['category', 'word'],
  environment: ['environment', 'word'],
  assignee: ['assignee', 'word'],
  team: ['team', 'word'],
  title: ['title', 'text'],
  tags: ['tags', 'list'],
};
const side = ([name, kind]: [string, Kind], at: 0 | 1): Field => ({
  kind,
  read: ({ entry }) => (entry?.fields[name]?.[at] ?? null) as Value,
});
const NAMES: Record<string, string> = Object.fromEntries(
  Object.entries(CHANGING).map(([word, [name]]) => [name, word]),
);
export const wireName = (name: string): string =>
  NAMES[name] ?? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const changedBy = (entry: Entry | null): string[] => [
  ...new Set(Object.keys(entry?.fields ?? {}).map((name) => wireName(rootOf(name)))),
];

const FIELDS: Record<string, Field> = {
  status: of('word', (ticket) => ticket.status),
  status_kind: of('word', (ticket) => ticket.statusKind),
  priority: of('rank', (ticket) => ticket.priority),
  category: of('word', (ticket) => ticket.category),
  desk: of('word', (ticket) => ticket.deskKey),
  tags: of('list', (ticket) => ticket.tags),
  team: of('word', (ticket) => ticket.team),
  assignee: of('word', (ticket) => ticket.assignee),
  watchers: of('list', (ticket) => ticket.watchers),
  channel: of('word', (ticket) => ticket.channel),
  environment: of('word', (ticket) => ticket.environment),
  impact_level: of('word', (ticket) => ticket.impactLevel),
  affected_service: of('text', (ticket) => ticket.affectedService),
  external_ref: of('text', (ticket) => ticket.externalRef),
  title: of('text', (ticket) => ticket.title),
  description: of('text', (ticket) => ticket.description),
  text: of('text', (ticket) => `${ticket.title}\n${ticket.description}`),
  private: of('flag', (ticket) => ticket.private),
  escalated: of('flag', (ticket) => ticket.escalated),
  snoozed: of('flag', (ticket) => ticket.snoozedUntil !== null),
  sla_breached: of('flag', (ticket) => ticket.sla?.breached ?? false),
  replies: of('number', (ticket) => ticket.replies),
  rating: of('number', (ticket) => ticket.satisfaction?.rating ?? null),
  answered: of('flag', (ticket) => ticket.firstRespondedAt !== null),
  age_minutes: {
    kind: 'number',
    moves: true,
    read: ({ ticket, now }) => minutesSince(ticket.createdAt, now),
  },
  due_in_minutes: {
    kind: 'number',
    moves: true,
    read: ({ ticket, now }) => ticket.dueAt && Math.floor((ticket.dueAt.getTime() - now.getTime()) / MINUTE),
  },
  'requester.id': of('word', ({ requester }) => requester.id),
  'requester.name': of('text', ({ requester }) => requester.name),
  'requester.email': of('text', ({ requester }) => requester.email),
  'requester.domain': of('word', ({ requester }) => requester.email?.split('@').at(-1) ?? null),
  'requester.is_contact': of('flag', ({ requester }) => requester.kind === 'contact'),
  'comment.audience': said('word', ({ audience }) => audience),
  'comment.text': said('text', ({ text }) => text ?? ''),
  'comment.has_attachments': said('flag', ({ attachments }) => (attachments?.length ?? 0) > 0),
  'comment.by': { kind: 'word', read: ({ entry, by }) => (entry?.comment ? by : null) },
  by: { kind: 'word', read: ({ by }) => by },
  by_id: { kind: 'word', read: ({ entry }) => entry?.by.id ?? null },
  via: { kind: 'word', read: ({ entry }) => entry?.via ?? null },
  changed: { kind: 'list', read: ({ entry }) => changedBy(entry) },
  within_business_hours: {
    kind: 'flag',
    moves: true,
    read: ({ calendar, now }) => workingTime(calendar, now, new Date(now.getTime() + 1)) > 0,
  },
  weekday: {
    kind: 'word',
    moves: true,
    read: ({ calendar, now }) =>
      WEEKDAYS[DateTime.fromJSDate(now, { zone: calendar.timeZone }).weekday - 1] ?? null,
  },
  ...Object.fromEntries(
    Object.entries(CHANGING).flatMap(([word, one]) => [
      [`before.${word}`, side(one, 0)],
      [`after.${word}`, side(one, 1)],
    ]),
  ),
};
export const FIELD_NAMES = Object.keys(FIELDS);
const CUSTOM = /^custom_fields\.([a-z][a-z0-9_]{0,39})$/;

export function fieldNamed(name: string): Field | null {
  if (Object.hasOwn(FIELDS, name)) return FIELDS[name] ?? null;
  const custom = CUSTOM.exec(name)?.[1];
  if (!custom) return null;
  return {
    kind: 'custom',
    read: ({ ticket }) => {
      const value = Object.hasOwn(ticket.customFields, custom) ? ticket.customFields[custom] : null;
      return (value ?? null) as Value;
    },
  };
}

export const rankOf = (value: unknown): number =>
  typeof value === 'string' && Object.hasOwn(PRIORITY_RANK, value) ? PRIORITY_RANK[value as Priority] : 0;
