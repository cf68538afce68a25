// What buttons, menus and forms do. A press is somebody's word, not a right: each verb decides anew whether they may.
// Whoever presses sees at once that it is worked on; who comes too late is told alone who was first.
import type { App } from '@slack/bolt';
import type { View } from '@slack/types';
import { readPriority } from '../../src/desks/desk.ts';
import { invalid } from '../../src/errors.ts';
import { atLeast } from '../../src/people/access.ts';
import { isTaken, wordsAfter } from '../../src/tickets/asking.ts';
import { assign, claim, release } from '../../src/tickets/assigning.ts';
import { patch } from '../../src/tickets/editing.ts';
import { close, escalate, reopen, setStatus } from '../../src/tickets/moving.ts';
import { feedbackInput, rate } from '../../src/tickets/people.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import { read } from '../../src/tickets/tickets.ts';
import { type Drawing, requesterCard, triageCard } from './blocks.ts';
import { answering, type Call } from './call.ts';
import { personIn } from './commands.ts';
import { type Body, record, word } from './door.ts';
import { factsOf } from './facts.ts';
import { newTicketForm, redrawnForm } from './forms.ts';
import { pagesIn, publishHome } from './home.ts';
import { type Host, slackError } from './host.ts';
import { answerNudge } from './nudges.ts';
import { opening } from './opening.ts';
import { messageView, noteForm, reasonForm, replyForm, resolveForm } from './views.ts';

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

function homePages(body: Body): ReturnType<typeof pagesIn> {
  const [action = {}] = Array.isArray(body.actions) ? (body.actions as Body[]) : [];
  return pagesIn(record(body.view).private_metadata, word(action.value));
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
  const isLate = pressed.name === 'ticket_claim' && isTaken(before);
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
    await call.redraw(requesterCard(await factsOf(call.host, after), wordsAfter(after)));
  else if (pressed.on === 'home') await publishHome(call, homePages(body));
}

async function redrawCard(call: Call, { ticket }: Press, known?: Ticket): Promise<void> {
  const now = known ?? (await read(call.ctx, ticket));
  await call.redraw(triageCard(await factsOf(call.host, now)));
}

const FORMS = {
  ticket_resolve: ['Resolve', resolveForm],
  ticket_reply: ['Reply', replyForm],
  ticket_note: ['Note', noteForm],
} as const;

/** A small form about one ticket; only for a ticket that they may see. */
const drawForm =
  (draw: typeof resolveForm) =>
  async (call: Call, body: Body): Promise<View> => {
    const { _id, key } = await read(call.ctx, pressIn(body).ticket);
    return draw(key, { ticket: _id, ...(call.channel ? { channel: call.channel } : {}) });
  };

export function hearActions(app: App, host: Host): void {
  for (const name of Object.keys(DEEDS).filter((one) => one !== 'ticket_more'))
    app.action(
      name,
      answering(host, (call, { body }) => press(call, body as unknown as Body)),
    );
  const more = answering(host, (call, { body }) => press(call, body as Body));
  const refuse = opening(host, 'No request', drawForm(reasonForm));
  app.action('ticket_more', (args) =>
    (pressIn(args.body as unknown as Body).choice === 'refuse' ? refuse : more)(args),
  );
  for (const [name, [title, draw]] of Object.entries(FORMS))
    app.action(name, opening(host, title, drawForm(draw)));
  const draw = async (call: Call, body: Body): Promise<Drawing> => {
    const facts = await factsOf(call.host, await read(call.ctx, pressIn(body).ticket));
    return atLeast(call.ctx.actor.role, 'agent') ? triageCard(facts) : requesterCard(facts, 'Your request');
  };
  const show = answering(host, async (call, { body }) => call.tell(await draw(call, body as Body)));
  // The home tab is nowhere that could be answered in.
  const showAside = opening(host, 'Ticket', async (call, body) =>
    messageView('Ticket', (await draw(call, body)).blocks),
  );
  app.action('ticket_show', (args) =>
    (pressIn(args.body as unknown as Body).on === 'home' ? showAside : show)(args),
  );
  app.action(
    'home_new',
    opening(host, 'New ticket', (call) => newTicketForm(call, {})),
  );
  app.action(
    /^home_(refresh|before|after)$/,
    answering(host, (call, { body }) => publishHome(call, homePages(body as Body))),
  );
  for (const name of ['form_desk', 'form_category'])
    app.action(
      name,
      answering(host, async (call, { body }) => {
        const view = record((body as Body).view);
        const next = { view_id: word(view.id), hash: word(view.hash), view: await redrawnForm(call, view) };
        // Chosen again meanwhile: that one draws it.
        await call.client.views.update(next).catch((error) => {
          if (slackError(error) !== 'hash_conflict') throw error;
        });
      }),
    );
  app.action(
    /^nudge_(file|no)$/,
    answering(host, (call, { body }) => answerNudge(call, body as unknown as Body)),
  );
}
