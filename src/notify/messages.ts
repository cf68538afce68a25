// What a delivery says. Pure. The only way from an entry to a public destination is `publicly`: what it does not let
// through has no type with which a public message could be made.
import type { Entry } from '../history/entry.ts';
import { isPublic, shownId } from '../history/entry.ts';
import type { Ticket } from '../tickets/ticket.ts';
import type { DeliveryKind, Message, News, TicketName } from './channel.ts';

/** What people can be told of, weightiest first: who hears of one entry for several reasons hears the first. */
export const EVENTS = [
  'sla_breach',
  'mentioned',
  'assigned',
  'escalated',
  'alert',
  'sla_warning',
  'reply',
  'note',
  'created',
  'status',
  'feedback',
  'delivery_failed',
  'updated',
] as const;
export type Event = (typeof EVENTS)[number];

declare const OPEN: unique symbol;
/** An entry of which only that is left which everybody may know. Made by `publicly` and nowhere else. */
export interface PublicEntry {
  readonly [OPEN]: true;
  readonly _id: string;
  readonly seq: number;
  readonly action: Entry['action'];
  readonly at: Date;
  readonly by: Entry['by'];
  readonly fields: Entry['fields'];
  readonly comment?: NonNullable<Entry['comment']>;
  /** What was attached without a word. */
  readonly file?: { id: string; name: string };
}

const OPEN_FIELDS = ['title', 'description', 'status', 'statusKind', 'priority', 'assignee'];

export function publicly(entry: Entry): PublicEntry | null {
  if (!isPublic(entry)) return null;
  const { seq, action, at, by, comment } = entry;
  const fields: Entry['fields'] = {};
  for (const name of OPEN_FIELDS) {
    const change = entry.fields[name];
    if (change) fields[name] = change;
  }
  const file = fileOf(entry);
  const more = { ...(comment ? { comment } : {}), ...(file ? { file } : {}) };
  return { _id: shownId(entry), seq, action, at, by, fields, ...more } as PublicEntry;
}

/** A file that came without words is news itself; others go along with theirs. */
export function fileOf({
  action,
  facts,
}: Pick<Entry, 'action' | 'facts'>): { id: string; name: string } | undefined {
  if (action !== 'attachment_added' || facts?.withWords || typeof facts?.attachment !== 'string')
    return undefined;
  return { id: facts.attachment, name: String(facts.name ?? 'a file') };
}

/** How people are called: users by id. */
export type Names = (user: string) => string;

export const ticketName = (ticket: Ticket): TicketName => ({
  id: ticket._id,
  key: ticket.key,
  title: ticket.title,
  status: ticket.status,
  statusKind: ticket.statusKind,
  priority: ticket.priority,
});

/** For a card that the public sees: nothing of the desk's inner life. */
export const openTicket = (ticket: Ticket): Ticket => ({
  ...ticket,
  customFields: {},
  sla: null,
  links: [],
  watchers: [],
  tags: [],
  conversations: [],
  escalated: false,
  nextDeadlineAt: null,
});

const isOpened = (entry: Entry | PublicEntry): entry is PublicEntry => !('ticket' in entry);
const plain = (word: unknown): string => String(word ?? '').replaceAll('_', ' ');

function headline(entry: Entry | PublicEntry, event: Event, names: Names): string {
  const who = entry.by.kind === 'system' ? '' : entry.by.name;
  const did = (active: string, passive: string) => (who ? `${who} ${active}` : passive);
  const after = (field: string) => entry.fields[field]?.[1];
  const file = isOpened(entry) ? entry.file : fileOf(entry);
  switch (event) {
    case 'created':
      return did('filed a new ticket', 'New ticket');
    case 'assigned': {
      const user = after('assignee');
      const to = typeof user === 'string' ? names(user) : null;
      if (entry.action === 'created')
        return did('filed a ticket that is assigned to you', 'A new ticket is assigned to you');
      return to
        ? did(`assigned the ticket to ${to}`, `The ticket was assigned to ${to}`)
        : did('changed the assignment', 'The assignment was changed');
    }
    case 'mentioned':
      return did('mentioned you', 'You were mentioned');
    case 'reply':
      return did('replied', 'A reply');
    case 'note':
      return did('left an internal note', 'An internal note');
    case 'status':
      return entry.action === 'reopened'
        ? did('reopened the ticket', 'The ticket was reopened')
        : did(`set the status to ${plain(after('status'))}`, `The status is now ${plain(after('status'))}`);
    case 'escalated':
      return did('escalated the ticket', 'The ticket was escalated');
    case 'alert':
      return 'A rule calls your attention to the ticket';
    case 'sla_warning':
      return 'A deadline comes near';
    case 'sla_breach':
      return 'A deadline has passed';
    case 'feedback':
      return did('rated the ticket', 'The ticket was rated');
    case 'delivery_failed':
      return 'A message could not be delivered';
    case 'updated':
      if ('facts' in entry && entry.facts?.byHand)
        return did('wrote down what happened', 'Something was written down');
      if (file) return did(`added the file ${file.name}`, `The file ${file.name} was added`);
      return entry.action === 'priority_change'
        ? did(
            `set the priority to ${plain(after('priority'))}`,
            `The priority is now ${plain(after('priority'))}`,
          )
        : did('changed the ticket', 'The ticket was changed');
    default:
      return event satisfies never;
  }
}

