// What a chat may show and ask of a ticket besides its card. Pure: every surface asks the same.
import type { Ticket } from './ticket.ts';

/** Somebody has it: whoever claims it now comes too late. */
export const isTaken = ({ assignee }: Pick<Ticket, 'assignee'>): boolean => assignee !== null;

/** Solved, say the agents: who asked confirms it, or says that it is not so. */
export const awaitsVerdict = ({ statusKind }: Pick<Ticket, 'statusKind'>): boolean =>
  statusKind === 'resolved';

/** A link to it may be shown with its title to whoever reads along. */
export const mayBePreviewed = (ticket: Pick<Ticket, 'private'>): boolean => !ticket.private;

/** What who asked is told after they did something with it. */
export function wordsAfter({
  satisfaction,
  statusKind,
}: Pick<Ticket, 'satisfaction' | 'statusKind'>): string {
  if (satisfaction) return `Thank you: ${'★'.repeat(satisfaction.rating)}`;
  const isDone = statusKind === 'resolved' || statusKind === 'closed';
  return isDone ? 'This is done:' : 'We have your request.';
}
