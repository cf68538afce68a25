// A history entry is the change: who, through what, when, which fields from what to what, and the comment if it is one.
// A ticket is the fold of its entries; nothing about it is true that no entry says. Pure.
import type { Actor, Via } from '../context.ts';
import { type Fields, partsOf, same, setBack, setPart } from './parts.ts';

export const ACTIONS = [
  'created',
  'status_change',
  'priority_change',
  'assignment_change',
  'update',
  'comment_added',
  'comment_edited',
  'comment_deleted',
  'attachment_added',
  'attachment_removed',
  'resolved',
  'closed',
  'reopened',
  'escalated',
  'snoozed',
  'sla_warning',
  'sla_breach',
  'merged',
  'moved',
  'split',
  'linked',
  'enriched',
  'enrichment_undone',
  'rule_applied',
  'feedback',
  'delivery_failed',
  'bound',
  'deleted',
] as const;
export type Action = (typeof ACTIONS)[number];

/** Fixed when a word is written, and never widened. */
export type Audience = 'public' | 'internal';

export interface EntryComment {
  id: string;
  audience: Audience;
  /** Markdown. Absent in the entry that deletes it. */
  text?: string;
  attachments?: string[];
  /** Where it came from, so that an edit there finds it: `slack:C1:171.2`, a Message-ID. */
  origin?: string;
  /** Which wording it is there: a later one is greater. Whoever comes late changes nothing. */
  version?: string;
  /** Whose word it is and since when, where somebody else carried it here (split, import). */
  author?: Entry['by'];
  writtenAt?: Date;
}

export interface Entry {
  /** `<ticket>-<seq>` */
  _id: string;
  ticket: string;
  company: string;
  desk: string;
  seq: number;
  action: Action;
  at: Date;
  by: Pick<Actor, 'kind' | 'id' | 'name'>;
  via: Via;
  /** Which message caused it; the same cause has its effect once. */
  cause?: string;
  request: string;
  /** Field by field: [before, after]. Of the clocks, part by part. */
  fields: Fields;
  comment?: EntryComment;
  notes?: string;
  /** What else the readers of this entry want to know (which clock, which rule, which delivery). */
  facts?: Record<string, unknown>;
  /** Told to nobody (imports, back-fills). */
  silent?: boolean;
  /** Of nothing that a customer may see: they must not even notice that there was a change. */
  inside?: boolean;
  /** Its number among those that are not inside, where that is another: customers see no gaps between theirs. */
  shown?: number;
  /** The trace that it belongs to (W3C traceparent). */
  trace?: string;
}

/** As stored: the entry of a birth has no before to tell, and says once what the thing was born as. */
export type StoredEntry = Omit<Entry, 'fields'> & {
  fields?: Entry['fields'] | undefined;
  born?: Record<string, unknown>;
};

export function packed(entry: Entry): StoredEntry {
  if (entry.seq !== 1) return entry;
  const born: Record<string, unknown> = {};
  for (const name in entry.fields) {
    const [before, after] = entry.fields[name] as [unknown, unknown];
    if (before !== null) return entry;
    born[name] = after;
  }
  return { ...entry, fields: undefined, born };
}

export function unpacked({ born, ...rest }: StoredEntry): Entry {
  const fields: Entry['fields'] = rest.fields ?? {};
  for (const name in born) fields[name] = [null, born[name]];
  return { ...rest, fields };
}

/** What a verb wants to have written; sequence number, time and actor are added when it commits. */
export interface Draft<Fields> {
  action: Action;
  set?: Partial<Fields>;
  comment?: EntryComment;
  notes?: string;
  facts?: Record<string, unknown>;
  silent?: boolean;
}

/** Fields that are bookkeeping: true and kept, but of no interest to somebody who reads what happened. */
export const QUIET_FIELDS: ReadonlySet<string> = new Set([
  'sla',
  'nextDeadlineAt',
  'conversations',
  'statusKind',
  'priorityRank',
  'lastReplyAt',
  'replies',
  'ruleReplies',
  'ruleFirings',
  'autoCloseAt',
  'assignedAt',
  'mergedFrom',
]);

