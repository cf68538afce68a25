// The business hours of a desk: those by which its promises are reckoned.
import type { Calendar } from '../sla/calendar.ts';
import { hoursFor } from '../sla/policy.ts';
import { rulesOf } from '../sla/rules.ts';
import type { Ticket } from '../tickets/ticket.ts';

export const calendarOf = async ({ company, desk }: Pick<Ticket, 'company' | 'desk'>): Promise<Calendar> =>
  hoursFor(await rulesOf(company), desk);
