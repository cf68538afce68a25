// The state of a ticket as an emoji on the message that it came from. A mark is a courtesy: what Slack refuses is let
// be, and only what changes is called for.
import type { Destination } from '../../src/notify/channel.ts';
import type { StatusKind } from '../../src/tickets/workflow.ts';
import { STATE_MARKS } from './blocks.ts';
import { isTokenLost, type Room, slackError } from './host.ts';

/** `before`: the mark that stands there; null when there was none yet, undefined when nobody knows. */
export async function markState(
  room: Room,
  { channel = '', thread: timestamp = '' }: Destination['at'],
  kind: StatusKind,
  before: string | null | undefined,
): Promise<string> {
  const wanted = STATE_MARKS[kind];
  if (before === wanted) return wanted;
  const { reactions } = room.client;
  const stale = before === undefined ? Object.values(STATE_MARKS) : [before ?? wanted];
  await reactions.add({ channel, timestamp, name: wanted }).catch(unlessRefused);
  for (const name of stale)
    if (name !== wanted) await reactions.remove({ channel, timestamp, name }).catch(unlessRefused);
  return wanted;
}

function unlessRefused(error: unknown): void {
  if (slackError(error) === undefined || isTokenLost(error)) throw error;
}
