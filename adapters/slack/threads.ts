// What is said, edited and deleted in the thread of a ticket is so on the ticket: in whatever order Slack tells of it,
// and however often. What agents say among themselves stays there, their files included.
import type { Ctx } from '../../src/context.ts';
import { atLeast } from '../../src/people/access.ts';
import { addComment, editByOrigin, removeByOrigin } from '../../src/tickets/comments.ts';
import { speakerOn, ticketIn } from '../../src/tickets/conversations.ts';
import { patch } from '../../src/tickets/editing.ts';
import type { Conversation, Ticket } from '../../src/tickets/ticket.ts';
import { attachFiles } from './files.ts';
import type { Host, Room } from './host.ts';
import { conversationAt, filesOf, isGone, markdownOf, originOf, type Said } from './said.ts';
import { whoIs } from './who.ts';

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
  if (!words || (ctx.redo && markdown === ticket.description)) return;
  // Slack may tell of it twice, and of an edit before the message: only a later wording replaces what is there.
  const version = said.edited?.ts ?? '';
  if (await editByOrigin(asDesk(ctx), origin, words, version).catch(deletedBefore)) return;
  const audience = isInternal ? 'internal' : 'public';
  const attachments = await attachFiles({ host, room, ctx }, ticket, filesOf(said), audience);
  await addComment({ ...(isInternal ? asDesk(ctx) : ctx), cause: origin }, ticket._id, {
    content: words,
    isInternal,
    origin,
    version,
    ...(attachments.length ? { attachments } : {}),
    ...(silent ? { silent } : {}),
  });
}

/** Through the desk, in the name of the one who spoke: they may not see the ticket, but they do see the thread. */
export const asDesk = (ctx: Ctx): Ctx => ({ ...ctx, actor: { ...ctx.actor, kind: 'system' } });

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
  // A preview was added, an answer counted: not a word has changed.
  if (before && before.text === said.text && !before.files === !said.files) return;
  // The first message of a thread is gone; what was made of it stays.
  if (isGone(said)) return;
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
