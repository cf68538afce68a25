// A step of somebody's workflow: files a ticket and hands on its key and its address. What is wrong with its inputs is
// told to the workflow, which shows it to whoever looks after it.
import type { App } from '@slack/bolt';
import { Refusal } from '../../src/errors.ts';
import { whereIs } from '../../src/places/channels.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { deskCtx, hearing } from './call.ts';
import { type Background, type Body, record, word } from './door.ts';
import { type Host, isTokenLost, type Room, slackError } from './host.ts';
import { markdownOf, titleFrom } from './said.ts';
import { whoIs } from './who.ts';

export const STEP = 'create_ticket';

async function fileByStep(
  host: Host,
  room: Room,
  inputs: Body,
  background: Partial<Background>,
): Promise<Ticket> {
  const ctx = deskCtx(host, room, background);
  const requester = word(inputs.requester);
  const actor = requester ? await whoIs(host, room, requester) : ctx.actor;
  // What other steps hand on is Slack's own text, mentions and all.
  const [title, description] = await Promise.all(
    [word(inputs.title), word(inputs.description)].map((text) => markdownOf(host, room, { ts: '', text })),
  );
  const { desk } = await whereIs(room.workspace, undefined);
  const given = createInput.parse({
    title: title?.trim() ? titleFrom(title, { ts: '' }) : '',
    description: description ?? '',
    desk: word(inputs.desk) || desk.id,
    ...(inputs.priority ? { priority: word(inputs.priority) } : {}),
    ...(inputs.category ? { category: word(inputs.category) } : {}),
    private: inputs.private === true,
  });
  return create({ ...ctx, actor }, given);
}

async function hearStep(host: Host, room: Room, event: Body, background: Partial<Background>): Promise<void> {
  if (word(record(event.function).callback_id) !== STEP) return;
  const function_execution_id = word(event.function_execution_id);
  const { functions } = room.client;
  try {
    const ticket = await fileByStep(host, room, record(event.inputs), background);
    const outputs = { ticket_key: ticket.key, ticket_url: host.ticketUrl(ticket.key) };
    await functions.completeSuccess({ function_execution_id, outputs }).catch(unlessOver);
  } catch (error) {
    const isRefused = error instanceof Refusal && error.kind !== 'away' && error.kind !== 'busy';
    if (!isRefused && (error as Error).name !== 'ZodError') throw error;
    const words = isRefused ? error.message : 'The title is missing or something else is not right.';
    await functions.completeError({ function_execution_id, error: words }).catch(unlessOver);
  }
}

/** The workflow has gone on, or ended, without us. */
function unlessOver(error: unknown): void {
  if (slackError(error) === undefined || isTokenLost(error)) throw error;
}

export const hearSteps = (app: App, host: Host): void =>
  app.event(
    'function_executed',
    hearing(host, (room, { body }, background) =>
      hearStep(host, room, record((body as Body).event), background),
    ),
  );
