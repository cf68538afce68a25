// What a ticket is. Pure: its fields, the consequences that a change of it always has, how text becomes search words.
import type { Actor, Via } from '../context.ts';
import { type Desk, PRIORITY_RANK, type Priority } from '../desks/desk.ts';
import { type Entry, isPublic } from '../history/entry.ts';
import { rootOf, same } from '../history/parts.ts';
import { maySeeNotes } from '../people/access.ts';
import type { TicketSla } from '../sla/targets.ts';
import { kindOf, type StatusKind, type Workflow } from './workflow.ts';

export interface Requester {
  kind: 'user' | 'contact';
  id: string;
  name: string;
  email: string | null;
}

export type Filer = Pick<Actor, 'kind' | 'id' | 'name'>;

/** A place where the ticket is talked about: a Slack thread, a mail thread, a partner's callback. */
export interface Conversation {
  id: string;
  surface: string;
  /** Who hears there. An internal conversation may carry everything, a public one only public words. */
  audience: 'public' | 'internal';
  /** What the surface needs to find it again: channel and thread, address and references. */
  at: Record<string, string>;
}

export interface TicketLink {
  kind: 'parent' | 'child' | 'duplicate' | 'related';
  ticket: string;
  key: string;
}

export interface Ticket {
  _id: string;
  company: string;
  desk: string;
  deskKey: string;
  number: number;
  key: string;
  /** The keys it had on other desks: they lead here. */
  formerKeys?: string[];
  seq: number;
  title: string;
  description: string;
  status: string;
  statusKind: StatusKind;
  priority: Priority;
  priorityRank: number;
  category: string | null;
  tags: string[];
  environment: string | null;
  affectedService: string | null;
  impactLevel: string | null;
  requester: Requester;
  /** Who filed it on behalf of the requester; null: the requester did. Unknown of what was filed before this was kept. */
  createdBy?: Filer | null;
  assignee: string | null;
  assignedAt: Date | null;
  team: string | null;
  watchers: string[];
  channel: Via;
  externalRef: string | null;
  customFields: Record<string, unknown>;
  /** Only its requester, agents and who is invited: not shown in open channels. */
  private: boolean;
  dueDate: Date | null;
  /** When it should be done: the date that somebody set, else the deadline of its resolution clock. */
  dueAt: Date | null;
  estimatedHours: number | null;
  actualHours: number | null;
  resolutionNotes: string | null;
  conversations: Conversation[];
  links: TicketLink[];
  mergedInto: string | null;
  /** All tickets that became part of this one; their threads are read with its own. */
  mergedFrom: { ticket: string; key: string }[];
  satisfaction: { rating: number; comment: string | null; at: Date } | null;
  snoozedUntil: Date | null;
  escalated: boolean;
  /** The clocks: a consequence of every change, reckoned by sla/targets. */
  sla: TicketSla | null;
  /** The next instant at which something is due by itself. */
  nextDeadlineAt: Date | null;
  autoCloseAt: Date | null;
  replies: number;
  /** When each automation rule last replied: none repeats itself too soon. */
  ruleReplies?: Record<string, Date>;
  /** How often automation rules fired on it since then: a circle that leads through others is cut as well. */
  ruleFirings?: { since: Date; count: number };
  lastReplyAt: Date | null;
  firstRespondedAt: Date | null;
  resolvedAt: Date | null;
  closedAt: Date | null;
  deletedAt: Date | null;
  createdAt: Date;
  updatedAt: Date;
  /** How many changes of what its customer may see, and the last of them: to them, its version and its age. */
  shownSeq: number;
  shownAt: Date;
}

/** As stored: entries that the relay has not filed yet travel with the ticket, in the same document. */
export interface StoredTicket extends Ticket {
  pending: Entry[];
  pendingAt?: Date;
  /** Entries from this number on were filed before the relay saw them. */
  untold?: number;
  /** The words by which it is found: kept by the relay. */
  words?: string[];
}

const AGENTS_ONLY: ReadonlySet<string> = new Set([
  ...['watchers', 'links', 'mergedFrom', 'conversations', 'sla', 'nextDeadlineAt', 'autoCloseAt'],
]);

