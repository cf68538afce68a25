// What happens in Slack without anybody pressing anything of ours: messages, edits, deletions, emoji, mentions, links,
// the home tab, workflow steps, installations that end. All of it comes from the inbox, in the order of its thread.
import type { App } from '@slack/bolt';
import type { Ctx } from '../../src/context.ts';
import { systemCtx } from '../../src/context.ts';
import { atLeast } from '../../src/people/access.ts';
import { whereIs } from '../../src/places/channels.ts';
import { DEFAULT_EMOJIS, type EmojiDeed, wouldFile } from '../../src/places/place.ts';
import { markWorkspace } from '../../src/places/workspaces.ts';
import { claim } from '../../src/tickets/assigning.ts';
import { ticketIn } from '../../src/tickets/conversations.ts';
import { patch } from '../../src/tickets/editing.ts';
import { resolve } from '../../src/tickets/moving.ts';
import { read } from '../../src/tickets/tickets.ts';
import { saying } from './blocks.ts';
import { answering, type Call, callFor, hearing } from './call.ts';
import type { Background, Body } from './door.ts';
import { publishHome } from './home.ts';
import type { Host, Room } from './host.ts';
import { askToFile } from './nudges.ts';
import {
  conversationAt,
  fileFromMessage,
  hearDeletion,
  hearEdit,
  hearReply,
  type Said,
  thread,
} from './threads.ts';
import { unfurl } from './unfurls.ts';
import { forgetProfile, whoIs } from './who.ts';

const record = (value: unknown): Body => (typeof value === 'object' && value !== null ? (value as Body) : {});
const word = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Events of which nobody is the actor run under the desk. */
function deskCtx(host: Host, room: Room, background: Partial<Background>): Ctx {
  const request = background.key ?? 'slack';
  return {
    ...systemCtx({ log: host.log.child({ request }), now: host.now, request }, room.company, 'slack'),
    cause: request,
    ...(background.redo ? { redo: true } : {}),
  };
}

async function hearMessage(
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
  if (ticket) {
    // Its first word, told a second time: it is the description.
    if (said.ts === root) return;
    const bound = ticket.conversations.find((one) => one.id === conversation.id) ?? conversation;
    return hearReply(host, room, ticket, bound, said, ctx);
  }
  if (event.channel_type === 'im') {
    if (!(await hearAnswer(host, room, channel, said, ctx))) await hearDirect(host, room, body, background);
    return;
  }
  if (said.thread_ts && said.thread_ts !== said.ts) return;
  await maybeFile(host, room, body, background, said);
}

/** An answer below something that we told somebody directly belongs to the ticket that it was about. */
async function hearAnswer(host: Host, room: Room, channel: string, said: Said, ctx: Ctx): Promise<boolean> {
  if (!said.thread_ts || said.thread_ts === said.ts) return false;
  const [first] = await thread(room, channel, said.thread_ts);
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
  await fileFromMessage(call, { channel: word(event.channel), ts: word(event.ts), isPrivate: true });
}

async function maybeFile(
  host: Host,
  room: Room,
  body: Body,
  background: Partial<Background>,
  said: Said,
): Promise<void> {
  const channel = word(record(body.event).channel);
  const where = await whereIs(room.workspace, channel);
  if (!where.channel || where.settings.mode === 'manual' || where.settings.role !== 'requests' || !said.user)
    return;
  const actor = await whoIs(host, room, said.user);
  const verdict = wouldFile(word(said.text), where.settings, {
    bot: Boolean(said.bot_id),
    agent: atLeast(actor.role, 'agent'),
  });
  if (!verdict.file) return;
  if (where.settings.mode === 'nudge')
    return askToFile(room, deskCtx(host, room, background), channel, said.user, said.ts);
  await fileFromMessage(await callFor(host, body, background), { channel, ts: said.ts });
}

async function hearMention(call: Call, body: Body): Promise<void> {
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
  const answer = await call.client.conversations.replies({ channel, ts, limit: 1 });
  const [said] = (answer.messages ?? []) as Said[];
  if (!said) return call.tell(saying('I cannot see that message.'));
  const root = said.thread_ts ?? said.ts;
  const ticket = await ticketIn(call.room.company, conversationAt(call.room, channel, root).id);
  if (ticket) return call.tell(saying(`It is ${ticket.key}.`));
  if (said.thread_ts && said.thread_ts !== said.ts)
    return call.tell(
      saying('It is no ticket: only first messages of a thread become tickets by themselves.'),
    );
  const actor = said.user ? await whoIs(call.host, call.room, said.user) : undefined;
  const { file, why } = wouldFile(word(said.text), call.where.settings, {
    bot: Boolean(said.bot_id),
    agent: actor !== undefined && atLeast(actor.role, 'agent'),
  });
  const words = file
    ? `It would become a ticket now: ${why}. It was probably written before that was set up.`
    : `It is no ticket: ${why}.`;
  await call.tell(saying(words));
}

async function hearReaction(call: Call, body: Body): Promise<void> {
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
  const { messages } = await call.client.conversations.replies({ channel, ts, limit: 1 });
  const root = ((messages ?? []) as Said[])[0]?.thread_ts ?? ts;
  const ticket = await ticketIn(call.room.company, conversationAt(call.room, channel, root).id);
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
    answering(host, (call, { body }) => unfurl(call, record((body as unknown as Body).event))),
  );
  app.event(
    'user_change',
    hearing(host, async (room, { body }) =>
      forgetProfile(room, word(record(record((body as unknown as Body).event).user).id)),
    ),
  );
  for (const name of ['app_uninstalled', 'tokens_revoked'] as const)
    app.event(
      name,
      hearing(host, async (room) => {
        await markWorkspace('slack', room.workspace.external, 'gone', name);
        host.log.error(
          { workspace: room.workspace.id, name: room.workspace.name },
          'slack: the app was removed',
        );
      }),
    );
}
