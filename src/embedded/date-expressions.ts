// Operators over dates. A date may come as a Date, a Timestamp or an ObjectId.
import {
  addUnits,
  difference,
  format,
  fromParts,
  isUnit,
  PARTS,
  parseByFormat,
  parseDate,
  toLocal,
  truncate,
  type Unit,
  UTC,
  weekdayOf,
  type Zone,
  zoneOf,
} from './dates.ts';
import { fault, MongoFault } from './errors.ts';
import {
  any,
  date,
  expected,
  type Form,
  integer,
  type Kind,
  missing,
  optional,
  takesNamed,
  text,
} from './operators.ts';
import { isObject, typeName } from './values.ts';

const zones = new Map<string, Zone>();
const zone: Kind<Zone> = {
  wants: 'time zones by their names',
  read(value) {
    if (typeof value !== 'string') return undefined;
    const known = zones.get(value) ?? zoneOf(value);
    if (zones.size < 1000) zones.set(value, known);
    return known;
  },
  nulls: 'null',
};
const unit: Kind<Unit> = {
  wants: 'units of time',
  read: (value) => (isUnit(value) ? value : undefined),
  nulls: 'null',
};
const weekday: Kind<number> = {
  wants: 'names of weekdays',
  read: (value) => weekdayOf(String(value)),
  nulls: 'null',
};
const timezone = optional(zone);
const startOfWeek = optional(weekday);
const part = optional(integer);

/** Of a date, or of {date, timezone}. */
const reading = (read: (local: Date) => unknown): Form => {
  const form = takesNamed({ date, timezone }, (given) => read(toLocal(given.date, given.timezone)), 16006);
  return (argument, scope, compile, operator) => {
    const only: unknown = Array.isArray(argument) && argument.length === 1 ? argument[0] : argument;
    return form(isObject(only) && 'date' in only ? only : { date: only }, scope, compile, operator);
  };
};

const LOCAL = '%Y-%m-%dT%H:%M:%S.%L';

const toText = takesNamed(
  { date: any, format: optional(text), timezone, onNull: optional(any) },
  ({ date: value, format: pattern, timezone: of = UTC, onNull }, operator) =>
    missing(value)
      ? (onNull ?? null)
      : format(expected(date, value, operator, 16006), pattern ?? (of === UTC ? `${LOCAL}Z` : LOCAL), of),
  18533,
);

const fromText = takesNamed(
  { dateString: any, format: optional(text), timezone, onError: optional(any), onNull: optional(any) },
  (given, operator) => {
    const { dateString: value, format: pattern, timezone: of } = given;
    if (missing(value)) return given.onNull ?? null;
    try {
      if (typeof value !== 'string')
        fault(241, `${operator} requires that 'dateString' be a string, found: ${typeName(value)}`);
      return pattern === undefined ? parseDate(value, of) : parseByFormat(value, pattern, of);
    } catch (error) {
      if ('onError' in given && error instanceof MongoFault) return given.onError;
      throw error;
    }
  },
  40684,
);

const toParts = takesNamed(
  { date, timezone, iso8601: optional(any) },
  (given) => {
    const local = toLocal(given.date, given.timezone);
    const { isoWeekYear, isoWeek, isoDayOfWeek, year, month, dayOfMonth, hour, minute, second } = PARTS;
    const time = {
      hour: hour(local),
      minute: minute(local),
      second: second(local),
      millisecond: PARTS.millisecond(local),
    };
    return given.iso8601 === true
      ? {
          isoWeekYear: isoWeekYear(local),
          isoWeek: isoWeek(local),
          isoDayOfWeek: isoDayOfWeek(local),
          ...time,
        }
      : { year: year(local), month: month(local), day: dayOfMonth(local), ...time };
  },
  16006,
);

const joining = takesNamed(
  {
    year: part,
    month: part,
    day: part,
    isoWeekYear: part,
    isoWeek: part,
    isoDayOfWeek: part,
    hour: part,
    minute: part,
    second: part,
    millisecond: part,
    timezone,
  },
  ({ timezone: of, ...parts }) => {
    if (!('year' in parts) && !('isoWeekYear' in parts))
      fault(40516, "$dateFromParts requires either 'year' or 'isoWeekYear' to be present");
    return fromParts(parts, of);
  },
  40515,
);

const adding = (sign: 1 | -1): Form =>
  takesNamed(
    { startDate: date, unit, amount: integer, timezone },
    (given) => addUnits(given.startDate, given.unit, sign * given.amount, given.timezone),
    5166405,
  );

export const DATES: Record<string, Form> = {
  ...Object.fromEntries(Object.entries(PARTS).map(([name, read]) => [`$${name}`, reading(read)])),
  $isoWeekYear: reading((local) => BigInt(PARTS.isoWeekYear(local))),
  $dateToString: toText,
  $dateFromString: fromText,
  $dateToParts: toParts,
  $dateFromParts: joining,
  $dateAdd: adding(1),
  $dateSubtract: adding(-1),
  $dateDiff: takesNamed(
    { startDate: date, endDate: date, unit, timezone, startOfWeek },
    (given) =>
      BigInt(difference(given.startDate, given.endDate, given.unit, given.timezone, given.startOfWeek)),
    5439014,
  ),
  $dateTrunc: takesNamed(
    { date, unit, binSize: optional(integer), timezone, startOfWeek },
    ({ binSize = 1, ...given }) => {
      if (binSize < 1) fault(5439017, "$dateTrunc requires 'binSize' to be a positive 64-bit integer");
      return truncate(given.date, given.unit, binSize, given.timezone, given.startOfWeek);
    },
    5439014,
  ),
};
