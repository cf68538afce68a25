// The rules of a company, read once and kept for a moment: every change of a ticket needs them, and few change them.

import { remembered } from '../memory.ts';
import { rulesCollection, type StoredRules } from './model.ts';
import { defaultPolicy, type Rules } from './policy.ts';

export const RULES_LIFETIME_MS = 2_000;
let enabled = true;

/** SLA_ENABLED: without it nothing is promised, and resolved tickets still close by themselves. */
export function useSla(on: boolean): void {
  enabled = on;
}

export async function storedRules(company: string): Promise<StoredRules> {
  const stored = await rulesCollection().findOne({ _id: company });
  return stored ?? { _id: company, version: 0, policies: [defaultPolicy(company)], calendars: [] };
}

const kept = remembered(
  'policy',
  async (company: string): Promise<Rules> => {
    const { version, policies, calendars } = await storedRules(company);
    return { version, policies: enabled ? policies : policies.map(withoutPromises), calendars };
  },
  RULES_LIFETIME_MS,
);

const withoutPromises = (policy: Rules['policies'][number]): Rules['policies'][number] => {
  const none = { firstResponseMinutes: null, nextResponseMinutes: null, resolutionMinutes: null };
  const targets = { critical: none, urgent: none, high: none, medium: none, low: none };
  return { ...policy, id: `${policy.id}-off`, targets };
};

/** What holds in a company; never older than what a ticket has already been reckoned by. */
export async function rulesOf(company: string, atLeast = 0): Promise<Rules> {
  const rules = await kept(company);
  if (rules.version >= atLeast) return rules;
  kept.forget(company);
  return kept(company);
}

export const forgetRules = (company: string): void => kept.forget(company);
