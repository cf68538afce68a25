// What a rule would write about a ticket. Everything that has to be looked up (people, macros, templates) is looked up
// first; what is left is pure, and serves the firing of a rule as well as its rehearsal.
import type { Ctx } from '../context.ts';
import type { Desk } from '../desks/desk.ts';
import { readCustomFields } from '../desks/desk.ts';
import { findDesk } from '../desks/desks.ts';
import { fillIn, readMacro } from '../desks/macros.ts';
import { conflict, Refusal } from '../errors.ts';
import { type Entry, QUIET_FIELDS } from '../history/entry.ts';
import { member } from '../people/members.ts';
import { membersOf, teamName } from '../people/roster.ts';
import { onCallIn } from '../routing/rotas.ts';
import type { TicketDraft } from '../tickets/change.ts';
import {
  type Deed,
  draftsOf,
  editing,
  handing,
  moving,
  prioritizing,
  saying,
  wordsFor,
} from '../tickets/deeds.ts';
import { deedsOf } from '../tickets/macros.ts';
import { closed, escalated, resolved } from '../tickets/moving.ts';
import type { Ticket } from '../tickets/ticket.ts';
import { lower } from '../tickets/tickets.ts';
import { wireName } from './fields.ts';
import type { StoredRule } from './model.ts';
import type { RuleAction } from './rule.ts';

export interface Effect {
  drafts: TicketDraft[];
  /** What they do, in words. */
  did: string[];
  /** What could not be done, in words. */
  problems: string[];
}

const MINUTE = 60_000;
const REPLY_EVERY_MINUTES = 60;

interface Notice {
  notify: string[];
  sentence: string;
}

/** In the order in which deeds follow each other, however they stand in the rule. */
const ORDER: readonly RuleAction['do'][] = [
  ...(['reply', 'note', 'macro', 'add_tags', 'remove_tags', 'set', 'assign', 'escalate', 'snooze'] as const),
  ...(['resolve', 'close', 'notify'] as const),
];

export async function effectOf(
  ctx: Ctx,
  rule: Pick<StoredRule, '_id' | 'name' | 'then'>,
  ticket: Ticket,
  entry: Entry | null,
): Promise<(now: Ticket, desk: Desk) => Effect> {
  const agent = await agentOf(ticket);
  const unprepared: string[] = [];
  const deeds: Deed[] = [];
  const notices: Notice[] = [];
  const inOrder = rule.then.toSorted((a, b) => ORDER.indexOf(a.do) - ORDER.indexOf(b.do));
  for (const action of inOrder) {
    try {
      if (action.do === 'notify') notices.push(await noticeOf(action, ticket, agent));
      else deeds.push(...(await deedsFor(ctx, action, ticket, { agent, first: deeds.length * 100 })));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      unprepared.push(error.message);
    }
  }
  const moves = rule.then.some(movesTicket);
  const careful = deeds.map((deed) => sparingly(ctx, rule, entry, deed));
  const tried = rule.then.some(handsOver)
    ? draftsOf(ctx, careful, ticket, await findDesk(ticket.company, ticket.desk), () => {})
    : [];
  const names = await namesOf([
    ...[ticket, ...tried.map(({ set }) => set ?? {})].flatMap(({ assignee, team }) => [assignee, team]),
    ...notices.flatMap(({ notify }) => notify),
  ]);
  return (now, desk) => {
    const problems = [...unprepared];
    const refused = (refusal: Refusal) => problems.push(refusal.message);
    let drafts = draftsOf(ctx, careful, now, desk, refused);
    if (moves && problems.length && drafts.some(isReply) && !drafts.some((draft) => draft.set?.status)) {
      // A reply is not to tell of what could not be done.
      drafts = drafts.filter((draft) => !isReply(draft));
      problems.push('No reply: the status that it goes with was not to be had.');
    }
    const told = notices.map(({ notify }) => `told ${notify.map((who) => names.get(who) ?? who).join(', ')}`);
    const did = [...describe(now, drafts, names), ...told];
    if (!drafts.length && !notices.length) return { drafts: [], did: [], problems };
    const [first, ...others] = notices.map(
      (notice): TicketDraft => ({ action: 'rule_applied', facts: { ...notice } }),
    );
    const head: TicketDraft = {
      action: 'rule_applied',
      facts: { ...first?.facts, did, ...(problems.length ? { problems } : {}) },
      notes: `The rule “${rule.name}” applied: ${did.join('; ')}.`,
    };
    return { drafts: [head, ...others, ...drafts], did, problems };
  };
}

