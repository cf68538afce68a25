// Finding tickets by words: key, title, description, replies, notes, tags, requester, external reference. Words are kept
// on the ticket by the relay; words of notes carry a mark that a customer's search never asks for. What the relay has
// not seen yet is matched here, so that what somebody just wrote is found.
import type { Ctx } from '../context.ts';
import { readTicketKey } from '../desks/desk.ts';
import { desksOf } from '../desks/desks.ts';
import { ticketCollection } from './model.ts';
import { type StoredTicket, searchWords, type Ticket } from './ticket.ts';
import { NOTE, wordsOf } from './words.ts';

const MOST_TERMS = 8;
/** To tell a rare word from a common one, no more need be counted. */
const COUNT_TO = 200;
/** A beginning of a word stands for the words with it that are met first. */
const MOST_EXPANSIONS = 20;
const MOST_UNFILED = 200;
type Filter = Record<string, unknown>;
type Found = Ticket & { words?: string[] };

export interface Search {
  /** Mongo conditions that hold for tickets which have all the words. */
  narrow: (base: Filter) => Promise<Filter>;
  /** Tickets that match, though their words are not kept yet. */
  unfiled: (base: Filter) => Promise<Found[]>;
  score: (ticket: Found) => number;
}

export function matching(ctx: Ctx, q: string, withNotes: boolean): Search {
  const key = readTicketKey(q);
  const terms = searchWords([q.slice(0, 500)], MOST_TERMS);
  const last = /[\p{L}\p{N}]$/u.test(q.trim()) ? terms.at(-1) : undefined;
  const whole = (term: string) => ({ words: withNotes ? { $in: [term, NOTE + term] } : term });
  /** Words that begin so. Letters and digits only, hence a plain prefix of the index. */
  const expansions = async (begin: string): Promise<string[]> => {
    const { company } = ctx.actor;
    const begins = [begin, ...(withNotes ? [NOTE + begin] : [])];
    const met = await Promise.all(
      begins.map((prefix) =>
        ticketCollection()
          .find({ company, words: { $regex: `^${prefix}` } }, { projection: { words: 1 }, limit: COUNT_TO })
          .toArray()
          .then((rows) => rows.flatMap((row) => row.words ?? []).filter((word) => word.startsWith(prefix))),
      ),
    );
    return [...new Set([begin, ...met.flat()])].slice(0, MOST_EXPANSIONS);
  };
  const beginning = async (term: string): Promise<Filter> => {
    const words = await expansions(term);
    const plain = words.map((word) => (word.startsWith(NOTE) ? word.slice(NOTE.length) : word));
    return { words: { $in: [...new Set(withNotes ? plain.flatMap((word) => [word, NOTE + word]) : plain)] } };
  };

  return {
    async narrow(base) {
      if (key && (await desksOf(ctx.actor.company)).some((desk) => key.startsWith(`${desk.key}-`)))
        return { key };
      if (!terms.length) return { words: '' };
      const { company } = ctx.actor;
      const counted = await Promise.all(
        terms.map(async (term) => ({
          term,
          n: await ticketCollection().countDocuments({ company, ...whole(term) }, { limit: COUNT_TO }),
        })),
      );
      const rarest = [...counted].sort((a, b) => a.n - b.n).map(({ term }) => term);
      const missing = counted.filter(({ n }) => n === 0);
      const conditions: Filter[] = rarest.filter((term) => term !== last).map(whole);
      if (last) {
        const isCommon = (counted.find(({ term }) => term === last)?.n ?? 0) >= COUNT_TO;
        conditions.push(last.length < 2 || isCommon ? whole(last) : await beginning(last));
      }
      if (missing.some(({ term }) => term !== last)) return { words: '' };
      const own = base.$and;
      return { $and: [...(Array.isArray(own) ? own : []), ...conditions] };
    },

    async unfiled(base) {
      const rows = await ticketCollection()
        .find({ pendingAt: { $type: 'date', $gt: new Date(0) } })
        .sort({ pendingAt: -1 })
        .limit(MOST_UNFILED)
        .toArray();
      const waiting = rows.filter((row) => row.company === ctx.actor.company && hasAll(row));
      if (!waiting.length) return [];
      return ticketCollection()
        .find({ ...base, _id: { $in: waiting.map((row) => row._id) } } as Filter, {
          projection: { pending: 0, pendingAt: 0 },
        })
        .toArray();
    },

    score(ticket) {
      if (key && ticket.key === key) return 1_000;
      const title = new Set(searchWords([ticket.title, ...ticket.tags, ticket.externalRef]));
      const own = new Set(searchWords([ticket.description, ticket.requester.name]));
      let score = 0;
      for (const term of terms) {
        if (title.has(term)) score += 10;
        else if (term === last && [...title].some((word) => word.startsWith(term))) score += 6;
        if (own.has(term)) score += 3;
      }
      return score + (ticket.title.toLowerCase().includes(q.trim().toLowerCase()) ? 15 : 0);
    },
  };

  function hasAll(ticket: StoredTicket): boolean {
    if (key && ticket.key === key) return true;
    const words = wordsOf(
      ticket,
      ticket.pending.filter((entry) => withNotes || entry.comment?.audience !== 'internal'),
    );
    const plain = [...words, ...((ticket as { words?: string[] }).words ?? [])]
      .filter((word) => withNotes || !word.startsWith(NOTE))
      .map((word) => (word.startsWith(NOTE) ? word.slice(1) : word));
    return (
      terms.length > 0 &&
      terms.every(
        (term) => plain.includes(term) || (term === last && plain.some((word) => word.startsWith(term))),
      )
    );
  }
}
