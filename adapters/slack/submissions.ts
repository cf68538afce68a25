// Forms that were filled in: checked while their sender waits, so that what is wrong is told at the field; done once.
import type { App } from '@slack/bolt';
import { readCustomFields } from '../../src/desks/desk.ts';
import { invalid, Refusal } from '../../src/errors.ts';
import { atLeast } from '../../src/people/access.ts';
import { addComment } from '../../src/tickets/comments.ts';
import { close, resolve } from '../../src/tickets/moving.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import { create, read } from '../../src/tickets/tickets.ts';
import { requesterCard } from './blocks.ts';
import { answering, type Call, callFor, type Heard, sayError } from './call.ts';
import { type Background, type Body, keep, record, teamOf, word } from './door.ts';
import { factsOf } from './facts.ts';
import { attachFiles } from './files.ts';
import { fileFromMessage } from './filing.ts';
import { deskIn, originIn, refusedFields, submissionIn } from './forms.ts';
import type { Host } from './host.ts';
import { toMarkdown } from './mrkdwn.ts';

/** Slack waits three seconds in all: what cannot be checked by then is kept, and what is wrong with it told later. */
const CHECK_WITHIN_MS = 1_500;
const KEEP_WITHIN_MS = 1_200;
const late = (ms: number): Promise<undefined> =>
  new Promise((resolve) => setTimeout(resolve, ms, undefined).unref());

/**
 * A form comes twice: first from Slack, to be checked while its sender waits, stored and acknowledged; then from the
 * inbox, to be done.
 */
function submitted(
  host: Host,
  check: (call: Call, view: Body) => Promise<Record<string, string> | undefined>,
  work: (call: Call, view: Body) => Promise<void>,
) {
  const run = answering(host, (call, { body }) => work(call, record((body as Body).view)));
  return async (args: Heard): Promise<void> => {
    if ((args.context as Partial<Background>).stored) return run(args);
    const body = args.body as Body;
    const view = record(body.view);
    const ack = args.ack as (answer?: object) => Promise<void>;
    try {
      const checking = callFor(host, body, {}).then((call) => check(call, view));
      checking.catch(() => undefined);
      const errors = await Promise.race([checking, late(CHECK_WITHIN_MS)]);
      if (errors) return await ack({ response_action: 'errors', errors });
      const room = await host.room(teamOf(body));
      if (!room) throw new Refusal('unknown', 'workspace.not_found', 'This workspace is not connected.');
      await keep(host, room.company, body, KEEP_WITHIN_MS);
      await ack();
    } catch (error) {
      const words = error instanceof Refusal ? refusedFields(view, error) : undefined;
      if (words) return ack({ response_action: 'errors', errors: words });
      const drawing = sayError(host, error);
      await ack({
        response_action: 'errors',
        errors: refusedFields(
          view,
          invalid(
            'slack.form',
            drawing.blocks
              .map((block) =>
                'text' in block && typeof block.text === 'object' ? String(block.text?.text) : '',
              )
              .join(' '),
          ),
        ),
      });
    }
  };
}

const textIn = (view: Body): string => {
  const values = record(record(view.state).values);
  return toMarkdown(
    word(record(record(values.text).value).value)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;'),
  );
};

async function checkSmall(call: Call, view: Body): Promise<undefined> {
  await read(call.ctx, originIn(view.private_metadata).ticket ?? '');
  if (!textIn(view).trim())
    throw invalid('slack.form', 'Say something here.', [{ path: 'text', message: 'must not be empty' }]);
}

const ticketOf = (view: Body): string => originIn(view.private_metadata).ticket ?? '';

export function hearForms(app: App, host: Host): void {
  const small = (
    callback: string,
    work: (call: Call, ticket: string, text: string) => Promise<unknown>,
  ): void =>
    app.view(
      callback,
      submitted(
        host,
        checkSmall,
        async (call, view) => void (await work(call, ticketOf(view), textIn(view))),
      ),
    );
  small('ticket_resolve_form', (call, ticket, text) => resolve(call.ctx, ticket, { resolutionNotes: text }));
  small('ticket_reply_form', (call, ticket, text) =>
    addComment(call.ctx, ticket, {
      content: text,
      isInternal: false,
      origin: `slack:said:${call.ctx.cause}`,
    }),
  );
  small('ticket_note_form', (call, ticket, text) =>
    addComment(call.ctx, ticket, { content: text, isInternal: true }),
  );
  small('ticket_refuse_form', (call, ticket, text) =>
    close(call.ctx, ticket, { notes: `Not a request: ${text}` }),
  );
  app.view(
    'ticket_form',
    submitted(
      host,
      async (call, view) => {
        const read = await submissionIn(call, view);
        if ('errors' in read) return read.errors;
        const desk = await deskIn(call, view);
        readCustomFields(desk, read.ok.input.customFields, read.ok.input.category ?? null, {
          forCustomer: !atLeast(call.ctx.actor.role, 'agent'),
        });
        return undefined;
      },
      fileForm,
    ),
  );
}

async function fileForm(call: Call, view: Body): Promise<void> {
  const read = await submissionIn(call, view);
  if ('errors' in read) throw invalid('slack.form', Object.values(read.errors).join(' '));
  const { input, origin, files } = read.ok;
  let ticket: Ticket;
  if (origin.channel && origin.message) {
    const root = origin.thread ?? origin.message;
    const filed = await fileFromMessage(call, { channel: origin.channel, ts: root, input });
    if (!filed) return;
    ticket = filed;
  } else ticket = await create(call.ctx, input);
  await attachFiles(
    call,
    ticket,
    files.map((id) => ({ id })),
  );
  if (origin.message) return;
  const facts = await factsOf(call.host, ticket);
  await call.tell(requesterCard(facts, 'Filed:'), origin.channel);
}
