// How far a desk's queue was looked through in vain, so that what nobody may have is not read again and again. Only to
// save work: it is forgotten when anything that matters has changed, when a ticket before it is touched, or after a while.
import type { Place } from '../tickets/waiting.ts';

export interface Look {
  place: Place;
  /** What it depended on (facts.ts). */
  mark: string;
  /** Then all are looked at again, whatever this process has heard. */
  until: number;
  /** How often a ticket of the desk had been touched when the looking began. */
  touched: number;
}

const LIFETIME_MS = 60_000;
const looks = new Map<string, Look>();
const touches = new Map<string, number>();
const keyOf = (company: string, desk: string) => `${company}/${desk}`;

/** Where to go on, if anywhere, and what to keep afterwards. */
export function lookFrom(
  company: string,
  desk: string,
  mark: string,
): { from: Place | null; upTo: (place: Place, markAfter: string) => Look } {
  const key = keyOf(company, desk);
  const touched = touches.get(key) ?? 0;
  const known = looks.get(key);
  const look = known?.mark === mark && known.until > performance.now() ? known : null;
  const until = look?.until ?? performance.now() + LIFETIME_MS;
  return {
    from: look?.place ?? null,
    upTo: (place, markAfter) => ({ place, mark: markAfter, until, touched }),
  };
}

/** Unless a ticket was touched meanwhile, which may be one that was looked at before. */
export function keepLooks(company: string, looked: ReadonlyMap<string, Look>): void {
  for (const [desk, look] of looked) {
    const key = keyOf(company, desk);
    if ((touches.get(key) ?? 0) === look.touched) looks.set(key, look);
  }
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
  touches.set(key, (touches.get(key) ?? 0) + 1);
  const look = looks.get(key);
  if (look && createdAt <= look.place.createdAt)
    looks.set(key, { ...look, place: { createdAt: new Date(createdAt.getTime() - 1), _id: '' } });
}
