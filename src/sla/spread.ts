// Bringing open tickets up to date after the rules of a company changed: those that run by other terms than hold now.
// Once at the change itself, and once more when no process can remember the older rules; it goes on where it stopped.

import { systemCtx } from '../context.ts';
import type { Logger } from '../log.ts';
import { changeRead } from '../tickets/change.ts';
import { openAfter, type Place, placeOf } from '../tickets/due.ts';
import { rulesCollection } from './model.ts';
import { type Rules, termsFor } from './policy.ts';
import { forgetRules, rulesOf } from './rules.ts';

const PAGE = 250;
const LONGEST_MS = 2_000;

/** The companies whose changes are to be spread by now. */
export async function spreadDue(now: Date, log: Logger): Promise<void> {
  const waiting = await rulesCollection()
    .find({ 'spread.at': { $type: 'date', $lte: now } })
    .sort({ 'spread.at': 1 })
    .limit(20)
    .toArray();
  for (const { _id: company, version, spread } of waiting) {
    forgetRules(company);
    const rules = await rulesOf(company, version);
    const place = await spreadFrom(company, rules, spread?.after ?? null, log);
    // A change of the rules meanwhile has begun its own spread: leave that alone.
    await rulesCollection().updateOne(
      { _id: company, version },
      place ? { $set: { 'spread.after': place } } : { $unset: { spread: '' } },
    );
  }
}

/** Works for a while; null when every open ticket was looked at, else how far it has come. */
export async function spreadFrom(
  company: string,
  rules: Rules,
  from: Place | null,
  log: Logger,
  longestMs = LONGEST_MS,
): Promise<Place | null> {
  const began = performance.now();
  for (let place = from; ; ) {
    const page = await openAfter(company, place, PAGE);
    const stale = page.filter(
      ({ sla, desk, priority }) => sla !== null && sla.terms !== termsFor(rules, desk, priority).key,
    );
    const ctx = () => systemCtx({ log, request: 'sla rules' }, company);
    const reason = { because: 'sla rules', version: rules.version };
    const { failed } = await changeRead(ctx, stale, () => ({
      action: 'update',
      set: {},
      facts: reason,
      silent: true,
    }));
    for (const { ticket, error } of failed)
      log.error({ ticket, err: error }, 'a deadline could not be reckoned anew');
    const last = page.at(-1);
    if (!last || page.length < PAGE) return null;
    place = placeOf(last);
    if (performance.now() - began > longestMs) return place;
  }
}
