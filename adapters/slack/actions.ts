// What buttons, menus and forms do. A press is somebody's word, not a right: each verb decides anew whether they may.
// Whoever presses sees at once that it is worked on; who comes too late is told alone who was first.
import type { App } from '@slack/bolt';
import { readCustomFields, readPriority } from '../../src/desks/desk.ts';
import { invalid, Refusal } from '../../src/errors.ts';
import { atLeast } from '../../src/people/access.ts';
import { assign, claim, release } from '../../src/tickets/assigning.ts';
import { addComment } from '../../src/tickets/comments.ts';
import { patch } from '../../src/tickets/editing.ts';
import { close, escalate, reopen, resolve, setStatus } from '../../src/tickets/moving.ts';
import { feedbackInput, rate } from '../../src/tickets/people.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import { create, read } from '../../src/tickets/tickets.ts';
import { done, requesterCard, triageCard } from './blocks.ts';
import { answering, type Call, callFor, type Heard, sayError } from './call.ts';
import { personIn } from './commands.ts';
import { type Background, type Body, keep, record, word } from './door.ts';
import { factsOf } from './facts.ts';
import { attachFiles } from './files.ts';
import { fileFromMessage } from './filing.ts';
import { deskIn, newTicketForm, originIn, redrawnForm, refusedFields, submissionIn } from './forms.ts';
import { publishHome } from './home.ts';
import type { Host } from './host.ts';
import { answerNudge } from './nudges.ts';
import { toMarkdown } from './text.ts';
import { noteForm, reasonForm, replyForm, resolveForm } from './views.ts';

interface Press {
  name: string;
  ticket: string;
  /** What was chosen: an option or a user. */
  choice: string;
  /** The card of the desk, the requester's, a row of a list, or the home tab. */
  on: 'card' | 'mine' | 'row' | 'home';
}

function pressIn(body: Body): Press {
  const [action = {}] = Array.isArray(body.actions) ? (body.actions as Body[]) : [];
  const block = word(action.block_id);
  const ticket = /^(?:card|more|mine):([0-9a-f]{24})$/.exec(block)?.[1] ?? word(action.value);
  const choice = word(record(action.selected_option).value) || word(action.selected_user);
  const inHome = record(body.view).type === 'home';
  const on = inHome
    ? 'home'
    : /^(card|more):/.test(block)
      ? 'card'
      : block.startsWith('mine:')
        ? 'mine'
        : 'row';
  return { name: word(action.action_id), ticket, choice, on };
}

type Deed = (call: Call, press: Press) => Promise<Ticket | undefined>;

/** What each press does, and how it reads while it is being done. */
const DEEDS: Record<string, { doing: string; run: Deed }> = {
  ticket_claim: { doing: 'claims this', run: (call, { ticket }) => claim(call.ctx, ticket) },
  ticket_release: { doing: 'puts this back', run: (call, { ticket }) => release(call.ctx, ticket) },
  ticket_assign: {
    doing: 'assigns this',
    run: async (call, { ticket, choice }) =>
      assign(call.ctx, ticket, { assigneeId: await personIn(call, `<@${choice}>`) }),
  },
  ticket_priority: {
    doing: 'changes the priority',
    run: (call, { ticket, choice }) => {
      const priority = readPriority(choice);
      if (!priority) throw invalid('ticket.priority', 'There is no such priority.');
      return patch(call.ctx, ticket, { priority });
    },
  },
  ticket_status: {
    doing: 'changes the status',
    run: (call, { ticket, choice }) => setStatus(call.ctx, ticket, { status: choice }),
  },
  ticket_reopen: { doing: 'reopens this', run: (call, { ticket }) => reopen(call.ctx, ticket) },
  ticket_close: { doing: 'closes this', run: (call, { ticket }) => close(call.ctx, ticket) },
  ticket_confirm: {
    doing: 'confirms',
    run: (call, { ticket }) => close(call.ctx, ticket, { notes: 'The requester confirmed the solution.' }),
  },
  ticket_rate: {
    doing: 'rates this',
    run: (call, { ticket, choice }) =>
      rate(call.ctx, ticket, feedbackInput.parse({ rating: Number(choice) })),
  },
  ticket_more: {
    doing: 'is at it',
    run: async (call, { ticket, choice }) =>
      choice === 'escalate' ? escalate(call.ctx, ticket, {}) : close(call.ctx, ticket),
  },
};

