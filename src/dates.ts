// Instants as people send them: ISO 8601, a day or a time of it; without a zone it is UTC. Never a number or a word.
import { z } from 'zod';

const ISO = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?$/i;

/** There is no 30th of February. */
function isDay(day: string): boolean {
  const at = new Date(`${day}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(day);
}

function asInstant(given: unknown): unknown {
  if (given instanceof Date) return given;
  const found = typeof given === 'string' ? ISO.exec(given.trim()) : null;
  if (!found || !isDay(found[0].slice(0, 10))) return Number.NaN;
  return found[0].length > 10 && !found[1] ? `${found[0]}Z` : found[0];
}

export const instant = z.preprocess(
  asInstant,
  z.coerce.date({ error: 'must be a date or time such as 2026-01-31T09:00:00Z' }),
);
