// What other rooms must know of tickets by the mass: whose they are, and in which states a desk's tickets stand.
import { ticketCollection, wholeTickets } from './model.ts';
import type { StoredTicket } from './ticket.ts';

/** Ids of the tickets that somebody asked for, in order of id; follow with the last one until none is left. */
export async function requestedBy(
  company: string,
  person: string,
  after = '',
  limit = 500,
): Promise<string[]> {
  const found = await ticketCollection()
    .find({ company, 'requester.id': person, _id: { $gt: after } }, { projection: { _id: 1 } })
    .sort({ _id: 1 })
    .limit(limit)
    .toArray();
  return found.map((one) => one._id);
}

/** Ids of the tickets that somebody works on and that are not done, in order of id. */
export async function workedOnBy(company: string, user: string, after = '', limit = 500): Promise<string[]> {
  const open = { statusKind: { $in: ['new' as const, 'open' as const, 'pending' as const] } };
  const found = await ticketCollection()
    .find({ company, assignee: user, ...open, _id: { $gt: after } }, { projection: { _id: 1 } })
    .sort({ _id: 1 })
    .limit(limit)
    .toArray();
  return found.map((one) => one._id);
}

/** Which of these states any ticket of the desk stands in. */
export async function statesInUse(
  company: string,
  desk: string,
  states: readonly string[],
): Promise<string[]> {
  const used = await Promise.all(
    states.map(async (status) =>
      (await ticketCollection().findOne({ company, status, desk }, { projection: { _id: 1 } }))
        ? [status]
        : [],
    ),
  );
  return used.flat();
}

/** Some of the tickets of a desk with this category. */
export function ofCategory(
  company: string,
  desk: string,
  category: string,
  limit: number,
): Promise<StoredTicket[]> {
  return wholeTickets(ticketCollection().find({ company, category, desk }).limit(limit));
}