/** Does this change nothing that a customer may see (view.ts)? */
export function isInside(entry: Pick<Entry, 'action' | 'comment' | 'fields' | 'facts'>, desk: Desk): boolean {
  if (isPublic(entry)) return false;
  const open = desk.customFields.filter((field) => !field.internal).map((field) => field.name);
  const ofFields = (all: unknown) => open.map((name) => (all as Record<string, unknown> | null)?.[name]);
  return Object.entries(entry.fields).every(
    ([name, [was, is]]) =>
      AGENTS_ONLY.has(rootOf(name)) || (name === 'customFields' && same(ofFields(was), ofFields(is))),
  );
}

/** The number that rises with every change that they may know of. */
export const versionFor = (actor: Actor, { seq, shownSeq }: Pick<Ticket, 'seq' | 'shownSeq'>): number =>
  maySeeNotes(actor) ? seq : shownSeq;

/** The ticket itself, without what only travels with it. */
export const asTicket = ({
  pending: _,
  pendingAt: __,
  untold: ___,
  words: ____,
  ...ticket
}: Ticket & { [Name in keyof StoredTicket as Exclude<Name, keyof Ticket>]?: unknown }): Ticket => ticket;

/** A tag as it is kept: two that look the same are the same. */
export const tagWord = (tag: string): string => tag.normalize('NFC').trim().toLowerCase();

/** Fields that follow from others, whoever changes them. */
export function consequences(
  before: Ticket | null,
  set: Partial<Ticket>,
  workflow: Workflow,
  at: Date,
): Partial<Ticket> {
  const out: Partial<Ticket> = { ...set };
  if (set.deletedAt && before) out.company = `${before.company} (deleted)`;
  if (
    set.requester &&
    before?.createdBy === null &&
    set.createdBy === undefined &&
    set.requester.id !== before.requester.id
  ) {
    const { kind, id, name } = before.requester;
    out.createdBy = { kind, id, name };
  }
  if (set.priority) out.priorityRank = PRIORITY_RANK[set.priority];
  if (set.assignee !== undefined && set.assignee !== (before?.assignee ?? null))
    out.assignedAt = set.assignee === null ? null : at;
  if (set.status && (set.status !== before?.status || set.desk !== undefined)) {
    const kind = kindOf(workflow, set.status);
    out.statusKind = kind;
    const done = kind === 'resolved' || kind === 'closed';
    if (kind === 'resolved') out.resolvedAt = set.resolvedAt ?? at;
    if (kind === 'closed') {
      out.closedAt = set.closedAt ?? at;
      if (!before?.resolvedAt) out.resolvedAt = set.resolvedAt ?? at;
    }
    if (!done && before) Object.assign(out, { resolvedAt: null, closedAt: null });
    if (before?.snoozedUntil && set.snoozedUntil === undefined) out.snoozedUntil = null;
  }
  return out;
}

/** Letters that have no parts to take apart, as people write them who lack them. */
const FOLDED: Record<string, string> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
};
const FOLDS = /[ßæœøłđðþı]/g;
const WORD = /[\p{L}\p{N}]+/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII, in which nothing looks like anything else
const PLAIN = /^[\x00-\x7f]*$/;
const LONGEST_TEXT = 20_000;
const LONGEST_WORD = 40;

const folded = (text: string): string =>
  PLAIN.test(text)
    ? text.toLowerCase()
    : text
        .normalize('NFKD')
        .replace(/\p{M}/gu, '')
        .toLowerCase()
        .replace(FOLDS, (one) => FOLDED[one] ?? one);

/** The words by which a text is found: lower case, without accents, each once. */
export function searchWords(texts: readonly (string | null | undefined)[], most = 400): string[] {
  const words = new Set<string>();
  for (const text of texts) {
    if (!text) continue;
    for (const word of folded(text.slice(0, LONGEST_TEXT)).match(WORD) ?? []) {
      words.add(word.slice(0, LONGEST_WORD));
      if (words.size >= most) return [...words];
    }
  }
  return [...words];
}
