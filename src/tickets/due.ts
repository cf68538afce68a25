// Tickets by what is due on them, found by index and never by a scan. Whoever asks brings the database's time.
import { fromRow } from './birth.ts';
import { ticketCollection, wholeTickets } from './model.ts';
import type { StoredTicket, Ticket } from './ticket.ts';
import type { StatusKind } from './workflow.ts';

/** What has come due by now, the longest due first. `skip`: those that somebody is seeing to already. */
export function due(
  now: Date,
  limit: number,
  { except = [], skip = 0 }: { except?: readonly string[]; skip?: number } = {},
): Promise<StoredTicket[]> {
  return wholeTickets(
    ticketCollection()
      .find({ nextDeadlineAt: { $type: 'date', $lte: now }, ...other(except) })
      .sort({ nextDeadlineAt: 1 })
      .skip(skip)
      .limit(limit),
  );
}

/** The earliest instant at which anything is due, past or to come. */
export async function nextDue(except: readonly string[] = []): Promise<Date | null> {
  const [first] = await ticketCollection()
    .find(
      { nextDeadlineAt: { $type: 'date', $gt: new Date(0) }, ...other(except) },
      { projection: { nextDeadlineAt: 1 } },
    )
    .sort({ nextDeadlineAt: 1 })
    .limit(1)
    .toArray();
  return first?.nextDeadlineAt ?? null;
}

const other = (except: readonly string[]) => (except.length ? { _id: { $nin: [...except] } } : {});

/** The tickets of a company that changed since then, the latest first. */
export async function* touchedSince(company: string, since: Date): AsyncIterable<StoredTicket> {
  const rows = ticketCollection()
    .find({ company, updatedAt: { $gte: since } })
    .sort({ updatedAt: -1, _id: -1 })
    .batchSize(100);
  for await (const row of rows) yield fromRow(row);
}

export interface Place {
  kind: StatusKind;
  createdAt: Date;
  id: string;
}

const OPEN: readonly StatusKind[] = ['new', 'open', 'pending'];

/** The tickets of a company, those of certain kinds, newest first within their kind, page by page. */
export async function openAfter(
  company: string,
  after: Place | null,
  limit: number,
  kinds: readonly StatusKind[] = OPEN,
): Promise<StoredTicket[]> {
  const found: StoredTicket[] = [];
  for (const kind of kinds.slice(after ? kinds.indexOf(after.kind) : 0)) {
    const beyond = after?.kind === kind ? pastOf(after) : {};
    const page = ticketCollection()
      .find({ company, statusKind: kind, ...beyond })
      .sort({ createdAt: -1, _id: -1 })
      .limit(limit - found.length);
    found.push(...(await wholeTickets(page)));
    if (found.length >= limit) break;
  }
  return found;
}

const pastOf = ({ createdAt, id }: Place) => ({
  createdAt: { $lte: createdAt },
  $or: [{ createdAt: { $lt: createdAt } }, { createdAt, _id: { $lt: id } }],
});

export const placeOf = (ticket: Pick<Ticket, '_id' | 'statusKind' | 'createdAt'>): Place => ({
  kind: ticket.statusKind,
  createdAt: ticket.createdAt,
  id: ticket._id,
});
