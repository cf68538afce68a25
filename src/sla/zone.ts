// A time zone as stretches of constant offset, so that calendars can reckon in whole numbers. A stretch never
// crosses a change of the clocks, nor a UTC year; both ends are exact to the millisecond.

import { IANAZone } from 'luxon';

export const DAY = 86_400_000;
const WEEK = 7 * DAY; // NOTE: since 2005 no zone has changed its clocks twice within 21 days

export interface Stretch {
  from: number;
  to: number;
  /** Add it to UTC to get what the clock on the wall shows. */
  offset: number;
}

const known = new Map<string, Map<number, Stretch[]>>();

export function isZone(name: string): boolean {
  return IANAZone.isValidZone(name);
}

/** The stretch that contains `at`. */
export function stretchAt(zoneName: string, at: number): Stretch {
  const year = new Date(at).getUTCFullYear();
  let years = known.get(zoneName);
  if (!years) {
    years = new Map();
    known.set(zoneName, years);
  }
  let stretches = years.get(year);
  if (!stretches) {
    stretches = stretchesOf(zoneName, year);
    years.set(year, stretches);
  }
  for (const stretch of stretches) if (at < stretch.to) return stretch;
  throw new RangeError(`no offset known for ${zoneName} at ${at}`);
}

function stretchesOf(zoneName: string, year: number): Stretch[] {
  const begin = Date.UTC(year, 0, 1);
  const end = Date.UTC(year + 1, 0, 1);
  if (zoneName === 'UTC') return [{ from: begin, to: end, offset: 0 }];
  const zone = IANAZone.create(zoneName);
  const offsetAt = (at: number): number => Math.round(zone.offset(at) * 60_000);
  const stretches: Stretch[] = [];
  let open: Stretch = { from: begin, to: end, offset: offsetAt(begin) };
  for (let at = begin; at < end; at += WEEK) {
    const next = Math.min(at + WEEK, end - 1);
    const offset = offsetAt(next);
    if (offset === open.offset) continue;
    const change = firstAfter(at, next, (t) => offsetAt(t) === open.offset);
    open.to = change;
    stretches.push(open);
    open = { from: change, to: end, offset };
  }
  stretches.push(open);
  return stretches;
}

/** The first instant after `low` at which `holds` has stopped holding; it holds at `low` and not at `high`. */
function firstAfter(low: number, high: number, holds: (at: number) => boolean): number {
  let before = low;
  let after = high;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (holds(middle)) before = middle;
    else after = middle;
  }
  return after;
}
