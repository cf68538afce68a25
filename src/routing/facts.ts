// All that a choice is made from, read in a few trips for a whole batch: rules, people, what they have in hand, teams,
// rotas. What was chosen is counted in at once, so that the next choice of the batch knows of it.
import { createHash } from 'node:crypto';
import { activeTeams, colleagues } from '../people/members.ts';
import { loadsOf } from '../tickets/waiting.ts';
import { presencesOf } from './absence.ts';
import { type Book, turnsOf } from './book.ts';
import type { StoredPresence } from './model.ts';
import { ordersNow } from './rotas.ts';
import { type Candidate, limitOf, type Situation } from './routing.ts';
import { type Rule, teamsOnly } from './rule.ts';
import { automaticRules } from './rules.ts';

export interface Facts {
  company: string;
  now: Date;
  rules: ReadonlyMap<string, Rule>;
  presences: readonly StoredPresence[];
  people: Candidate[];
  teams: Situation['teams'];
  onCall: Situation['onCall'];
  /** By desk; counted on while the batch is made. */
  turns: Map<string, Map<string, number>>;
  last: number;
  orders: ReadonlyMap<string, readonly string[]>;
}

export async function readFacts(book: Book, now: Date): Promise<Facts> {
  const company = book._id;
  const [rules, staff, presences, teams, orders] = await Promise.all([
    automaticRules(company),
    colleagues(company),
    presencesOf(company),
    activeTeams(company),
    ordersNow(company, now),
  ]);
  const loads = await loadsOf(
    company,
    staff.map(({ id }) => id),
  );
  const said = new Map(presences.map((one) => [one._id, one]));
  const people = staff.map(({ id, fullName, username, role, teams, skills }): Candidate => {
    const presence = said.get(id);
    const away = presence?.away && (presence.until === null || presence.until > now);
    return {
      ...{ id, name: fullName ?? username, role, teams, skills },
      away: away ? (presence.until ?? 'until further notice') : null,
      capacity: presence?.capacity ?? null,
      ...(loads.get(id) ?? { open: 0, weight: 0 }),
    };
  });
  return {
    ...{ company, now, rules, presences, people },
    teams: teams.map(({ _id, ...team }) => ({ id: _id, ...team })),
    onCall: (team) => orders.get(team) ?? [],
    turns: new Map([...rules.keys()].map((desk) => [desk, turnsOf(book, desk)])),
    last: book.last,
    orders,
  };
}

/** As long as it is the same, who could not get a ticket cannot get it now. Within a batch there is only ever less room. */
export function markOf({ rules, people, teams, orders }: Facts): string {
  const able = people.map((one) => {
    const { weight: _, open, capacity: __, ...facts } = one;
    return [facts, ...[...rules.values()].map((rule) => open < (limitOf(one, rule) ?? open + 1))];
  });
  return createHash('sha256')
    .update(JSON.stringify([...rules, able, teams, ...orders]))
    .digest('base64url');
}

export const situationOf = (facts: Facts, desk: string, rule: Rule): Situation => ({
  ...{ rule, people: facts.people, teams: facts.teams, onCall: facts.onCall },
  turns: facts.turns.get(desk) ?? new Map(),
});

/** Whether anybody of these could take one more, as far as limits and absence go. */
const isRoom = (people: readonly Candidate[], rule: Rule): boolean =>
  people.some((one) => {
    const limit = limitOf(one, rule);
    return !(rule.skipAway && one.away) && (limit === null || one.open < limit);
  });

/** The teams (null: none) whose waiting tickets are worth a look. */
export function lanesOf({ people, teams }: Facts, rule: Rule): (string | null)[] {
  if (teamsOnly(rule)) return [null];
  if (!isRoom(people, rule)) return choosesTeams(rule) ? [null] : [];
  const open = teams
    .map(({ id }) => id)
    .filter((id) =>
      isRoom(
        people.filter((one) => one.teams.includes(id)),
        rule,
      ),
    );
  return [null, ...open];
}
const choosesTeams = ({ strategy }: Rule): boolean => strategy === 'by_category' || strategy === 'best_fit';

/** One more in these hands. Returns the turn that it was and the one before. */
export function give(
  facts: Facts,
  desk: string,
  user: string,
  ticket: { priorityRank: number },
): { turn: number; before: number | null } {
  const one = facts.people.find(({ id }) => id === user);
  if (one) {
    one.open += 1;
    one.weight += ticket.priorityRank;
  }
  const turns = facts.turns.get(desk) ?? new Map<string, number>();
  facts.turns.set(desk, turns);
  const before = turns.get(user) ?? null;
  facts.last += 1;
  turns.set(user, facts.last);
  return { turn: facts.last, before };
}
