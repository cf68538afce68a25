// What happens in Slack without anybody pressing anything of ours, and which room hears it. All of it comes from the
// inbox, in the order of its thread.
import type { App } from '@slack/bolt';
import { recheck } from '../../src/people/identities.ts';
import { agentChannels } from '../../src/places/channels.ts';
import { forgetMembers } from './agents.ts';
import { saying } from './blocks.ts';
import { answering, deskCtx, hearing } from './call.ts';
import { type Background, type Body, record, word } from './door.ts';
import { publishHome } from './home.ts';
import { type Host, isTokenLost, type Room, slackError } from './host.ts';
import { loseToken, loseWorkspace } from './losing.ts';
import { hearMessage } from './messages.ts';
import { forgetProfile, profile } from './profiles.ts';
import { hearMention, hearReaction } from './reactions.ts';
import { unfurl } from './unfurls.ts';
import { whoIs } from './who.ts';

export function hearEvents(app: App, host: Host): void {
  app.event(
    'message',
    hearing(host, (room, { body }, background) =>
      hearMessage(host, room, body as unknown as Body, background),
    ),
  );
  app.event(
    'app_mention',
    answering(host, (call, { body }) => hearMention(call, body as unknown as Body)),
  );
  app.event(
    'reaction_added',
    answering(host, (call, { body }) => hearReaction(call, body as unknown as Body)),
  );
  app.event(
    'app_home_opened',
    answering(host, async (call, { body }) => {
      if (record((body as unknown as Body).event).tab === 'home') await publishHome(call);
    }),
  );
  app.event(
    'link_shared',
    answering(host, (call, { body }) => unfurl(call, body as unknown as Body)),
  );
  app.event(
    'user_change',
    hearing(host, (room, { body }, background) => hearChange(host, room, eventIn(body), background)),
  );
  for (const name of ['member_joined_channel', 'member_left_channel'] as const)
    app.event(
      name,
      hearing(host, (room, { body }) => hearMember(host, room, eventIn(body))),
    );
  app.event(
    'app_uninstalled',
    hearing(host, (room) => loseWorkspace(host, room)),
  );
  app.event(
    'tokens_revoked',
    hearing(host, async (room, { body }) => {
      const { tokens } = eventIn(body);
      const ours = record(tokens).bot;
      // People's own tokens are none of our business.
      if (tokens === undefined || (Array.isArray(ours) && ours.length)) await loseToken(host, room, null);
    }),
  );
}

const eventIn = (body: object): Body => record((body as Body).event);

/** A link by address ends when the address is another's; whose it was is told how to link again. */
async function hearChange(
  host: Host,
  room: Room,
  event: Body,
  background: Partial<Background>,
): Promise<void> {
  const id = word(record(event.user).id);
  if (!id) return;
  forgetProfile(room, id);
  const account = { provider: 'slack', workspace: room.workspace.external, externalId: id, name: '' };
  if (!(await recheck(deskCtx(host, room, background), account, () => profile(host, room, id)))) return;
  const words = saying(
    'Your address in Slack has changed, so this account is no longer linked to your account in Switchboard. `/ticket link` links them again.',
  );
  await room.client.chat
    .postMessage({ channel: id, ...words })
    .catch((error) => host.log.info({ reason: String(error) }, 'a person could not be told in slack'));
}

async function hearMember(host: Host, room: Room, event: Body): Promise<void> {
  const [user, channel] = [word(event.user), word(event.channel)];
  if (user === room.botUser) return introduce(room, event);
  const channels = await agentChannels(room.workspace);
  if (!channels.some((one) => one.external === channel)) return;
  forgetMembers(room, channel);
  forgetProfile(room, user);
  await whoIs(host, room, user);
}

/** Whoever brought us into a channel hears what we are good for there; nobody else is bothered. */
async function introduce(room: Room, event: Body): Promise<void> {
  const [channel, user] = [word(event.channel), word(event.inviter)];
  if (event.type !== 'member_joined_channel' || !user) return;
  const words = saying(
    `React with :ticket: to a message here, mention me in its thread, or type \`/ticket\`, and it is a ticket. In Switchboard this channel is \`${channel}\` of \`${room.workspace.id}\`: there it can be bound to a desk.`,
  );
  await room.client.chat.postEphemeral({ channel, user, ...words }).catch((error) => {
    if (slackError(error) === undefined || isTokenLost(error)) throw error;
  });
}
