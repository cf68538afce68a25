// What Slack says of a user, and whom we know by it. People from outside are marked as such, and what another workspace
// says of its people proves nothing here.
import type { Actor } from '../../src/context.ts';
import { type Profile, personFor } from '../../src/people/identities.ts';
import { type Host, type Room, slackError } from './host.ts';

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
  const asked = room.client.users.info({ user }).then(
    (answer) => profileOf((answer.user ?? {}) as SlackUser, room.workspace.external, user),
    (error) => {
      // Nobody that we may know of: heard all the same, as somebody of whom nothing is proven. Any other error may pass.
      if (!['user_not_found', 'user_not_visible'].includes(slackError(error) ?? '')) throw error;
      return { ...profileOf({}, room.workspace.external, user), guest: true };
    },
  );
  asked.catch(() => kept.delete(key));
  kept.set(key, { profile: asked, until: performance.now() + KEPT_MS });
  host.log.debug({ workspace: room.workspace.id }, 'asked slack for a profile');
  return asked;
}

export const forgetProfile = (room: Room, user: string): void => void kept.delete(`${room.token}:${user}`);

/** Who this user is, if they are known here already. */
export const known = (room: Room, user: string): Promise<Actor | null> =>
  personFor(room.company, 'slack', room.workspace.external, user);
