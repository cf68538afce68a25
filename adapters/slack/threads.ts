// Threads and tickets: one ticket for each thread. A message becomes a ticket once, with what was said below it; from
// then on what is said, edited and deleted there is so on the ticket.
import type { Ctx } from '../../src/context.ts';
import { Refusal } from '../../src/errors.ts';
import { atLeast } from '../../src/people/access.ts';
import { member } from '../../src/people/members.ts';
import { addComment, editByOrigin, removeByOrigin } from '../../src/tickets/comments.ts';
import { fileIn, speakerOn, ticketIn } from '../../src/tickets/conversations.ts';
import { patch } from '../../src/tickets/editing.ts';
import type { Conversation, Ticket } from '../../src/tickets/ticket.ts';
import { type CreateInput, create, createInput } from '../../src/tickets/tickets.ts';
import { requesterCard, STATE_MARKS } from './blocks.ts';
import type { Call } from './call.ts';
import { factsOf } from './facts.ts';
import { attachFiles } from './files.ts';
import { type Host, isTokenLost, type Room, slackError } from './host.ts';
import { clipPlain, toMarkdown } from './text.ts';
import { known, namesIn, whoIs } from './who.ts';

/** A message as events and `conversations.replies` give it. */
export interface Said {
  ts: string;
  text?: string;
  user?: string;
  bot_id?: string;
  thread_ts?: string;
  subtype?: string;
  files?: { id?: string; name?: string }[];
  blocks?: unknown[];
  attachments?: unknown[];
  metadata?: { event_type?: string; event_payload?: Record<string, unknown> };
}

export function conversationAt(
  room: Room,
  channel: string,
  root: string,
  audience: Conversation['audience'] = 'public',
): Conversation {
  const workspace = room.workspace.external;
  return {
    id: `slack:${workspace}:${channel}:${root}`,
    surface: 'slack',
    audience,
    at: { workspace, channel, thread: root },
  };
}
/** Where a comment came from: its conversation, then the message. */
export const originOf = (conversation: string, ts: string): string => `${conversation}/${ts}`;

/** The words of a message, wherever its writer put them: other apps leave the text empty and fill blocks. */
export function wordsOf(said: Said): string {
  if (said.text?.trim()) return said.text;
  const found: string[] = [];
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) for (const one of value) walk(one);
    else if (typeof value === 'object' && value !== null) {
      const one = value as Record<string, unknown>;
      if (typeof one.text === 'string') found.push(one.text);
      else if (typeof one.fallback === 'string') found.push(one.fallback);
      for (const part of Object.values(one)) if (typeof part === 'object') walk(part);
    }
  };
  walk(said.blocks);
  walk(said.attachments);
  return found.join('\n');
}

/** Markdown of a message: mentions of our users by the name that makes them watchers. */
export async function markdownOf(host: Host, room: Room, said: Said): Promise<string> {
  const text = wordsOf(said);
  const { ids, user } = await namesIn(host, room, text);
  const called = new Map<string, string>();
  await Promise.all(
    ids.map(async (id) => {
      const actor = await known(room, id);
      const found = actor?.kind === 'user' ? await member(actor.id) : null;
      if (found) called.set(id, found.username);
    }),
  );
  return toMarkdown(text, { user: (id) => called.get(id) ?? user(id) });
}

/** The messages of a thread. A public channel is joined for it; into a private one somebody must invite us. */
export async function thread(room: Room, channel: string, ts: string): Promise<Said[]> {
  const { conversations } = room.client;
  const ask = () => conversations.replies({ channel, ts, limit: 200, include_all_metadata: true });
  const outside = new Set(['not_in_channel', 'channel_not_found']);
  const answer = await ask().catch(async (error) => {
    if (!outside.has(slackError(error) ?? '')) throw error;
    try {
      await conversations.join({ channel });
      return await ask();
    } catch {
      throw new Refusal(
        'refused',
        'slack.not_in_channel',
        'I cannot read this channel: invite me to it first.',
      );
    }
  });
  return (answer.messages ?? []) as Said[];
}

