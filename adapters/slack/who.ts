// Who speaks: a Slack user to one of our people, by the verified address of their profile or a code they proved; never
// by a display name. Guests and people of other workspaces (Slack Connect) are contacts, whatever their address says.
import { type Actor, systemCtx } from '../../src/context.ts';
import { meet } from '../../src/people/identities.ts';
import { reviewStanding } from './agents.ts';
import type { Host, Room } from './host.ts';
import { known, profile } from './profiles.ts';

/** Who this user is; a first word makes them known. */
export async function whoIs(host: Host, room: Room, user: string): Promise<Actor> {
  const ctx = systemCtx({ log: host.log, now: host.now }, room.company, 'slack');
  const actor = (await known(room, user)) ?? (await meet(ctx, await profile(host, room, user)));
  if (!(await reviewStanding(host, room, user, actor))) return actor;
  return (await known(room, user)) ?? actor;
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
