// What the pure rules need to know of people, looked up for one entry.
import type { Entry } from '../history/entry.ts';
import { remembered } from '../memory.ts';
import { atLeast } from '../people/access.ts';
import { type Member, member } from '../people/members.ts';
import { answerable, managersOf, membersOf, triageOf, userNamed } from '../people/roster.ts';
import { onCallIn } from '../routing/rotas.ts';
import { routesByItself } from '../routing/rules.ts';
import type { Ticket } from '../tickets/ticket.ts';
import type { Names } from './messages.ts';
import { preferencesCollection } from './model.ts';
import { NO_PREFERENCES, type Preferences } from './preferences.ts';
import { type Crowd, called, eventOf, mentions, type Person } from './recipients.ts';

export interface Audience {
  crowd: Crowd;
  names: Names;
  member: (id: string) => Member | null;
}

export async function audienceOf(ticket: Ticket, entry: Entry): Promise<Audience> {
  const { company, team } = ticket;
  const event = eventOf(entry);
  const mentioned = event && entry.comment?.text ? mentions(entry.comment.text) : [];
  const wanted = called(entry);
  const [found, members, leads, managers, onCall] = await Promise.all([
    Promise.all(mentioned.map((name) => userNamed(company, name))),
    team && event ? membersOf(company, team) : [],
    event === 'sla_breach' || event === 'escalated' || event === 'sla_warning' || wanted.includes('lead')
      ? answerable(company, team)
      : event === 'created' && !team && !ticket.assignee && !(await routesByItself(company))
        ? triageOf(company)
        : [],
    wanted.includes('managers') ? managersOf(company) : [],
    wanted.includes('on_call') ? answeringIn(company, team) : [],
  ]);
  const named = found.filter((id) => id !== null);
  const touched = [
    ticket.assignee,
    ...ticket.watchers,
    ...(ticket.requester.kind === 'user' ? [ticket.requester.id] : []),
    ...((entry.fields.assignee ?? []) as (string | null)[]),
    ...members,
    ...leads,
    ...managers,
    ...onCall,
    ...wanted,
    ...named,
  ].filter((id) => typeof id === 'string');
  const people = new Map(
    await Promise.all(
      [...new Set(touched)].map(async (id): Promise<[string, Member | null]> => {
        const one = await member(id);
        return [id, one?.company === company && one.active ? one : null];
      }),
    ),
  );
  const who = (id: string) => people.get(id) ?? null;
  return {
    crowd: {
      isAgent: (id) => atLeast(who(id)?.role ?? 'customer', 'agent'),
      isActive: (id) => who(id) !== null,
      members,
      leads,
      managers,
      onCall,
      mentioned: named,
    },
    names: (id) => who(id)?.fullName ?? who(id)?.username ?? 'somebody',
    member: who,
  };
}

async function answeringIn(company: string, team: string | null): Promise<readonly string[]> {
  const onCall = team === null ? null : await onCallIn(company, team);
  return onCall ? [onCall] : answerable(company, team);
}

export const preferenceKey = (person: Person): string => `${person.kind}:${person.id}`;

const kept = remembered('user', async (key: string): Promise<Preferences> => {
  const stored = await preferencesCollection().findOne({ _id: key });
  return stored
    ? { events: stored.events, quietHours: stored.quietHours, unsubscribed: stored.unsubscribed }
    : NO_PREFERENCES;
});
export const preferencesFor = (person: Person): Promise<Preferences> => kept(preferenceKey(person));
export const forgetPreferences = (person: Person): void => kept.forget(preferenceKey(person));
