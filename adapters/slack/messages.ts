// Words that reach us: in the thread of a ticket they are its words; elsewhere they may become one, by themselves, after
// a question, or because somebody turned to us directly.
import type { Ctx } from '../../src/context.ts';
import { atLeast } from '../../src/people/access.ts';
import { whereIs } from '../../src/places/channels.ts';
import { wouldFile } from '../../src/places/place.ts';
import { ticketIn } from '../../src/tickets/conversations.ts';
import { read } from '../../src/tickets/tickets.ts';
import { saying } from './blocks.ts';
import { callFor, deskCtx } from './call.ts';
import { type Background, type Body, record, word } from './door.ts';
import { fileFromMessage } from './filing.ts';
import type { Host, Room } from './host.ts';
import { askToFile } from './nudges.ts';
import { conversationAt, messageAt, type Said } from './said.ts';
import { hearDeletion, hearEdit, hearReply } from './threads.ts';
import { whoIs } from './who.ts';

export async function hearMessage(
  host: Host,
  room: Room,
  body: Body,
  background: Partial<Background>,
): Promise<void> {
  const event = record(body.event);
  const channel = word(event.channel);
  const ctx = deskCtx(host, room, background);
  if (event.subtype === 'message_changed')
    return hearEdit(
      host,
      room,
      channel,
      record(event.message) as unknown as Said,
      event.previous_message as Said,
      ctx,
    );
  if (event.subtype === 'message_deleted')
    return hearDeletion(host, room, channel, word(event.deleted_ts), event.previous_message as Said, ctx);
  const said = event as unknown as Said;
  const root = said.thread_ts ?? said.ts;
  const conversation = conversationAt(room, channel, root);
  const ticket = await ticketIn(room.company, conversation.id);
  if (ticket && said.ts !== root) {
    const bound = ticket.conversations.find((one) => one.id === conversation.id) ?? conversation;
    return hearReply(host, room, ticket, bound, said, ctx);
  }
  // Its first word, told a second time: it is the description. What was begun with it and broke off is finished.
  if (ticket && !ctx.redo) return;
  if (event.channel_type === 'im' || channel.startsWith('D')) {
    if (!(await hearAnswer(host, room, channel, said, ctx))) await hearDirect(host, room, body, background);
    return;
  }
  if (said.thread_ts && said.thread_ts !== said.ts) return;
  await maybeFile(host, room, body, background, said, ticket !== null);
}

/** An answer below something that we told somebody directly belongs to the ticket that it was about. */
async function hearAnswer(host: Host, room: Room, channel: string, said: Said, ctx: Ctx): Promise<boolean> {
  if (!said.thread_ts || said.thread_ts === said.ts) return false;
  const first = (await messageAt(room, channel, said.thread_ts))?.root;
  const { ticket: about, audience } = first?.metadata?.event_payload ?? {};
  if (typeof about !== 'string' || first?.bot_id !== room.botId) return false;
  const ticket = await read(ctx, about);
  const inner = audience === 'internal' ? 'internal' : 'public';
  await hearReply(host, room, ticket, conversationAt(room, channel, said.thread_ts, inner), said, ctx);
  return true;
}

/** A direct word to us is a private request, unless it is a greeting. */
async function hearDirect(
  host: Host,
  room: Room,
  body: Body,
  background: Partial<Background>,
): Promise<void> {
  const event = record(body.event);
  const call = await callFor(host, body, background);
  const text = word(event.text).trim();
  const verdict = wouldFile(text, { escapes: [], mode: 'auto' }, { bot: false, agent: false });
  const hasFiles = Array.isArray(event.files) && event.files.length > 0;
  if (!verdict.file && !hasFiles) {
    await room.client.chat.postMessage({
      channel: word(event.channel),
      ...saying(
        'Hello. Tell me in a sentence what you need, and I open a private ticket for it. `/ticket help` says what else I can do.',
      ),
    });
    return;
  }
  const said = event as unknown as Said;
  await fileFromMessage(call, { channel: word(event.channel), ts: said.ts, said, isPrivate: true });
}

async function maybeFile(
  host: Host,
  room: Room,
  body: Body,
  background: Partial<Background>,
  said: Said,
  isFiled: boolean,
): Promise<void> {
  const channel = word(record(body.event).channel);
  const where = await whereIs(room.workspace, channel);
  if (!where.channel || where.settings.mode === 'manual' || where.settings.role !== 'requests' || !said.user)
    return;
  // Whoever calls us by name is heard by that event.
  if (word(said.text).includes(`<@${room.botUser}>`)) return;
  const actor = await whoIs(host, room, said.user);
  const verdict = wouldFile(word(said.text), where.settings, {
    bot: Boolean(said.bot_id),
    agent: atLeast(actor.role, 'agent'),
  });
  if (!verdict.file) return;
  if (where.settings.mode === 'nudge')
    return isFiled
      ? undefined
      : askToFile(room, deskCtx(host, room, background), channel, said.user, said.ts);
  await fileFromMessage(await callFor(host, body, background), { channel, ts: said.ts, said });
}
