// The words by which a ticket is found, as the relay keeps them on it. Words of notes, and who works on it, carry marks
// that a customer's search never asks for.
import { commentsAsTheyAre, type Entry } from '../history/entry.ts';
import { spokenOn } from './find.ts';
import { threadOf } from './threads.ts';
import { type StoredTicket, searchWords, type Ticket } from './ticket.ts';

export const NOTE = '~';
/** Before the id of who works on it: people may change their names. */
export const HOLDER = '@';

type Spoken = Pick<Entry, 'comment'>;

/** The words of a ticket whose entries are these; without entries, of its own fields. */
export function wordsOf(ticket: Ticket, comments: readonly Spoken[]): string[] {
  const own = searchWords([
    ticket.key,
    String(ticket.number),
    ...(ticket.formerKeys ?? []),
    ticket.title,
    ...ticket.tags,
    ticket.requester.name,
    ticket.requester.email,
    ticket.externalRef,
    ticket.description,
    ticket.affectedService,
    ticket.resolutionNotes,
  ]);
  const said = (audience: 'public' | 'internal') =>
    searchWords(comments.filter((one) => one.comment?.audience === audience).map((one) => one.comment?.text));
  const words = [...own, ...said('public'), ...said('internal').map((word) => NOTE + word)];
  return withHolder(ticket, [...new Set(words)]);
}

const withHolder = ({ assignee }: Pick<Ticket, 'assignee'>, words: readonly string[]): string[] => [
  ...words.filter((word) => !word.startsWith(HOLDER)),
  ...(assignee ? [HOLDER + assignee] : []),
];

/** Entries after which the kept words must be made anew; comments alone only add to them. */
const remakesWords = (entry: Entry): boolean =>
  [
    'key',
    'title',
    'description',
    'tags',
    'externalRef',
    'requester',
    'affectedService',
    'resolutionNotes',
  ].some((name) => name in entry.fields) ||
  entry.action === 'comment_edited' ||
  entry.action === 'comment_deleted' ||
  entry.action === 'merged' ||
  entry.action === 'split';

const isSame = (some: readonly string[], others: readonly string[] = []): boolean =>
  some.length === others.length && some.every((word, at) => word === others[at]);

/** What the ticket is found by from now on; undefined when nothing of it has changed. */
export async function keptWords(ticket: StoredTicket): Promise<string[] | undefined> {
  // Nothing has happened to it since they were made with it.
  if (ticket.seq === 1 && ticket.words) return undefined;
  const comments = ticket.pending.filter((entry) => entry.comment);
  if (ticket.pending.some(remakesWords)) {
    const isNew = ticket.pending[0]?.seq === 1;
    const words = wordsOf(
      ticket,
      isNew
        ? commentsAsTheyAre(ticket.pending)
        : threadOf(await spokenOn(ticket))
            .filter((one) => one.deletedAt === null && one.movedTo === null)
            .map(({ id, audience, text }) => ({ comment: { id, audience, text } })),
    );
    return isSame(words, ticket.words) ? undefined : words;
  }
  if (!comments.length && !ticket.pending.some((entry) => 'assignee' in entry.fields)) return undefined;
  const added = comments.length ? wordsOf(ticket, comments) : [];
  return withHolder(ticket, [...new Set([...(ticket.words ?? []), ...added])]);
}