/** Large, and changing a little at a time: told by the parts that changed. */
const BY_PARTS: ReadonlySet<string> = new Set(['sla']);

/** The field-by-field difference that a draft makes to a thing. */
export function differences<F extends object>(before: F | null, set: Partial<F>): Fields {
  const out: Fields = {};
  for (const [name, after] of Object.entries(set)) {
    if (after === undefined) continue;
    const was = before === null ? null : ((before as Record<string, unknown>)[name] ?? null);
    if (BY_PARTS.has(name)) partsOf(name, was, after, out);
    else if (!same(was, after)) out[name] = [was, after];
  }
  return out;
}

/** One entry applied. */
export function applied<F extends { seq: number; updatedAt: Date }>(
  thing: F,
  entry: Pick<Entry, 'fields' | 'seq' | 'at' | 'inside'>,
): F {
  const next: Record<string, unknown> = { ...thing };
  for (const [name, [, after]] of Object.entries(entry.fields)) setPart(next, name, after);
  next.seq = entry.seq;
  next.updatedAt = entry.at;
  const { shownSeq = thing.seq } = thing as { shownSeq?: number };
  if (!entry.inside) Object.assign(next, { shownSeq: shownSeq + 1, shownAt: entry.at });
  return next as F;
}

/** One entry taken back, but for its number and its time. */
export function undone<F extends object>(thing: F, entry: Pick<Entry, 'fields'>): F {
  const earlier = { ...thing } as Record<string, unknown>;
  for (const [name, [before]] of Object.entries(entry.fields).toReversed()) setBack(earlier, name, before);
  return earlier as F;
}

/** The thing that a complete, ordered list of entries makes. */
export function fold(
  entries: readonly Pick<Entry, 'fields' | 'seq' | 'at' | 'inside'>[],
): Record<string, unknown> & { seq: number; updatedAt: Date } {
  let thing: Record<string, unknown> & { seq: number; updatedAt: Date } = { seq: 0, updatedAt: new Date(0) };
  for (const entry of entries) {
    if (entry.seq !== thing.seq + 1) throw new Error(`entry ${entry.seq} follows ${thing.seq}`);
    thing = applied(thing, entry);
  }
  return thing;
}

export const COMMENT_ACTIONS: readonly Action[] = ['comment_added', 'comment_edited', 'comment_deleted'];

/** Each comment once, by the last entry that tells its text; deleted ones are gone. */
export function commentsAsTheyAre(entries: readonly Entry[]): Entry[] {
  const last = new Map<string, Entry>();
  for (const entry of entries) {
    if (!entry.comment) continue;
    if (entry.action === 'comment_deleted') last.delete(entry.comment.id);
    else last.set(entry.comment.id, entry);
  }
  return [...last.values()];
}

/** What a customer calls it: neither id nor number tell of what is not shown to them. */
export const shownNumber = ({ shown, seq }: Pick<Entry, 'shown' | 'seq'>): number => shown ?? seq;
export const shownId = (entry: Pick<Entry, 'ticket' | 'shown' | 'seq'>): string =>
  `${entry.ticket}-p${shownNumber(entry)}`;

/** A customer sees neither notes nor the desk's inner workings. */
export function isPublic(entry: Pick<Entry, 'action' | 'comment' | 'fields' | 'facts'>): boolean {
  if (entry.facts?.audience === 'internal') return false;
  if (entry.comment) return entry.comment.audience === 'public';
  return [
    'created',
    'status_change',
    'resolved',
    'closed',
    'reopened',
    'assignment_change',
    'priority_change',
    'attachment_added',
    'feedback',
    'merged',
    'moved',
    'escalated',
  ].includes(entry.action);
}
