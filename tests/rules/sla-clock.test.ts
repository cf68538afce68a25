// The law of the ledger: a pause of d working minutes moves the deadline by exactly d; and what explains itself adds up.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { ALWAYS, type Calendar, WEEKDAYS, workingTime } from '../../src/sla/calendar.ts';
import {
  append,
  deadlineOf,
  type EventKind,
  instantOf,
  type Ledger,
  marksOf,
  nextDeadline,
  pending,
  roundsOf,
  stateOf,
  usedBy,
} from '../../src/sla/clock.ts';
import { duration, explain } from '../../src/sla/explain.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const at = (iso: string, zone = 'utc'): Date => DateTime.fromISO(iso, { zone }).toJSDate();
const later = (date: Date, ms: number): Date => new Date(date.getTime() + ms);

let seq = 0;
const ledger = (...events: [EventKind, Date, string?][]): Ledger =>
  events.reduce<Ledger>(
    (list, [kind, when, why]) =>
      append(list, { kind, at: when, seq: ++seq, ...(why === undefined ? {} : { why }) }),
    [],
  );

const week = (...list: { from: string; to: string }[]): Calendar['hours'] =>
  Object.fromEntries(WEEKDAYS.slice(0, 5).map((day) => [day, list]));
const berlin: Calendar = {
  timeZone: 'Europe/Berlin',
  hours: week({ from: '09:00', to: '12:00' }, { from: '13:00', to: '17:00' }),
  holidays: [{ date: '2027-03-26', name: 'Good Friday' }],
};
const nights: Calendar = {
  timeZone: 'America/New_York',
  hours: { ...(week({ from: '22:00', to: '06:00' }) as object), sat: [{ from: '00:30', to: '02:45' }] },
  holidays: [{ date: '2026-12-25', yearly: true, name: 'Christmas Day' }],
};
const calendars = fc.constantFrom(ALWAYS, berlin, nights, { ...berlin, timeZone: 'Australia/Lord_Howe' });
const instants = fc.date({ min: at('2026-01-01'), max: at('2028-12-31'), noInvalidDate: true });
const spans = fc.integer({ min: 0, max: 5 * 24 * HOUR });
const targets = fc.integer({ min: 1, max: 200 * HOUR });

describe('a pause', () => {
  test('of d working minutes moves the deadline by exactly d working minutes', () => {
    fc.assert(
      fc.property(calendars, instants, targets, spans, spans, (calendar, start, target, run, held) => {
        const pause = later(start, run);
        const resume = later(pause, held);
        const plain = ledger(['start', start]);
        const paused = ledger(['start', start], ['pause', pause], ['resume', resume]);
        const before = deadlineOf(plain, target, calendar);
        const after = deadlineOf(paused, target, calendar);
        if (!before || !after) throw new Error('these calendars hold every target');
        const d = workingTime(calendar, pause, resume);
        if (before <= pause) expect(after).toEqual(before);
        else expect(workingTime(calendar, before, after)).toBe(d);
      }),
    );
  });

  test('any number of pauses: the deadline is where exactly the target has been worked outside of them', () => {
    fc.assert(
      fc.property(
        calendars,
        instants,
        targets,
        fc.array(spans, { maxLength: 8 }),
        (calendar, start, target, gaps) => {
          let events: Ledger = [{ kind: 'start', at: start, seq: 1 }];
          let when = start;
          gaps.forEach((gap, index) => {
            when = later(when, gap);
            events = append(events, { kind: index % 2 === 0 ? 'pause' : 'resume', at: when, seq: index + 2 });
          });
          const due = deadlineOf(events, target, calendar);
          if (due === null) {
            expect(stateOf(events)).toBe('paused');
            expect(usedBy(events, later(when, 1000 * HOUR), calendar)).toBeLessThan(target);
          } else {
            expect(usedBy(events, due, calendar)).toBe(target);
            expect(usedBy(events, later(due, -1), calendar)).toBe(target - 1);
          }
        },
      ),
    );
  });

  test('while it lasts there is no deadline, and one that was missed before it stays missed', () => {
    const held = ledger(['start', at('2026-11-18T09:00')], ['pause', at('2026-11-18T10:00')]);
    expect(deadlineOf(held, 2 * HOUR, ALWAYS)).toBeNull();
    expect(deadlineOf(held, 30 * MINUTE, ALWAYS)).toEqual(at('2026-11-18T09:30'));
  });
});

