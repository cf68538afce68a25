// A message becomes a ticket: one for each thread, with what was said below it. Whoever is told of it hears it alone.
import type { Ctx } from '../../src/context.ts';
import { Refusal } from '../../src/errors.ts';
import { fileIn, ticketIn } from '../../src/tickets/conversations.ts';
import { patch } from '../../src/tickets/editing.ts';
import type { Conversation, Ticket } from '../../src/tickets/ticket.ts';
import { type CreateInput, createInput } from '../../src/tickets/tickets.ts';
import { requesterCard, saying } from './blocks.ts';
import type { Call } from './call.ts';
import { factsOf } from './facts.ts';
import { attachFiles } from './files.ts';
import { type Host, isTokenLost, type Room, slackError } from './host.ts';
import {
  conversationAt,
  filesOf,
  isGone,
  isPerson,
  markdownOf,
  messageAt,
  type Said,
  thread,
  titleFrom,
} from './said.ts';
import { asDesk, hearReply } from './threads.ts';
import { whoIs } from './who.ts';

export interface Filing {
  channel: string;
  ts: string;
  /** From a form: what it says counts, not the message. */
  input?: CreateInput;
  isPrivate?: boolean;
  /** The message, where it need not be asked for: it becomes the ticket itself, whatever it answers. */
  said?: Said;
}

/** A message becomes a ticket, unless its thread is one. Undefined: it did not, and the person was told why. */
export async function fileFromMessage(call: Call, filing: Filing): Promise<Ticket | undefined> {
  const { host, room } = call;
  const { channel } = filing;
  const first = filing.said ?? (await messageAt(room, channel, filing.ts))?.root;
  if (!first) return void (await call.tell(saying('That message is gone.'), channel));
  const root = first.thread_ts ?? first.ts;
  const conversation = conversationAt(room, channel, root);
  const there = await ticketIn(room.company, conversation.id);
  if (there && !call.ctx.redo) {
    await call.tell(requesterCard(await factsOf(host, there), 'This thread is a ticket already:'));
    return undefined;
  }
  const asker = isPerson(first, room) && first.user ? await whoIs(host, room, first.user) : call.ctx.actor;
  const ctx: Ctx = { ...call.ctx, actor: filing.input ? call.ctx.actor : asker };
  const markdown = await markdownOf(host, room, first);
  const input =
    filing.input ??
    createInput.parse({
      title: titleFrom(markdown, first),
      description: markdown,
      desk: call.where.desk.id,
      private: filing.isPrivate ?? false,
    });
  const { ticket, isBound } = await fileIn(ctx, input, conversation, { isOpen: !channel.startsWith('D') });
  if (isBound) await catchUp(call, ctx, ticket, conversation, first, filing.input === undefined && markdown);
  await attachFiles(call, ticket, filesOf(first));
  if (!isBound || call.where.settings.silent) await tellFiled(call, ticket, first, isBound);
  return ticket;
}

/**
 * What was said below, and what became of the message meanwhile: read after the thread was bound, so that a word that
 * came too early to find a ticket is found here, and a later one finds the ticket.
 */
async function catchUp(
  { host, room }: Call,
  ctx: Ctx,
  ticket: Ticket,
  conversation: Conversation,
  first: Said,
  markdown: string | false,
): Promise<void> {
  const { channel = '', thread: root = '' } = conversation.at;
  for (const said of await threadIfAny(host, room, channel, root)) {
    if (said.ts !== first.ts) {
      if (isPerson(said, room)) await hearReply(host, room, ticket, conversation, said, ctx, true);
      continue;
    }
    if (markdown === false || isGone(said) || said.text === first.text) continue;
    const description = await markdownOf(host, room, said);
    if (description !== markdown) await patch(asDesk(ctx), ticket._id, { description });
  }
}

/** The ticket is there: what cannot be read of its thread is no reason to begin again. */
async function threadIfAny(host: Host, room: Room, channel: string, root: string): Promise<Said[]> {
  try {
    return await thread(room, channel, root);
  } catch (error) {
    const isRefused = error instanceof Refusal || slackError(error) !== undefined;
    if (!isRefused || isTokenLost(error)) throw error;
    host.log.info({ reason: String(error) }, 'a thread could not be read in slack');
    return [];
  }
}

/** Where the thread is not to hear of it: those whom it concerns, directly or where they are. */
async function tellFiled(call: Call, ticket: Ticket, first: Said, isBound: boolean): Promise<void> {
  const card = requesterCard(await factsOf(call.host, ticket), isBound ? 'Filed:' : 'Filed privately:');
  if (isBound || first.user === call.user || !isPerson(first, call.room)) return call.tell(card);
  await call.room.client.chat.postMessage({ channel: first.user ?? '', ...card });
  await call.tell(saying('Filed privately: the one who wrote it was told.'));
}
