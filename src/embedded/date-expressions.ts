// Operators over dates. A date may come as a Date, a Timestamp or an ObjectId.
import { ObjectId, Timestamp } from 'bson';
import {
  addUnits,
  dayOfYear,
  difference,
  format,
  fromIsoParts,
  fromParts,
  isoWeek,
  isoWeekday,
  type Parts,
  parseByFormat,
  parseDate,
  toLocal,
  truncate,
  unitOf,
  week,
  weekdayOf,
  type Zone,
  zoneOf,
} from './dates.ts';
import type { Doc } from './documents.ts';
import { fault, MongoFault } from './errors.ts';
import { type Expression, type Form, missing, named } from './operators.ts';
import { isNumber, isObject, toNumber, typeName } from './values.ts';

function dateOf(value: unknown): Date {
  if (value instanceof Date) return value;
  if (value instanceof ObjectId) return value.getTimestamp();
  if (value instanceof Timestamp) return new Date(value.getHighBitsUnsigned() * 1000);
  return fault(16006, `can't convert from BSON type ${typeName(value)} to Date`);
}

let lastZone: { name: string; zone: Zone } | undefined;

function zoneFrom(value: unknown): Zone {
  if (typeof value !== 'string') {
    fault(40517, `timezone must evaluate to a string, found ${typeName(value)}`);
  }
  if (lastZone?.name !== value) lastZone = { name: value, zone: zoneOf(value) };
  return lastZone.zone;
}

/** Operators with named arguments: all are evaluated, and a null where one is needed gives null. */
function withNames(
  known: readonly string[],
  required: readonly string[],
  apply: (given: Doc, zone: Zone | undefined, operator: string) => unknown,
  mayBeNull: readonly string[] = [],
): Form {
  return (argument, scope, compile, operator) => {
    const spec = named(operator, argument, known, required);
    const parts = Object.keys(spec).map((name) => [name, compile(spec[name], scope)] as const);
    return (root) => {
      const given: Doc = {};
      for (const [name, part] of parts) {
        given[name] = part(root);
        if (missing(given[name]) && !mayBeNull.includes(name)) return null;
      }
      const { timezone } = given;
      return apply(given, timezone === undefined ? undefined : zoneFrom(timezone), operator);
    };
  };
}

const part =
  (read: (local: Date) => unknown): Form =>
  (argument, scope, compile, operator) => {
    const only = Array.isArray(argument) && argument.length === 1 ? argument[0] : argument;
    const spec: Doc =
      isObject(only) && 'date' in only
        ? named(operator, only, ['date', 'timezone'], ['date'])
        : { date: only };
    const date = compile(spec.date, scope);
    const timezone: Expression = 'timezone' in spec ? compile(spec.timezone, scope) : () => 'UTC';
    return (root) => {
      const value = date(root);
      if (missing(value)) return null;
      const zone = timezone(root);
      if (missing(zone)) return null;
      return read(toLocal(dateOf(value), zone === 'UTC' ? undefined : zoneFrom(zone)));
    };
  };

const toText: Form = withNames(
  ['date', 'format', 'timezone', 'onNull'],
  ['date'],
  (given, zone) => {
    if (missing(given.date)) return given.onNull ?? null;
    const pattern =
      given.format ?? (zone && given.timezone !== 'UTC' ? '%Y-%m-%dT%H:%M:%S.%L' : '%Y-%m-%dT%H:%M:%S.%LZ');
    if (typeof pattern !== 'string')
      fault(18533, `$dateToString requires that 'format' be a string, found: ${typeName(pattern)}`);
    return format(dateOf(given.date), pattern, zone);
  },
  ['date', 'onNull'],
);

const fromText: Form = withNames(
  ['dateString', 'format', 'timezone', 'onError', 'onNull'],
  ['dateString'],
  (given, zone) => {
    const { dateString: text } = given;
    if (missing(text)) return given.onNull ?? null;
    try {
      if (typeof text !== 'string') {
        throw new MongoFault(
          241,
          'ConversionFailure',
          `$dateFromString requires that 'dateString' be a string, found: ${typeName(text)} with value ${String(text)}`,
        );
      }
      return typeof given.format === 'string'
        ? parseByFormat(text, given.format, zone)
        : parseDate(text, zone);
    } catch (error) {
      if ('onError' in given && error instanceof MongoFault) return given.onError;
      throw error;
    }
  },
  ['dateString', 'onError', 'onNull'],
);

