// How the rules of a company are changed: the whole document, by its version, then spread to the tickets that are open.

import { storeTime } from '../clock.ts';
import type { Ctx } from '../context.ts';
import { conflict, forbidden } from '../errors.ts';
import { type Deed, may } from '../people/access.ts';
import { isDuplicate } from '../store.ts';
import { rulesCollection, type StoredRules } from './model.ts';
import { forgetRules, RULES_LIFETIME_MS, rulesOf, storedRules } from './rules.ts';
import { spreadFrom } from './spread.ts';

const ATTEMPTS = 10;
/** So long whoever changes the rules waits for the tickets; the workers see to the others. */
const AT_ONCE_MS = 400;

export function need(ctx: Ctx, deed: Extract<Deed, 'sla.read' | 'sla.manage'>): void {
  if (!may(ctx.actor, deed))
    throw forbidden(deed, deed === 'sla.read' ? 'Only agents see this.' : 'Only managers change this.');
}

/** `decide` is given the rules as they stand, edits its own copy, and answers what the caller wants to know. */
export async function changeRules<T>(
  ctx: Ctx,
  decide: (rules: StoredRules, version: number) => T,
): Promise<T> {
  need(ctx, 'sla.manage');
  const { company } = ctx.actor;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await storedRules(company);
    const version = before.version + 1;
    const after: StoredRules = {
      ...before,
      policies: [...before.policies],
      calendars: [...before.calendars],
    };
    const answer = decide(after, version);
    if (isAsBefore(before, after)) return answer;
    const at = new Date((await storeTime()).getTime() + RULES_LIFETIME_MS + 1_000);
    const stored: StoredRules = { ...after, version, spread: { at, after: null } };
    if (!(await replaced(before, stored))) continue;
    forgetRules(company);
    const place = await spreadFrom(company, await rulesOf(company, version), null, ctx.log, AT_ONCE_MS);
    if (place) ctx.log.info({ company, version }, 'many tickets: the new SLA rules go on spreading');
    return answer;
  }
  throw conflict('sla.contended', 'Somebody else is changing the SLA rules just now. Try again.');
}

/** What says again what holds touches no ticket. */
const isAsBefore = (before: StoredRules, after: StoredRules): boolean =>
  (['policies', 'calendars'] as const).every(
    (name) =>
      before[name].length === after[name].length && before[name].every((one, at) => one === after[name][at]),
  );

async function replaced(before: StoredRules, after: StoredRules): Promise<boolean> {
  if (before.version > 0) {
    const done = await rulesCollection().replaceOne({ _id: before._id, version: before.version }, after);
    return done.matchedCount === 1;
  }
  try {
    await rulesCollection().insertOne(after);
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}
