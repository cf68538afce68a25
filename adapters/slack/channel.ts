// What the desk says, carried into Slack: words into threads, cards into triage channels, notices to persons. Each
// message carries the id of its delivery in its metadata, so that after a crash Slack can be asked whether it is there.
import { createHash } from 'node:crypto';
import { systemCtx } from '../../src/context.ts';
import { Refusal } from '../../src/errors.ts';
import type { Channel, Delivery, Destination, Receipt, Sending } from '../../src/notify/channel.ts';
import { later } from '../../src/notify/channel.ts';
import { identitiesOf } from '../../src/people/identities.ts';
import { isSilent, triageChannels } from '../../src/places/channels.ts';
import { type Drawing, saying } from './blocks.ts';
import { drawCard, drawNotice, drawPost } from './drawings.ts';
import { type Going, opened, shareFiles } from './files.ts';
import { type Host, isTokenLost, type Room, slackError } from './host.ts';
import { loseToken } from './losing.ts';
import { markState } from './marks.ts';
import { conversationAt, type Said } from './said.ts';

const EVENT = 'switchboard_delivery';
const FILE_TRIES = 3;
/** Ours, and nobody's words or files. */
const isNotice = ({ message }: Delivery): boolean => !message.comment && !message.attachments.length;

/** Never, however often it is tried. */
const FINAL = new Set([
  'channel_not_found',
  'is_archived',
  'user_not_found',
  'users_not_found',
  'user_disabled',
  'cannot_dm_bot',
  'not_in_channel',
  'thread_not_found',
  'restricted_action',
  'missing_scope',
  'no_permission',
  'cant_update_message',
  'cant_delete_message',
  'edit_window_closed',
  'invalid_blocks',
  'msg_too_long',
]);

async function roomOf(host: Host, delivery: Delivery): Promise<Room> {
  const room = await host.room(delivery.to.at.workspace ?? '');
  // Another company's workspace is no place for this ticket, whatever the destination says.
  if (!room || room.company !== delivery.company)
    throw new Refusal('unknown', 'slack.workspace', 'The workspace is not connected.');
  if (room.workspace.state !== 'active')
    throw new Refusal('refused', 'slack.token', `The workspace needs attention: ${room.workspace.reason}.`);
  return room;
}

/** Slack's refusals as the delivery queue understands them. */
async function translated<T>(host: Host, room: Room, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, retryAfter } = error as { code?: string; retryAfter?: number };
    if (code === 'slack_webapi_rate_limited_error') throw later(retryAfter ?? 30);
    if (isTokenLost(error)) {
      await loseToken(host, room, error);
      throw new Refusal('refused', 'slack.token', 'Slack refuses our token.', { cause: error });
    }
    const word = slackError(error);
    if (word === 'ratelimited') throw later(30);
    if (word && FINAL.has(word))
      throw new Refusal('refused', `slack.${word}`, `Slack refused: ${word}.`, { cause: error });
    throw error;
  }
}

const companyCtx = (host: Host, company: string) =>
  systemCtx({ log: host.log, now: host.now }, company, 'slack');

/** A person's destination has no channel yet: their direct conversation. */
async function channelOf(room: Room, { at }: Destination): Promise<string> {
  if (at.channel) return at.channel;
  const user = at.user ?? '';
  const opened = await room.client.conversations.open({ users: user }).catch((error) => {
    // Without the scope for it, Slack still takes the person for the place.
    if (slackError(error) !== 'missing_scope') throw error;
    return { channel: undefined };
  });
  return opened.channel?.id ?? user;
}

const receiptOf = (channel: string, ts: string, thread?: string, more = {}): Receipt => ({
  ids: { channel, ts, ...(thread ? { thread } : {}), ...more },
});

const isQuiet = async ({ audience, company, to }: Delivery): Promise<boolean> =>
  audience === 'public' && (await isSilent(company, 'slack', to.at));

