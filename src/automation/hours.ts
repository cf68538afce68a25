// The business hours of a desk: those by which its promises are reckoned.
import { ALWAYS, type Calendar } from '../sla/calendar.ts';
import { rulesOf } from '../sla/rules.ts';
import type { Ticket } from '../tickets/ticket.ts';

export async function calendarOf({ company, desk }: Pick<Ticket, 'company' | 'desk'>): Promise<Calendar> {
  const { policies, calendars } = await rulesOf(company);
  const policy = policies.find((one) => one.desk === desk) ?? policies.find((one) => one.desk === null);
  return calendars.find((one) => one.id === policy?.calendar) ?? ALWAYS;
}
