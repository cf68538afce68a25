// Who gets a ticket, and why, in words. Pure: the rule of the desk, the people with what they have in hand, and who is on
// call make one choice. It never touches what somebody has, and keeps the team that a ticket is with.
import { categoryWord } from '../desks/desk.ts';
import { atLeast, type Role } from '../people/access.ts';
import { type Described, fitOf } from './fit.ts';
import { type Pick, type Rule, teamsOnly } from './rule.ts';

export interface Candidate {
  id: string;
  name: string;
  role: Role;
  teams: readonly string[];
  skills: readonly string[];
  /** Null: not away. */
  away: Date | 'until further notice' | null;
  /** Their own limit, before the desk's. */
  capacity: number | null;
  /** New and open tickets in hand, and their priorities added up. */
  open: number;
  weight: number;
}

export interface Waiting {
  title: string;
  description: string;
  category: string | null;
  team: string | null;
  /** Who put it back just now. */
  declined: readonly string[];
}

export interface Situation {
  rule: Rule;
  people: readonly Candidate[];
  teams: readonly Described[];
  /** When somebody was last served by this desk: the higher, the later; absent: never. */
  turns: ReadonlyMap<string, number>;
  /** Of a team: who is on call, then who stands in, in order. */
  onCall: (team: string) => readonly string[];
}

export interface LeftOut {
  user: string;
  name: string;
  because: string;
}

export interface Choice {
  /** The team that it is with afterwards. */
  team: string | null;
  user: string | null;
  /** It stays in the queue until somebody has room; false without a user: it is left alone. */
  waits: boolean;
  why: string;
  pool: readonly Candidate[];
  leftOut: readonly LeftOut[];
}

interface Destination {
  team: string | null;
  user: string | null;
  why: string;
}

export function choose(ticket: Waiting, situation: Situation): Choice {
  const { rule } = situation;
  const none = { pool: [], leftOut: [], user: null };
  const to = destination(ticket, situation);
  if (typeof to === 'string') return { ...none, team: ticket.team, waits: false, why: to };
  if (teamsOnly(rule) && !to.user)
    return { ...none, team: to.team, waits: false, why: to.why || 'Its team takes it from here.' };
  const named = situation.people.filter((one) => one.id === to.user);
  const pool = to.user ? named : poolOf(to.team, situation);
  const leftOut: LeftOut[] = [];
  const able = pool.filter((one) => {
    const because = obstacle(one, ticket, rule);
    if (because) leftOut.push({ user: one.id, name: one.name, because });
    return !because;
  });
  const { chosen, why } = to.user
    ? { chosen: able[0], why: '' }
    : pickOf(pickBy(rule), able, to.team, situation);
  const sentences = [to.why, chosen ? why : nobody(pool, able), outWords(leftOut)];
  return {
    team: to.team,
    user: chosen?.id ?? null,
    waits: !chosen,
    why: sentences.filter(Boolean).join(' '),
    pool,
    leftOut,
  };
}

function nobody(pool: readonly Candidate[], able: readonly Candidate[]): string {
  if (able.length) return 'Nobody who could take it is on call: it waits.';
  return pool.length ? 'Nobody can take it now: it waits.' : 'There is nobody to take it: it waits.';
}
const outWords = (left: readonly LeftOut[]): string =>
  left.length
    ? `Left out: ${left
        .slice(0, 10)
        .map(({ name, because }) => `${name} (${because})`)
        .join(', ')}${left.length > 10 ? ` and ${left.length - 10} more` : ''}.`
    : '';

const entryOf = (rule: Rule, category: string | null) =>
  category === null
    ? undefined
    : rule.categories.find((one) => categoryWord(one.category) === categoryWord(category));

