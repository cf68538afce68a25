// Why a deadline is where it is: every interval that counted and every one that did not, in words and numbers.
// The counted rows of a round add up to exactly what was used, and with the rows still to come to the target.

import { type Calendar, type Interval, intervals } from './calendar.ts';
import { deadlineOf, type Ledger, type Round, roundsOf, type Stage, stateOf, usedBy } from './clock.ts';

export interface Row {
  round: number;
  from: Date;
  to: Date;
  ms: number;
  counted: boolean;
  /** True for what lies ahead: it will count, or will not, if nothing changes. */
  expected: boolean;
  because: 'working_hours' | 'closed' | 'holiday' | 'paused';
  /** The history entry that started or paused the clock. */
  seq: number;
  sentence: string;
}

export interface Explanation {
  state: ReturnType<typeof stateOf>;
  targetMs: number;
  usedMs: number;
  remainingMs: number;
  dueAt: Date | null;
  rows: Row[];
  changes: { at: Date; seq: number; sentence: string }[];
  sentence: string;
}

export function explain(ledger: Ledger, target: number, calendar: Calendar, now: Date): Explanation {
  const state = stateOf(ledger);
  const dueAt = deadlineOf(ledger, target, calendar);
  const usedMs = usedBy(ledger, now, calendar);
  const rounds = roundsOf(ledger);
  const rows = rounds.flatMap((round, index) => {
    const until = index === rounds.length - 1 && state === 'running' && dueAt && dueAt > now ? dueAt : now;
    return rowsOf(round, index + 1, calendar, now, until);
  });
  return {
    state,
    targetMs: target,
    usedMs,
    remainingMs: Math.max(0, target - usedMs),
    dueAt,
    rows,
    changes: ledger.map(({ at, seq, kind, why, ms }) => ({
      at,
      seq,
      sentence: `${WORDS[kind]}${ms === undefined ? '' : ` to ${duration(ms)}`}${why ? ` (${why})` : ''}, ${wall(at, calendar)}.`,
    })),
    sentence: summary(state, target, usedMs, dueAt, rounds.at(-1) ?? null, calendar),
  };
}

const WORDS = {
  start: 'Started',
  pause: 'Paused',
  resume: 'Resumed',
  met: 'Met',
  stop: 'Stopped',
  restart: 'Started again from zero',
  target: 'Target changed',
} as const;

function rowsOf(round: Round, number: number, calendar: Calendar, now: Date, until: Date): Row[] {
  const rows: Row[] = [];
  for (const stage of round.stages) {
    const end = stage.to ?? (stage.running ? until : now);
    if (end <= stage.from) continue;
    const pieces = stage.running ? cut(intervals(calendar, stage.from, end), now) : [];
    for (const piece of pieces) rows.push(rowOf(piece, number, stage, calendar, now));
    if (stage.running) continue;
    const ms = end.getTime() - stage.from.getTime();
    const why = stage.why ? ` (${stage.why})` : '';
    rows.push({
      ...{ round: number, from: stage.from, to: end, ms, counted: false, expected: false },
      ...{ because: 'paused', seq: stage.seq },
      sentence: `Not counted: the clock was held${why} from ${wall(stage.from, calendar)} to ${wall(end, calendar)}, ${duration(ms)}.`,
    });
  }
  return rows;
}

/** Splits the interval that contains `now`, so that what was and what will be are told apart. */
function cut(list: Interval[], now: Date): Interval[] {
  return list.flatMap((each) =>
    each.from < now && now < each.to
      ? [
          { ...each, to: now, ms: now.getTime() - each.from.getTime() },
          { ...each, from: now, ms: each.to.getTime() - now.getTime() },
        ]
      : [each],
  );
}

function rowOf(piece: Interval, round: number, stage: Stage, calendar: Calendar, now: Date): Row {
  const { from, to, ms, counted, reason } = piece;
  const expected = from >= now;
  const span = `${wall(from, calendar)} to ${wall(to, calendar)}, ${duration(ms)}`;
  const lead = counted ? (expected ? 'Will count' : 'Counted') : expected ? 'Will not count' : 'Not counted';
  const words = {
    open: calendar.hours === '24x7' ? 'around the clock' : 'working hours',
    closed: 'outside working hours',
    holiday: reason.kind === 'holiday' ? reason.name : '',
  };
  return {
    ...{ round, from, to, ms, counted, expected, seq: stage.seq },
    because: reason.kind === 'open' ? 'working_hours' : reason.kind,
    sentence: `${lead}: ${words[reason.kind]}, ${span}.`,
  };
}

function summary(
  state: Explanation['state'],
  target: number,
  used: number,
  dueAt: Date | null,
  round: Round | null,
  calendar: Calendar,
): string {
  const of = `${duration(used)} of ${duration(target)} used`;
  const due = dueAt ? wall(dueAt, calendar) : '';
  switch (state) {
    case 'idle':
      return 'Not promised.';
    case 'running':
      if (!dueAt) return `Running: ${of}; the calendar has too few hours for it ever to fall due.`;
      return used >= target ? `Missed: it was due ${due}; ${of}.` : `Running: ${of}; due ${due}.`;
    case 'paused':
      return dueAt
        ? `Missed: it was due ${due}; held since; ${of}.`
        : `Held: ${of}; ${duration(target - used)} are left.`;
    case 'met':
      return dueAt && round?.end && dueAt < round.end.at
        ? `Met late: it was due ${due}; ${of}.`
        : `Met in time: ${of}.`;
    case 'stopped':
      return `Stopped${round?.end?.why ? ` (${round.end.why})` : ''}: ${of}.`;
    default:
      return state satisfies never;
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();

function wall(at: Date, { timeZone }: Calendar): string {
  let format = formats.get(timeZone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      ...{ timeZone, weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' },
      ...{ hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZoneName: 'short' },
    } as const);
    formats.set(timeZone, format);
  }
  return format.format(at).replaceAll(',', '');
}

/** 93,784,000 ms as "26 h 3 min 4 s": hours, since a working day is no day. */
export function duration(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  const parts = [
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const words = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return words.length > 0 ? words.join(' ') : '0 min';
}
