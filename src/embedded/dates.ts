// The calendar in a time zone: parts, steps and periods of dates, and dates as text. Luxon counts the days.
import { DateTime, FixedOffsetZone, IANAZone, type Zone } from 'luxon';
import { fault } from './errors.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
export const UTC: Zone = FixedOffsetZone.utcInstance;

export function zoneOf(name: string): Zone {
  if (name === 'UTC' || name === 'GMT' || name === 'Z') return UTC;
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d{2}):?(\d{2})?$/.exec(name) ?? [];
  if (sign) return FixedOffsetZone.instance(Number(`${sign}1`) * (Number(hours) * 60 + Number(minutes)));
  const zone = IANAZone.create(name);
  return zone.isValid ? zone : fault(40485, `unrecognized time zone identifier: "${name}"`);
}

export const local = (date: Date, zone: Zone = UTC): DateTime => DateTime.fromJSDate(date, { zone });

function moment(at: DateTime): Date {
  return at.isValid ? at.toJSDate() : fault(5166406, 'the date is beyond the range of dates');
}

/** What the clock shows, as the moment at which a clock of UTC shows the same; and back. */
const clock = (at: DateTime): number => at.toMillis() + at.offset * MINUTE;
const atClock = (at: DateTime, zone: Zone = UTC): Date => moment(at.setZone(zone, { keepLocalTime: true }));

/** The parts of a local time, by the names of their operators. */
export const PARTS = {
  year: (at: DateTime) => at.year,
  month: (at: DateTime) => at.month,
  dayOfMonth: (at: DateTime) => at.day,
  dayOfWeek: (at: DateTime) => (at.weekday % 7) + 1,
  dayOfYear: (at: DateTime) => at.ordinal,
  week: (at: DateTime) => Math.floor((at.ordinal + 6 - (at.weekday % 7)) / 7),
  isoWeek: (at: DateTime) => at.weekNumber,
  isoWeekYear: (at: DateTime) => at.weekYear,
  isoDayOfWeek: (at: DateTime) => at.weekday,
  hour: (at: DateTime) => at.hour,
  minute: (at: DateTime) => at.minute,
  second: (at: DateTime) => at.second,
  millisecond: (at: DateTime) => at.millisecond,
} as const;
export type Part = keyof typeof PARTS;

export type Parts = Partial<Record<Exclude<Part, 'dayOfMonth'> | 'day', number | undefined>>;

/** Parts may be out of their range (month 14, day 0): the calendar carries them over. */
export function fromParts({ isoWeekYear, ...parts }: Parts, zone?: Zone): Date {
  const { year = 1970, month = 1, day = 1, isoWeek = 1, isoDayOfWeek = 1, ...time } = parts;
  const { hour: hours = 0, minute: minutes = 0, second: seconds = 0, millisecond: milliseconds = 0 } = time;
  const date =
    isoWeekYear === undefined
      ? DateTime.utc(year, 1, 1).plus({ months: month - 1, days: day - 1 })
      : DateTime.fromObject({ weekYear: isoWeekYear, weekNumber: 1, weekday: 1 }, { zone: UTC }).plus({
          weeks: isoWeek - 1,
          days: isoDayOfWeek - 1,
        });
  return atClock(date.plus({ hours, minutes, seconds, milliseconds }), zone);
}

const FIXED = { week: 7 * DAY, day: DAY, hour: 60 * MINUTE, minute: MINUTE, second: 1000, millisecond: 1 };
const MONTHS = { year: 12, quarter: 3, month: 1 };
export type Unit = keyof typeof FIXED | keyof typeof MONTHS;

export const isUnit = (value: unknown): value is Unit =>
  typeof value === 'string' && (Object.hasOwn(FIXED, value) || Object.hasOwn(MONTHS, value));
const isMonthly = (unit: Unit): unit is keyof typeof MONTHS => unit in MONTHS;

export const addUnits = (date: Date, unit: Unit, amount: number, zone?: Zone): Date =>
  moment(local(date, zone).plus({ [unit]: amount }));

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

export function weekdayOf(name: string): number | undefined {
  const wanted = name.toLowerCase();
  const index = WEEKDAYS.findIndex((day) => day === wanted || day.slice(0, 3) === wanted);
  return index < 0 ? undefined : index;
}

