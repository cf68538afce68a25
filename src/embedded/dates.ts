// Calendar arithmetic in a time zone. A local time is kept as the UTC moment that reads the same on the clock.
import { IANAZone } from 'luxon';
import { fault } from './errors.ts';

/** The offset of a zone in milliseconds, at a moment. */
export type Zone = (moment: number) => number;

const MINUTE = 60_000;
const DAY = 86_400_000;
export const UTC: Zone = () => 0;

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

function fromLocal(local: number, zone: Zone = UTC): Date {
  const guess = local - zone(local);
  return new Date(local - zone(guess));
}

const dayOfYear = (local: Date): number =>
  Math.floor((local.getTime() - Date.UTC(local.getUTCFullYear(), 0, 1)) / DAY) + 1;
const isoDayOfWeek = (local: Date): number => local.getUTCDay() || 7;
/** The week and the year of a day are those of its Thursday. */
const thursday = (local: Date): Date => new Date(local.getTime() + (4 - isoDayOfWeek(local)) * DAY);

/** The parts of a local time, by the names of their operators. */
export const PARTS = {
  year: (local: Date) => local.getUTCFullYear(),
  month: (local: Date) => local.getUTCMonth() + 1,
  dayOfMonth: (local: Date) => local.getUTCDate(),
  dayOfWeek: (local: Date) => local.getUTCDay() + 1,
  dayOfYear,
  week: (local: Date) => Math.floor((dayOfYear(local) + 6 - local.getUTCDay()) / 7),
  isoWeek: (local: Date) => Math.ceil(dayOfYear(thursday(local)) / 7),
  isoWeekYear: (local: Date) => thursday(local).getUTCFullYear(),
  isoDayOfWeek,
  hour: (local: Date) => local.getUTCHours(),
  minute: (local: Date) => local.getUTCMinutes(),
  second: (local: Date) => local.getUTCSeconds(),
  millisecond: (local: Date) => local.getUTCMilliseconds(),
} as const;

export interface Parts {
  year?: number;
  month?: number;
  day?: number;
  isoWeekYear?: number;
  isoWeek?: number;
  isoDayOfWeek?: number;
  hour?: number;
  minute?: number;
  second?: number;
  millisecond?: number;
}

/** Parts may be out of their range (month 14, day 0): the calendar carries them over. Years under 100 are years. */
export function fromParts(parts: Parts, zone?: Zone): Date {
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0, millisecond = 0 } = parts;
  const local = new Date(0);
  if (parts.isoWeekYear === undefined) local.setUTCFullYear(year, month - 1, day);
  else {
    const { isoWeekYear, isoWeek = 1, isoDayOfWeek: weekday = 1 } = parts;
    local.setUTCFullYear(isoWeekYear, 0, 4);
    const days = 1 - isoDayOfWeek(local) + (isoWeek - 1) * 7 + weekday - 1;
    local.setTime(local.getTime() + days * DAY);
  }
  return fromLocal(local.getTime() + ((hour * 60 + minute) * 60 + second) * 1000 + millisecond, zone);
}

const FIXED = { week: 7 * DAY, day: DAY, hour: 60 * MINUTE, minute: MINUTE, second: 1000, millisecond: 1 };
const MONTHS = { year: 12, quarter: 3, month: 1 };
export type Unit = keyof typeof FIXED | keyof typeof MONTHS;

export const isUnit = (value: unknown): value is Unit =>
  typeof value === 'string' && (Object.hasOwn(FIXED, value) || Object.hasOwn(MONTHS, value));
const isMonthly = (unit: Unit): unit is keyof typeof MONTHS => unit in MONTHS;

export function addUnits(date: Date, unit: Unit, amount: number, zone: Zone = UTC): Date {
  const local = toLocal(date, zone);
  if (!isMonthly(unit)) {
    const by = amount * FIXED[unit];
    return FIXED[unit] < DAY ? new Date(date.getTime() + by) : fromLocal(local.getTime() + by, zone);
  }
  const day = local.getUTCDate();
  local.setUTCFullYear(local.getUTCFullYear(), local.getUTCMonth() + amount * MONTHS[unit], 1);
  const lastDay = new Date(Date.UTC(local.getUTCFullYear(), local.getUTCMonth() + 1, 0)).getUTCDate();
  local.setUTCDate(Math.min(day, lastDay));
  return fromLocal(local.getTime(), zone);
}

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
function period(local: Date, unit: Unit, size: number, startOfWeek: number): number {
  if (!isMonthly(unit))
    return Math.floor((local.getTime() - origin(unit, startOfWeek)) / (FIXED[unit] * size));
  const months = (local.getUTCFullYear() - 2000) * 12 + local.getUTCMonth();
  return Math.floor(months / (MONTHS[unit] * size));
}

