// Operators over dates. A date may come as a Date, a Timestamp or an ObjectId.

import type { DateTime } from 'luxon';
import {
  addUnits,
  difference,
  format,
  fromParts,
  local,
  PARTS,
  type Part,
  parse,
  truncate,
  UTC,
} from './dates.ts';
import { isDoc } from './documents.ts';
import { fault, MongoFault } from './errors.ts';
import { type Form, missing, op, toDate } from './operators.ts';
import { typeName } from './values.ts';

/** Of a date, or of {date, timezone}. */
const reading = (read: (at: DateTime) => unknown): Form => {
  const form = op('16006 date:date timezone:zone?', ({ date, timezone }) => read(local(date, timezone)));
  return (argument, scope, compile, operator) => {
    const only: unknown = Array.isArray(argument) && argument.length === 1 ? argument[0] : argument;
    return form(isDoc(only) && 'date' in only ? only : { date: only }, scope, compile, operator);
  };
};

const LOCAL = '%Y-%m-%dT%H:%M:%S.%L';

const toText = op(
  '18533 date:any format:text? timezone:zone? onNull:any?',
  ({ date: value, format: pattern, timezone: zone = UTC, onNull }) => {
    if (missing(value)) return onNull ?? null;
    const date = toDate(value) ?? fault(16006, `$dateToString only supports dates, not ${typeName(value)}`);
    return format(date, pattern ?? (zone === UTC ? `${LOCAL}Z` : LOCAL), zone);
  },
);

const fromText = op(
  '40684 dateString:any format:text? timezone:zone? onError:any? onNull:any?',
  ({ dateString: value, format: pattern, timezone, ...given }) => {
    if (missing(value)) return given.onNull ?? null;
    try {
      if (typeof value === 'string') return parse(value, timezone, pattern);
      fault(241, `$dateFromString requires that 'dateString' be a string, found: ${typeName(value)}`);
    } catch (error) {
      if ('onError' in given && error instanceof MongoFault) return given.onError;
      throw error;
    }
  },
);

const TIME: Part[] = ['hour', 'minute', 'second', 'millisecond'];

const toParts = op('16006 date:date timezone:zone? iso8601:any?', ({ date, timezone, iso8601 }) => {
  const at = local(date, timezone);
  const days: Part[] =
    iso8601 === true ? ['isoWeekYear', 'isoWeek', 'isoDayOfWeek'] : ['year', 'month', 'dayOfMonth'];
  const parts = [...days, ...TIME].map((name) => [name === 'dayOfMonth' ? 'day' : name, PARTS[name](at)]);
  return Object.fromEntries(parts);
});

const joining = op(
  `40515 year:integer? month:integer? day:integer? isoWeekYear:integer? isoWeek:integer? isoDayOfWeek:integer? hour:integer? minute:integer? second:integer? millisecond:integer? timezone:zone?`,
  ({ timezone, ...parts }) => {
    if (!('year' in parts) && !('isoWeekYear' in parts))
      fault(40516, "$dateFromParts requires either 'year' or 'isoWeekYear' to be present");
    return fromParts(parts, timezone);
  },
);

const adding = (sign: 1 | -1): Form =>
  op(
    '5166405 startDate:date unit:unit amount:integer timezone:zone?',
    ({ startDate, unit, amount, timezone }) => addUnits(startDate, unit, sign * amount, timezone),
  );

export const DATES: Record<string, Form> = {
  ...Object.fromEntries(Object.entries(PARTS).map(([name, read]) => [`$${name}`, reading(read)])),
  $isoWeekYear: reading((at) => BigInt(at.weekYear)),
  $dateToString: toText,
  $dateFromString: fromText,
  $dateToParts: toParts,
  $dateFromParts: joining,
  $dateAdd: adding(1),
  $dateSubtract: adding(-1),
  $dateDiff: op(
    '5439014 startDate:date endDate:date unit:unit timezone:zone? startOfWeek:weekday?',
    ({ startDate, endDate, unit, timezone, startOfWeek }) =>
      BigInt(difference(startDate, endDate, unit, timezone, startOfWeek)),
  ),
  $dateTrunc: op(
    '5439014 date:date unit:unit binSize:integer? timezone:zone? startOfWeek:weekday?',
    ({ date, unit, binSize = 1, timezone, startOfWeek }) => {
      if (binSize < 1) fault(5439017, "$dateTrunc requires 'binSize' to be a positive 64-bit integer");
      return truncate(date, unit, binSize, timezone, startOfWeek);
    },
  ),
};
