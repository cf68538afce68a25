// Agents by the private triage channel that they belong to, where a desk wants it so. Only people of this very workspace
// who have an account here: no guest, nobody of another workspace, and nothing by a channel that is not private.
import { type Actor, systemCtx } from '../../src/context.ts';
import { atLeast } from '../../src/people/access.ts';
import { member } from '../../src/people/members.ts';
import { standBy } from '../../src/people/standing.ts';
import { agentChannels } from '../../src/places/channels.ts';
import { type Host, isTokenLost, type Room } from './host.ts';
import { profile } from './profiles.ts';

const KEPT_MS = 5 * 60_000;
const MOST_PAGES = 25;
const kept = new Map<string, { members: Promise<ReadonlySet<string> | null>; until: number }>();
const keyOf = (room: Room, channel: string): string => `${room.token}:${channel}`;

export const forgetMembers = (room: Room, channel: string): void => void kept.delete(keyOf(room, channel));

/** Who belongs to a channel; null while Slack does not say. A channel that others can see into has no members here. */
function membersOf(host: Host, room: Room, channel: string): Promise<ReadonlySet<string> | null> {
  const key = keyOf(room, channel);
  const before = kept.get(key);
  if (before && before.until > performance.now()) return before.members;
  const members = readMembers(room, channel).catch((error) => {
    kept.delete(key);
    if (isTokenLost(error)) throw error;
    host.log.warn({ reason: String(error), channel }, 'slack does not say who belongs to a triage channel');
    return null;
  });
  kept.set(key, { members, until: performance.now() + KEPT_MS });
  return members;
}

async function readMembers(room: Room, channel: string): Promise<ReadonlySet<string>> {
  const { conversations } = room.client;
  const { channel: place } = await conversations.info({ channel });
  const all = new Set<string>();
  if (!place?.is_private || place.is_ext_shared || place.is_pending_ext_shared) return all;
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const answer = await conversations.members({ channel, limit: 200, ...(cursor ? { cursor } : {}) });
    for (const one of answer.members ?? []) all.add(one);
    cursor = answer.response_metadata?.next_cursor || undefined;
    if (!cursor) return all;
  }
  return all;
}

/** Brings what somebody is here in line with the channels they belong to. True when it changed. */
export async function reviewStanding(host: Host, room: Room, user: string, actor: Actor): Promise<boolean> {
  if (actor.kind !== 'user') return false;
  const channels = await agentChannels(room.workspace);
  if (!channels.length) return false;
  const by = (await member(actor.id))?.agentBy ?? [];
  // An agent by an administrator's word needs no channel.
  if (atLeast(actor.role, 'agent') && !by.length) return false;
  const ctx = systemCtx({ log: host.log, now: host.now }, room.company, 'slack');
  let changed = false;
  for (const { id, external } of channels) {
    const members = await membersOf(host, room, external);
    if (!members) continue;
    const belongs = members.has(user) && !(await profile(host, room, user)).guest;
    if (belongs === by.includes(id)) continue;
    changed = (await standBy(ctx, actor.id, id, belongs)) || changed;
  }
  return changed;
}
