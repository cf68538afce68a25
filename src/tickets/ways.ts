// Which way a search takes to the tickets that have all its words, so that it costs what the rarest of its conditions
// does, on any store: few tickets are looked at one by one; of many, the rarest word leads and the others are asked of
// what it meets.
import { BY_WORDS, ticketCollection } from './model.ts';

type Filter = Record<string, unknown>;

/** What a word of a search may be on a ticket: one of these words, or any that begins so. */
export interface Term {
  values: readonly string[];
  begins: readonly string[];
}

export interface Way {
  /** What all matches fulfil, and nothing else does. */
  filter: Filter;
  /** The index to go by. */
  hint?: string;
  /** So many begin this way that not all of them can be looked at for one page: newest first, some at a time. */
  lead?: Filter;
}

/** So few are looked at one by one. */
const RARE = 200;
/** So many are met at once. */
const FEW = 1_500;
const BY_ID = '_id_';
/** Nothing that is kept as a word. */
const NOTHING = { words: '' };
/** Counting what no index has in one piece may take long: then it counts as many. */
const COUNT_MS = 100;

const anyOf = ({ values }: Term): Filter => ({ words: { $in: [...values] } });
/** The same, and no way to begin. */
const asCheck = ({ values }: Term): Filter => ({ words: { $elemMatch: { $in: [...values] } } });

const fits = (words: readonly string[], { values, begins }: Term): boolean =>
  words.some((word) => values.includes(word) || begins.some((begin) => word.startsWith(begin)));

/** How many there are, up to a limit; null when that cannot be told in time. */
export async function countUpTo(
  filter: Filter,
  limit: number,
  { hint, ms }: { hint?: string | undefined; ms?: number | undefined } = {},
): Promise<number | null> {
  const options = { limit, ...(ms ? { maxTimeMS: ms } : {}), ...(hint ? { hint } : {}) };
  return ticketCollection()
    .countDocuments(filter, options)
    .catch((error) => {
      if ((error as { code?: number }).code === TOOK_TOO_LONG) return null;
      throw error;
    });
}
const TOOK_TOO_LONG = 50;

export async function wayTo(base: Filter & { company: string }, terms: readonly Term[]): Promise<Way> {
  const { company } = base;
  const isNarrowed = Object.keys(base).length > 1;
  const [only] = terms;
  if (!only) return { filter: { ...base, ...NOTHING } };
  const having = (term: Term): Filter => ({ company, ...anyOf(term) });
  const count = async (limit: number) => {
    const words = terms.map((term) => countUpTo(having(term), limit, { hint: BY_WORDS }));
    const own = isNarrowed ? countUpTo(base, limit, { ms: COUNT_MS }) : limit;
    const [least, ...each] = await Promise.all([own, ...words]);
    return { own: least ?? limit, each: each.map((one) => one ?? limit) };
  };
  const few = await count(RARE);
  const rarest = Math.min(...few.each);
  if (rarest === 0 || few.own === 0) return { filter: { ...base, ...NOTHING } };
  if (rarest < RARE) {
    const at = few.each.indexOf(rarest);
    return oneByOne(base, having(terms[at] ?? only), terms, BY_WORDS);
  }
  if (few.own < RARE) return oneByOne(base, base, terms);
  if (terms.length === 1 && !isNarrowed) return { filter: { ...base, ...anyOf(only) }, hint: BY_WORDS };

  const many = await count(FEW);
  const least = Math.min(...many.each);
  const asked = Array.isArray(base.$and) ? base.$and : [];
  if (many.own < FEW && many.own < least && !base.$or)
    return { filter: { ...base, $and: [...asked, ...terms.map(asCheck)] } };
  const rarestFirst = terms
    .map((term, at) => ({ term, count: many.each[at] ?? FEW }))
    .sort((a, b) => a.count - b.count)
    .map(({ term }) => term);
  const [lead = only, ...others] = rarestFirst;
  const rest = [...others.map(anyOf), ...asked];
  return {
    // The first condition on words is the one to begin with.
    filter: { ...base, ...anyOf(lead), ...(rest.length ? { $and: rest } : {}) },
    hint: BY_WORDS,
    ...(least < FEW ? {} : { lead: having(lead) }),
  };
}

async function oneByOne(base: Filter, rare: Filter, terms: readonly Term[], hint?: string): Promise<Way> {
  const rows = await ticketCollection()
    .find(rare, { projection: { words: 1 }, ...(hint ? { hint } : {}) })
    .toArray();
  const ids = rows.filter(({ words = [] }) => terms.every((term) => fits(words, term))).map(({ _id }) => _id);
  return { filter: { ...base, _id: { $in: ids } }, hint: BY_ID };
}
