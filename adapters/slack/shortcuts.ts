// The ways in that are neither typed nor pressed on a card: the command, the shortcuts, the step of a workflow.
import type { App } from '@slack/bolt';
import type { View } from '@slack/types';
import { systemCtx } from '../../src/context.ts';
import { Refusal } from '../../src/errors.ts';
import { ticketIn } from '../../src/tickets/conversations.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { type Drawing, requesterCard } from './blocks.ts';
import { answering, type Call, hearing } from './call.ts';
import { answerCommand, isForm, titleIn } from './commands.ts';
import { type Body, record, word } from './door.ts';
import { factsOf } from './facts.ts';
import { newTicketForm } from './forms.ts';
import type { Host, Room } from './host.ts';
import { opening } from './opening.ts';
import { explain } from './reactions.ts';
import { conversationAt, markdownOf, type Said, titleFrom } from './said.ts';
import { whoIs } from './who.ts';

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

/** A step of somebody's workflow: files a ticket and hands on its key. */
async function step(host: Host, room: Room, body: Body, cause: string): Promise<void> {
  const event = record(body.event);
  const inputs = record(event.inputs);
  const id = word(event.function_execution_id);
  const ctx = {
    ...systemCtx({ log: host.log, now: host.now, request: cause }, room.company, 'slack'),
    cause,
  };
  try {
    const requester = word(inputs.requester);
    const actor = requester ? await whoIs(host, room, requester) : ctx.actor;
    const given = createInput.parse({
      title: word(inputs.title),
      description: word(inputs.description),
      ...(inputs.priority ? { priority: word(inputs.priority) } : {}),
    });
    const ticket = await create({ ...ctx, actor }, given);
    await room.client.functions.completeSuccess({
      function_execution_id: id,
      outputs: { ticket_key: ticket.key, ticket_url: host.ticketUrl(ticket.key) },
    });
  } catch (error) {
    if (!(error instanceof Refusal) && (error as Error).name !== 'ZodError') throw error;
    await room.client.functions.completeError({
      function_execution_id: id,
      error:
        error instanceof Refusal ? error.message : 'The title is missing or something else is not right.',
    });
  }
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
  app.event(
    'function_executed',
    hearing(host, (room, { body }, background) =>
      step(host, room, body as Body, background.key ?? 'slack:step'),
    ),
  );
}
