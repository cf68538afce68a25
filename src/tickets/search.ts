// Finding tickets by words: key, title, description, replies, notes, tags, requester, external reference, and for agents
// who works on it. Words are kept on the ticket by the relay; words of notes carry a mark that a customer's search never
// asks for. What the relay has not seen yet is matched here, so that what somebody just wrote is found.
import type { Ctx } from '../context.ts';
import { readTicketKey } from '../desks/desk.ts';
import { desksOf } from '../desks/desks.ts';
import { agentNames } from '../people/roster.ts';
import type { TicketRow } from './birth.ts';
import { BY_WORDS, ticketCollection } from './model.ts';
import { searchWords, type Ticket } from './ticket.ts';
import { countUpTo, type Way, wayTo } from './ways.ts';
import { HOLDER, NOTE, wordsOf } from './words.ts';

const MOST_TERMS = 8;
/** To tell a rare word from a common one, no more need be counted. */
export const COMMON = 200;
/** A beginning of words that are in more tickets than COMMON stands for those that are met first. */
const MOST_EXPANSIONS = 20;
const MOST_UNFILED = 200;
type Filter = Record<string, unknown>;
export type Found = Ticket & { words?: string[] };
export const UNSHOWN = { pending: 0, pendingAt: 0, words: 0 } as const;

export interface Search {
  /** To the tickets of these that have all the words. */
  narrow: (base: Filter) => Promise<Way>;
  /** Tickets that match, though their words are not kept yet. */
  unfiled: (base: Filter) => Promise<Found[]>;
  score: (ticket: Found) => number;
}

/** In how many tickets of the company each word stands, counted up to COMMON. */
export async function rarity(company: string, words: readonly string[]): Promise<Map<string, number>> {
  const counts = words.map((word) =>
    ticketCollection().countDocuments({ company, words: word }, { limit: COMMON }),
  );
  return new Map((await Promise.all(counts)).map((count, at) => [words[at] as string, count]));
}

/** Of agents with the same word in their names, those are meant whom the other words fit as well. */
const MOST_HOLDERS = 20;

/** Without the mark of notes. */
const plain = (word: string): string => (word.startsWith(NOTE) ? word.slice(NOTE.length) : word);
const isNoHolder = (word: string): boolean => !word.startsWith(HOLDER);

/** For each word of a search, the marks of the agents whom it may mean; the last one may be the beginning of a name. */
async function holdersBy(
  company: string,
  terms: readonly string[],
  last: string | undefined,
): Promise<Map<string, string[]>> {
  const isIn = (words: readonly string[], term: string) =>
    words.some((word) => word === term || (term === last && term.length > 1 && word.startsWith(term)));
  const agents = (await agentNames(company))
    .map(({ id, names }) => {
      const words = searchWords(names);
      return { mark: HOLDER + id, fits: terms.filter((term) => isIn(words, term)) };
    })
    .sort((a, b) => b.fits.length - a.fits.length);
  const meant = (term: string) =>
    agents.flatMap(({ mark, fits }) => (fits.includes(term) ? [mark] : [])).slice(0, MOST_HOLDERS);
  return new Map(terms.map((term) => [term, meant(term)]));
}

export function matching(ctx: Ctx, q: string, withNotes: boolean): Search {
  const key = readTicketKey(q);
  const terms = searchWords([q.slice(0, 500)], MOST_TERMS);
  const last = /[\p{L}\p{N}]$/u.test(q.trim()) ? terms.at(-1) : undefined;
  let held: Promise<Map<string, string[]>> | undefined;
  const holders = async () => {
    held ??= withNotes ? holdersBy(ctx.actor.company, terms, last) : Promise.resolve(new Map());
    return held;
  };
  /** Words that begin so. Letters and digits only, hence a plain prefix of the index. */
  const expansions = async (begins: readonly string[]): Promise<string[]> => {
    const { company } = ctx.actor;
    const met = await Promise.all(
      begins.map(async (prefix) => {
        const rows = await ticketCollection()
          .find(
            { company, words: { $regex: `^${prefix}` } },
            { projection: { words: 1 }, limit: COMMON, hint: BY_WORDS },
          )
          .toArray();
        const words = rows.flatMap((row) => row.words ?? []).filter((word) => word.startsWith(prefix));
        return { words: [...new Set(words)], isWhole: rows.length < COMMON };
      }),
    );
    return met.flatMap(({ words, isWhole }) => (isWhole ? words : words.slice(0, MOST_EXPANSIONS)));
  };
  const inNotes = (words: readonly string[]): string[] => [
    ...new Set(words.flatMap((word) => (withNotes ? [word, NOTE + word] : [word]))),
  ];

  return {
    async narrow(base) {
      const { company } = ctx.actor;
      if (key && (await desksOf(company)).some((desk) => key.startsWith(`${desk.key}-`))) {
        const known = await ticketCollection().findOne({ company, key }, { projection: { _id: 1 } });
        return { filter: { ...base, ...(known ? { key } : { formerKeys: key }) } };
      }
      const meant = await holders();
      const whole = (term: string): string[] => [...inNotes([term]), ...(meant.get(term) ?? [])];
      const begins = last !== undefined && last.length > 1 ? inNotes([last]) : [];
      const [count, begun] = await Promise.all([
        last === undefined ? 0 : countUpTo({ company, words: { $in: whole(last) } }, COMMON),
        begins.length ? expansions(begins) : [],
      ]);
      const isCommon = count === COMMON;
      return wayTo(
        { ...base, company },
        terms.map((term) =>
          term === last && begins.length && !isCommon
            ? { values: [...new Set([...whole(term), ...inNotes(begun.map(plain))])], begins }
            : { values: whole(term), begins: [] },
        ),
      );
    },

    async unfiled(base) {
      const rows = await ticketCollection()
        .find({ pendingAt: { $type: 'date', $gt: new Date(0) } })
        .sort({ pendingAt: -1 })
        .limit(MOST_UNFILED)
        .toArray();
      const meant = await holders();
      const waiting = rows.filter((row) => row.company === ctx.actor.company && hasAll(row, meant));
      if (!waiting.length) return [];
      return ticketCollection()
        .find({ ...base, _id: { $in: waiting.map((row) => row._id) } } as Filter, {
          projection: { pending: 0, pendingAt: 0 },
        })
        .toArray();
    },

    score(ticket) {
      if (key && (ticket.key === key || ticket.formerKeys?.includes(key))) return 1_000;
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

  function hasAll(ticket: TicketRow, meant: ReadonlyMap<string, string[]>): boolean {
    if (key && (ticket.key === key || ticket.formerKeys?.includes(key))) return true;
    const words = wordsOf(
      ticket,
      ticket.pending.filter((entry) => withNotes || entry.comment?.audience !== 'internal'),
    );
    const own = [...words, ...((ticket as { words?: string[] }).words ?? []).filter(isNoHolder)];
    const said = own.filter((word) => withNotes || !word.startsWith(NOTE)).map(plain);
    return (
      terms.length > 0 &&
      terms.every(
        (term) =>
          said.includes(term) ||
          (term === last && said.some((word) => word.startsWith(term))) ||
          meant.get(term)?.some((mark) => said.includes(mark)),
      )
    );
  }
}
