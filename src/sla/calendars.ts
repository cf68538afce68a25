// Calendars: the hours in which time counts. A policy names the one it goes by; one that is named cannot be removed.

import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { inWords } from '../complaints.ts';
import type { Ctx } from '../context.ts';
import { conflict, unknown } from '../errors.ts';
import { idFrom, newId } from '../id.ts';
import { isSameName } from '../names.ts';
import { calendarSchema } from './calendar.ts';
import { changeRules, need } from './changes.ts';
import type { StoredRules } from './model.ts';
import type { NamedCalendar } from './policy.ts';
import { storedRules } from './rules.ts';

const MOST = 100;
const name = z.string().trim().min(1).max(120);

export const calendarInput = calendarSchema.safeExtend({ name });
export const calendarPatch = z.strictObject({
  name: name.optional(),
  timeZone: calendarSchema.shape.timeZone.optional(),
  hours: calendarSchema.shape.hours.optional(),
  holidays: calendarSchema.shape.holidays.unwrap().optional(),
});
export type CalendarInput = z.output<typeof calendarInput>;
export type CalendarPatch = z.output<typeof calendarPatch>;

export async function listCalendars(ctx: Ctx): Promise<NamedCalendar[]> {
  need(ctx, 'sla.read');
  return (await storedRules(ctx.actor.company)).calendars;
}

export async function readCalendar(ctx: Ctx, id: string): Promise<NamedCalendar> {
  need(ctx, 'sla.read');
  return calendarIn(await storedRules(ctx.actor.company), id);
}

function notTwice({ calendars }: StoredRules, wanted: string, except?: string): void {
  const same = calendars.find((one) => one.id !== except && isSameName(one.name, wanted));
  if (same)
    throw conflict('calendar.taken', `There is a calendar "${same.name}" already.`, {
      details: [{ path: 'name', message: 'is taken' }],
    });
}

export async function createCalendar(ctx: Ctx, input: CalendarInput): Promise<NamedCalendar> {
  const at = ctx.now();
  const id = ctx.cause ? idFrom('calendar', ctx.actor.company, ctx.cause) : newId(at);
  return changeRules(ctx, (rules, version) => {
    const mine = ctx.redo ? rules.calendars.find((each) => each.id === id) : undefined;
    if (mine) return mine;
    if (rules.calendars.length >= MOST)
      throw conflict('calendar.many', `There may be ${MOST} calendars at most.`);
    notTwice(rules, input.name);
    const calendar = { ...input, id, company: rules._id, version, createdAt: at, updatedAt: at };
    rules.calendars.push(calendar);
    return calendar;
  });
}

export async function updateCalendar(ctx: Ctx, id: string, given: CalendarPatch): Promise<NamedCalendar> {
  return changeRules(ctx, (rules, version) => {
    const had = calendarIn(rules, id);
    if (given.name !== undefined && given.name !== had.name) notTwice(rules, given.name, id);
    const { timeZone = had.timeZone, hours = had.hours, holidays = had.holidays } = given;
    const hoursOf = calendarSchema.parse({ timeZone, hours, holidays }, { error: inWords });
    const next = { ...had, ...hoursOf, name: given.name ?? had.name };
    if (isDeepStrictEqual(next, had)) return had;
    const calendar = { ...next, version, updatedAt: ctx.now() };
    rules.calendars = rules.calendars.map((each) => (each.id === id ? calendar : each));
    return calendar;
  });
}

export async function removeCalendar(ctx: Ctx, id: string): Promise<void> {
  await changeRules(ctx, (rules) => {
    calendarIn(rules, id);
    const users = rules.policies.filter((policy) => policy.calendar === id).map((policy) => policy.name);
    if (users.length)
      throw conflict(
        'calendar.in_use',
        `It is in use by ${users.join(', ')}: give them another calendar first.`,
      );
    rules.calendars = rules.calendars.filter((each) => each.id !== id);
  });
}

function calendarIn(rules: StoredRules, id: string): NamedCalendar {
  const calendar = rules.calendars.find((each) => each.id === id);
  if (!calendar) throw unknown('calendar');
  return calendar;
}
