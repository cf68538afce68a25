// The ways in that open a form or answer at once: the command and the shortcuts.
import type { App } from '@slack/bolt';
import type { View } from '@slack/types';
import { ticketIn } from '../../src/tickets/conversations.ts';
import { type Drawing, requesterCard } from './blocks.ts';
import { answering, type Call } from './call.ts';
import { answerCommand, isForm, titleIn } from './commands.ts';
import { type Body, record, word } from './door.ts';
import { factsOf } from './facts.ts';
import { newTicketForm } from './forms.ts';
import type { Host } from './host.ts';
import { opening } from './opening.ts';
import { explain } from './reactions.ts';
import { conversationAt, markdownOf, type Said, titleFrom } from './said.ts';

const TITLE = 'New ticket';

async function drawCommandForm(call: Call, body: Body): Promise<View> {
  const origin = call.channel ? { channel: call.channel } : {};
  return newTicketForm(call, { title: titleIn(word(body.text)), origin });
}

async function drawMessageForm(call: Call, body: Body): Promise<View | Drawing> {
  const said = record(body.message) as unknown as Said;
  const channel = call.channel ?? '';
  const root = said.thread_ts ?? said.ts;
  const there = await ticketIn(call.room.company, conversationAt(call.room, channel, root).id);
  if (there) return requesterCard(await factsOf(call.host, there), 'This thread is a ticket already:');
  const [markdown, link] = await Promise.all([
    markdownOf(call.host, call.room, said),
    call.client.chat
      .getPermalink({ channel, message_ts: said.ts })
      .then((answer) => answer.permalink)
      .catch(() => undefined),
  ]);
  return newTicketForm(call, {
    title: titleFrom(markdown, said),
    description: markdown,
    origin: { channel, message: said.ts, thread: root, ...(link ? { permalink: link } : {}) },
  });
}

export function hearShortcuts(app: App, host: Host): void {
  const openCommandForm = opening(host, TITLE, drawCommandForm);
  const answer = answering(host, (call, { body }) =>
    answerCommand(call, {
      command: word((body as Body).command) || '/ticket',
      text: word((body as Body).text),
    }),
  );
  app.command(/^\/ticket/, (args) => (isForm(word(args.body.text)) ? openCommandForm(args) : answer(args)));
  app.shortcut(
    'ticket_new',
    opening(host, TITLE, (call) => newTicketForm(call, {})),
  );
  app.shortcut('ticket_from_message', opening(host, TITLE, drawMessageForm));
  app.shortcut(
    'ticket_why',
    answering(host, async (call, { body }) => {
      await explain(call, call.channel ?? '', word(record((body as Body).message).ts));
    }),
  );
}
