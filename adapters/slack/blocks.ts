// What a ticket looks like in a message: the triage card, the requester's card, a list. Pure drawings from plain facts;
// which buttons there are follows from the desk's workflow, who may press them is decided when they are pressed.
import type { ActionsBlock, KnownBlock } from '@slack/types';
import {
  actions,
  button,
  context,
  divider,
  fields,
  header,
  keyed,
  moment,
  option,
  section,
  select,
  within,
} from './elements.ts';
import { toSlack } from './mrkdwn.ts';
import { clip, clipPlain, escaped, split } from './text.ts';

export interface StatusWord {
  name: string;
  label: string;
}

/** All that is drawn of a ticket; made by facts.ts. */
export interface TicketFacts {
  id: string;
  key: string;
  url: string;
  title: string;
  description: string;
  status: StatusWord;
  /** Where it may go from here. */
  next: StatusWord[];
  kind: 'new' | 'open' | 'pending' | 'resolved' | 'closed';
  priority: string;
  priorities: string[];
  category: string | null;
  requester: string;
  assignee: string | null;
  team: string | null;
  via: string;
  isPrivate: boolean;
  escalated: boolean;
  createdAt: Date;
  updatedAt: Date;
  resolvedAt: Date | null;
  resolutionNotes: string | null;
  /** What is promised still, the soonest first; `left` is how long that is from now. */
  due: { label: string; at: Date; broken: boolean; left: string }[];
}

export interface Drawing {
  text: string;
  blocks: KnownBlock[];
}

const DOTS: Record<string, string> = {
  critical: ':rotating_light:',
  urgent: ':red_circle:',
  high: ':large_orange_circle:',
  medium: ':large_yellow_circle:',
  low: ':white_circle:',
};
/** The mark that a ticket's state puts on the message it came from. */
export const STATE_MARKS = {
  new: 'ticket',
  open: 'eyes',
  pending: 'hourglass_flowing_sand',
  resolved: 'white_check_mark',
  closed: 'lock',
} as const;

export const titled = (word: string): string =>
  word.replaceAll('_', ' ').replace(/^\p{L}/u, (first) => first.toUpperCase());
export const priorityWord = (priority: string): string =>
  `${DOTS[priority] ?? ':white_circle:'} ${escaped(titled(priority))}`;
export const done = (facts: Pick<TicketFacts, 'kind'>): boolean =>
  facts.kind === 'resolved' || facts.kind === 'closed';

/** The line that names a ticket in notifications and lists. Safe in mrkdwn. */
export const nameOf = (facts: Pick<TicketFacts, 'key' | 'title'>, most = 200): string =>
  `${facts.key} ${escaped(clipPlain(facts.title, most))}`;

function facets(facts: TicketFacts): [string, string][] {
  const rows: [string, string][] = [
    ['Status', escaped(facts.status.label)],
    ['Priority', priorityWord(facts.priority)],
    ['Requester', escaped(facts.requester)],
    ['Assignee', facts.assignee ? escaped(facts.assignee) : '_nobody yet_'],
  ];
  if (facts.category) rows.push(['Category', escaped(titled(facts.category))]);
  if (facts.team) rows.push(['Team', escaped(facts.team)]);
  for (const { label, at, broken } of facts.due.slice(0, 2))
    rows.push([label, `${broken ? ':warning: ' : ''}${moment(at)}`]);
  return rows;
}

const flags = (facts: TicketFacts): string =>
  [
    facts.isPrivate ? ':lock: private' : '',
    facts.escalated && !done(facts) ? ':arrow_double_up: escalated' : '',
    `via ${escaped(facts.via)}`,
    moment(facts.createdAt),
  ]
    .filter(Boolean)
    .join('  ·  ');

function levers(facts: TicketFacts): KnownBlock[] {
  const { id } = facts;
  if (done(facts))
    return facts.next.length ? [actions(`card:${id}`, [button('ticket_reopen', 'Reopen', id)])] : [];
  const main: ActionsBlock['elements'] = [
    facts.assignee
      ? button('ticket_release', 'Release', id)
      : button('ticket_claim', 'Claim', id, { style: 'primary' }),
    button('ticket_resolve', 'Resolve', id, facts.assignee ? { style: 'primary' } : {}),
    button('ticket_reply', 'Reply', id),
    button('ticket_note', 'Note', id),
    {
      type: 'overflow',
      action_id: 'ticket_more',
      options: [option('escalate', 'Escalate'), option('refuse', 'Not a request'), option('close', 'Close')],
    },
  ];
  return [
    actions(`card:${id}`, main),
    actions(`more:${id}`, [
      {
        type: 'users_select',
        action_id: 'ticket_assign',
        placeholder: { type: 'plain_text', text: 'Assign to…' },
      },
      select(
        'ticket_priority',
        'Priority',
        facts.priorities.map((name) => option(name, titled(name))),
        facts.priority,
      ),
      ...(facts.next.length
        ? [
            select(
              'ticket_status',
              'Move to…',
              facts.next.map(({ name, label }) => option(name, label)),
            ),
          ]
        : []),
    ]),
  ];
}

