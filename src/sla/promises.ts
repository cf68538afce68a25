// What is still promised on a ticket, for whoever looks at a list: which, until when, and how long that is. Pure.
import type { Target } from './policy.ts';
import type { TicketSla } from './targets.ts';

export interface OpenPromise {
  /** `due`: a date that somebody set by hand. */
  target: Target | 'due';
  at: Date;
  broken: boolean;
  /** "in 2 h 5 min", "3 d late". */
  left: string;
}

interface Promised {
  sla: TicketSla | null;
  dueDate: Date | null;
  resolvedAt: Date | null;
}

/** The soonest first; one that is held (waiting for the requester) has no date. */
export function openPromises({ sla, dueDate, resolvedAt }: Promised, now: Date): OpenPromise[] {
  if (resolvedAt) return [];
  const made = (target: OpenPromise['target'], at: Date | null): OpenPromise[] =>
    at ? [{ target, at, broken: at.getTime() < now.getTime(), left: howLong(at, now) }] : [];
  const clocks = (sla?.clocks ?? []).flatMap((clock) => made(clock.target, clock.metAt ? null : clock.dueAt));
  return [...clocks, ...made('due', dueDate)].sort((a, b) => a.at.getTime() - b.at.getTime());
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Two units at most: nobody counts minutes of next week. */
export function howLong(at: Date, now: Date): string {
  const ms = Math.abs(at.getTime() - now.getTime());
  const [days, hours, minutes] = [
    Math.floor(ms / DAY),
    Math.floor((ms % DAY) / HOUR),
    Math.floor((ms % HOUR) / MINUTE),
  ];
  const words = days
    ? `${days} d${hours ? ` ${hours} h` : ''}`
    : hours
      ? `${hours} h${minutes ? ` ${minutes} min` : ''}`
      : `${minutes} min`;
  return at.getTime() < now.getTime() ? `${words} late` : `in ${words}`;
}