const isReply = ({ comment }: TicketDraft): boolean => comment?.audience === 'public';
const movesTicket = (action: RuleAction): boolean =>
  action.do === 'resolve' || action.do === 'close' || (action.do === 'set' && action.status !== undefined);

const handsOver = (action: RuleAction): boolean => action.do === 'assign' || action.do === 'macro';

/** People and teams as they are called, by their ids. */
async function namesOf(ids: readonly (string | null | undefined)[]): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>();
  for (const id of new Set(ids)) {
    if (!id || !/^[0-9a-f]{24}$/.test(id)) continue;
    const user = await member(id);
    const name = user ? (user.fullName ?? user.username) : await teamName(id);
    if (name) names.set(id, name);
  }
  return names;
}

/** Who speaks in a template: whoever has the ticket, else the desk. */
async function agentOf({ assignee, company, desk }: Ticket): Promise<string> {
  const user = assignee === null ? null : await member(assignee);
  return user?.fullName ?? user?.username ?? (await findDesk(company, desk)).name;
}

async function noticeOf(
  { to, text }: Extract<RuleAction, { do: 'notify' }>,
  ticket: Ticket,
  agent: string,
): Promise<Notice> {
  const sentence = (await fillIn({ body: text }, wordsFor(ticket, agent))).trim();
  const people = await Promise.all(to.map((who) => namedBy(who, ticket)));
  const notify = [...new Set(people.flat())];
  if (!notify.length) throw conflict('rule.nobody', `Nobody to tell: ${to.join(', ')}.`);
  return { notify, sentence };
}

/** Whom the planner of notifications knows by role, it finds itself. */
async function namedBy(who: string, { company, team }: Ticket): Promise<string[]> {
  const [role, of = team] = who.split(':');
  if (role === 'team' && who !== 'team') return membersOf(company, of ?? '');
  if (role !== 'on_call') return [who];
  const user = of === null ? null : await onCallIn(company, of);
  return user === null ? [] : [user];
}

type Doable = Exclude<RuleAction, { do: 'notify' }>;

async function deedsFor(
  ctx: Ctx,
  action: Doable,
  ticket: Ticket,
  { agent, first }: { agent: string; first: number },
): Promise<Deed[]> {
  switch (action.do) {
    case 'reply':
    case 'note': {
      const content = (await fillIn({ body: action.text }, wordsFor(ticket, agent))).trim();
      if (!content) return [];
      const deed = saying(ctx, action.do === 'reply' ? 'public' : 'internal', content, first);
      return [action.do === 'reply' ? every(action.everyMinutes, deed) : deed];
    }
    case 'macro':
      return deedsOf(ctx, ticket, await readMacro(ctx, action.macroId), { first, agent });
    case 'add_tags':
      return [editing(ctx, { addTags: action.tags })];
    case 'remove_tags':
      return [editing(ctx, { removeTags: action.tags })];
    case 'set':
      return setting(ctx, action);
    case 'assign': {
      const { assigneeId, teamId: team, onCallOf } = action;
      const assignee = onCallOf === undefined ? assigneeId : await onCallIn(ctx.actor.company, onCallOf);
      if (onCallOf !== undefined && !assignee)
        throw conflict('rule.on_call', 'Nobody of the team is on call just now.');
      return [await handing(ctx, ticket, { assignee, team })];
    }
    case 'escalate': {
      const { priority } = action;
      const isDone = (now: Ticket) => now.escalated && (!priority || priority === now.priority);
      return [(now, desk) => (isDone(now) ? null : escalated(ctx, now, desk, priority ? { priority } : {}))];
    }
    case 'snooze': {
      const until = new Date(ctx.now().getTime() + action.minutes * MINUTE);
      const isAsleep = (now: Ticket) => now.snoozedUntil !== null || isOver(now);
      return [(now) => (isAsleep(now) ? null : { action: 'snoozed', set: { snoozedUntil: until } })];
    }
    case 'resolve':
      return [(now, desk) => (isOver(now) ? null : resolved(ctx, now, desk, action.notes))];
    case 'close':
      return [(now, desk) => (now.statusKind === 'closed' ? null : closed(ctx, now, desk, action.notes))];
    default:
      return action satisfies never;
  }
}

