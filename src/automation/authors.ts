// Who did it, as conditions ask: the one who asked, another customer, an agent, a rule, Switchboard itself.
import type { Entry } from '../history/entry.ts';
import { atLeast } from '../people/access.ts';
import { member } from '../people/members.ts';
import type { Ticket } from '../tickets/ticket.ts';
import type { Author } from './fields.ts';

export async function authorOf(
  { requester }: Pick<Ticket, 'requester'>,
  { by, via }: Entry,
): Promise<Author> {
  if (by.kind === 'system') return via === 'automation' ? 'rule' : 'system';
  if (by.id === requester.id && by.kind === requester.kind) return 'requester';
  if (by.kind === 'contact') return 'customer';
  return atLeast((await member(by.id))?.role ?? 'customer', 'agent') ? 'agent' : 'customer';
}
