// Who speaks: a Slack user to one of our people, by the verified address of their profile or a code they proved; never
// by a display name. Guests and people of other workspaces (Slack Connect) are contacts, whatever their address says.
import { type Actor, systemCtx } from '../../src/context.ts';
import { meet, type Profile, personFor } from '../../src/people/identities.ts';
import type { Host, Room } from './host.ts';

interface SlackUser {
  id?: string;
  team_id?: string;
  deleted?: boolean;
  is_bot?: boolean;
  is_restricted?: boolean;
  is_ultra_restricted?: boolean;
  is_stranger?: boolean;
  is_email_confirmed?: boolean;
  profile?: { email?: string; real_name?: string; display_name?: string };
  name?: string;
}

export const isOutsider = (user: SlackUser, team: string): boolean =>
  Boolean(user.is_restricted || user.is_ultra_restricted || user.is_stranger) ||
  (user.team_id !== undefined && user.team_id !== team);

export function profileOf(user: SlackUser, team: string, id: string): Profile {
  const outsider = isOutsider(user, team);
  return {
    provider: 'slack',
    workspace: team,
    externalId: id,
    name: user.profile?.real_name || user.profile?.display_name || user.name || 'Somebody',
    // What another workspace says of its people proves nothing here.
    email: outsider && user.team_id !== team ? null : (user.profile?.email ?? null),
    // Slack leaves the word out where there is nothing to say; only a plain no means that nobody proved the address.
    emailVerified: user.is_email_confirmed !== false,
    guest: outsider,
  };
}

const KEPT_MS = 60_000;
const MOST = 2_000;
const kept = new Map<string, { profile: Promise<Profile>; until: number }>();

/** What Slack says of a user, kept for a minute. */
export function profile(host: Host, room: Room, user: string): Promise<Profile> {
  const key = `${room.token}:${user}`;
  const known = kept.get(key);
  if (known && known.until > performance.now()) return known.profile;
  if (kept.size > MOST) kept.clear();
  const asked = room.client.users
    .info({ user })
    .then((answer) => profileOf((answer.user ?? {}) as SlackUser, room.workspace.external, user));
  asked.catch(() => kept.delete(key));
  kept.set(key, { profile: asked, until: performance.now() + KEPT_MS });
  host.log.debug({ workspace: room.workspace.id }, 'asked slack for a profile');
  return asked;
}

export const forgetProfile = (room: Room, user: string): void => void kept.delete(`${room.token}:${user}`);

/** Who this user is, if they are known here already. */
export const known = (room: Room, user: string): Promise<Actor | null> =>
  personFor(room.company, 'slack', room.workspace.external, user);

/** Who this user is; a first word makes them known. */
export async function whoIs(host: Host, room: Room, user: string): Promise<Actor> {
  const actor = await known(room, user);
  if (actor) return actor;
  const ctx = systemCtx({ log: host.log, now: host.now }, room.company, 'slack');
  return meet(ctx, await profile(host, room, user));
}

/** What people are called in a text: `<@U1>` to a name, all of them asked at once. */
export async function namesIn(
  host: Host,
  room: Room,
  text: string,
): Promise<{ user: (id: string) => string | undefined; ids: string[] }> {
  const ids = [...new Set([...text.matchAll(/<@([A-Z0-9]+)/g)].map((match) => String(match[1])))].slice(
    0,
    30,
  );
  const names = new Map<string, string>();
  await Promise.all(
    ids.map(async (id) => {
      const found = id === room.botUser ? null : await profile(host, room, id).catch(() => null);
      names.set(id, found?.name ?? (id === room.botUser ? 'Switchboard' : 'someone'));
    }),
  );
  return { user: (id) => names.get(id), ids };
}
