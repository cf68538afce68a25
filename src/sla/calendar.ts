// When the desk is at work. An instant counts exactly when the clock on the wall shows a time inside the hours of
// that day and the date is no holiday; changes of the clocks need no other rule. Pure, and quick for years ahead.

import { z } from 'zod';
import { oneOfForms } from '../complaints.ts';
import { invalid } from '../errors.ts';
import { DAY, isZone, stretchAt } from './zone.ts';

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
const YEARS_AHEAD = 100 * 366 * DAY;
const LATEST = Date.UTC(9999, 0, 1);

const time = z
  .string()
  .regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'a time of day such as 09:00, at most 24:00')
  .meta({ example: '09:00' });
const interval = z
  .strictObject({ from: time, to: time })
  .refine((each) => each.from !== each.to && each.from !== '24:00', 'an interval must last some time');
const day = z.array(interval).max(24);
const NAMES = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
type Weekday = (typeof WEEKDAYS)[number];
/** Short or in full, in any letter case. */
function weekdayNamed(word: string): Weekday | undefined {
  const wanted = word.trim().toLowerCase();
  return WEEKDAYS.find((short, at) => short === wanted || NAMES[at] === wanted);
}
const hoursSchema = z
  .record(z.string().max(20), day)
  .transform((given, check) => {
    const out: Partial<Record<Weekday, z.output<typeof day>>> = {};
    for (const [word, intervals] of Object.entries(given)) {
      const name = weekdayNamed(word);
      const problem = !name ? `must be one of ${WEEKDAYS.join(', ')}` : out[name] && 'stands there twice';
      if (problem) check.addIssue({ code: 'custom', path: [word], message: problem });
      else if (name) out[name] = intervals;
    }
    return out;
  })
  .meta({
    description: `By weekday: ${WEEKDAYS.join(', ')}, or in full.`,
    example: { mon: [{ from: '09:00', to: '17:00' }] },
  });
const holiday = z.strictObject({
  date: z.iso.date(),
  yearly: z.boolean().optional(),
  name: z.string().trim().min(1).max(120).optional(),
});

export const calendarSchema = z
  .strictObject({
    timeZone: z.string().refine(isZone, 'a time zone of the IANA list, such as Europe/Berlin'),
    hours: z.union([z.literal('24x7'), hoursSchema], {
      error: oneOfForms(
        'must be 24x7, or intervals by weekday such as {"mon": [{"from": "09:00", "to": "17:00"}]}',
      ),
    }),
    holidays: z.array(holiday).max(1000).default([]),
  })
  .refine((each) => each.hours === '24x7' || Object.values(each.hours).some((list) => list.length > 0), {
    path: ['hours'],
    message: 'a calendar needs at least one hour a week, or no deadline would ever come',
  });
export type Calendar = z.infer<typeof calendarSchema>;

export const ALWAYS: Calendar = { timeZone: 'UTC', hours: '24x7', holidays: [] };

export type Reason = { kind: 'open' } | { kind: 'closed' } | { kind: 'holiday'; name: string };
export interface Interval {
  from: Date;
  to: Date;
  ms: number;
  counted: boolean;
  reason: Reason;
}

/** Working milliseconds between two instants; none if `to` is not after `from`. */
export function workingTime(calendar: Calendar, from: Date, to: Date): number {
  return run(compiled(calendar), from.getTime(), to.getTime(), Number.POSITIVE_INFINITY).worked;
}

/** The first instant at which `ms` have been worked since `from`; null if a hundred years do not hold them. */
export function addWorkingTime(calendar: Calendar, from: Date, ms: number): Date | null {
  if (!(ms >= 0)) throw invalid('calendar.negative', 'Working time to add must not be negative.');
  const start = from.getTime();
  const { at, worked } = run(compiled(calendar), start, Math.min(start + YEARS_AHEAD, LATEST), ms);
  return worked < ms ? null : new Date(at);
}

/** Every interval from `from` to `to`, in order and without gaps, each counted or not, with the reason. */
export function intervals(calendar: Calendar, from: Date, to: Date): Interval[] {
  const rules = compiled(calendar);
  const limit = to.getTime();
  const list: Interval[] = [];
  const push = (begin: number, end: number, reason: Reason): void => {
    if (end <= begin) return;
    const last = list.at(-1);
    if (last && sameReason(last.reason, reason)) {
      last.to = new Date(end);
      last.ms += end - begin;
    } else {
      const counted = reason.kind === 'open';
      list.push({ from: new Date(begin), to: new Date(end), ms: end - begin, counted, reason });
    }
  };
  for (let at = from.getTime(); at < limit; ) {
    const { to: change, offset } = stretchAt(rules.zone, at);
    const number = Math.floor((at + offset) / DAY);
    const midnight = number * DAY - offset;
    const end = Math.min(change, limit, midnight + DAY);
    const name = holidaysAround(rules, number).get(number);
    if (name === undefined) {
      for (const [opens, closes] of rules.week[weekday(number)] ?? []) {
        const begin = Math.max(at, midnight + opens);
        const stop = Math.min(end, midnight + closes);
        if (stop <= begin) continue;
        push(at, begin, { kind: 'closed' });
        push(begin, stop, { kind: 'open' });
        at = stop;
      }
      push(at, end, { kind: 'closed' });
    } else push(at, end, { kind: 'holiday', name });
    at = end;
  }
  return list;
}

function sameReason(one: Reason, other: Reason): boolean {
  if (one.kind === 'holiday') return other.kind === 'holiday' && one.name === other.name;
  return one.kind === other.kind;
}