/** The card in the desk's channel. `working` names who pressed and takes the buttons away until the answer is in. */
export function triageCard(facts: TicketFacts, working?: string): Drawing {
  const resolved =
    done(facts) && facts.resolutionNotes
      ? [section(`:white_check_mark: ${clip(toSlack(facts.resolutionNotes), 1500)}`)]
      : [];
  return {
    text: `${nameOf(facts)} (${escaped(facts.status.label)})`,
    blocks: [
      header(`${facts.key} · ${facts.title}`),
      ...(facts.description.trim() ? [section(clip(toSlack(facts.description), 1500))] : []),
      fields(facets(facts)),
      ...resolved,
      context(flags(facts), keyed('Open', facts.url)),
      ...(working ? [context(`:hourglass_flowing_sand: ${escaped(working)}`)] : levers(facts)),
    ],
  };
}

/** What stands in the requester's thread or direct message: where the ticket is, and what they can do about it. */
export function requesterCard(facts: TicketFacts, words = 'We have your request.'): Drawing {
  const { id } = facts;
  const buttons: ActionsBlock['elements'] = done(facts)
    ? [
        ...(facts.kind === 'resolved'
          ? [button('ticket_confirm', 'Yes, solved', id, { style: 'primary' })]
          : []),
        ...(facts.next.length ? [button('ticket_reopen', 'Not solved: reopen', id)] : []),
        select(
          'ticket_rate',
          'Rate the help',
          [5, 4, 3, 2, 1].map((stars) => option(`${stars}`, `${'★'.repeat(stars)}${'☆'.repeat(5 - stars)}`)),
        ),
      ]
    : [button('ticket_reply', 'Add something', id), button('ticket_close', 'No longer needed', id)];
  return {
    text: `${nameOf(facts)}: ${escaped(facts.status.label)}`,
    blocks: [
      section(`${escaped(words)} *${keyed(facts.key, facts.url)}* ${escaped(clipPlain(facts.title, 300))}`),
      context(
        `*${escaped(facts.status.label)}*`,
        facts.assignee ? `with ${escaped(facts.assignee)}` : 'nobody has taken it yet',
        priorityWord(facts.priority),
      ),
      ...(done(facts) && facts.resolutionNotes
        ? split(toSlack(facts.resolutionNotes))
            .slice(0, 3)
            .map((text) => section(text))
        : []),
      actions(`mine:${id}`, buttons),
    ],
  };
}

const row = (facts: TicketFacts): string =>
  `*${keyed(facts.key, facts.url)}* ${escaped(clipPlain(facts.title, 150))}\n` +
  [
    escaped(facts.status.label),
    priorityWord(facts.priority),
    facts.assignee ? escaped(facts.assignee) : '_unassigned_',
    ...facts.due
      .slice(0, 1)
      .map(({ label, at, broken, left }) => `${broken ? ':warning: ' : ''}${label} ${left} (${moment(at)})`),
  ].join('  ·  ');

export const rows = (list: readonly TicketFacts[]): KnownBlock[] =>
  list.map((facts) => section(row(facts), { accessory: button('ticket_show', 'Show', facts.id) }));

/** A list as an answer to one person. */
export function listOf(title: string, list: readonly TicketFacts[], total: number): Drawing {
  const shown = list.slice(0, 20);
  const blocks: KnownBlock[] = [section(`*${escaped(title)}* (${total})`)];
  if (shown.length) blocks.push(divider, ...rows(shown));
  else blocks.push(context('Nothing here.'));
  if (total > shown.length)
    blocks.push(context(`${total - shown.length} more: narrow the list or use search.`));
  return { text: `${escaped(title)} (${total})`, blocks: within(blocks, 50) };
}

/** Words for one person, in pieces that Slack takes. */
export function saying(markdown: string): Drawing {
  const text = toSlack(markdown);
  return {
    text: clip(text, 3000),
    blocks: within(
      split(text).map((piece) => section(piece)),
      50,
    ),
  };
}

/** A comment as it appears in a thread: who speaks, and what they say. */
export function speech(author: string, markdown: string, mark = ''): Drawing {
  const text = toSlack(markdown);
  const pieces = split(text);
  const name = `${mark}*${escaped(clipPlain(author, 80))}*`;
  return {
    text: clip(`${escaped(clipPlain(author, 80))}: ${text}`, 3000),
    blocks: within(
      [section(`${name}\n${pieces[0] ?? ''}`), ...pieces.slice(1).map((piece) => section(piece))],
      49,
    ),
  };
}

/** An error for one person: a sentence, and a reference when it was ours. */
export const trouble = (sentence: string, reference?: string): Drawing => ({
  text: `:warning: ${escaped(sentence)}`,
  blocks: [
    section(`:warning: ${escaped(clipPlain(sentence, 2000))}`),
    ...(reference ? [context(`Reference \`${escaped(reference)}\``)] : []),
  ],
});
