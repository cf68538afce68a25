// What a person can say in chat: one table for every surface. A command has a word, what it takes (for a surface with
// forms), an input, and a verb that answers; adapters find the people that are meant and draw the answers.
import type { z } from 'zod';
import type { Ctx } from './context.ts';
import { type Desk, PRIORITIES, type Priority, readPriority, readTicketKey } from './desks/desk.ts';
import { invalid } from './errors.ts';
import { atLeast } from './people/access.ts';
import { comeBack, goAway, tellOnCall, tellWhy } from './routing/telling.ts';
import { assign, claim, release } from './tickets/assigning.ts';
import { addComment } from './tickets/comments.ts';
import { patch } from './tickets/editing.ts';
import { link } from './tickets/linking.ts';
import { type ListInput, list, listInput } from './tickets/lists.ts';
import { close, escalate, reopen, resolve, setStatus } from './tickets/moving.ts';
import type { Ticket } from './tickets/ticket.ts';
import { read } from './tickets/tickets.ts';

export type ArgKind = 'ticket' | 'person' | 'priority' | 'word' | 'rest';
export interface Arg {
  name: string;
  kind: ArgKind;
  about: string;
  optional?: boolean;
}

export type Answer =
  | { kind: 'ticket'; ticket: Ticket; words: string }
  | { kind: 'list'; title: string; tickets: Ticket[]; total: number }
  | { kind: 'words'; text: string }
  | { kind: 'help' };

export interface Saying {
  ctx: Ctx;
  /** Where it was said. */
  desk: Desk;
  /** Somebody's user id, by how this surface names people. */
  person: (word: string) => Promise<string>;
  /** Proves that the one who speaks is the user who was given this code; without one, gives them a code to enter there. */
  prove: (code: string | undefined) => Promise<string>;
}

export interface Command {
  word: string;
  about: string;
  args: readonly Arg[];
  forAgents?: boolean;
  /** `given` has a string for each argument that was said. */
  run: (saying: Saying, given: Record<string, string | undefined>) => Promise<Answer>;
}

const ticketArg: Arg = { name: 'ticket', kind: 'ticket', about: 'its key, such as TKT-42' };
const rest = (name: string, about: string, optional = false): Arg => ({
  name,
  kind: 'rest',
  about,
  optional,
});

const active: { statusKind: ('new' | 'open' | 'pending')[] } = { statusKind: ['new', 'open', 'pending'] };
const lists = (given: z.input<typeof listInput>): ListInput => listInput.parse({ pageSize: 20, ...given });

const need = (given: Record<string, string | undefined>, name: string): string => {
  const value = given[name]?.trim();
  if (!value) throw invalid('command.incomplete', `Say also: ${name.replaceAll('_', ' ')}.`);
  return value;
};

function priorityOf(word: string): Priority {
  const priority = readPriority(word);
  if (priority) return priority;
  throw invalid('command.priority', `There is no priority “${word}”: say one of ${PRIORITIES.join(', ')}.`);
}

async function listed(saying: Saying, title: string, given: z.input<typeof listInput>): Promise<Answer> {
  const page = await list(saying.ctx, lists(given));
  return { kind: 'list', title, tickets: page.items, total: page.total };
}

/** Its origin is no conversation: all of the ticket's hear it. */
const say = ({ ctx }: Saying, ticket: string, content: string, isInternal: boolean) =>
  addComment(ctx, ticket, { content, isInternal, origin: `${ctx.via}:said:${ctx.cause ?? ctx.request}` });

const on =
  (
    words: (ticket: Ticket) => string,
    work: (saying: Saying, ticket: string, given: Record<string, string | undefined>) => Promise<Ticket>,
  ) =>
  async (saying: Saying, given: Record<string, string | undefined>): Promise<Answer> => {
    const ticket = await work(saying, need(given, 'ticket'), given);
    return { kind: 'ticket', ticket, words: words(ticket) };
  };