interface Rules {
  zone: string;
  /** By weekday, Monday first: open stretches in ms after midnight on the wall, in order, apart from each other. */
  week: [number, number][][];
  worked: number;
  dates: { year: number | null; month: number; day: number; name: string }[];
  years: Map<number, Year>;
  latest: Year;
}

/** One calendar year in day numbers, and its holidays in order. */
interface Year {
  first: number;
  next: number;
  days: Map<number, string>;
}

const compilations = new WeakMap<Calendar, Rules>();

function compiled(calendar: Calendar): Rules {
  let rules = compilations.get(calendar);
  if (rules) return rules;
  const week: [number, number][][] = WEEKDAYS.map(() => []);
  WEEKDAYS.forEach((name, index) => {
    const list = calendar.hours === '24x7' ? [{ from: '00:00', to: '24:00' }] : calendar.hours[name];
    for (const each of list ?? []) {
      const opens = msOf(each.from);
      const closes = msOf(each.to);
      if (closes > opens) week[index]?.push([opens, closes]);
      else {
        week[index]?.push([opens, DAY]);
        if (closes > 0) week[(index + 1) % 7]?.push([0, closes]);
      }
    }
  });
  const tidy = week.map(merge);
  const holidays = calendar.holidays.length > 0;
  rules = {
    zone: calendar.timeZone,
    week: tidy,
    worked: tidy.flat().reduce((sum, [opens, closes]) => sum + closes - opens, 0),
    dates: calendar.holidays.map(({ date, yearly, name }) => ({
      year: yearly ? null : Number(date.slice(0, 4)),
      month: Number(date.slice(5, 7)),
      day: Number(date.slice(8, 10)),
      name: name ?? 'holiday',
    })),
    years: new Map(),
    latest: {
      first: holidays ? 0 : Number.NEGATIVE_INFINITY,
      next: holidays ? 0 : Number.POSITIVE_INFINITY,
      days: new Map(),
    },
  };
  compilations.set(calendar, rules);
  return rules;
}

function msOf(wall: string): number {
  return (Number(wall.slice(0, 2)) * 60 + Number(wall.slice(3, 5))) * 60_000;
}

function merge(list: [number, number][]): [number, number][] {
  const tidy: [number, number][] = [];
  for (const [opens, closes] of list.toSorted((a, b) => a[0] - b[0])) {
    const last = tidy.at(-1);
    if (last && opens <= last[1]) last[1] = Math.max(last[1], closes);
    else tidy.push([opens, closes]);
  }
  return tidy;
}

/** Days are numbered from 1 January 1970, a Thursday. */
function weekday(number: number): number {
  return (((number + 3) % 7) + 7) % 7;
}

/** The holidays of the year in which the day lies: day number to name. */
function holidaysAround(rules: Rules, number: number): Map<number, string> {
  return yearOf(rules, number).days;
}

/** The first holiday from day `number` on, or the first day of the next year, whichever comes first. */
function clearUntil(rules: Rules, number: number): number {
  const { days, next } = yearOf(rules, number);
  for (const day of days.keys()) if (day >= number) return day;
  return next;
}

function yearOf(rules: Rules, number: number): Year {
  const { latest } = rules;
  if (latest.first <= number && number < latest.next) return latest;
  const year = new Date(number * DAY).getUTCFullYear();
  let found = rules.years.get(year);
  if (!found) {
    const list: [number, string][] = [];
    for (const each of rules.dates) {
      if (each.year !== null && each.year !== year) continue;
      const date = new Date(Date.UTC(year, each.month - 1, each.day));
      if (date.getUTCDate() === each.day) list.push([date.getTime() / DAY, each.name]); // no 29 February: no holiday
    }
    const days = new Map(list.sort(([a], [b]) => a - b));
    found = { first: Date.UTC(year, 0, 1) / DAY, next: Date.UTC(year + 1, 0, 1) / DAY, days };
    rules.years.set(year, found);
  }
  rules.latest = found;
  return found;
}

/** Works on from `from` until `limit`, or until `budget` ms are worked: whole weeks at a stride, the rest by days. */
function run(rules: Rules, from: number, limit: number, budget: number): { at: number; worked: number } {
  let at = from;
  let worked = 0;
  if (budget <= 0) return { at, worked };
  while (at < limit) {
    const { to: change, offset } = stretchAt(rules.zone, at);
    const end = Math.min(change, limit);
    while (at < end) {
      const number = Math.floor((at + offset) / DAY);
      const midnight = number * DAY - offset;
      if (at === midnight) {
        const clear = Math.min(Math.floor((end + offset) / DAY), clearUntil(rules, number)) - number;
        const affordable = rules.worked > 0 ? Math.ceil((budget - worked) / rules.worked) - 1 : clear;
        const weeks = Math.min(Math.floor(clear / 7), affordable);
        if (weeks > 0) {
          at += weeks * 7 * DAY;
          worked += weeks * rules.worked;
          continue;
        }
      }
      const dayEnd = Math.min(midnight + DAY, end);
      if (!holidaysAround(rules, number).has(number))
        for (const [opens, closes] of rules.week[weekday(number)] ?? []) {
          const begin = Math.max(at, midnight + opens);
          const stop = Math.min(dayEnd, midnight + closes);
          if (stop <= begin) continue;
          if (worked + stop - begin >= budget) return { at: begin + budget - worked, worked: budget };
          worked += stop - begin;
        }
      at = dayEnd;
    }
  }
  return { at: Math.max(limit, from), worked };
}
