// How a ticket begins. Pure. It is written down whole and in one order, which is what makes filing quick; and while its
// birth is all that has happened to it, its own fields say what it was born as, so that no entry repeats them.
import { type Desk, PRIORITY_RANK, ticketKey } from '../desks/desk.ts';
import { type Entry, packed, type StoredEntry, unpacked } from '../history/entry.ts';
import { consequences, type StoredTicket, type Ticket } from './ticket.ts';

/** What is known of a ticket when it is filed; the rest has its beginning. */
export type NewTicket = Pick<Ticket, 'title' | 'requester'> & Partial<Ticket>;

/** What nobody may choose. */
type Settled = Pick<Ticket, '_id' | 'company' | 'number' | 'channel' | 'createdBy'> & { at: Date };

/** With room for what travels with it: adding that later would cost more than all the rest. */
export function newborn(given: NewTicket, desk: Desk, settled: Settled): StoredTicket {
  const { _id, company, number, channel, createdBy = null, at } = settled;
  const priority = given.priority ?? desk.defaultPriority;
  const ticket: StoredTicket = {
    _id,
    company,
    desk: desk.id,
    deskKey: desk.key,
    number,
    key: ticketKey(desk, number),
    seq: 1,
    title: given.title,
    description: given.description ?? '',
    status: given.status ?? desk.workflow.initial,
    statusKind: 'new',
    priority,
    priorityRank: PRIORITY_RANK[priority],
    category: given.category ?? null,
    tags: given.tags ?? [],
    environment: given.environment ?? null,
    affectedService: given.affectedService ?? null,
    impactLevel: given.impactLevel ?? null,
    requester: given.requester,
    createdBy,
    assignee: given.assignee ?? null,
    assignedAt: given.assignedAt ?? null,
    team: given.team ?? null,
    watchers: given.watchers ?? [],
    channel,
    externalRef: given.externalRef ?? null,
    customFields: given.customFields ?? {},
    private: given.private ?? false,
    dueDate: given.dueDate ?? null,
    dueAt: given.dueAt ?? null,
    estimatedHours: given.estimatedHours ?? null,
    actualHours: given.actualHours ?? null,
    resolutionNotes: given.resolutionNotes ?? null,
    conversations: given.conversations ?? [],
    links: given.links ?? [],
    mergedInto: given.mergedInto ?? null,
    mergedFrom: given.mergedFrom ?? [],
    satisfaction: given.satisfaction ?? null,
    snoozedUntil: given.snoozedUntil ?? null,
    escalated: given.escalated ?? false,
    sla: given.sla ?? null,
    nextDeadlineAt: given.nextDeadlineAt ?? null,
    autoCloseAt: given.autoCloseAt ?? null,
    replies: given.replies ?? 0,
    lastReplyAt: given.lastReplyAt ?? null,
    firstRespondedAt: given.firstRespondedAt ?? null,
    resolvedAt: given.resolvedAt ?? null,
    closedAt: given.closedAt ?? null,
    deletedAt: given.deletedAt ?? null,
    createdAt: given.createdAt ?? at,
    updatedAt: at,
    shownSeq: 1,
    shownAt: at,
    pending: [],
    pendingAt: at,
    words: [],
  };
  if (given.formerKeys) ticket.formerKeys = given.formerKeys;
  return consequences(null, ticket, desk.workflow, at) as StoredTicket;
}

/** Kept on a ticket, and told by no entry as a field. */
const UNTOLD: ReadonlySet<string> = new Set([
  ...['_id', 'seq', 'updatedAt', 'shownSeq', 'shownAt'],
  ...['pending', 'pendingAt', 'untold', 'words'],
]);

/** What the entry of its birth says of it. */
export function bornWith(ticket: Ticket): Entry['fields'] {
  const fields: Entry['fields'] = {};
  for (const name in ticket) {
    const value = ticket[name as keyof Ticket];
    if (value !== undefined && !UNTOLD.has(name)) fields[name] = [null, value];
  }
  return fields;
}

/** A ticket as a row of its collection. */
export type TicketRow = Omit<StoredTicket, 'pending'> & { pending: StoredEntry[] };

export function asRow(stored: StoredTicket): TicketRow {
  const [birth, ...others] = stored.pending;
  if (birth?.seq !== 1 || others.length) return { ...stored, pending: stored.pending.map(packed) };
  return { ...stored, pending: [{ ...birth, fields: undefined }] };
}

export function fromRow(row: TicketRow): StoredTicket {
  const { pending } = row;
  const [birth] = pending;
  if (birth?.seq !== 1) return { ...row, pending: pending as Entry[] };
  const isWhole = birth.fields ?? birth.born;
  const told = isWhole ? unpacked(birth) : { ...birth, fields: bornWith(row) };
  return { ...row, pending: [told, ...(pending.slice(1) as Entry[])] };
}
