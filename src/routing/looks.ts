// How far a desk's queue was looked through in vain, so that what nobody may have is not read again and again. Only to
// save work: it is forgotten when anything that matters has changed, when a ticket before it is touched, or after a while.
import type { Place } from '../tickets/waiting.ts';

export interface Look {
  place: Place;
  /** What it depended on (facts.ts). */
  mark: string;
  /** Then all are looked at again, whatever this process has heard. */
  until: number | null;
}

const LIFETIME_MS = 60_000;
const MOST = 10_000;
const looks = new Map<string, Look>();
const keyOf = (company: string, desk: string) => `${company}/${desk}`;

export function lookOf(company: string, desk: string, mark: string): Look | null {
  const look = looks.get(keyOf(company, desk));
  return look?.mark === mark && (look.until ?? 0) > performance.now() ? look : null;
}

export function keepLooks(company: string, looked: ReadonlyMap<string, Look>): void {
  if (looks.size > MOST) looks.clear();
  for (const [desk, look] of looked)
    looks.set(keyOf(company, desk), { ...look, until: look.until ?? performance.now() + LIFETIME_MS });
}

/** This ticket may be looked at anew: it is new, or was changed. */
export function lookAgain({
  company,
  desk,
  createdAt,
}: {
  company: string;
  desk: string;
  createdAt: Date;
}): void {
  const key = keyOf(company, desk);
  const look = looks.get(key);
  if (look && createdAt <= look.place.createdAt)
    looks.set(key, { ...look, place: { createdAt: new Date(createdAt.getTime() - 1), _id: '' } });
}