/** The thread that a message stands in, from its first message on. */
async function wholeThread(room: Room, channel: string, ts: string): Promise<Said[]> {
  const found = await thread(room, channel, ts);
  const root = found[0]?.thread_ts;
  return root && root !== found[0]?.ts ? thread(room, channel, root) : found;
}

const isPerson = (said: Said, room: Room): boolean =>
  Boolean(said.user) && !said.bot_id && said.user !== room.botUser;

export interface Filing {
  channel: string;
  ts: string;
  /** From a form: what it says counts, not the message. */
  input?: CreateInput;
  isPrivate?: boolean;
  /** Known words of a message that need not be fetched (a direct message). */
  text?: string;
}

/** A message becomes a ticket, unless its thread is one. Undefined: there was one, and the person was told. */
export async function fileFromMessage(call: Call, filing: Filing): Promise<Ticket | undefined> {
  const { host, room } = call;
  const { channel } = filing;
  const messages = await wholeThread(room, channel, filing.ts);
  const [root] = messages;
  if (!root) return undefined;
  const conversation = conversationAt(room, channel, root.ts);
  const there = await ticketIn(room.company, conversation.id);
  if (there && !call.ctx.redo) {
    await call.tell(requesterCard(await factsOf(host, there), 'This thread is a ticket already:'));
    return undefined;
  }
  const asker = isPerson(root, room) && root.user ? await whoIs(host, room, root.user) : call.ctx.actor;
  const ctx: Ctx = { ...call.ctx, actor: filing.input ? call.ctx.actor : asker };
  const markdown = filing.text ?? (await markdownOf(host, room, root));
  const input =
    filing.input ??
    createInput.parse({
      title: titleFrom(markdown, root),
      description: markdown,
      desk: call.where.desk.id,
      private: filing.isPrivate ?? false,
    });
  if (input.private && !channel.startsWith('D')) return fileAside(call, ctx, input, conversation, root);
  const { ticket } = await fileIn(ctx, input, conversation);
  for (const said of messages.slice(1))
    if (isPerson(said, room)) await hearReply(host, room, ticket, conversation, said, ctx, true);
  await attachFiles(call, ticket, idsOf(root));
  return ticket;
}

/**
 * A private ticket out of an open thread: one for the thread all the same, but the thread hears no word of it, and its
 * requester is told directly.
 */
async function fileAside(
  call: Call,
  ctx: Ctx,
  input: CreateInput,
  { id }: Conversation,
  root: Said,
): Promise<Ticket> {
  const ticket = await create({ ...ctx, cause: `file:${id}` }, input);
  await attachFiles(call, ticket, idsOf(root));
  await call.tell(requesterCard(await factsOf(call.host, ticket), 'Filed privately:'));
  return ticket;
}

const idsOf = (said: Said): string[] => (said.files ?? []).flatMap((file) => file.id ?? []);

