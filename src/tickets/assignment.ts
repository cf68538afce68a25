// Who may hand a ticket to whom. Pure. An agent takes what nobody has and puts back what is theirs; a lead moves work
// among the members of their teams; a manager moves any to anybody.
import { may, type Who } from '../people/access.ts';

/** One end of a handover: who has the ticket, in which teams they are, and which team has it. */
export interface Holder {
  user: string | null;
  /** The teams of that user. */
  teams: readonly string[];
  team: string | null;
}

export function mayHandOver(who: Who, from: Holder, to: Holder): boolean {
  if (who.kind === 'system' || may(who, 'ticket.assign_any')) return true;
  if (may(who, 'ticket.assign_team') && isOfLead(who, from, to)) return true;
  if (!may(who, 'ticket.take') || from.team !== to.team) return false;
  if (from.user === to.user) return true;
  return to.user === who.id ? from.user === null : to.user === null && from.user === who.id;
}

function isOfLead(who: Who, from: Holder, to: Holder): boolean {
  const own = (team: string | null) => team !== null && who.teams.includes(team);
  const ofMine = ({ user, teams }: Holder) => user === null || user === who.id || teams.some(own);
  const takesFrom = from.user === to.user || ofMine(from) || own(from.team);
  const givesTo = from.user === to.user || ofMine(to);
  const movesTeam =
    from.team === to.team || ((from.team === null || own(from.team)) && (to.team === null || own(to.team)));
  return takesFrom && givesTo && movesTeam;
}

/** In words, for the refusal. */
export const HANDOVER_RULE =
  'Agents take tickets that nobody has, and put back their own; leads move them among their teams, managers to anybody.';
