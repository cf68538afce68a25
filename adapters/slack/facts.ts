// From a ticket as the desk keeps it to what is drawn of it: names for ids, words for states, the page's address.
import type { Desk } from '../../src/desks/desk.ts';
import { PRIORITIES } from '../../src/desks/desk.ts';
import { desksOf, findDesk } from '../../src/desks/desks.ts';
import { member } from '../../src/people/members.ts';
import { teamName } from '../../src/people/roster.ts';
import { openPromises } from '../../src/sla/promises.ts';
import type { Ticket } from '../../src/tickets/ticket.ts';
import { nextOf, type Workflow } from '../../src/tickets/workflow.ts';
import type { StatusWord, TicketFacts } from './blocks.ts';
import type { Host } from './host.ts';

const PROMISES = {
  first_response: 'First answer',
  next_response: 'Next answer',
  resolution: 'Solution',
  due: 'Due',
} as const;

const wordOf = (workflow: Workflow, name: string): StatusWord => ({
  name,
  label: workflow.states.find((state) => state.name === name)?.label ?? name,
});

async function nameOf(user: string | null): Promise<string | null> {
  if (user === null) return null;
  const found = await member(user);
  return found ? (found.fullName ?? found.username) : 'somebody';
}

export async function factsOf(host: Host, ticket: Ticket, known?: Desk): Promise<TicketFacts> {
  const desk = known ?? (await deskOf(ticket));
  const { workflow } = desk;
  return {
    id: ticket._id,
    key: ticket.key,
    url: host.ticketUrl(ticket.key),
    title: ticket.title,
    description: ticket.description,
    status: wordOf(workflow, ticket.status),
    next: nextOf(workflow, ticket.status).map((name) => wordOf(workflow, name)),
    kind: ticket.statusKind,
    priority: ticket.priority,
    priorities: [...PRIORITIES],
    category: ticket.category,
    requester: ticket.requester.name,
    assignee: await nameOf(ticket.assignee),
    team: ticket.team ? await teamName(ticket.team) : null,
    via: ticket.channel,
    isPrivate: ticket.private,
    escalated: ticket.escalated,
    createdAt: ticket.createdAt,
    updatedAt: ticket.updatedAt,
    resolvedAt: ticket.resolvedAt,
    resolutionNotes: ticket.resolutionNotes,
    due: openPromises(ticket, host.now()).map(({ target, ...rest }) => ({
      label: PROMISES[target],
      ...rest,
    })),
  };
}

async function deskOf(ticket: Ticket): Promise<Desk> {
  const desks = await desksOf(ticket.company);
  return desks.find((desk) => desk.id === ticket.desk) ?? findDesk(ticket.company);
}

export const factsOfAll = (host: Host, tickets: readonly Ticket[]): Promise<TicketFacts[]> =>
  Promise.all(tickets.map((ticket) => factsOf(host, ticket)));