function words(entry: Entry | PublicEntry): string {
  if (entry.comment) return entry.comment.text ?? '';
  if (entry.action === 'created') return String(entry.fields.description?.[1] ?? '');
  const facts = 'facts' in entry ? entry.facts : undefined;
  return typeof facts?.sentence === 'string' ? facts.sentence : (('notes' in entry ? entry.notes : '') ?? '');
}

function attachmentsIn(entry: Entry | PublicEntry): string[] {
  const file = isOpened(entry) ? entry.file : fileOf(entry);
  return entry.comment?.attachments ?? (file ? [file.id] : []);
}

const newsOf = (entry: Entry | PublicEntry, event: Event, ticket: Ticket, names: Names): News => ({
  entry: entry._id,
  event,
  at: entry.at,
  by: entry.by.name,
  headline: headline(entry, event, names),
  text: words(entry),
  ticket: ticketName(ticket),
  attachments: attachmentsIn(entry),
});

export const internalNews = (entry: Entry, event: Event, ticket: Ticket, names: Names): News =>
  newsOf(entry, event, ticket, names);
export const publicNews = (entry: PublicEntry, event: Event, ticket: Ticket, names: Names): News =>
  newsOf(entry, event, ticket, names);

export type Told =
  | { audience: 'public'; news: News; entry: PublicEntry }
  | { audience: 'internal'; news: News; entry: Entry };

/** A message about one entry, for a conversation. */
export function conversationMessage(kind: DeliveryKind, told: Told): Message {
  const { news, entry, audience } = told;
  return {
    kind,
    audience,
    title: `${news.ticket.key}: ${news.ticket.title}`,
    text: entry.comment || audience === 'internal' ? news.text || news.headline : news.headline,
    ticket: news.ticket,
    comment: entry.comment?.id ?? null,
    ...(entry.comment?.audience === 'internal' ? { isNote: true } : {}),
    by: entry.by.name,
    at: entry.at,
    attachments: news.attachments,
    news: [news],
  };
}

export const cardMessage = (ticket: Ticket, audience: Message['audience'], at: Date): Message => ({
  kind: 'card',
  audience,
  title: `${ticket.key}: ${ticket.title}`,
  text: '',
  ticket: ticketName(ticket),
  comment: null,
  by: '',
  at,
  attachments: [],
  news: [],
});

/** One message for one person, out of everything that happened meanwhile, oldest first. */
export function noticeMessage(
  news: readonly News[],
  audience: Message['audience'],
  digest: boolean,
): Message {
  const last = news.at(-1);
  const tickets = new Set(news.map((one) => one.ticket.id));
  const single = tickets.size === 1 ? (last?.ticket ?? null) : null;
  const title = single
    ? `${single.key}: ${single.title}`
    : `${news.length} things happened on ${tickets.size} tickets`;
  return {
    kind: 'notice',
    audience,
    title,
    text: news
      .map(
        (one) =>
          `${single ? '' : `${one.ticket.key}: ${one.ticket.title}\n`}${one.headline}${one.text ? `:\n\n${one.text}` : '.'}`,
      )
      .join('\n\n'),
    ticket: single,
    comment: null,
    by: last?.by ?? '',
    at: last?.at ?? new Date(0),
    attachments: [],
    news: [...news],
    ...(digest ? { digest } : {}),
  };
}