export const COMMANDS: readonly Command[] = [
  {
    word: 'list',
    about: 'open tickets: yours, or as an agent the desk’s',
    args: [rest('status', 'only those in this status', true)],
    run: (saying, { status }) =>
      listed(saying, 'Open tickets', {
        ...(status ? { status: [status] } : active),
        ...(atLeast(saying.ctx.actor.role, 'agent') ? { desk: [saying.desk.id] } : {}),
        sortBy: 'created_at',
      }),
  },
  {
    word: 'mine',
    about: 'what is assigned to you, or what you asked for',
    args: [],
    run: (saying) => listed(saying, 'My tickets', { ...active, my: 'true', sortBy: 'priority' }),
  },
  {
    word: 'queue',
    about: 'what nobody has taken yet',
    args: [],
    forAgents: true,
    run: (saying) =>
      listed(saying, 'Waiting to be taken', {
        ...active,
        unassigned: 'true',
        desk: [saying.desk.id],
        sortBy: 'priority',
      }),
  },
  {
    word: 'show',
    about: 'one ticket',
    args: [ticketArg],
    run: on(
      () => '',
      (saying, ticket) => read(saying.ctx, ticket),
    ),
  },
  {
    word: 'claim',
    about: 'take it yourself',
    args: [ticketArg],
    forAgents: true,
    run: on(
      ({ key }) => `You have ${key}.`,
      (saying, ticket) => claim(saying.ctx, ticket),
    ),
  },
  {
    word: 'release',
    about: 'put it back',
    args: [ticketArg],
    forAgents: true,
    run: on(
      ({ key }) => `${key} waits for somebody to take it.`,
      (saying, ticket) => release(saying.ctx, ticket),
    ),
  },
  {
    word: 'assign',
    about: 'give it to somebody',
    args: [ticketArg, { name: 'person', kind: 'person', about: 'who shall have it' }],
    forAgents: true,
    run: on(
      ({ key }) => `${key} is assigned.`,
      async (saying, ticket, given) =>
        assign(saying.ctx, ticket, { assigneeId: await saying.person(need(given, 'person')) }),
    ),
  },
  {
    word: 'priority',
    about: 'how urgent it is',
    args: [ticketArg, { name: 'priority', kind: 'priority', about: 'critical, urgent, high, medium or low' }],
    forAgents: true,
    run: on(
      ({ key, priority }) => `${key} is ${priority} now.`,
      (saying, ticket, given) => patch(saying.ctx, ticket, { priority: priorityOf(need(given, 'priority')) }),
    ),
  },
  {
    word: 'status',
    about: 'move it to another status',
    args: [ticketArg, rest('status', 'a status of the desk')],
    forAgents: true,
    run: on(
      ({ key, status }) => `${key} is ${status.replaceAll('_', ' ')} now.`,
      (saying, ticket, given) => setStatus(saying.ctx, ticket, { status: need(given, 'status') }),
    ),
  },
  {
    word: 'note',
    about: 'an internal note, which the requester never sees',
    args: [ticketArg, rest('text', 'the note')],
    forAgents: true,
    run: on(
      ({ key }) => `Noted on ${key}, for agents only.`,
      async (saying, ticket, given) => (await say(saying, ticket, need(given, 'text'), true)).ticket,
    ),
  },
  {
    word: 'reply',
    about: 'an answer that everybody on the ticket reads',
    args: [ticketArg, rest('text', 'the answer')],
    run: on(
      ({ key }) => `Sent on ${key}.`,
      async (saying, ticket, given) => (await say(saying, ticket, need(given, 'text'), false)).ticket,
    ),
  },
  {
    word: 'resolve',
    about: 'it is solved, and how',
    args: [ticketArg, rest('solution', 'what solved it; the requester reads this')],
    forAgents: true,
    run: on(
      ({ key }) => `${key} is resolved.`,
      (saying, ticket, given) => resolve(saying.ctx, ticket, { resolutionNotes: need(given, 'solution') }),
    ),
  },
  {
    word: 'close',
    about: 'it is over',
    args: [ticketArg, rest('why', 'a word on it', true)],
    run: on(
      ({ key }) => `${key} is closed.`,
      (saying, ticket, { why }) => close(saying.ctx, ticket, why ? { notes: why } : {}),
    ),
  },
  {
    word: 'reopen',
    about: 'it is not solved after all',
    args: [ticketArg, rest('why', 'what is still wrong', true)],
    run: on(
      ({ key }) => `${key} is open again.`,
      (saying, ticket, { why }) => reopen(saying.ctx, ticket, why ? { notes: why } : {}),
    ),
  },
  {
    word: 'escalate',
    about: 'it needs more than it gets',
    args: [ticketArg, rest('why', 'what is at stake', true)],
    forAgents: true,
    run: on(
      ({ key }) => `${key} is escalated.`,
      (saying, ticket, { why }) => escalate(saying.ctx, ticket, why ? { notes: why } : {}),
    ),
  },
  {
    word: 'link',
    about: 'two tickets that belong together, or your account with the code that you were given',
    args: [
      { name: 'ticket', kind: 'word', about: 'a ticket’s key, or the code', optional: true },
      { name: 'other', kind: 'ticket', about: 'the other ticket', optional: true },
    ],
    run: async (saying, given) => {
      const first = given.ticket;
      if (!first || !readTicketKey(first)) return { kind: 'words', text: await saying.prove(first) };
      const ticket = await link(saying.ctx, first, { kind: 'related', ticketId: need(given, 'other') });
      return { kind: 'ticket', ticket, words: `${ticket.key} is linked with ${given.other}.` };
    },
  },
  {
    word: 'search',
    about: 'tickets with these words',
    args: [rest('words', 'what to look for')],
    run: (saying, given) => {
      const q = need(given, 'words');
      return listed(saying, `Found for “${q}”`, { q });
    },
  },
  {
    word: 'away',
    about: 'no new tickets for you, for so long (2d); with `handover` yours go to others',
    args: [
      { name: 'how_long', kind: 'word', about: '90m, 3h, 2d or 1w', optional: true },
      { name: 'handover', kind: 'word', about: 'the word handover', optional: true },
    ],
    forAgents: true,
    run: async ({ ctx }, { how_long, handover }) => ({
      kind: 'words',
      text: await goAway(
        ctx,
        [how_long, handover].filter((word) => word !== undefined),
      ),
    }),
  },
  {
    word: 'back',
    about: 'tickets for you again',
    args: [],
    forAgents: true,
    run: async ({ ctx }) => ({ kind: 'words', text: await comeBack(ctx) }),
  },
  {
    word: 'oncall',
    about: 'who is on call',
    args: [],
    forAgents: true,
    run: async ({ ctx }) => ({ kind: 'words', text: await tellOnCall(ctx) }),
  },
  {
    word: 'why',
    about: 'who would get a ticket now, and why',
    args: [ticketArg],
    forAgents: true,
    run: async ({ ctx }, given) => ({ kind: 'words', text: await tellWhy(ctx, need(given, 'ticket')) }),
  },
  { word: 'help', about: 'this list', args: [], run: async () => ({ kind: 'help' }) },
];

