// One promise's clock as a ledger: what happened to it, when, and which history entry was the cause. Every date is
// a pure function of ledger, target and calendar: the instant at which so much working time has run, pauses apart.

import { addWorkingTime, type Calendar, workingTime } from './calendar.ts';

export type EventKind = 'start' | 'pause' | 'resume' | 'met' | 'stop' | 'restart' | 'target';
export interface LedgerEvent {
  kind: EventKind;
  at: Date;
  /** The history entry of the ticket that caused it. */
  seq: number;
  /** For people: "waiting for the requester", "priority: high to critical". */
  why?: string;
  /** With `target`: how long the promise is from now on, in ms (counted from the start of the same round). */
  ms?: number;
}
export type Ledger = readonly LedgerEvent[];

/** A stretch in which the clock ran, or one in which it was held; `to` is null while it lasts. */
export interface Stage {
  from: Date;
  to: Date | null;
  running: boolean;
  seq: number;
  why?: string;
}

/** From a start or restart to the end that it found; `end` is null while the promise is open. */
export interface Round {
  start: LedgerEvent;
  stages: Stage[];
  end: LedgerEvent | null;
}

export type ClockState = 'idle' | 'running' | 'paused' | 'met' | 'stopped';

export function stateOf(ledger: Ledger): ClockState {
  const last = ledger.findLast((event) => event.kind !== 'target');
  switch (last?.kind) {
    case 'start':
    case 'restart':
    case 'resume':
      return 'running';
    case 'pause':
      return 'paused';
    case 'met':
      return 'met';
    case 'stop':
      return 'stopped';
    default:
      return 'idle';
  }
}

/**
 * The ledger with the event appended, or the same ledger if the event changes nothing (a pause while paused).
 * Time never runs backwards in it, whatever the clock of the process that wrote says.
 */
export function append(ledger: Ledger, event: LedgerEvent): Ledger {
  const state = stateOf(ledger);
  const open = state === 'running' || state === 'paused';
  const means: Record<EventKind, boolean> = {
    start: state === 'idle',
    pause: state === 'running',
    resume: state === 'paused',
    met: open,
    stop: open,
    restart: !open && state !== 'idle',
    target: state !== 'idle',
  };
  if (!means[event.kind]) return ledger;
  const last = ledger.at(-1);
  return [...ledger, last && event.at < last.at ? { ...event, at: last.at } : event];
}

export function roundsOf(ledger: Ledger): Round[] {
  const rounds: Round[] = [];
  for (const event of ledger) {
    if (event.kind === 'target') continue;
    const round = rounds.at(-1);
    if (event.kind === 'start' || event.kind === 'restart') {
      rounds.push({ start: event, stages: [stage(event, true)], end: null });
      continue;
    }
    const current = round?.stages.at(-1);
    if (!round || !current) continue;
    current.to = event.at;
    if (event.kind === 'pause' || event.kind === 'resume')
      round.stages.push(stage(event, event.kind === 'resume'));
    else round.end = event;
  }
  return rounds;
}

function stage({ at, seq, why }: LedgerEvent, running: boolean): Stage {
  return { from: at, to: null, running, seq, ...(why === undefined ? {} : { why }) };
}

/** When the current round has used `ms` of working time; null if it never will as things stand. */
export function instantOf(ledger: Ledger, ms: number, calendar: Calendar): Date | null {
  const round = roundsOf(ledger).at(-1);
  let left = ms;
  for (const { from, to, running } of round?.stages ?? []) {
    if (!running) continue;
    if (to === null) return addWorkingTime(calendar, from, left);
    const worked = workingTime(calendar, from, to);
    if (worked >= left) return addWorkingTime(calendar, from, left);
    left -= worked;
  }
  return null;
}

/** When the promise falls due: null while the clock is held, and when it ended in time. */
export function deadlineOf(ledger: Ledger, target: number, calendar: Calendar): Date | null {
  return instantOf(ledger, target, calendar);
}

/** How much of the promise was used up by `at`, in working ms of the current round. */
export function usedBy(ledger: Ledger, at: Date, calendar: Calendar): number {
  let used = 0;
  for (const { from, to, running } of roundsOf(ledger).at(-1)?.stages ?? []) {
    if (running) used += workingTime(calendar, from, to !== null && to < at ? to : at);
  }
  return used;
}

/** What is to happen once a given share of a promise is used up: a point on the clock, not in time. */
export type Mark =
  | { name: string; kind: 'warning'; ms: number; share: number }
  | { name: string; kind: 'breach'; ms: number }
  | { name: string; kind: 'escalation'; ms: number; step: number };

/**
 * Warnings, the breach, and the steps after it. Steps count working time too, so that nobody is woken for nothing,
 * and they count from the breach that was recorded, even if the target has become shorter since.
 */
export function marksOf(
  target: number,
  warnAt: readonly number[],
  steps: readonly { after: number; step: number }[],
  breachedMs: number | null = null,
): Mark[] {
  const marks: Mark[] = warnAt.map((share) => ({
    name: `warning:${Math.round(share * 100)}`,
    kind: 'warning',
    ms: Math.round(target * share),
    share,
  }));
  marks.push({ name: 'breach', kind: 'breach', ms: target });
  for (const { after, step } of steps)
    marks.push({
      name: `escalation:${step + 1}`,
      kind: 'escalation',
      ms: (breachedMs ?? target) + after,
      step,
    });
  return marks.sort((a, b) => a.ms - b.ms);
}

export interface Due {
  mark: Mark;
  at: Date;
}

/**
 * The marks that have not fired yet and the instants at which they will, oldest first. Of a promise that has
 * ended only a breach can still be owed: it happened before the end, and nobody has recorded it.
 */
export function pending(
  ledger: Ledger,
  marks: readonly Mark[],
  fired: readonly string[],
  calendar: Calendar,
): Due[] {
  const end = roundsOf(ledger).at(-1)?.end ?? null;
  const list: Due[] = [];
  for (const mark of marks) {
    if (fired.includes(mark.name) || (end && mark.kind !== 'breach')) continue;
    const at = instantOf(ledger, mark.ms, calendar);
    if (at === null || (end && at >= end.at)) break; // later marks cannot come either
    list.push({ mark, at });
  }
  return list;
}

/** The earliest of the clocks' next instants. */
export function nextDeadline(clocks: readonly { nextAt: Date | null }[]): Date | null {
  let next: Date | null = null;
  for (const { nextAt } of clocks) if (nextAt !== null && (next === null || nextAt < next)) next = nextAt;
  return next;
}
