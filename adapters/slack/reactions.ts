// A mention, an emoji, a question why: done to a message that stands there already, by somebody who meant us.
import { atLeast } from '../../src/people/access.ts';
import { DEFAULT_EMOJIS, type EmojiDeed, wouldFile } from '../../src/places/place.ts';
import { claim } from '../../src/tickets/assigning.ts';
import { ticketIn } from '../../src/tickets/conversations.ts';
import { patch } from '../../src/tickets/editing.ts';
import { resolve } from '../../src/tickets/moving.ts';
import { saying } from './blocks.ts';
import type { Call } from './call.ts';
import { type Body, record, word } from './door.ts';
import { fileFromMessage } from './filing.ts';
import { conversationAt, messageAt, wordsOf } from './said.ts';
import { whoIs } from './who.ts';

export async function hearMention(call: Call, body: Body): Promise<void> {
  const event = record(body.event);
  const channel = word(event.channel);
  const text = word(event.text).replaceAll(`<@${call.room.botUser}>`, '').trim();
  const root = word(event.thread_ts) || word(event.ts);
  const ticket = await ticketIn(call.room.company, conversationAt(call.room, channel, root).id);
  // In a ticket's thread a mention is a reply like any other.
  if (ticket) return;
  if (/^why( not)?\??$/i.test(text)) return explain(call, channel, root);
  await fileFromMessage(call, { channel, ts: root });
}

/** Why did, or did not, this message become a ticket? */
export async function explain(call: Call, channel: string, ts: string): Promise<void> {
  const found = await messageAt(call.room, channel, ts);
  if (!found) return call.tell(saying('I cannot see that message.'));
  const { said } = found;
  const root = found.root.ts;
  const ticket = await ticketIn(call.room.company, conversationAt(call.room, channel, root).id);
  if (ticket) return call.tell(saying(`It is ${ticket.key}.`));
  if (said.thread_ts && said.thread_ts !== said.ts)
    return call.tell(
      saying('It is no ticket: only first messages of a thread become tickets by themselves.'),
    );
  const actor = said.user ? await whoIs(call.host, call.room, said.user) : undefined;
  const { file, why } = wouldFile(wordsOf(said), call.where.settings, {
    bot: Boolean(said.bot_id),
    agent: actor !== undefined && atLeast(actor.role, 'agent'),
  });
  const words = file
    ? `It would become a ticket now: ${why}. It was probably written before that was set up.`
    : `It is no ticket: ${why}.`;
  await call.tell(saying(words));
}

export async function hearReaction(call: Call, body: Body): Promise<void> {
  const event = record(body.event);
  const item = record(event.item);
  const [channel, ts] = [word(item.channel), word(item.ts)];
  const emojis: Record<string, EmojiDeed> = call.where.settings.emojis ?? DEFAULT_EMOJIS;
  const name = word(event.reaction).split('::')[0] ?? '';
  const deed = Object.hasOwn(emojis, name) ? emojis[name] : undefined;
  if (!deed || !ts) return;
  const isAgent = atLeast(call.ctx.actor.role, 'agent');
  if (deed.who === 'agents' && !isAgent) return;
  if (deed.deed === 'file' || deed.deed === 'file_private') {
    await fileFromMessage(call, { channel, ts, isPrivate: deed.deed === 'file_private' });
    return;
  }
  const found = await messageAt(call.room, channel, ts);
  const conversation = conversationAt(call.room, channel, found?.root.ts ?? ts);
  const ticket = await ticketIn(call.room.company, conversation.id);
  if (!ticket) return;
  switch (deed.deed) {
    case 'claim':
      await claim(call.ctx, ticket._id);
      return;
    case 'resolve':
      await resolve(call.ctx, ticket._id, {
        resolutionNotes: `Marked as solved with :${name}: by ${call.ctx.actor.name}.`,
      });
      return;
    case 'urgent':
      await patch(call.ctx, ticket._id, { priority: 'urgent' });
      return;
    default:
      deed.deed satisfies never;
  }
}