export function titleFrom(markdown: string, said: Said): string {
  const line = markdown
    .split('\n')
    .map((one) => one.replace(/[*_~`>#]/g, '').trim())
    .find(Boolean);
  return clipPlain(line ?? said.files?.[0]?.name ?? 'A message without words', 200);
}

/** The state of the ticket as an emoji on the message that it came from. A mark is a courtesy: what Slack refuses is let be. */
export async function markState(
  room: Room,
  { at }: Pick<Conversation, 'at'>,
  kind: keyof typeof STATE_MARKS,
): Promise<void> {
  const { channel = '', thread: timestamp = '' } = at;
  const wanted = STATE_MARKS[kind];
  const others = Object.values(STATE_MARKS).filter((name) => name !== wanted);
  const { reactions } = room.client;
  await reactions.add({ channel, timestamp, name: wanted }).catch(unlessRefused);
  await Promise.all(
    others.map((name) => reactions.remove({ channel, timestamp, name }).catch(unlessRefused)),
  );
}

function unlessRefused(error: unknown): void {
  if (slackError(error) === undefined || isTokenLost(error)) throw error;
}

const NOTE = /^\s*(?:note|private|internal)\s*:\s*/i;
const REPLY = /^\s*reply\s*:\s*/i;

/** Something said in the thread of a ticket becomes a reply, or, among agents, a note. Said twice it is one. */
export async function hearReply(
  host: Host,
  room: Room,
  ticket: Ticket,
  conversation: Conversation,
  said: Said,
  base: Ctx,
  silent = false,
): Promise<void> {
  if (!said.user) return;
  const origin = originOf(conversation.id, said.ts);
  const actor = await whoIs(host, room, said.user);
  const ctx = speakerOn({ ...base, actor }, ticket);
  const markdown = await markdownOf(host, room, said);
  const isAgent = atLeast(actor.role, 'agent');
  const inner = conversation.audience === 'internal';
  const isInternal = inner ? !(isAgent && REPLY.test(markdown)) : isAgent && NOTE.test(markdown);
  const content = (
    inner ? markdown.replace(REPLY, '') : isInternal ? markdown.replace(NOTE, '') : markdown
  ).trim();
  const names = (said.files ?? []).map((file) => file.name ?? 'file');
  const words = content || (names.length ? `(${names.join(', ')})` : '');
  if (!words) return;
  // Slack may say the same thing twice, under two event ids: what came from here before is only brought up to date.
  if (await editByOrigin(asDesk(ctx), origin, words).catch(deletedBefore)) return;
  const attachments = await attachFiles({ host, room, ctx }, ticket, idsOf(said));
  await addComment({ ...(isInternal ? asDesk(ctx) : ctx), cause: origin }, ticket._id, {
    content: words,
    isInternal,
    origin,
    ...(attachments.length ? { attachments } : {}),
    ...(silent ? { silent } : {}),
  });
}

/** Through the desk, in the name of the one who spoke: they may not see the ticket, but they do see the thread. */
const asDesk = (ctx: Ctx): Ctx => ({ ...ctx, actor: { ...ctx.actor, kind: 'system' } });

function deletedBefore(error: unknown): true {
  if ((error as { reason?: string }).reason === 'comment.deleted') return true;
  throw error;
}

/** An edited message: a revision of the comment, of the description if it is the first one, or, out of order, itself. */
export async function hearEdit(
  host: Host,
  room: Room,
  channel: string,
  said: Said,
  before: Said | undefined,
  base: Ctx,
): Promise<void> {
  if (before && before.text === said.text && !before.files === !said.files) return;
  const root = said.thread_ts ?? said.ts;
  const conversation = conversationAt(room, channel, root);
  const ticket = await ticketIn(room.company, conversation.id);
  if (!ticket || !said.user) return;
  const bound = ticket.conversations.find((one) => one.id === conversation.id) ?? conversation;
  if (said.ts !== root) return hearReply(host, room, ticket, bound, said, base);
  const actor = await whoIs(host, room, said.user);
  const description = await markdownOf(host, room, said);
  if (description !== ticket.description)
    await patch(asDesk({ ...base, actor }), ticket._id, { description });
}

export async function hearDeletion(
  host: Host,
  room: Room,
  channel: string,
  ts: string,
  before: Said | undefined,
  base: Ctx,
): Promise<void> {
  const root = before?.thread_ts ?? ts;
  const conversation = conversationAt(room, channel, root);
  const ticket = await ticketIn(room.company, conversation.id);
  if (!ticket || root === ts) return;
  const actor = before?.user ? await whoIs(host, room, before.user) : base.actor;
  const ctx = asDesk({ ...base, actor });
  const origin = originOf(conversation.id, ts);
  if (await removeByOrigin(ctx, origin)) return;
  // The deletion came before the message: remember it as deleted, so that the message finds it so.
  const bound = ticket.conversations.find((one) => one.id === conversation.id);
  await addComment({ ...ctx, cause: origin }, ticket._id, {
    content: '(deleted)',
    isInternal: bound?.audience === 'internal',
    origin,
    silent: true,
  });
  await removeByOrigin({ ...ctx, cause: `${origin}/deleted` }, origin);
}