const isOver = ({ statusKind }: Ticket): boolean => statusKind === 'resolved' || statusKind === 'closed';

function setting(ctx: Ctx, action: Extract<RuleAction, { do: 'set' }>): Deed[] {
  const { category, environment, impactLevel, affectedService, dueInMinutes, customFields } = action;
  const { status, priority } = action;
  const set = (ticket: Ticket, desk: Desk): Partial<Ticket> => ({
    ...(environment === undefined ? {} : { environment: lower(environment) || null }),
    ...(impactLevel === undefined ? {} : { impactLevel: lower(impactLevel) || null }),
    ...(affectedService === undefined ? {} : { affectedService: affectedService || null }),
    ...(dueInMinutes === undefined ? {} : { dueDate: new Date(ctx.now().getTime() + dueInMinutes * MINUTE) }),
    ...(customFields === undefined ? {} : { customFields: customised(ticket, desk, customFields) }),
  });
  return [
    editing(ctx, { category, set }),
    ...(priority ? [prioritizing(ctx, priority)] : []),
    ...(status === undefined ? [] : [moving(ctx, status)]),
  ];
}

function customised(ticket: Ticket, desk: Desk, given: Record<string, unknown>): Record<string, unknown> {
  const read = readCustomFields(desk, given, ticket.category, { complete: false });
  const all = Object.entries({ ...ticket.customFields, ...read });
  return Object.fromEntries(all.filter(([, value]) => value !== null));
}

type Sparing = Deed & { everyMinutes?: number };
const every = (everyMinutes: number, deed: Deed): Deed =>
  Object.assign<Deed, object>((...on) => deed(...on), { everyMinutes });

/** A machine does not answer a machine, nor the same person again and again. */
function sparingly(
  ctx: Ctx,
  { _id: id, name }: Pick<StoredRule, '_id' | 'name'>,
  entry: Entry | null,
  deed: Sparing,
): Deed {
  const minutes = deed.everyMinutes ?? REPLY_EVERY_MINUTES;
  return (ticket, desk) => {
    const draft = deed(ticket, desk);
    if (draft?.comment?.audience !== 'public') return draft;
    if (entry?.facts?.automatic === true)
      throw conflict('rule.automatic', 'No reply: the message that set it off was sent by a machine.');
    const now = ctx.now().getTime();
    const last = ticket.ruleReplies?.[id]?.getTime();
    if (last !== undefined && last !== now && now - last < minutes * MINUTE)
      throw conflict('rule.replied', `No reply: “${name}” replied here less than ${minutes} minutes ago.`);
    const recent = Object.entries(ticket.ruleReplies ?? {}).slice(-50);
    const ruleReplies = { ...Object.fromEntries(recent), [id]: ctx.now() };
    return { ...draft, set: { ...draft.set, ruleReplies } };
  };
}

const shown = (value: unknown, names: ReadonlyMap<string, string>): string => {
  if (value === null || value === undefined || value === '') return 'nothing';
  if (typeof value === 'string') return names.get(value) ?? value;
  if (Array.isArray(value)) return value.join(', ') || 'nothing';
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value).slice(0, 200) : String(value);
};

/** Field by field, from what to what. */
export function changesOf(before: Ticket, drafts: readonly TicketDraft[]) {
  const set: Partial<Ticket> = Object.assign({}, ...drafts.map((draft) => draft.set ?? {}));
  return Object.entries(set)
    .filter(([name]) => !QUIET_FIELDS.has(name))
    .map(([name, newValue]) => ({
      field: wireName(name),
      oldValue: (before as unknown as Record<string, unknown>)[name] ?? null,
      newValue: newValue ?? null,
    }));
}

const describe = (
  before: Ticket,
  drafts: readonly TicketDraft[],
  names: ReadonlyMap<string, string>,
): string[] => [
  ...drafts.flatMap(({ comment }) =>
    comment ? [comment.audience === 'public' ? 'replied' : 'left a note'] : [],
  ),
  ...changesOf(before, drafts).map(
    ({ field, oldValue, newValue }) =>
      `${field.replaceAll('_', ' ')}: ${shown(oldValue, names)} → ${shown(newValue, names)}`,
  ),
];