const toParts: Form = withNames(['date', 'timezone', 'iso8601'], ['date'], (given, zone) => {
  const local = toLocal(dateOf(given.date), zone);
  const time = {
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    millisecond: local.getUTCMilliseconds(),
  };
  if (given.iso8601 === true) {
    const iso = isoWeek(local);
    return { isoWeekYear: iso.year, isoWeek: iso.week, isoDayOfWeek: isoWeekday(local), ...time };
  }
  return { year: local.getUTCFullYear(), month: local.getUTCMonth() + 1, day: local.getUTCDate(), ...time };
});

const TIME = ['hour', 'minute', 'second', 'millisecond'] as const;

const joined: Form = withNames(
  ['year', 'month', 'day', 'isoWeekYear', 'isoWeek', 'isoDayOfWeek', ...TIME, 'timezone'],
  [],
  (given, zone) => {
    const number = (name: string, fallback: number): number => {
      const value = given[name] ?? fallback;
      if (!isNumber(value) || !Number.isInteger(toNumber(value))) {
        fault(
          40515,
          `'${name}' must evaluate to an integer, found ${typeName(value)} with value ${String(value)}`,
        );
      }
      return toNumber(value);
    };
    const [hour = 0, minute = 0, second = 0, millisecond = 0] = TIME.map((name) => number(name, 0));
    if ('isoWeekYear' in given) {
      const time = ((hour * 60 + minute) * 60 + second) * 1000 + millisecond;
      return fromIsoParts(
        number('isoWeekYear', 1970),
        number('isoWeek', 1),
        number('isoDayOfWeek', 1),
        time,
        zone,
      );
    }
    if (!('year' in given))
      fault(40516, "$dateFromParts requires either 'year' or 'isoWeekYear' to be present");
    const parts: Parts = { year: number('year', 1970), month: number('month', 1), day: number('day', 1) };
    return fromParts({ ...parts, hour, minute, second, millisecond }, zone);
  },
);

const adding = (sign: 1 | -1): Form =>
  withNames(
    ['startDate', 'unit', 'amount', 'timezone'],
    ['startDate', 'unit', 'amount'],
    (given, zone, operator) => {
      const amount = toNumber(given.amount);
      if (!Number.isInteger(amount)) fault(5166405, `${operator} expects integer amount of time units`);
      return addUnits(dateOf(given.startDate), unitOf(given.unit, operator), sign * amount, zone);
    },
  );

const between: Form = withNames(
  ['startDate', 'endDate', 'unit', 'timezone', 'startOfWeek'],
  ['startDate', 'endDate', 'unit'],
  (given, zone, operator) => {
    const first = weekdayOf(String(given.startOfWeek ?? 'sunday'), operator);
    const [from, to] = [dateOf(given.startDate), dateOf(given.endDate)];
    return BigInt(difference(from, to, unitOf(given.unit, operator), zone, first));
  },
);

const truncating: Form = withNames(
  ['date', 'unit', 'binSize', 'timezone', 'startOfWeek'],
  ['date', 'unit'],
  (given, zone, operator) => {
    const size = toNumber(given.binSize ?? 1);
    if (!Number.isInteger(size) || size < 1) {
      fault(5439017, `${operator} requires 'binSize' to be a positive 64-bit integer`);
    }
    const first = weekdayOf(String(given.startOfWeek ?? 'sunday'), operator);
    return truncate(dateOf(given.date), unitOf(given.unit, operator), size, zone, first);
  },
);

export const DATE_FORMS: Record<string, Form> = {
  $year: part((local) => local.getUTCFullYear()),
  $month: part((local) => local.getUTCMonth() + 1),
  $dayOfMonth: part((local) => local.getUTCDate()),
  $dayOfWeek: part((local) => local.getUTCDay() + 1),
  $dayOfYear: part(dayOfYear),
  $week: part(week),
  $isoWeek: part((local) => isoWeek(local).week),
  $isoWeekYear: part((local) => BigInt(isoWeek(local).year)),
  $isoDayOfWeek: part(isoWeekday),
  $hour: part((local) => local.getUTCHours()),
  $minute: part((local) => local.getUTCMinutes()),
  $second: part((local) => local.getUTCSeconds()),
  $millisecond: part((local) => local.getUTCMilliseconds()),
  $dateToString: toText,
  $dateFromString: fromText,
  $dateToParts: toParts,
  $dateFromParts: joined,
  $dateAdd: adding(1),
  $dateSubtract: adding(-1),
  $dateDiff: between,
  $dateTrunc: truncating,
};
