// Very many believable tickets: as lines of a file to be imported, or put into the store by the driver, whole and with
// the words that they are found by, which takes a third of the time.
import { createHash } from 'node:crypto';
import mongoose from 'mongoose';
import { type Priority, ticketKey } from '../../src/desks/desk.ts';
import { desksOf } from '../../src/desks/desks.ts';
import { newId } from '../../src/id.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { connectStore, disconnectStore } from '../../src/store.ts';
import { newborn } from '../../src/tickets/birth.ts';
import type { StoredTicket } from '../../src/tickets/ticket.ts';
import { wordsOf } from '../../src/tickets/words.ts';

/** Every so many lines one is wrong. */
export const WRONG_EVERY = 1_000;
export const WRONG = 'dancing';
const THINGS = ['login page', 'invoice', 'export', 'printer on floor 3', 'mobile app', 'VPN', 'dashboard'];
const TROUBLES = [
  'does not load',
  'shows an error 500',
  'is very slow',
  'times out',
  'shows the wrong amount',
];
const STATUS = ['new', 'open', 'in_progress', 'pending', 'resolved', 'closed', 'closed'];
const PRIORITIES: Priority[] = ['critical', 'high', 'medium', 'low'];
const CATEGORIES = ['technical', 'billing', 'general'];
const AN_HOUR = 3_600_000;

export const filedAt = (at: number): number => Date.UTC(2025, 0, 1) + at * 30_000;

function partsOf(at: number) {
  const thing = THINGS[at % THINGS.length] ?? '';
  const trouble = TROUBLES[at % TROUBLES.length];
  const side = at % 2 ? 'north' : 'south';
  return {
    title: `The ${thing} ${trouble} (${at})`,
    description: `Hello,\n\nthe ${thing} ${trouble} since this morning, and it blocks our month end in the ${side}.\n\nRegards`,
    status: STATUS[at % STATUS.length] ?? '',
    priority: PRIORITIES[at % 4] ?? 'medium',
    category: CATEGORIES[at % 3] ?? '',
    tags: [thing.split(' ')[0]?.toLowerCase() ?? '', ...(at % 5 === 0 ? ['vip'] : [])],
    requester: `customer${at % 20_000}@example.com`,
    filed: filedAt(at),
  };
}

export function lineOf(at: number, mayBeWrong = true): Record<string, unknown> {
  const { filed, ...parts } = partsOf(at);
  return {
    ...parts,
    status: mayBeWrong && at % WRONG_EVERY === 7 ? WRONG : parts.status,
    external_ref: `OLD-${at}`,
    created_at: new Date(filed).toISOString(),
    ...(parts.status === 'closed' ? { closed_at: new Date(filed + AN_HOUR).toISOString() } : {}),
    ...(at % 4 === 0 ? { comments: [{ content: 'Thanks, we look into it.', author: 'Ana' }] } : {}),
  };
}

const ABREAST = 2;
const AT_ONCE = 1_000;

/** Into the first company of a desk that has been started there. */
export async function plant(uri: string, count: number, hear: (done: number) => void): Promise<void> {
  await connectStore({ uri, log: openLog('warn') });
  try {
    const [desk] = await desksOf(FIRST_COMPANY);
    if (!desk) throw new Error('no desk');
    const tickets = mongoose.connection.collection<StoredTicket>('tickets');
    const made = (at: number): StoredTicket => {
      const { filed, requester, ...given } = partsOf(at);
      const id = createHash('md5').update(requester).digest('hex').slice(0, 24);
      const settled = { _id: newId(), company: FIRST_COMPANY, number: at + 1, channel: 'import' as const };
      const ticket = newborn(
        {
          ...given,
          requester: { kind: 'contact', id, name: requester.split('@')[0] ?? '', email: requester },
          externalRef: `OLD-${at}`,
          createdAt: new Date(filed),
        },
        desk,
        { ...settled, at: new Date(filed) },
      );
      const { pendingAt: _, ...stored } = ticket;
      return { ...stored, key: ticketKey(desk, at + 1), words: wordsOf(ticket, []) } as StoredTicket;
    };
    let next = await tickets.countDocuments({ company: FIRST_COMPANY });
    const one = async () => {
      while (next < count) {
        const from = next;
        next = Math.min(count, from + AT_ONCE);
        await tickets.insertMany(
          Array.from({ length: next - from }, (_, at) => made(from + at)),
          { ordered: false },
        );
        hear(next);
      }
    };
    await Promise.all(Array.from({ length: ABREAST }, one));
    await mongoose.connection
      .collection<{ _id: string }>('counters')
      .updateOne({ _id: desk.id }, { $max: { last: count } }, { upsert: true });
  } finally {
    await disconnectStore();
  }
}
