// Tickets that wait for somebody, and what people have in hand, for whoever gives tickets out. All by one index that
// holds nothing but what is new or open.
import type { StoredEntry } from '../history/entry.ts';
import { filedHandovers } from '../history/history.ts';
import type { TicketRow } from './birth.ts';
import { ticketCollection, wholeTickets } from './model.ts';
import type { StoredTicket } from './ticket.ts';

const LIVE = { statusKind: { $in: ['new', 'open'] } };
const FIELDS = [
  ...(['title', 'description', 'category', 'team', 'desk', 'assignee', 'priorityRank'] as const),
  ...(['createdAt', 'seq', 'pending'] as const),
];
const projection = Object.fromEntries(FIELDS.map((name) => [name, 1]));
export type WaitingTicket = Pick<TicketRow, '_id' | (typeof FIELDS)[number]>;

export interface Place {
  createdAt: Date;
  _id: string;
}

/**
 * Nobody's tickets of a desk, with one of these teams (null: none), the oldest first. Those of which the relay has not
 * seen everything are not ready: rules may still change them.
 */
export function waiting(
  { company, desk }: { company: string; desk: string },
  teams: readonly (string | null)[],
  after: Place | null,
  limit: number,
): Promise<WaitingTicket[]> {
  const beyond = after && {
    createdAt: { $gte: after.createdAt },
    $or: [{ createdAt: { $gt: after.createdAt } }, { _id: { $gt: after._id } }],
  };
  const filter = {
    ...{ company, assignee: null, desk, team: { $in: [...teams] }, ...LIVE },
    ...{ snoozedUntil: null, pendingAt: null },
  };
  return ticketCollection()
    .find({ ...filter, ...beyond }, { projection })
    .sort({ createdAt: 1, _id: 1 })
    .limit(limit)
    .toArray();
}

/** Whether any ticket of these desks waits. */
export const isAnyWaiting = async (company: string, desks: readonly string[]): Promise<boolean> =>
  (await ticketCollection().findOne(
    { company, assignee: null, desk: { $in: [...desks] }, ...LIVE },
    { projection: { _id: 1 } },
  )) !== null;

export interface Load {
  open: number;
  /** Their priorities added up. */
  weight: number;
}

/** What each of these has in hand: new and open, of all desks. */
export async function loadsOf(company: string, users: readonly string[]): Promise<Map<string, Load>> {
  const rows = await ticketCollection()
    .aggregate<{ _id: string } & Load>([
      { $match: { company, assignee: { $in: [...users] }, ...LIVE } },
      { $group: { _id: '$assignee', open: { $sum: 1 }, weight: { $sum: '$priorityRank' } } },
    ])
    .toArray();
  return new Map(rows.map(({ _id, open, weight }) => [_id, { open, weight }]));
}

/** What somebody has in hand that is not done, the oldest first. */
export function heldBy(
  company: string,
  user: string,
  desks: readonly string[] | null,
  limit: number,
): Promise<WaitingTicket[]> {
  const filter = {
    ...{ company, assignee: user, statusKind: { $in: ['new', 'open', 'pending'] } },
    ...(desks ? { desk: { $in: [...desks] } } : {}),
  };
  return ticketCollection().find(filter, { projection }).sort({ createdAt: 1 }).limit(limit).toArray();
}

/** Who gave each of these tickets out of their hands since then: put it back, or had it taken from them by a person. */
export async function declinedSince(
  tickets: readonly Pick<TicketRow, '_id' | 'seq' | 'pending'>[],
  since: Date,
): Promise<Map<string, string[]>> {
  const told = tickets.filter(({ seq }) => seq > 1);
  if (!told.length) return new Map();
  const filed = await filedHandovers(
    told.map(({ _id }) => _id),
    since,
  );
  const travelling = told.flatMap(({ pending }) => pending ?? []);
  const declined = new Map<string, string[]>();
  for (const entry of [...filed, ...travelling]) {
    const from = declinedIn(entry);
    if (from && entry.at >= since) declined.set(entry.ticket, [...(declined.get(entry.ticket) ?? []), from]);
  }
  return declined;
}

function declinedIn({ action, by, fields }: StoredEntry): string | null {
  if (action !== 'assignment_change' || by.kind === 'system') return null;
  const was = fields?.assignee?.[0];
  return typeof was === 'string' ? was : null;
}

/** These tickets, whole, to be changed. */
export function ticketsById(company: string, ids: readonly string[]): Promise<StoredTicket[]> {
  return wholeTickets(ticketCollection().find({ _id: { $in: [...ids] }, company }));
}