describe('the ledger', () => {
  test('keeps only what changes something, and never runs backwards when a process has a wrong clock', () => {
    const nine = at('2026-11-18T09:00');
    const list = ledger(
      ['start', nine],
      ['resume', later(nine, 1)],
      ['pause', later(nine, -HOUR)],
      ['pause', nine],
    );
    expect(list.map(({ kind, at: when }) => [kind, when])).toEqual([
      ['start', nine],
      ['pause', nine],
    ]);
    expect(stateOf(ledger(['pause', nine], ['met', nine]))).toBe('idle');
  });

  test('a restart begins from zero and leaves the earlier round as it was', () => {
    const nine = at('2026-11-18T09:00');
    const list = ledger(['start', nine], ['met', later(nine, 3 * HOUR)], ['restart', later(nine, 9 * HOUR)]);
    expect(deadlineOf(list, 4 * HOUR, ALWAYS)).toEqual(later(nine, 13 * HOUR));
    expect(roundsOf(list).map((round) => round.end?.kind)).toEqual(['met', undefined]);
  });

  test('the larger target is never due earlier, on the same ledger', () => {
    fc.assert(
      fc.property(calendars, instants, targets, targets, spans, (calendar, start, one, other, run) => {
        const list = ledger(
          ['start', start],
          ['pause', later(start, run)],
          ['resume', later(start, run * 2)],
        );
        const [small, large] = [Math.min(one, other), Math.max(one, other)];
        const early = instantOf(list, small, calendar);
        const late = instantOf(list, large, calendar);
        expect(early && late && early <= late).toBe(true);
      }),
    );
  });
});

describe('what falls due', () => {
  const start = at('2026-11-18T09:00');
  const marks = marksOf(
    4 * HOUR,
    [0.75, 0.9],
    [
      { after: 0, step: 0 },
      { after: 30 * MINUTE, step: 1 },
    ],
  );

  test('warnings, breach and escalation steps come in order, at their shares of the target', () => {
    const list = pending(ledger(['start', start]), marks, [], ALWAYS);
    expect(list.map((due) => [due.mark.name, duration(due.at.getTime() - start.getTime())])).toEqual([
      ['warning:75', '3 h'],
      ['warning:90', '3 h 36 min'],
      ['breach', '4 h'],
      ['escalation:1', '4 h'],
      ['escalation:2', '4 h 30 min'],
    ]);
  });

  test('what has fired does not come again, and nothing comes while the clock is held', () => {
    const fired = ['warning:75', 'warning:90', 'breach'];
    expect(pending(ledger(['start', start]), marks, fired, ALWAYS)[0]?.mark.name).toBe('escalation:1');
    const held = ledger(['start', start], ['pause', later(start, HOUR)]);
    expect(pending(held, marks, [], ALWAYS)).toEqual([]);
  });

  test('of a promise that was kept late only the breach is owed, of one kept in time nothing', () => {
    const late = ledger(['start', start], ['met', later(start, 5 * HOUR)]);
    expect(pending(late, marks, [], ALWAYS).map((due) => due.mark.name)).toEqual(['breach']);
    const sharp = ledger(['start', start], ['met', later(start, 4 * HOUR)]);
    expect(pending(sharp, marks, [], ALWAYS)).toEqual([]);
  });

  test('escalation steps count from the breach that was recorded, though the target became shorter', () => {
    const shorter = marksOf(HOUR, [0.75], [{ after: 30 * MINUTE, step: 0 }], 4 * HOUR);
    const list = pending(ledger(['start', start]), shorter, ['warning:75', 'breach'], ALWAYS);
    expect(list.map((due) => due.at)).toEqual([later(start, 4.5 * HOUR)]);
  });

  test('the next deadline of several clocks is the earliest there is', () => {
    expect(nextDeadline([{ nextAt: null }, { nextAt: later(start, 5) }, { nextAt: start }])).toEqual(start);
    expect(nextDeadline([{ nextAt: null }])).toBeNull();
  });
});

