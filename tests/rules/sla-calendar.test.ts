// Business calendars against a naive model (look at the wall clock every quarter of an hour) and by the laws that
// adding and measuring must keep, in zones whose clocks change in every way there is.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import {
  ALWAYS,
  addWorkingTime,
  type Calendar,
  calendarSchema,
  intervals,
  WEEKDAYS,
  workingTime,
} from '../../src/sla/calendar.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const at = (iso: string, zone = 'utc'): Date => DateTime.fromISO(iso, { zone }).toJSDate();
const office = (timeZone: string, from: string, to: string, more: Partial<Calendar> = {}): Calendar => ({
  timeZone,
  hours: Object.fromEntries(WEEKDAYS.map((day) => [day, [{ from, to }]])),
  holidays: [],
  ...more,
});
const lunch: Calendar = {
  timeZone: 'Europe/Berlin',
  hours: Object.fromEntries(
    WEEKDAYS.slice(0, 5).map((day) => [
      day,
      [
        { from: '09:00', to: '12:00' },
        { from: '13:00', to: '17:00' },
      ],
    ]),
  ),
  holidays: [
    { date: '2026-12-25', yearly: true, name: 'Christmas Day' },
    { date: '2027-01-01', name: 'New Year' },
  ],
};

describe('a working day', () => {
  test('knows its weekdays short or in full, in any letter case, and each once', () => {
    const read = (hours: object) => calendarSchema.safeParse({ timeZone: 'UTC', hours });
    const morning = [{ from: '09:00', to: '12:00' }];
    expect(read({ Monday: morning, TUE: morning }).data?.hours).toEqual({ mon: morning, tue: morning });
    expect(read({ mon: morning, MONDAY: morning }).success).toBe(false);
  });

  test('has several intervals, and lunch does not count', () => {
    const day = at('2026-11-18T00:00', 'Europe/Berlin');
    expect(workingTime(lunch, day, at('2026-11-19T00:00', 'Europe/Berlin'))).toBe(7 * HOUR);
    expect(addWorkingTime(lunch, at('2026-11-18T11:30', 'Europe/Berlin'), HOUR)).toEqual(
      at('2026-11-18T13:30', 'Europe/Berlin'),
    );
  });

  test('a promise used up at closing time falls due then, not when the doors open again', () => {
    expect(addWorkingTime(lunch, at('2026-11-20T16:00', 'Europe/Berlin'), HOUR)).toEqual(
      at('2026-11-20T17:00', 'Europe/Berlin'),
    );
    expect(addWorkingTime(lunch, at('2026-11-20T16:00', 'Europe/Berlin'), HOUR + 1)).toEqual(
      at('2026-11-23T09:00:00.001', 'Europe/Berlin'),
    );
  });

  test('holidays are whole dates, once or every year, across the end of the year', () => {
    const eve = at('2026-12-24T16:00', 'Europe/Berlin'); // a Thursday; Friday is Christmas
    expect(addWorkingTime(lunch, eve, 2 * HOUR)).toEqual(at('2026-12-28T10:00', 'Europe/Berlin'));
    const sylvester = at('2026-12-31T16:00', 'Europe/Berlin');
    expect(addWorkingTime(lunch, sylvester, 2 * HOUR)).toEqual(at('2027-01-04T10:00', 'Europe/Berlin'));
    expect(addWorkingTime(lunch, at('2029-12-24T16:30', 'Europe/Berlin'), HOUR)).toEqual(
      at('2029-12-26T09:30', 'Europe/Berlin'),
    );
  });

  test('29 February, kept yearly, is a holiday in leap years only', () => {
    const leap = office('UTC', '09:00', '17:00', { holidays: [{ date: '2024-02-29', yearly: true }] });
    expect(workingTime(leap, at('2027-02-28T00:00'), at('2027-03-02T00:00'))).toBe(16 * HOUR);
    expect(workingTime(leap, at('2028-02-28T00:00'), at('2028-03-02T00:00'))).toBe(16 * HOUR);
  });

  test('a night shift crosses midnight, and a holiday takes the part that lies in it', () => {
    const night: Calendar = {
      timeZone: 'America/New_York',
      hours: { sun: [{ from: '22:00', to: '06:00' }], fri: [{ from: '22:00', to: '06:00' }] },
      holidays: [{ date: '2026-11-21', name: 'Founders' }],
    };
    const zone = 'America/New_York';
    expect(workingTime(night, at('2026-11-22T12:00', zone), at('2026-11-23T12:00', zone))).toBe(8 * HOUR);
    expect(workingTime(night, at('2026-11-20T12:00', zone), at('2026-11-21T12:00', zone))).toBe(2 * HOUR);
    expect(addWorkingTime(night, at('2026-11-20T23:00', zone), 2 * HOUR)).toEqual(
      at('2026-11-22T23:00', zone),
    );
  });
});

