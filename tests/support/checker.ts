// What must be true of a database at rest, whatever died while it was written: every ticket is the fold of its entries,
// nothing waits to be filed, numbers are unique, and what concerns two tickets is told the same by both.
import mongoose from 'mongoose';
import { type Entry, fold, type StoredEntry, unpacked } from '../../src/history/entry.ts';
import { same } from '../../src/history/parts.ts';
import { fromRow, type TicketRow } from '../../src/tickets/birth.ts';
import type { StoredTicket, TicketLink } from '../../src/tickets/ticket.ts';

/** Fields that travel with a stored ticket and are no part of it. */
const CARRIED = new Set(['_id', 'pending', 'pendingAt', 'words']);
const INVERSE: Record<TicketLink['kind'], TicketLink['kind']> = {
  ...{ parent: 'child', child: 'parent', duplicate: 'duplicate', related: 'related' },
};

export interface Findings {
  tickets: number;
  entries: number;
  /** Sentences; none when all is well. */
  problems: string[];
}

/** Looks at the whole database. `settled`: the relay has drained, so that nothing may be half done. */
export async function check(uri: string, database: string, { settled = true } = {}): Promise<Findings> {
  const client = await mongoose.mongo.MongoClient.connect(uri);
  try {
    const db = client.db(database);
    const tickets = (await db.collection<TicketRow>('tickets').find().toArray()).map(fromRow);
    const history = new Map<string, Entry[]>();
    const filed = (
      await db.collection<StoredEntry>('history').find().sort({ ticket: 1, seq: 1 }).toArray()
    ).map(unpacked);
    for (const entry of filed) history.set(entry.ticket, [...(history.get(entry.ticket) ?? []), entry]);
    const problems = tickets.flatMap((ticket) => problemsOf(ticket, history.get(ticket._id) ?? [], settled));
    const known = new Map(tickets.map((ticket) => [ticket._id, ticket]));
    for (const id of history.keys()) if (!known.has(id)) problems.push(`${id} has entries and is no ticket`);
    problems.push(...twice(tickets.map((ticket) => `${ticket.desk} number ${ticket.number}`)));
    if (settled) for (const ticket of tickets) problems.push(...onesided(ticket, known));
    return { tickets: tickets.length, entries: filed.length, problems };
  } finally {
    await client.close();
  }
}

function problemsOf(ticket: StoredTicket, filed: readonly Entry[], settled: boolean): string[] {
  const name = `${ticket.key} (${ticket._id})`;
  const problems: string[] = [];
  const last = filed.at(-1)?.seq ?? 0;
  if (settled && ticket.pending.length)
    problems.push(`${name} still carries ${ticket.pending.length} entries`);
  if (ticket.pending.length && !ticket.pendingAt)
    problems.push(`${name} carries entries that no relay looks for`);
  const twin = ticket.pending.find((one) => one.seq <= last && !same(one, filed[one.seq - 1]));
  if (twin) problems.push(`${name}: entry ${twin.seq} was filed otherwise than it was written`);
  const entries = [...filed, ...ticket.pending.filter((one) => one.seq > last)];
  try {
    const folded: Record<string, unknown> = fold(entries);
    const stored = ticket as unknown as Record<string, unknown>;
    for (const field of new Set([...Object.keys(folded), ...Object.keys(stored)])) {
      if (CARRIED.has(field) || same(folded[field], stored[field])) continue;
      const [was, is] = [JSON.stringify(folded[field]), JSON.stringify(stored[field])];
      problems.push(`${name}: ${field} is ${is}, by its entries ${was}`);
    }
  } catch (error) {
    problems.push(`${name}: ${(error as Error).message}`);
  }
  return problems;
}

function twice(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.flatMap((name) => {
    if (seen.has(name)) return [`${name} was given twice`];
    seen.add(name);
    return [];
  });
}

function onesided(ticket: StoredTicket, known: ReadonlyMap<string, StoredTicket>): string[] {
  const problems: string[] = [];
  let root = ticket.mergedInto === null ? undefined : known.get(ticket.mergedInto);
  for (let step = 0; root?.mergedInto && step < 20; step++) root = known.get(root.mergedInto);
  if (ticket.mergedInto !== null && root?.mergedFrom.filter((one) => one.ticket === ticket._id).length !== 1)
    problems.push(`${ticket.key} was merged into ${root?.key ?? 'nothing'}, which does not have it once`);
  for (const link of ticket.links) {
    const other = known.get(link.ticket);
    if (other && other.key !== link.key)
      problems.push(`${ticket.key} is linked (${link.kind}) with ${link.key}, which is ${other.key} now`);
    if (!other?.links.some((one) => one.ticket === ticket._id && one.kind === INVERSE[link.kind]))
      problems.push(`${ticket.key} is linked (${link.kind}) with ${link.key}, which does not know`);
  }
  return problems;
}
