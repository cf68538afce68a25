// The on-call rota of a team: who is on call at an instant. Pure. Turns begin at the same time on the wall, so that a
// week stays a week of seven local days when the clocks change; at each instant it is exactly one person.
import { z } from 'zod';
import { DAY, isZone, stretchAt } from '../sla/zone.ts';

const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const;
const MINUTE = 60_000;
const id = z.string().min(1).max(40);
const date = z.iso.date();
const time = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as 09:00');
const moment = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text))
  .refine((at) => Math.abs(at.getTime()) < Date.UTC(2200, 0), 'is too far away');

const overrideInput = z
  .strictObject({ userId: id, from: moment, to: moment })
  .refine(({ from, to }) => from < to, { path: ['to'], message: 'must be after from' });

export const rotaInput = z
  .strictObject({
    timeZone: z.string().max(60).refine(isZone, 'must be a time zone such as Europe/Berlin'),
    startsOn: date
      .refine((day) => day > '1990-01-01' && day < '2200-01-01', 'is too far away')
      .optional()
      .meta({ description: 'A day on which the first member takes over; today, when it is left out.' }),
    handoverWeekday: z.enum(WEEKDAYS).optional().meta({
      description: 'The first turn begins on such a day: on or after starts_on, or the latest there was.',
      example: 'monday',
    }),
    handoverTime: time
      .default('09:00')
      .meta({ description: 'Local time of the handover.', example: '09:00' }),
    turnDays: z.int().min(1).max(366).default(7),
    memberIds: z
      .array(id)
      .min(1)
      .max(100)
      .meta({ description: 'In the order of their turns; somebody may have several.' }),
    overrides: z
      .array(overrideInput)
      .max(500)
      .default([])
      .meta({ description: 'Who takes over instead, from and to; of several at once the last one holds.' }),
  })
  .meta({
    examples: [
      {
        time_zone: 'Europe/Berlin',
        starts_on: '2026-11-23',
        handover_time: '09:00',
        member_ids: ['64b7f0c2a1d3e4f5a6b7c8d9'],
        overrides: [],
      },
    ],
  });

export interface Override {
  userId: string;
  from: Date;
  to: Date;
}

export interface Rota {
  timeZone: string;
  startsOn: string;
  handoverTime: string;
  turnDays: number;
  memberIds: readonly string[];
  overrides: readonly Override[];
}

/** With a first day for certain: the weekday asked for, at or after the day given, or the latest one before today. */
export function rotaOf(given: z.output<typeof rotaInput>, now: Date): Rota {
  const { startsOn, handoverWeekday, ...rest } = given;
  let day = startsOn ? dayNumber(startsOn) : Math.floor(onTheWall(given.timeZone, now.getTime()) / DAY);
  if (handoverWeekday) while (weekdayOf(day) !== handoverWeekday) day += startsOn ? 1 : -1;
  return { ...rest, startsOn: new Date(day * DAY).toISOString().slice(0, 10) };
}

const dayNumber = (iso: string): number => Date.parse(`${iso}T00:00:00Z`) / DAY;
/** The first of January 1970 was a Thursday. */
const weekdayOf = (day: number): string | undefined => WEEKDAYS[(((day + 3) % 7) + 7) % 7];
const onTheWall = (zone: string, at: number): number => at + stretchAt(zone, at).offset;

/** When the clocks on the wall show this: the first time of two, and when it is skipped, the moment of the skip. */
export function instantOf(zone: string, wall: number): number {
  for (let at = wall - DAY; at <= wall + DAY; ) {
    const { from, to, offset } = stretchAt(zone, at);
    if (wall - offset < to) return Math.max(wall - offset, from);
    at = to;
  }
  throw new RangeError(`the clocks of ${zone} never show ${wall}`);
}

export interface Duty {
  user: string;
  from: Date;
  to: Date;
  overridden: boolean;
}

const startOf = (rota: Rota, turn: number): number => {
  const [hours = 0, minutes = 0] = rota.handoverTime.split(':').map(Number);
  const day = dayNumber(rota.startsOn) + turn * rota.turnDays;
  return instantOf(rota.timeZone, day * DAY + (hours * 60 + minutes) * MINUTE);
};

/** Which turn it is; before the first one the order goes on backwards. */
function turnAt(rota: Rota, at: number): number {
  const passed = onTheWall(rota.timeZone, at) - dayNumber(rota.startsOn) * DAY;
  let turn = Math.floor(passed / (rota.turnDays * DAY));
  while (startOf(rota, turn) > at) turn--;
  while (startOf(rota, turn + 1) <= at) turn++;
  return turn;
}

function memberOf({ memberIds }: Rota, turn: number): string {
  const count = memberIds.length;
  return memberIds[((turn % count) + count) % count] ?? '';
}

/** Whose duty it is, and for how long: until the turn ends or an override begins or ends. */
export function dutyAt(rota: Rota, at: Date): Duty {
  const now = at.getTime();
  const over = rota.overrides.findLast(({ from, to }) => from.getTime() <= now && now < to.getTime());
  const turn = turnAt(rota, now);
  let from = startOf(rota, turn);
  let to = startOf(rota, turn + 1);
  if (over) [from, to] = [over.from.getTime(), over.to.getTime()];
  const later = over ? rota.overrides.slice(rota.overrides.indexOf(over) + 1) : rota.overrides;
  for (const edge of later.flatMap((one) => [one.from.getTime(), one.to.getTime()])) {
    if (edge <= now && edge > from) from = edge;
    if (edge > now && edge < to) to = edge;
  }
  const user = over?.userId ?? memberOf(rota, turn);
  return { user, from: new Date(from), to: new Date(to), overridden: over !== undefined };
}

/** Who is on call, then who stands in when they cannot: the others, as their turns come. */
export function orderAt(rota: Rota, at: Date): string[] {
  const turn = turnAt(rota, at.getTime());
  const others = rota.memberIds.map((_, step) => memberOf(rota, turn + step));
  return [...new Set([dutyAt(rota, at).user, ...others])];
}
