// What the desk says, carried into Slack: words into threads, cards into triage channels, notices to persons. Each
// message carries the id of its delivery in its metadata, so that after a crash Slack can be asked whether it is there.
import { systemCtx } from '../../src/context.ts';
import { Refusal } from '../../src/errors.ts';
import type { Channel, Delivery, Destination, Receipt, Sending } from '../../src/notify/channel.ts';
import { later } from '../../src/notify/channel.ts';
import { identitiesOf } from '../../src/people/identities.ts';
import { triageChannels, whereIs } from '../../src/places/channels.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import { read } from '../../src/tickets/tickets.ts';
import { type Drawing, requesterCard, saying, speech, triageCard } from './blocks.ts';
import { actions, button, within } from './elements.ts';
import { factsOf } from './facts.ts';
import { shareFiles } from './files.ts';
import { type Host, isTokenLost, loseToken, type Room, slackError } from './host.ts';
import { conversationAt } from './said.ts';
import { markState } from './threads.ts';

const EVENT = 'switchboard_delivery';

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
  const { channel } = await room.client.conversations.open({ users: at.user ?? '' });
  return channel?.id ?? at.user ?? '';
}

async function drawPost(host: Host, { message, audience, company }: Delivery): Promise<Drawing> {
  if (message.comment) return speech(message.by, message.text, audience === 'internal' ? ':lock: ' : '');
  const said = saying(message.text || message.title);
  if (audience !== 'public' || !message.ticket) return said;
  const ticket = await read(companyCtx(host, company), message.ticket.id).catch(() => null);
  if (ticket?.statusKind !== 'resolved') return said;
  return requesterCard(await factsOf(host, ticket), message.text || 'This is resolved.');
}

async function drawNotice(host: Host, { message, audience, company }: Delivery): Promise<Drawing> {
  const said = saying(`**${message.title.replace(/[*_`[\]]/g, '')}**\n${message.text}`);
  if (!message.ticket) return said;
  const ticket = await read(companyCtx(host, company), message.ticket.id).catch(() => null);
  if (!ticket) return said;
  const facts = await factsOf(host, ticket);
  if (audience === 'internal')
    return {
      text: said.text,
      blocks: within(
        [...said.blocks, actions(`notice:${ticket._id}`, [button('ticket_show', 'Show', ticket._id)])],
        50,
      ),
    };
  const card = requesterCard(facts, '');
  return { text: said.text, blocks: within([...said.blocks, ...card.blocks], 50) };
}

const drawCard = async (host: Host, ticket: Ticket, audience: Delivery['audience']): Promise<Drawing> => {
  const facts = await factsOf(host, ticket);
  return audience === 'internal' ? triageCard(facts) : requesterCard(facts);
};

const receiptOf = (channel: string, ts: string, thread?: string): Receipt => ({
  ids: { channel, ts, ...(thread ? { thread } : {}) },
});

/** A channel may want no notices of ours, only what people say. */
async function isSilent(room: Room, { audience, to }: Delivery): Promise<boolean> {
  return audience === 'public' && (await whereIs(room.workspace, to.at.channel)).settings.silent;
}

export function slackChannel(host: Host): Channel {
  async function post(room: Room, delivery: Delivery, drawing: Drawing): Promise<Receipt> {
    const channel = await channelOf(room, delivery.to);
    const { thread } = delivery.to.at;
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
    if (delivery.message.attachments.length)
      await shareFiles(
        host,
        room,
        delivery.company,
        { channel, thread: thread ?? ts },
        delivery.message.attachments,
      ).catch((error) => host.log.warn({ err: error, delivery: delivery._id }, 'files did not go along'));
    return receiptOf(answer.channel ?? channel, ts, thread);
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
    if (isPublic && thread) await markState(room, delivery.to, ticket.statusKind);
    if (isPublic && (await isSilent(room, delivery))) return receiptOf('', '');
    if (known?.channel && known.ts) {
      try {
        await room.client.chat.update({ channel: known.channel, ts: known.ts, ...drawing });
        return receiptOf(known.channel, known.ts, thread);
      } catch (error) {
        if (slackError(error) !== 'message_not_found') throw error;
      }
    }
    const receipt = await post(room, delivery, drawing);
    if (isPublic || thread) return receipt;
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
          if (!delivery.message.comment && (await isSilent(room, delivery))) return receiptOf('', '');
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
      const found = (answer.messages ?? []).find((one) => {
        const payload = (one as { metadata?: { event_payload?: { delivery?: unknown } } }).metadata
          ?.event_payload;
        return payload?.delivery === delivery._id;
      });
      if (!found?.ts) return null;
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