async function press(call: Call, body: Body): Promise<void> {
  const pressed = pressIn(body);
  const deed = DEEDS[pressed.name];
  if (!deed) return;
  const before = await read(call.ctx, pressed.ticket);
  // Somebody was quicker, and the card will say so: no working state that could arrive after theirs.
  const isLate = pressed.name === 'ticket_claim' && before.assignee !== null;
  if (pressed.on === 'card' && !isLate)
    await call.redraw(triageCard(await factsOf(call.host, before), `${call.ctx.actor.name} ${deed.doing}…`));
  let after: Ticket | undefined;
  try {
    after = await deed.run(call, pressed);
  } catch (error) {
    if (pressed.on === 'card') await redrawCard(call, pressed);
    throw error;
  }
  if (pressed.on === 'card') await redrawCard(call, pressed, after);
  else if (pressed.on === 'mine' && after)
    await call.redraw(requesterCard(await factsOf(call.host, after), mineWords(after)));
  else if (pressed.on === 'home') await publishHome(call);
}

const mineWords = ({ satisfaction, statusKind }: Ticket): string => {
  if (satisfaction) return `Thank you: ${'★'.repeat(satisfaction.rating)}`;
  return done({ kind: statusKind }) ? 'This is done:' : 'We have your request.';
};

async function redrawCard(call: Call, { ticket }: Press, known?: Ticket): Promise<void> {
  const now = known ?? (await read(call.ctx, ticket));
  await call.redraw(triageCard(await factsOf(call.host, now)));
}

const FORMS = { ticket_resolve: resolveForm, ticket_reply: replyForm, ticket_note: noteForm } as const;

/** Opens a small form about one ticket; only for a ticket that they may see. */
async function openForm(call: Call, body: Body, draw: typeof resolveForm): Promise<void> {
  const { ticket } = pressIn(body);
  const found = await read(call.ctx, ticket);
  const origin = { ticket: found._id, ...(call.channel ? { channel: call.channel } : {}) };
  await call.client.views.open({ trigger_id: word(body.trigger_id), view: draw(found.key, origin) });
}

export function hearActions(app: App, host: Host): void {
  for (const name of Object.keys(DEEDS).filter((one) => one !== 'ticket_more'))
    app.action(
      name,
      answering(host, (call, { body }) => press(call, body as unknown as Body)),
    );
  app.action(
    'ticket_more',
    answering(host, async (call, args) => {
      const body = args.body as unknown as Body;
      if (pressIn(body).choice !== 'refuse') return press(call, body);
      await openForm(call, body, reasonForm);
    }),
  );
  for (const [name, draw] of Object.entries(FORMS))
    app.action(
      name,
      answering(host, (call, { body }) => openForm(call, body as Body, draw)),
    );
  app.action(
    'ticket_show',
    answering(host, async (call, { body }) => {
      const ticket = await read(call.ctx, pressIn(body as unknown as Body).ticket);
      const facts = await factsOf(call.host, ticket);
      const isAgent = atLeast(call.ctx.actor.role, 'agent');
      await call.tell(isAgent ? triageCard(facts) : requesterCard(facts, 'Your request'));
    }),
  );
  app.action(
    'home_new',
    answering(host, async (call, { body }) => {
      await call.client.views.open({
        trigger_id: word((body as Body).trigger_id),
        view: await newTicketForm(call, {}),
      });
    }),
  );
  app.action(
    'home_refresh',
    answering(host, (call) => publishHome(call)),
  );
  for (const name of ['form_desk', 'form_category'])
    app.action(
      name,
      answering(host, async (call, { body }) => {
        const view = record((body as Body).view);
        await call.client.views.update({
          view_id: word(view.id),
          hash: word(view.hash),
          view: await redrawnForm(call, view),
        });
      }),
    );
  app.action(
    /^nudge_(file|no)$/,
    answering(host, (call, { body }) => answerNudge(call, body as unknown as Body)),
  );
}

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
      const errors = await check(await callFor(host, body, {}), view);
      if (errors) return await ack({ response_action: 'errors', errors });
      await keep(host, body);
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
  await attachFiles(call, ticket, files);
  if (origin.message) return;
  const facts = await factsOf(call.host, ticket);
  await call.tell(requesterCard(facts, 'Filed:'), origin.channel);
}