/** Where periods are counted from: 2000, or the first such weekday of it, whose first of January was a Saturday. */
const origin = (unit: Unit, startOfWeek: number): number =>
  Date.UTC(2000, 0, 1) + (unit === 'week' ? ((startOfWeek + 1) % 7) * DAY : 0);

/** Which period of a unit a local time falls in. */
function period(at: DateTime, unit: Unit, size: number, startOfWeek: number): number {
  if (isMonthly(unit)) return Math.floor(((at.year - 2000) * 12 + at.month - 1) / (MONTHS[unit] * size));
  return Math.floor((clock(at) - origin(unit, startOfWeek)) / (FIXED[unit] * size));
}

export function difference(from: Date, to: Date, unit: Unit, zone?: Zone, startOfWeek = 0): number {
  return period(local(to, zone), unit, 1, startOfWeek) - period(local(from, zone), unit, 1, startOfWeek);
}

export function truncate(date: Date, unit: Unit, size: number, zone?: Zone, startOfWeek = 0): Date {
  const number = period(local(date, zone), unit, size, startOfWeek);
  if (isMonthly(unit)) return fromParts({ year: 2000, month: 1 + number * MONTHS[unit] * size }, zone);
  const start = origin(unit, startOfWeek) + number * FIXED[unit] * size;
  return atClock(DateTime.fromMillis(start, { zone: UTC }), zone);
}

/** Format letters that are a part of the date, how wide it is written, and how Luxon is told to read it. */
const LETTERS: Record<string, [part: Part, width: number, token?: string]> = {
  Y: ['year', 4, 'yyyy'],
  m: ['month', 2, 'L'],
  d: ['dayOfMonth', 2, 'd'],
  H: ['hour', 2, 'H'],
  M: ['minute', 2, 'm'],
  S: ['second', 2, 's'],
  L: ['millisecond', 3, 'S'],
  j: ['dayOfYear', 3, 'o'],
  u: ['isoDayOfWeek', 1],
  w: ['dayOfWeek', 1],
  U: ['week', 2],
  V: ['isoWeek', 2, 'W'],
  G: ['isoWeekYear', 4, 'kkkk'],
};
const NAMES: Record<string, string> = { b: 'LLL', B: 'LLLL', z: 'ZZZ', '%': "'%'" };

const unknownLetter = (letter: string): never =>
  fault(18536, `Invalid format character '%${letter}' in format string`);

/** A date by a format of MongoDB's. */
export function format(date: Date, pattern: string, zone?: Zone): string {
  const at = local(date, zone);
  return pattern.replace(/%(.?)/g, (_whole, letter: string) => {
    const [part, width] = LETTERS[letter] ?? [];
    if (part && width) return String(PARTS[part](at)).padStart(width, '0');
    if (letter === 'Z')
      return `${at.offset < 0 ? '-' : '+'}${String(Math.abs(Math.trunc(at.offset))).padStart(3, '0')}`;
    return at.toFormat(NAMES[letter] ?? unknownLetter(letter));
  });
}

function unreadable(text: string, why: string): never {
  fault(241, `Error parsing date string '${text}'; ${why}`);
}

const ISO = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(Z|[+-]\d\d(?::?\d\d)?)?)?$/;

/** A date as ISO 8601 and its relaxations write it, or by a format; without an offset it is of the zone given. */
export function parse(text: string, zone?: Zone, pattern?: string): Date {
  if (pattern !== undefined) {
    const tokens = pattern.replace(/%(.?)|([A-Za-z]+)/g, (_whole, letter?: string, literal?: string) =>
      letter === undefined
        ? `'${literal}'`
        : (LETTERS[letter]?.[2] ?? NAMES[letter] ?? unknownLetter(letter)),
    );
    const at = DateTime.fromFormat(text, tokens, { zone: zone ?? UTC, locale: 'en' });
    return at.isValid ? at.toJSDate() : unreadable(text, `it does not have the format '${pattern}'`);
  }
  const tidy = text
    .trim()
    .replace(/ *(?:Z|UTC|GMT)$/i, 'Z')
    .replace(/ +(?=[+-])/, '')
    .replace(' ', 'T');
  const [iso, offset] = ISO.exec(tidy) ?? unreadable(text, 'it is no date of ISO 8601');
  if (offset && zone)
    unreadable(text, `it has time zone information ('${offset}') beside the timezone argument`);
  const at = DateTime.fromISO(iso, { zone: zone ?? UTC });
  return at.isValid ? at.toJSDate() : unreadable(text, 'a part of it is out of range');
}
