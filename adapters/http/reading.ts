// Reading what came by a schema. Enumerations are read in any letter case: what failed for that alone is read once more.
import type { z } from 'zod';
import { inWords } from '../../src/complaints.ts';

type Path = PropertyKey[];

export function readBy<S extends z.ZodType>(schema: S, given: unknown): z.output<S> {
  const read = schema.safeParse(given, { error: inWords });
  if (read.success) return read.data;
  const words = read.error.issues.flatMap((issue) => enumerated(issue));
  if (words.length) {
    const lowered = structuredClone(given);
    for (const path of words) lower(lowered, path);
    const again = schema.safeParse(lowered);
    if (again.success) return again.data;
  }
  throw read.error;
}

/** Where a value was not one of those that are possible. */
function enumerated(issue: z.core.$ZodIssue, above: Path = []): Path[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'invalid_value') return [path];
  if (issue.code !== 'invalid_union') return [];
  return issue.errors.flatMap((issues) => issues.flatMap((one) => enumerated(one, path)));
}

function lower(thing: unknown, path: Path): void {
  const [last, ...way] = [...path].reverse();
  let at = thing as Record<PropertyKey, unknown> | undefined;
  for (const step of way.reverse()) at = at?.[step] as typeof at;
  const value = last === undefined || typeof at !== 'object' ? undefined : at[last];
  if (at && last !== undefined && typeof value === 'string')
    at[last] = value
      .trim()
      .toLowerCase()
      .replaceAll(/[\s-]+/g, '_');
}
