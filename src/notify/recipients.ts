// Who hears of what. Pure: one entry, the ticket after it, and who is on its teams make the list of those who hear.
// Never the one who did it; and a customer only hears of what `publicly` let through.
import type { Entry } from '../history/entry.ts';
import type { Ticket } from '../tickets/ticket.ts';
import { EVENTS, type Event, fileOf, publicly } from './messages.ts';

export interface Person {
  readonly kind: 'user' | 'contact';
  readonly id: string;
}

export interface Hearer {
  person: Person;
  event: Event;
  /** Agents are told everything they may read, customers only public words. */
  audience: 'internal' | 'public';
  /** The one who asked: told in the ticket's public conversations where there are any. */
  isRequester: boolean;
}

/** What the rules need to know of people; all of one company. */
export interface Crowd {
  /** Users who are agents or more. Everybody else is a customer. */
  isAgent: (user: string) => boolean;
  /** False for closed accounts. */
  isActive: (user: string) => boolean;
  /** Active members of the ticket's team. */
  members: readonly string[];
  /** Leads among them; the company's managers when there are none. Of a new ticket that is nobody's: those who see to it. */
  leads: readonly string[];
  /** The company's managers, where the entry calls them. */
  managers: readonly string[];
  /** Who is on call in the ticket's team, where the entry calls them; without a rota, who leads it. */
  onCall: readonly string[];
  /** Users whose names were mentioned in the comment. */
  mentioned: readonly string[];
}

export function eventOf(entry: Pick<Entry, 'action' | 'comment' | 'silent' | 'facts'>): Event | null {
  if (entry.silent) return null;
  switch (entry.action) {
    case 'created':
      return 'created';
    case 'assignment_change':
      return 'assigned';
    case 'comment_added':
      return entry.comment?.audience === 'public' ? 'reply' : 'note';
    case 'status_change':
    case 'resolved':
    case 'closed':
    case 'reopened':
      return 'status';
    case 'escalated':
    case 'sla_warning':
    case 'sla_breach':
    case 'feedback':
    case 'delivery_failed':
      return entry.action;
    case 'attachment_added':
      return fileOf(entry) ? 'updated' : null;
    case 'update':
    case 'priority_change':
    case 'attachment_removed':
    case 'merged':
    case 'moved':
    case 'split':
    case 'linked':
      return 'updated';
    case 'rule_applied':
      return called(entry).length ? 'alert' : null;
    case 'comment_edited':
    case 'comment_deleted':
    case 'snoozed':
    case 'enriched':
    case 'enrichment_undone':
    case 'bound':
    case 'deleted':
      return null;
    default:
      return entry.action satisfies never;
  }
}

/** Whom an escalation or a rule names: assignee, team, lead, managers, or users by id (sla/duties, automation). */
export function called({ facts }: Pick<Entry, 'facts'>): string[] {
  return Array.isArray(facts?.notify) ? facts.notify.filter((who) => typeof who === 'string') : [];
}

/** Of these, and nothing else, the one who asked is told. */
const FOR_REQUESTERS: readonly Event[] = ['created', 'reply', 'status'];

export function hearers(entry: Entry, ticket: Ticket, crowd: Crowd): Hearer[] {
  const event = eventOf(entry);
  if (!event) return [];
  const heard = new Map<string, Hearer>();
  const isOpen = publicly(entry) !== null;
  const tell = (person: Person, what: Event, isRequester = false) => {
    if (person.kind === entry.by.kind && person.id === entry.by.id) return;
    if (person.kind === 'user' && !crowd.isActive(person.id)) return;
    const isAgent = person.kind === 'user' && crowd.isAgent(person.id);
    if (!isAgent && !(isOpen && (FOR_REQUESTERS.includes(what) || fileOf(entry)))) return;
    const key = `${person.kind}:${person.id}`;
    const before = heard.get(key);
    if (before && EVENTS.indexOf(before.event) <= EVENTS.indexOf(what)) return;
    const audience = isAgent && !isRequester && !before?.isRequester ? 'internal' : 'public';
    if (audience === 'public' && !isOpen) return;
    heard.set(key, {
      person,
      event: what,
      audience,
      isRequester: isRequester || (before?.isRequester ?? false),
    });
  };
  const users = (ids: readonly (string | null | undefined)[], what: Event) => {
    for (const id of ids) if (id) tell({ kind: 'user', id }, what);
  };

  for (const id of crowd.mentioned) if (crowd.isAgent(id)) users([id], 'mentioned');
  switch (event) {
    case 'created':
      if (ticket.assignee) users([ticket.assignee], 'assigned');
      else users(ticket.team ? crowd.members : crowd.leads, 'created');
      break;
    case 'assigned': {
      const [was, is] = (entry.fields.assignee ?? [null, null]) as [string | null, string | null];
      users([is, was], 'assigned');
      if (entry.fields.team && !ticket.assignee) users(crowd.members, 'assigned');
      break;
    }
    case 'sla_breach':
      users(ticket.assignee ? [ticket.assignee] : crowd.members, event);
      users(crowd.leads, event);
      break;
    case 'sla_warning':
      users(ticket.assignee ? [ticket.assignee] : crowd.leads, event);
      break;
    case 'escalated':
      users([ticket.assignee], event);
      users(crowd.leads, event);
      users(named(entry, ticket, crowd), event);
      break;
    case 'alert':
      users(named(entry, ticket, crowd), event);
      return [...heard.values()];
    default:
      users(ticket.assignee ? [ticket.assignee] : event === 'reply' ? crowd.members : [], event);
  }
  if (event !== 'created') users(ticket.watchers, event);
  tell({ kind: ticket.requester.kind, id: ticket.requester.id }, event, true);
  return [...heard.values()];
}

function named(entry: Entry, ticket: Ticket, crowd: Crowd): (string | null)[] {
  return called(entry).flatMap((who): readonly (string | null)[] => {
    if (who === 'assignee') return [ticket.assignee];
    if (who === 'team') return crowd.members;
    if (who === 'lead') return crowd.leads;
    if (who === 'on_call') return crowd.onCall;
    return who === 'managers' ? crowd.managers : [who];
  });
}

/** `@mei` and `@mei.chen` in a comment: the names, lower case. */
export function mentions(text: string): string[] {
  const names = new Set<string>();
  for (const [, name] of text.matchAll(/(?:^|[^\p{L}\p{N}_@./])@([\p{L}\p{N}][\p{L}\p{N}._-]{0,63})/gu))
    if (name) names.add(name.replace(/[._-]+$/, '').toLowerCase());
  return [...names].slice(0, 20);
}