describe('an explanation', () => {
  test('names lunch, the night, the holiday, the pause and the change of the clocks, in numbers that add up', () => {
    const zone = 'Europe/Berlin';
    const list = ledger(
      ['start', at('2027-03-25T16:00', zone)],
      ['pause', at('2027-03-29T10:00', zone), 'waiting for the requester'],
      ['resume', at('2027-03-29T11:30', zone)],
    );
    const now = at('2027-03-29T13:30', zone);
    const told = explain(list, 4 * HOUR, berlin, now);
    expect(told.dueAt).toEqual(at('2027-03-29T14:30', zone));
    expect(told.usedMs).toBe(3 * HOUR);
    expect(told.rows.map((row) => row.sentence)).toEqual([
      'Counted: working hours, Thu 25 Mar 2027 16:00 CET to Thu 25 Mar 2027 17:00 CET, 1 h.',
      'Not counted: outside working hours, Thu 25 Mar 2027 17:00 CET to Fri 26 Mar 2027 00:00 CET, 7 h.',
      'Not counted: Good Friday, Fri 26 Mar 2027 00:00 CET to Sat 27 Mar 2027 00:00 CET, 24 h.',
      'Not counted: outside working hours, Sat 27 Mar 2027 00:00 CET to Mon 29 Mar 2027 09:00 CEST, 56 h.',
      'Counted: working hours, Mon 29 Mar 2027 09:00 CEST to Mon 29 Mar 2027 10:00 CEST, 1 h.',
      'Not counted: the clock was held (waiting for the requester) from Mon 29 Mar 2027 10:00 CEST to Mon 29 Mar 2027 11:30 CEST, 1 h 30 min.',
      'Counted: working hours, Mon 29 Mar 2027 11:30 CEST to Mon 29 Mar 2027 12:00 CEST, 30 min.',
      'Not counted: outside working hours, Mon 29 Mar 2027 12:00 CEST to Mon 29 Mar 2027 13:00 CEST, 1 h.',
      'Counted: working hours, Mon 29 Mar 2027 13:00 CEST to Mon 29 Mar 2027 13:30 CEST, 30 min.',
      'Will count: working hours, Mon 29 Mar 2027 13:30 CEST to Mon 29 Mar 2027 14:30 CEST, 1 h.',
    ]);
    expect(told.sentence).toBe('Running: 3 h of 4 h used; due Mon 29 Mar 2027 14:30 CEST.');
  });

  test('the rows of a round follow each other without gaps; counted ones make up what was used, then the target', () => {
    const moves = fc.array(fc.tuple(fc.constantFrom<EventKind>('pause', 'resume', 'met', 'restart'), spans), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(calendars, instants, targets, moves, spans, (calendar, start, target, events, wait) => {
        let list: Ledger = [{ kind: 'start', at: start, seq: 1 }];
        let when = start;
        for (const [kind, gap] of events) {
          when = later(when, gap);
          list = append(list, { kind, at: when, seq: list.length + 1 });
        }
        const now = later(when, wait);
        const told = explain(list, target, calendar, now);
        const latest = told.rows.filter((row) => row.round === roundsOf(list).length);
        for (const [index, row] of latest.entries())
          if (index > 0) expect(row.from).toEqual(latest[index - 1]?.to);
        const sum = (expected: boolean): number =>
          latest.reduce((ms, row) => ms + (row.counted && row.expected === expected ? row.ms : 0), 0);
        expect(sum(false)).toBe(told.usedMs);
        if (told.state === 'running' && told.usedMs < target) expect(told.usedMs + sum(true)).toBe(target);
        else expect(sum(true)).toBe(0);
      }),
    );
  });

  test('says why a promise has no deadline right now', () => {
    const start = at('2026-11-18T09:00');
    const held = ledger(['start', start], ['pause', later(start, HOUR), 'waiting for the requester']);
    expect(explain(held, 4 * HOUR, ALWAYS, later(start, 9 * HOUR)).sentence).toBe(
      'Held: 1 h of 4 h used; 3 h are left.',
    );
    const late = ledger(['start', start], ['met', later(start, 5 * HOUR)]);
    expect(explain(late, 4 * HOUR, ALWAYS, later(start, 9 * HOUR)).sentence).toBe(
      'Met late: it was due Wed 18 Nov 2026 13:00 UTC; 5 h of 4 h used.',
    );
  });
});