export const usageOf = (command: Command): string =>
  [command.word, ...command.args.map((arg) => (arg.optional ? `[${arg.name}]` : `<${arg.name}>`))].join(' ');

export type Parsed =
  | { command: Command; given: Record<string, string | undefined> }
  /** No command: the title of a new ticket, maybe empty. */
  | { title: string };

/** `close the window` is no command but a title: a word only counts with a ticket behind it where it needs one. */
export function parse(text: string): Parsed {
  const words = text.trim();
  const [first = '', ...others] = words.split(/\s+/);
  const command = COMMANDS.find((one) => one.word === first.toLowerCase());
  if (!command) return { title: words };
  const given: Record<string, string | undefined> = {};
  let left = words.slice(first.length).trim();
  for (const arg of command.args) {
    if (!left) break;
    if (arg.kind === 'rest') {
      given[arg.name] = left;
      left = '';
      break;
    }
    const [word = ''] = left.split(/\s+/);
    if (arg.kind === 'ticket' && !arg.optional && !readTicketKey(word)) return { title: words };
    given[arg.name] = word;
    left = left.slice(word.length).trim();
  }
  // `list the broken chairs`, `help me with my screen`: more than the command takes.
  if (left || (command.word === 'list' && others.length > 2)) return { title: words };
  return { command, given };
}

export const helpText = (call: string, isAgent: boolean): string =>
  [
    `\`${call}\` opens the form for a new ticket; \`${call} some words\` fills in its title.\n`,
    ...COMMANDS.filter((one) => isAgent || !one.forAgents).map(
      (one) => `- \`${call} ${usageOf(one)}\` ${one.about}`,
    ),
  ].join('\n');
