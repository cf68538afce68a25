// Calendar arithmetic in a time zone. A local time is kept as the UTC moment that reads the same on the clock.
import { IANAZone } from 'luxon';
import { bad, fault, MongoFault } from './errors.ts';

export type Zone = (moment: number) => number;

const MINUTE = 60_000;
const DAY = 86_400_000;
const UTC: Zone = () => 0;

/** The offset of a zone in milliseconds, at a moment. */
export function zoneOf(name: string): Zone {
  if (name === 'UTC' || name === 'GMT' || name === 'Z') return UTC;
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d{2}):?(\d{2})?$/.exec(name) ?? [];
  if (sign) {
    const offset = (Number(hours) * 60 + Number(minutes)) * MINUTE * (sign === '-' ? -1 : 1);
    return () => offset;
  }
  if (!IANAZone.isValidZone(name)) fault(40485, `unrecognized time zone identifier: "${name}"`);
  const zone = IANAZone.create(name);
  return (moment) => zone.offset(moment) * MINUTE;
}

export function toLocal(date: Date, zone: Zone = UTC): Date {
  const moment = date.getTime();
  return new Date(moment + zone(moment));
}

export function fromLocal(local: number, zone: Zone = UTC): Date {
  const guess = local - zone(local);
  return new Date(local - zone(guess));
}

export function dayOfYear(local: Date): number {
  return Math.floor((local.getTime() - Date.UTC(local.getUTCFullYear(), 0, 1)) / DAY) + 1;
}

export function isoWeekday(local: Date): number {
  return local.getUTCDay() || 7;
}

export function isoWeek(local: Date): { year: number; week: number } {
  const thursday = new Date(local.getTime() + (4 - isoWeekday(local)) * DAY);
  return { year: thursday.getUTCFullYear(), week: Math.ceil(dayOfYear(thursday) / 7) };
}

export function week(local: Date): number {
  return Math.floor((dayOfYear(local) + 6 - local.getUTCDay()) / 7);
}

export interface Parts {
  year: number;
  month?: number;
  day?: number;
  hour?: number;
  minute?: number;
  second?: number;
  millisecond?: number;
}

export function fromParts(parts: Parts, zone?: Zone): Date {
  const { year, month = 1, day = 1, hour = 0, minute = 0, second = 0, millisecond = 0 } = parts;
  const local = new Date(0);
  // Parts may be out of their range (month 14, day 0): the calendar carries them over. Years under 100 are years.
  local.setUTCFullYear(year, month - 1, day);
  const time = ((hour * 60 + minute) * 60 + second) * 1000 + millisecond;
  return fromLocal(local.getTime() + time, zone);
}

export function fromIsoParts(
  year: number,
  weekNumber: number,
  weekday: number,
  time: number,
  zone?: Zone,
): Date {
  const fourth = Date.UTC(year, 0, 4);
  const monday = fourth - (isoWeekday(new Date(fourth)) - 1) * DAY;
  return fromLocal(monday + ((weekNumber - 1) * 7 + weekday - 1) * DAY + time, zone);
}

const FIXED = {
  week: 7 * DAY,
  day: DAY,
  hour: 60 * MINUTE,
  minute: MINUTE,
  second: 1000,
  millisecond: 1,
} as const;
const MONTHS = { year: 12, quarter: 3, month: 1 } as const;
export type Unit = keyof typeof FIXED | keyof typeof MONTHS;

export function unitOf(value: unknown, operator: string): Unit {
  if (typeof value === 'string' && (value in FIXED || value in MONTHS)) return value as Unit;
  return fault(5439014, `unknown time unit value: ${String(value)} in ${operator}`);
}

const isMonthly = (unit: Unit): unit is keyof typeof MONTHS => unit in MONTHS;

export function addUnits(date: Date, unit: Unit, amount: number, zone: Zone = UTC): Date {
  if (!isMonthly(unit)) {
    const by = amount * FIXED[unit];
    if (FIXED[unit] < DAY) return new Date(date.getTime() + by);
    return fromLocal(toLocal(date, zone).getTime() + by, zone);
  }
  const local = toLocal(date, zone);
  const month = local.getUTCFullYear() * 12 + local.getUTCMonth() + amount * MONTHS[unit];
  const lastDay = new Date(Date.UTC(Math.floor(month / 12), (((month % 12) + 12) % 12) + 1, 0)).getUTCDate();
  const day = Math.min(local.getUTCDate(), lastDay);
  local.setUTCFullYear(Math.floor(month / 12), ((month % 12) + 12) % 12, day);
  return fromLocal(local.getTime(), zone);
}

const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

export function weekdayOf(name: string, operator: string): number {
  const index = WEEKDAYS.findIndex(
    (day) => day === name.toLowerCase() || day.slice(0, 3) === name.toLowerCase(),
  );
  return index < 0 ? fault(5439015, `${operator}: invalid 'startOfWeek' value: ${name}`) : index;
}

/** Which period of a unit a local time falls in, counted from the year 2000. */
function period(local: Date, unit: Unit, size: number, startOfWeek: number): number {
  if (isMonthly(unit)) {
    const months = (local.getUTCFullYear() - 2000) * 12 + local.getUTCMonth();
    return Math.floor(months / (MONTHS[unit] * size));
  }
  return Math.floor((local.getTime() - origin(unit, startOfWeek)) / (FIXED[unit] * size));
}

function origin(unit: Unit, startOfWeek: number): number {
  const start = Date.UTC(2000, 0, 1);
  // The first of January 2000 was a Saturday.
  return unit === 'week' ? start + ((startOfWeek + 1) % 7) * DAY : start;
}