export function slackChannel(host: Host): Channel {
  async function post(room: Room, delivery: Delivery, drawing: Drawing): Promise<Receipt> {
    const channel = await channelOf(room, delivery.to);
    const { thread } = delivery.to.at;
    const going = await opened(host, delivery.company, delivery.message.attachments);
    const answer = await room.client.chat.postMessage({
      channel,
      ...drawing,
      ...(thread ? { thread_ts: thread } : {}),
      unfurl_links: false,
      unfurl_media: false,
      metadata: {
        event_type: EVENT,
        event_payload: {
          delivery: delivery._id,
          audience: delivery.audience,
          ...(delivery.ticket ? { ticket: delivery.ticket } : {}),
        },
      },
    });
    const ts = answer.ts ?? '';
    await share(room, delivery, { channel: answer.channel ?? channel, thread: thread ?? ts }, going);
    return receiptOf(answer.channel ?? channel, ts, thread);
  }

  /** The words are out: what goes wrong with the files is tried again here, and then said there. */
  async function share(
    room: Room,
    delivery: Delivery,
    place: { channel: string; thread: string },
    going: readonly Going[],
  ): Promise<void> {
    if (!going.length) return;
    for (let left = FILE_TRIES; ; left -= 1) {
      try {
        return await shareFiles(room, place, going);
      } catch (error) {
        if (isTokenLost(error)) throw error;
        if (left > 1) continue;
        host.log.warn({ err: error, delivery: delivery._id }, 'files did not go along');
      }
      const names = going.map(({ attachment }) => attachment.name).join(', ');
      const words = saying(`Slack did not take ${names}: it is on the ticket's page.`);
      await room.client.chat.postMessage({ channel: place.channel, thread_ts: place.thread, ...words });
      return;
    }
  }

  /** Whoever said it died before its files went along. */
  async function shareLate(
    room: Room,
    delivery: Delivery,
    place: { channel: string; thread: string },
    there: readonly Said[],
  ): Promise<void> {
    const names = there.filter((one) => one.bot_id === room.botId).flatMap((one) => one.files ?? []);
    const going = await opened(host, delivery.company, delivery.message.attachments);
    const missing = going.filter(({ attachment }) => !names.some((one) => one.name === attachment.name));
    await share(room, delivery, place, missing);
  }

  async function card(room: Room, delivery: Delivery, { ticket, original }: Sending): Promise<Receipt> {
    if (!ticket) return original ? remove(room, original) : receiptOf('', '');
    const drawing = await drawCard(host, ticket, delivery.audience);
    const { thread } = delivery.to.at;
    // The card that opened a thread stands at its head.
    const known =
      original?.ids ??
      (delivery.audience === 'internal' && thread
        ? { channel: delivery.to.at.channel, ts: thread }
        : undefined);
    const isPublic = delivery.audience === 'public';
    const before = original ? original.ids.mark : null;
    const more: Record<string, string> = {};
    if (isPublic && thread) more.mark = await markState(room, delivery.to.at, ticket.statusKind, before);
    if (await isQuiet(delivery)) return { ids: more };
    // Most of what happens inside the desk changes nothing of what the public sees.
    if (isPublic) more.drawn = createHash('sha1').update(JSON.stringify(drawing)).digest('hex');
    if (original?.ids.ts && more.drawn && original.ids.drawn === more.drawn)
      return { ids: { ...original.ids, ...more } };
    if (known?.channel && known.ts) {
      try {
        await room.client.chat.update({ channel: known.channel, ts: known.ts, ...drawing });
        return receiptOf(known.channel, known.ts, thread, more);
      } catch (error) {
        if (slackError(error) !== 'message_not_found') throw error;
      }
    }
    const receipt = await post(room, delivery, drawing);
    if (isPublic || thread) return { ids: { ...receipt.ids, ...more } };
    const { channel = '', ts = '' } = receipt.ids;
    const { id, at } = conversationAt(room, channel, ts, 'internal');
    return { ...receipt, opens: { id, audience: 'internal', at } };
  }

  async function remove(room: Room, original: Receipt): Promise<Receipt> {
    const { channel = '', ts = '' } = original.ids;
    await room.client.chat.delete({ channel, ts }).catch((error) => {
      if (slackError(error) !== 'message_not_found') throw error;
    });
    return original;
  }

  async function send(delivery: Delivery, sending: Sending): Promise<Receipt> {
    const room = await roomOf(host, delivery);
    return translated(host, room, async () => {
      switch (delivery.kind) {
        case 'post':
          if (isNotice(delivery) && (await isQuiet(delivery))) return receiptOf('', '');
          return post(room, delivery, await drawPost(host, delivery));
        case 'notice':
          return post(room, delivery, await drawNotice(host, delivery));
        case 'card':
          return card(room, delivery, sending);
        case 'delete':
          return sending.original ? remove(room, sending.original) : receiptOf('', '');
        case 'edit': {
          const { channel = '', ts = '' } = sending.original?.ids ?? {};
          await room.client.chat.update({ channel, ts, ...(await drawPost(host, delivery)) });
          return sending.original ?? receiptOf(channel, ts);
        }
        default:
          return delivery.kind satisfies never;
      }
    });
  }

  /** Is it there already? Looks at the newest messages of the thread, or of the channel. */
  async function find(delivery: Delivery): Promise<Receipt | null> {
    if (delivery.kind !== 'post' && delivery.kind !== 'notice' && delivery.kind !== 'card') return null;
    const room = await roomOf(host, delivery);
    return translated(host, room, async () => {
      const channel = await channelOf(room, delivery.to);
      const { thread } = delivery.to.at;
      const since = String(delivery.createdAt.getTime() / 1000 - 60);
      const answer = thread
        ? await room.client.conversations.replies({
            channel,
            ts: thread,
            oldest: since,
            limit: 200,
            include_all_metadata: true,
          })
        : await room.client.conversations.history({
            channel,
            oldest: since,
            limit: 200,
            include_all_metadata: true,
          });
      const there = (answer.messages ?? []) as Said[];
      const found = there.find((one) => one.metadata?.event_payload?.delivery === delivery._id);
      if (!found) return null;
      await shareLate(room, delivery, { channel, thread: thread ?? found.ts }, there);
      const receipt = receiptOf(channel, found.ts, thread);
      if (delivery.kind !== 'card' || delivery.audience === 'public' || thread) return receipt;
      const { id, at } = conversationAt(room, channel, found.ts, 'internal');
      return { ...receipt, opens: { id, audience: 'internal', at } };
    });
  }

  return {
    surface: 'slack',
    kinds: ['post', 'edit', 'delete', 'card', 'notice'],
    send,
    find,
    endpoint: ({ at }) => `${at.workspace ?? ''}:${at.channel ?? at.user ?? ''}`,
    // Slack takes about a message a second in one channel; order is kept by sending one after the other.
    abreast: 1,
    patienceMs: 20_000,
    async reach(company, person) {
      const all = await identitiesOf(companyCtx(host, company), person.id);
      for (const one of all.filter(({ provider }) => provider === 'slack')) {
        const room = await host.room(one.workspace).catch(() => undefined);
        if (room?.company === company && room.workspace.state === 'active')
          return { workspace: one.workspace, user: one.externalId };
      }
      return null;
    },
    async rooms({ company, desk }) {
      const found = await triageChannels(company, desk);
      return found
        .filter((one) => one.workspace.startsWith('slack:'))
        .map((one) => ({
          audience: 'internal' as const,
          at: { workspace: one.workspace.slice('slack:'.length), channel: one.external },
        }));
    },
  };
}