export function difference(from: Date, to: Date, unit: Unit, zone: Zone = UTC, startOfWeek = 0): number {
  return period(toLocal(to, zone), unit, 1, startOfWeek) - period(toLocal(from, zone), unit, 1, startOfWeek);
}

export function truncate(date: Date, unit: Unit, size: number, zone: Zone = UTC, startOfWeek = 0): Date {
  const number = period(toLocal(date, zone), unit, size, startOfWeek);
  if (isMonthly(unit)) return fromLocal(Date.UTC(2000, number * MONTHS[unit] * size, 1), zone);
  return fromLocal(origin(unit, startOfWeek) + number * FIXED[unit] * size, zone);
}

const NAMES = 'January,February,March,April,May,June,July,August,September,October,November,December'.split(
  ',',
);

/** Format letters that are a part of the date, and how wide it is written. */
const LETTERS: Record<string, [part: keyof typeof PARTS, width: number]> = {
  Y: ['year', 4],
  m: ['month', 2],
  d: ['dayOfMonth', 2],
  H: ['hour', 2],
  M: ['minute', 2],
  S: ['second', 2],
  L: ['millisecond', 3],
  j: ['dayOfYear', 3],
  u: ['isoDayOfWeek', 1],
  w: ['dayOfWeek', 1],
  U: ['week', 2],
  V: ['isoWeek', 2],
  G: ['isoWeekYear', 4],
};

const pad = (value: number, width: number): string => String(value).padStart(width, '0');

/** A date by a format of MongoDB's. */
export function format(date: Date, pattern: string, zone: Zone = UTC): string {
  const local = toLocal(date, zone);
  const month = NAMES[local.getUTCMonth()] ?? '';
  const offset = zone(date.getTime()) / MINUTE;
  const [sign, size] = [offset < 0 ? '-' : '+', Math.abs(offset)];
  const words: Record<string, string> = {
    b: month.slice(0, 3),
    B: month,
    z: `${sign}${pad(Math.floor(size / 60), 2)}${pad(size % 60, 2)}`,
    Z: `${sign}${pad(size, 3)}`,
    '%': '%',
  };
  return pattern.replace(/%(.?)/g, (_whole, letter: string) => {
    const [part, width] = LETTERS[letter] ?? [];
    if (part && width) return pad(PARTS[part](local), width);
    return words[letter] ?? fault(18536, `Invalid format character '%${letter}' in format string`);
  });
}

const ISO =
  /^\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?\s*$/i;

function unreadable(text: string, why: string): never {
  fault(241, `Error parsing date string '${text}'; ${why}`);
}

/** A date as ISO 8601 and its relaxations write it; without an offset it is of the zone given. */
export function parseDate(text: string, zone?: Zone): Date {
  const [whole, ...found] = ISO.exec(text) ?? [];
  if (!whole) {
    const absolute = /[Zz]$|GMT|UTC|[+-]\d{4}/.test(text) ? text : `${text} UTC`;
    const moment = /\d{4}/.test(text) ? Date.parse(absolute) : Number.NaN;
    return Number.isNaN(moment) ? unreadable(text, 'it is no date') : fromLocal(moment, zone);
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(0, 6)
    .map((part) => Number(part ?? 0));
  const [fraction = '', offset] = found.slice(6);
  if (offset && zone)
    unreadable(text, `it has time zone information ('${offset}') beside the timezone argument`);
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 24)
    unreadable(text, 'a part of it is out of range');
  const millisecond = Number(fraction.slice(0, 3).padEnd(3, '0'));
  const parts = { year, month, day, hour, minute, second, millisecond };
  return fromParts(parts, offset ? zoneOf(offset.toUpperCase()) : zone);
}

const READERS: Record<string, [source: string, name: keyof Parts | 'name' | 'zone']> = {
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
      READERS[letter] ?? fault(18536, `Invalid format character '%${letter}' in format string`);
    names.push(name);
    return read;
  });
  const match = new RegExp(`^${source}$`).exec(text);
  if (!match) unreadable(text, `it does not have the format '${pattern}'`);
  const parts: Record<string, number> = {};
  let own = zone;
  names.forEach((name, i) => {
    const found = match[i + 1] ?? '';
    const isNamed = (month: string): boolean => month.toLowerCase().startsWith(found.toLowerCase());
    if (name === 'zone') own = zoneOf(found);
    else if (name === 'name') parts.month = NAMES.findIndex(isNamed) + 1;
    else parts[name] = Number(found);
  });
  return fromParts(parts, own);
}