export function difference(from: Date, to: Date, unit: Unit, zone: Zone = UTC, startOfWeek = 0): number {
  return period(toLocal(to, zone), unit, 1, startOfWeek) - period(toLocal(from, zone), unit, 1, startOfWeek);
}

export function truncate(date: Date, unit: Unit, size: number, zone: Zone = UTC, startOfWeek = 0): Date {
  const number = period(toLocal(date, zone), unit, size, startOfWeek);
  if (isMonthly(unit)) return fromLocal(Date.UTC(2000, number * MONTHS[unit] * size, 1), zone);
  return fromLocal(origin(unit, startOfWeek) + number * FIXED[unit] * size, zone);
}

const NAMES = 'January February March April May June July August September October November December'.split(
  ' ',
);

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

/** A date by a format of MongoDB's. */
export function format(date: Date, pattern: string, zone: Zone = UTC): string {
  const local = toLocal(date, zone);
  const offset = zone(date.getTime()) / MINUTE;
  const part = (letter: string): string => {
    switch (letter) {
      case 'Y':
        return pad(local.getUTCFullYear(), 4);
      case 'm':
        return pad(local.getUTCMonth() + 1, 2);
      case 'd':
        return pad(local.getUTCDate(), 2);
      case 'H':
        return pad(local.getUTCHours(), 2);
      case 'M':
        return pad(local.getUTCMinutes(), 2);
      case 'S':
        return pad(local.getUTCSeconds(), 2);
      case 'L':
        return pad(local.getUTCMilliseconds(), 3);
      case 'j':
        return pad(dayOfYear(local), 3);
      case 'u':
        return String(isoWeekday(local));
      case 'w':
        return String(local.getUTCDay() + 1);
      case 'U':
        return pad(week(local), 2);
      case 'V':
        return pad(isoWeek(local).week, 2);
      case 'G':
        return pad(isoWeek(local).year, 4);
      case 'b':
        return NAMES[local.getUTCMonth()]?.slice(0, 3) ?? '';
      case 'B':
        return NAMES[local.getUTCMonth()] ?? '';
      case 'z': {
        const size = Math.abs(offset);
        return `${offset < 0 ? '-' : '+'}${pad(Math.floor(size / 60), 2)}${pad(size % 60, 2)}`;
      }
      case 'Z':
        return `${offset < 0 ? '-' : '+'}${pad(Math.abs(offset), 3)}`;
      case '%':
        return '%';
      default:
        return fault(18536, `Invalid format character '%${letter}' in format string`);
    }
  };
  return pattern.replace(/%(.?)/g, (_whole, letter: string) => part(letter));
}

const ISO =
  /^\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?\s*$/i;

function unreadable(text: string, why: string): never {
  throw new MongoFault(241, 'ConversionFailure', `Error parsing date string '${text}'; ${why}`);
}

/** A date as ISO 8601 and its relaxations write it; without an offset it is of the zone given. */
export function parseDate(text: string, zone?: Zone): Date {
  const [whole, year, month, day, hour, minute, second, fraction = '', offset] = ISO.exec(text) ?? [];
  if (!whole) {
    const moment = /\d{4}/.test(text)
      ? Date.parse(/[Zz]$|GMT|UTC|[+-]\d{4}/.test(text) ? text : `${text} UTC`)
      : Number.NaN;
    if (Number.isNaN(moment)) unreadable(text, `passing a string that is no date: '${text}'`);
    return fromLocal(moment, zone);
  }
  if (offset && zone)
    unreadable(
      text,
      `you cannot pass in a date/time string with time zone information ('${offset}') together with a timezone argument`,
    );
  const parts = {
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour ?? 0),
    minute: Number(minute ?? 0),
    second: Number(second ?? 0),
    millisecond: Number(fraction.slice(0, 3).padEnd(3, '0')),
  };
  const date = fromParts(parts, offset ? zoneOf(offset.toUpperCase()) : zone);
  if (parts.month < 1 || parts.month > 12 || parts.day < 1 || parts.day > 31 || parts.hour > 24) {
    unreadable(text, 'a part of it is out of range');
  }
  return date;
}

const READERS: Record<string, [source: string, name: string]> = {
  Y: ['(\\d{4})', 'year'],
  m: ['(\\d{1,2})', 'month'],
  d: ['(\\d{1,2})', 'day'],
  H: ['(\\d{1,2})', 'hour'],
  M: ['(\\d{1,2})', 'minute'],
  S: ['(\\d{1,2})', 'second'],
  L: ['(\\d{1,3})', 'millisecond'],
  j: ['(\\d{1,3})', 'day'],
  b: ['([A-Za-z]{3})', 'name'],
  B: ['([A-Za-z]+)', 'name'],
  z: ['([+-]\\d{2}:?\\d{2}|Z)', 'zone'],
};

/** A date written by a format. */
export function parseByFormat(text: string, pattern: string, zone?: Zone): Date {
  const names: string[] = [];
  const source = pattern.replace(/%(.)|[.*+?^${}()|[\]\\]/g, (whole, letter?: string) => {
    if (letter === undefined) return `\\${whole}`;
    if (letter === '%') return '%';
    const [read, name] =
      READERS[letter] ?? bad(`Invalid format character '%${letter}' in format string`, 18536);
    names.push(name);
    return read;
  });
  const match = new RegExp(`^${source}$`).exec(text);
  if (!match) unreadable(text, `it does not have the format '${pattern}'`);
  const parts: Parts = { year: 1970 };
  let own = zone;
  names.forEach((name, i) => {
    const found = match[i + 1] ?? '';
    if (name === 'zone') own = zoneOf(found);
    else if (name === 'name') {
      parts.month = NAMES.findIndex((month) => month.toLowerCase().startsWith(found.toLowerCase())) + 1;
    } else parts[name as keyof Parts] = Number(found);
  });
  return fromParts(parts, own);
}