describe('on the day the clocks change', () => {
  test.each([
    ['Europe/Berlin', '2027-03-28', 1],
    ['Europe/Berlin', '2027-10-31', 3],
    ['America/New_York', '2027-03-14', 1],
    ['America/New_York', '2027-11-07', 3],
    ['Australia/Lord_Howe', '2027-10-03', 1.5],
    ['Australia/Lord_Howe', '2027-04-04', 2.5],
    ['Asia/Tokyo', '2027-03-28', 2],
  ])('in %s on %s an interval from 01:00 to 03:00 holds %d hours', (zone, date, hours) => {
    const early = office(zone, '01:00', '03:00');
    const midnight = DateTime.fromISO(date, { zone });
    const day: [Date, Date] = [midnight.toJSDate(), midnight.plus({ days: 1 }).toJSDate()];
    expect(workingTime(early, ...day)).toBe(hours * HOUR);
    expect(intervals(early, ...day).filter((each) => each.counted)).toHaveLength(1);
    expect(addWorkingTime(early, day[0], hours * HOUR)).toEqual(midnight.set({ hour: 3 }).toJSDate());
  });

  test('hours inside the gap count from the moment the clock shows them', () => {
    const gap = office('Europe/Berlin', '02:30', '04:00');
    const from = at('2027-03-28T00:00', 'Europe/Berlin');
    expect(workingTime(gap, from, at('2027-03-29T00:00', 'Europe/Berlin'))).toBe(HOUR);
    expect(addWorkingTime(gap, from, 1)).toEqual(new Date(at('2027-03-28T01:00').getTime() + 1));
  });

  test('around the clock means 23 and 25 hours, and 24x7 counts every millisecond', () => {
    const zone = 'Europe/London';
    const day = office(zone, '00:00', '24:00');
    expect(workingTime(day, at('2027-03-28T00:00', zone), at('2027-03-29T00:00', zone))).toBe(23 * HOUR);
    expect(workingTime(day, at('2027-10-31T00:00', zone), at('2027-11-01T00:00', zone))).toBe(25 * HOUR);
    expect(addWorkingTime(ALWAYS, at('2026-12-31T23:00'), 168 * HOUR)).toEqual(at('2027-01-07T23:00'));
  });

  test('where midnight itself is skipped, the day simply begins at one', () => {
    const cairo = office('Africa/Cairo', '00:00', '02:00'); // 30 April 2027, 00:00 becomes 01:00
    const zone = 'Africa/Cairo';
    expect(workingTime(cairo, at('2027-04-30T00:00', zone), at('2027-05-01T00:00', zone))).toBe(HOUR);
  });
});

const zones = fc.constantFrom(
  ...[
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'Asia/Kathmandu',
    'Africa/Casablanca',
  ],
  ...[
    'Pacific/Apia',
    'America/Santiago',
    'Africa/Cairo',
    'Pacific/Chatham',
    'America/Havana',
    'Atlantic/Azores',
  ],
);
const quarter = fc.integer({ min: 0, max: 95 });
const wall = (quarters: number): string =>
  `${String(Math.floor(quarters / 4)).padStart(2, '0')}:${String((quarters % 4) * 15).padStart(2, '0')}`;
const interval = fc
  .tuple(quarter, quarter)
  .map(([from, to]) => ({ from: wall(from), to: from === to ? '24:00' : wall(to) }));
const calendars: fc.Arbitrary<Calendar> = fc
  .record({
    timeZone: zones,
    hours: fc
      .record(Object.fromEntries(WEEKDAYS.map((day) => [day, fc.array(interval, { maxLength: 3 })])), {
        requiredKeys: [],
      })
      .filter((hours) => Object.values(hours).some((list) => list && list.length > 0)),
    holidays: fc.array(
      fc.record({
        date: fc
          .date({ min: at('2026-01-01'), max: at('2028-12-31'), noInvalidDate: true })
          .map((date) => date.toISOString().slice(0, 10)),
        yearly: fc.boolean(),
      }),
      { maxLength: 4 },
    ),
  })
  .map((raw) => calendarSchema.parse(raw));
const instants = fc.date({ min: at('2026-01-01'), max: at('2028-12-31'), noInvalidDate: true });
const amounts = fc.integer({ min: 0, max: 400 * HOUR });

/** What anyone would do by hand: look at the clock on the wall every five minutes. */
function byHand(calendar: Calendar, from: Date, to: Date): number {
  let worked = 0;
  for (let t = from.getTime(); t < to.getTime(); t += 5 * MINUTE) {
    const now = DateTime.fromMillis(t, { zone: calendar.timeZone });
    const minute = now.hour * 60 + now.minute;
    const ms = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
    const listOf = (day: number): { from: string; to: string }[] =>
      (calendar.hours === '24x7' ? [] : calendar.hours[WEEKDAYS[(day + 6) % 7] ?? 'mon']) ?? [];
    const own = listOf(now.weekday).some((each) =>
      ms(each.to) > ms(each.from) ? ms(each.from) <= minute && minute < ms(each.to) : ms(each.from) <= minute,
    );
    const carried = listOf(now.weekday - 1).some(
      (each) => ms(each.to) <= ms(each.from) && minute < ms(each.to),
    );
    const off = calendar.holidays.some((each) =>
      each.yearly ? each.date.slice(5) === now.toFormat('MM-dd') : each.date === now.toISODate(),
    );
    if ((own || carried) && !off) worked += 5 * MINUTE;
  }
  return worked;
}

