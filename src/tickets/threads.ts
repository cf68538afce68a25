// A thread is the fold of the entries that speak. Pure. What was said keeps its author, its time and its audience
// wherever it is carried; an edit adds a revision; a deleted word leaves a mark.
import type { Via } from '../context.ts';
import type { Audience, Entry } from '../history/entry.ts';

export interface Revision {
  text: string;
  at: Date;
  by: Entry['by'];
}

export interface Comment {
  id: string;
  author: Entry['by'];
  audience: Audience;
  text: string;
  attachments: string[];
  mentions: string[];
  origin: string | null;
  /** Of the wording, where it came from. */
  version: string | null;
  via: Via;
  createdAt: Date;
  updatedAt: Date;
  /** All that it ever said, oldest first; the last one is what it says now. */
  revisions: Revision[];
  deletedAt: Date | null;
  deletedBy: Entry['by'] | null;
  /** The ticket to which it was carried off (split). */
  movedTo: string | null;
}

const listOf = (fact: unknown): string[] =>
  Array.isArray(fact) ? fact.filter((one) => typeof one === 'string') : [];

/** The file that an entry says is gone. */
const fileGone = ({ action, facts }: Entry): string[] =>
  action === 'attachment_removed' && typeof facts?.attachment === 'string' ? [facts.attachment] : [];

/** The entries may come from several tickets that became one, in any order. */
export function threadOf(entries: readonly Entry[]): Comment[] {
  const here = new Set(entries.map((entry) => entry.ticket));
  const thread = new Map<string, Comment>();
  const inOrder = [...entries].sort(
    (a, b) => a.at.getTime() - b.at.getTime() || (a.ticket === b.ticket ? a.seq - b.seq : 0),
  );
  for (const entry of inOrder) {
    if (entry.action === 'split') carryOff(thread, entry, here);
    else if (entry.comment) apply(thread, entry, entry.comment);
  }
  const gone = new Set(entries.flatMap(fileGone));
  if (gone.size)
    for (const comment of thread.values())
      comment.attachments = comment.attachments.filter((id) => !gone.has(id));
  return [...thread.values()].sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
}

function apply(thread: Map<string, Comment>, entry: Entry, comment: NonNullable<Entry['comment']>): void {
  const known = thread.get(comment.id);
  if (entry.action === 'comment_added' && !known) {
    const author = comment.author ?? entry.by;
    const createdAt = comment.writtenAt ?? entry.at;
    const text = comment.text ?? '';
    thread.set(comment.id, {
      id: comment.id,
      author,
      audience: comment.audience,
      text,
      attachments: comment.attachments ?? [],
      mentions: listOf(entry.facts?.mentions),
      origin: comment.origin ?? null,
      version: comment.version ?? null,
      via: entry.via,
      createdAt,
      updatedAt: createdAt,
      revisions: [{ text, at: createdAt, by: author }],
      deletedAt: null,
      deletedBy: null,
      movedTo: null,
    });
  }
  if (!known || known.deletedAt) return;
  if (entry.action === 'comment_edited') {
    known.text = comment.text ?? known.text;
    known.version = comment.version ?? known.version;
    known.updatedAt = entry.at;
    known.revisions.push({ text: known.text, at: entry.at, by: entry.by });
  }
  if (entry.action === 'comment_deleted') {
    known.deletedAt = entry.at;
    known.deletedBy = entry.by;
    known.updatedAt = entry.at;
  }
}

/** Where both halves came together again, the words are here after all. */
function carryOff(thread: Map<string, Comment>, { facts }: Entry, here: ReadonlySet<string>): void {
  const into = facts?.into;
  if (typeof into !== 'string' || here.has(into)) return;
  for (const id of listOf(facts?.comments)) {
    const comment = thread.get(id);
    if (comment) comment.movedTo = into;
  }
}

const MENTION = /(?:^|[\s(,;:])@([\p{L}\p{N}][\p{L}\p{N}._%+-]*(?:@[\p{L}\p{N}.-]+)?)/gu;
/** The names that a text calls: `@mei`, `@mei@example.com`. */
export function namesCalled(text: string): string[] {
  const names = new Set<string>();
  for (const [, name] of text.slice(0, 100_000).matchAll(MENTION))
    names.add((name ?? '').replace(/[._-]+$/, '').toLowerCase());
  return [...names].slice(0, 50);
}