/** Where it goes, or why nowhere. */
function destination(ticket: Waiting, { rule, teams }: Situation): Destination | string {
  const name = (id: string) => teams.find((one) => one.id === id)?.name ?? 'a team';
  const isThere = (id: string | null): id is string => id !== null && teams.some((one) => one.id === id);
  if (rule.strategy === 'manual') return 'The tickets of this desk are given out by hand.';
  if (ticket.team !== null)
    return isThere(ticket.team)
      ? { team: ticket.team, user: null, why: '' }
      : 'The team that it is with takes no work.';
  const fallback = (why: string): Destination | string =>
    isThere(rule.teamId)
      ? { team: rule.teamId, user: null, why: `${why} So it goes to ${name(rule.teamId)}.` }
      : why;
  switch (rule.strategy) {
    case 'by_category': {
      const entry = entryOf(rule, ticket.category);
      if (entry && isThere(entry.teamId))
        return { team: entry.teamId, user: null, why: `${ticket.category} goes to ${name(entry.teamId)}.` };
      if (entry?.userId)
        return { team: null, user: entry.userId, why: `${ticket.category} goes to one person.` };
      if (ticket.category === null) return fallback('It has no category.');
      const wanted = categoryWord(ticket.category);
      const own = teams.filter((one) => one.category !== null && categoryWord(one.category) === wanted);
      const [team] = own;
      if (team && own.length === 1)
        return { team: team.id, user: null, why: `${ticket.category} is what ${team.name} does.` };
      return fallback(`No one team is there for ${ticket.category}.`);
    }
    case 'best_fit': {
      const fit = fitOf(ticket, teams, rule.minFit);
      return fit.team === null ? fallback(fit.why) : { team: fit.team, user: null, why: fit.why };
    }
    case 'on_call':
      return isThere(rule.teamId)
        ? { team: rule.teamId, user: null, why: '' }
        : 'Nobody said which team is on call for this desk.';
    case 'round_robin':
    case 'least_loaded':
    case 'by_skill':
      return rule.teamId !== null && !isThere(rule.teamId)
        ? 'The team of this rule takes no work.'
        : { team: rule.teamId, user: null, why: '' };
    default:
      return rule.strategy satisfies never;
  }
}

/** The members of the team; without one, all who work on tickets. Managers get them only as members of a team. */
const poolOf = (team: string | null, { people }: Situation): Candidate[] =>
  people.filter((one) =>
    team === null ? atLeast(one.role, 'agent') && !atLeast(one.role, 'manager') : one.teams.includes(team),
  );

const skillWord = (skill: string): string => skill.trim().toLowerCase();
export const limitOf = (one: Candidate, rule: Rule): number | null => one.capacity ?? rule.capacity;

function obstacle(one: Candidate, ticket: Waiting, rule: Rule): string | null {
  if (rule.skipAway && one.away)
    return one.away instanceof Date
      ? `away until ${one.away.toISOString().slice(0, 16).replace('T', ' ')} UTC`
      : 'away';
  const has = new Set(one.skills.map(skillWord));
  const asked = [...rule.skills, ...(entryOf(rule, ticket.category)?.skills ?? [])];
  const missing = asked.filter((skill) => !has.has(skillWord(skill)));
  if (missing.length) return `without ${missing.join(', ')}`;
  const limit = limitOf(one, rule);
  if (limit !== null && one.open >= limit) return `${one.open} of ${limit} open`;
  if (ticket.declined.includes(one.id)) return 'put it back just now';
  return null;
}

function pickBy(rule: Rule): Pick {
  const { strategy, personBy } = rule;
  return strategy === 'round_robin' || strategy === 'least_loaded' || strategy === 'on_call'
    ? strategy
    : personBy;
}

function pickOf(
  pick: Pick,
  able: readonly Candidate[],
  team: string | null,
  { rule, turns, onCall, people }: Situation,
): { chosen: Candidate | undefined; why: string } {
  const turn = (one: Candidate) => turns.get(one.id) ?? 0;
  const load = (one: Candidate) => (rule.load === 'weight' ? one.weight : one.open);
  switch (pick) {
    case 'round_robin': {
      const chosen = first(able, turn);
      const last = first(
        people.filter((one) => turns.has(one.id)),
        (one) => -turn(one),
      );
      return {
        chosen,
        why: `Round robin: ${chosen?.name}${last ? ` is next, after ${last.name}` : ' begins'}.`,
      };
    }
    case 'least_loaded': {
      const chosen = first(able, load, turn);
      const has = rule.load === 'weight' ? `a load of ${chosen?.weight}` : `${chosen?.open} open`;
      return { chosen, why: `Least loaded: ${chosen?.name} with ${has}.` };
    }
    case 'on_call': {
      const order = team === null ? [] : onCall(team);
      const chosen = order.map((id) => able.find((one) => one.id === id)).find((one) => one !== undefined);
      const standsIn = chosen?.id !== order[0] ? ' stands in' : '';
      return { chosen, why: `On call: ${chosen?.name}${standsIn}.` };
    }
    default:
      return pick satisfies never;
  }
}

/** The one with the least; of equals, the least of the next measure, then who has been here longest. */
function first(
  list: readonly Candidate[],
  ...measures: ((one: Candidate) => number)[]
): Candidate | undefined {
  const compare = (a: Candidate, b: Candidate): number => {
    for (const measure of measures) if (measure(a) !== measure(b)) return measure(a) - measure(b);
    return 0;
  };
  return [...list].sort(compare)[0];
}