describe('for any calendar, zone and instant', () => {
  test('working time is what the clock on the wall says', () => {
    fc.assert(
      fc.property(calendars, instants, fc.integer({ min: 1, max: 6 }), (calendar, start, days) => {
        const from = new Date(Math.floor(start.getTime() / (5 * MINUTE)) * 5 * MINUTE);
        const to = new Date(from.getTime() + days * 24 * HOUR);
        expect(workingTime(calendar, from, to)).toBe(byHand(calendar, from, to));
      }),
      { numRuns: 60 },
    );
  });

  test('adding, then measuring, gives back what was added, and nothing earlier would do', () => {
    fc.assert(
      fc.property(calendars, instants, amounts, (calendar, from, ms) => {
        const due = addWorkingTime(calendar, from, ms);
        if (due === null) throw new Error('a calendar with hours holds 400 of them');
        expect(workingTime(calendar, from, due)).toBe(ms);
        if (ms > 0) expect(workingTime(calendar, from, new Date(due.getTime() - 1))).toBe(ms - 1);
      }),
    );
  });

  test('measuring is additive and monotonous; adding twice is adding once', () => {
    fc.assert(
      fc.property(
        calendars,
        fc.tuple(instants, instants, instants),
        amounts,
        amounts,
        (calendar, three, a, b) => {
          const [x, y, z] = three.toSorted((one, other) => one.getTime() - other.getTime()) as [
            Date,
            Date,
            Date,
          ];
          const [first, rest] = [workingTime(calendar, x, y), workingTime(calendar, y, z)];
          expect(first + rest).toBe(workingTime(calendar, x, z));
          expect(first).toBeGreaterThanOrEqual(0);
          expect(first).toBeLessThanOrEqual(y.getTime() - x.getTime());
          expect(workingTime(calendar, z, x)).toBe(0);
          const once = addWorkingTime(calendar, x, a);
          expect(once && addWorkingTime(calendar, once, b)?.getTime()).toBe(
            addWorkingTime(calendar, x, a + b)?.getTime(),
          );
        },
      ),
    );
  });

  test('intervals leave no gap, and their counted part is the working time', () => {
    fc.assert(
      fc.property(calendars, instants, fc.integer({ min: 1, max: 60 * 24 * HOUR }), (calendar, from, ms) => {
        const to = new Date(from.getTime() + ms);
        const list = intervals(calendar, from, to);
        expect(list[0]?.from).toEqual(from);
        expect(list.at(-1)?.to).toEqual(to);
        for (const [index, each] of list.entries()) {
          expect(each.to.getTime() - each.from.getTime()).toBe(each.ms);
          if (index > 0) expect(each.from).toEqual(list[index - 1]?.to);
        }
        const counted = list.filter((each) => each.counted).reduce((sum, each) => sum + each.ms, 0);
        expect(counted).toBe(workingTime(calendar, from, to));
      }),
    );
  });
});

describe('a calendar', () => {
  const week = { mon: [{ from: '09:00', to: '17:00' }] };
  test.each([
    ['without any hours', { timeZone: 'UTC', hours: {} }],
    ['with only empty days', { timeZone: 'UTC', hours: { mon: [] } }],
    ['in a zone that does not exist', { timeZone: 'Mars/Olympus', hours: week }],
    ['with an interval of no length', { timeZone: 'UTC', hours: { mon: [{ from: '09:00', to: '09:00' }] } }],
    [
      'with a time that no clock shows',
      { timeZone: 'UTC', hours: { mon: [{ from: '09:60', to: '25:00' }] } },
    ],
    ['with a day that no week has', { timeZone: 'UTC', hours: { ...week, someday: [] } }],
    ['with a date that no year has', { timeZone: 'UTC', hours: week, holidays: [{ date: '2026-02-30' }] }],
  ])('%s is refused', (_, input) => {
    expect(calendarSchema.safeParse(input).success).toBe(false);
  });

  test('that is all holidays answers that the day never comes, and soon', () => {
    const days = Array.from({ length: 366 }, (_, index) =>
      new Date(Date.UTC(2028, 0, 1 + index)).toISOString().slice(0, 10),
    );
    const never = office('Europe/Berlin', '09:00', '17:00', {
      holidays: days.map((date) => ({ date, yearly: true })),
    });
    const began = process.cpuUsage();
    expect(addWorkingTime(never, at('2026-01-01'), 1)).toBeNull();
    expect(process.cpuUsage(began).user / 1_000).toBeLessThan(2_000);
  });

  test('reckons ten years ahead a thousand times in a second of work', () => {
    const from = at('2026-11-20T10:00');
    const ms = 10 * 52 * 35 * HOUR;
    addWorkingTime(lunch, from, ms);
    const began = process.cpuUsage();
    for (let i = 0; i < 1000; i++) addWorkingTime(lunch, new Date(from.getTime() + i), ms);
    const { user, system } = process.cpuUsage(began);
    expect((user + system) / 1_000).toBeLessThan(1_000);
  });
});
