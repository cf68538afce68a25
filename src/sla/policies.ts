// Policies: what is promised, company-wide or by a desk. The default one is always there; removing it resets it.

import { isDeepStrictEqual } from 'node:util';
import type { Ctx } from '../context.ts';
import { findDesk } from '../desks/desks.ts';
import { conflict, invalid, Refusal, unknown } from '../errors.ts';
import { newId } from '../id.ts';
import { findMember, teamOf } from '../people/members.ts';
import { workspaces } from '../places/workspaces.ts';
import { changeRules, need } from './changes.ts';
import type { StoredRules } from './model.ts';
import {
  DEFAULT_ID,
  defaultPolicy,
  type Policy,
  type PolicyInput,
  type PolicyPatch,
  patched,
} from './policy.ts';
import { storedRules } from './rules.ts';

const MOST = 200;

export async function listPolicies(ctx: Ctx): Promise<Policy[]> {
  need(ctx, 'sla.read');
  return (await storedRules(ctx.actor.company)).policies;
}

export async function readPolicy(ctx: Ctx, id: string): Promise<Policy> {
  need(ctx, 'sla.read');
  return policyIn(await storedRules(ctx.actor.company), id);
}

export async function createPolicy(ctx: Ctx, input: PolicyInput): Promise<Policy> {
  const desk = input.desk ?? (await findDesk(ctx.actor.company)).id;
  const given = await checked(ctx, { ...input, desk });
  const at = ctx.now();
  const id = newId(at);
  return changeRules(ctx, (rules, version) => {
    if (rules.policies.length >= MOST)
      throw conflict('sla_policy.many', `There may be ${MOST} policies at most.`);
    const base = { ...policyIn(rules, DEFAULT_ID), id, description: '', createdAt: at };
    const policy = { ...patched(base, given), version, updatedAt: at };
    checkPlace(rules, policy);
    rules.policies.push(policy);
    return policy;
  });
}

export async function updatePolicy(ctx: Ctx, id: string, input: PolicyPatch): Promise<Policy> {
  const given = await checked(ctx, input);
  const at = ctx.now();
  return changeRules(ctx, (rules, version) => {
    const had = policyIn(rules, id);
    const next = patched(had, given);
    if (isDeepStrictEqual(next, had)) return had;
    const policy = { ...next, version, updatedAt: at };
    checkPlace(rules, policy);
    rules.policies = rules.policies.map((each) => (each.id === id ? policy : each));
    return policy;
  });
}

export async function removePolicy(ctx: Ctx, id: string): Promise<void> {
  await changeRules(ctx, (rules, version) => {
    policyIn(rules, id);
    const reset = { ...defaultPolicy(rules._id), version, updatedAt: ctx.now() };
    rules.policies = rules.policies.flatMap((each) =>
      each.id !== id ? [each] : id === DEFAULT_ID ? [{ ...reset, createdAt: each.createdAt }] : [],
    );
  });
}

function policyIn(rules: StoredRules, id: string): Policy {
  const policy = rules.policies.find((each) => each.id === id);
  if (!policy) throw unknown('sla_policy', 'There is no such SLA policy.');
  return policy;
}

/** One policy a desk; the default one for all desks; calendars that exist. */
function checkPlace(rules: StoredRules, policy: Policy): void {
  if ((policy.desk === null) !== (policy.id === DEFAULT_ID))
    throw invalid('sla_policy.desk', 'The default policy holds for all desks, every other one for a desk.', [
      { path: 'desk', message: policy.desk === null ? 'is required' : 'must be null' },
    ]);
  const rival = rules.policies.find((each) => each.desk === policy.desk && each.id !== policy.id);
  if (rival) throw conflict('sla_policy.desk_taken', `That desk has a policy already: "${rival.name}".`);
  if (policy.calendar !== null && !rules.calendars.some((each) => each.id === policy.calendar))
    throw invalid('sla_policy.calendar', 'There is no such calendar.', [
      { path: 'calendar', message: 'is no calendar of this company' },
    ]);
}

const ROLES = ['assignee', 'team', 'lead', 'on_call', 'managers'];

/** Desk, teams, people and channels that it names exist; desk and channels are kept by their full ids. */
async function checked<T extends PolicyPatch>(ctx: Ctx, given: T): Promise<T> {
  need(ctx, 'sla.manage');
  const { escalation } = given;
  for (const [at, step] of (escalation ?? []).entries()) {
    const { reassign } = step;
    if (typeof reassign === 'object' && reassign)
      await named(`escalation.${at}.reassign.team`, 'an active team', () => teamOf(ctx, reassign.team));
    for (const [nth, who] of step.notify.entries())
      if (!ROLES.includes(who))
        await named(`escalation.${at}.notify.${nth}`, `one of ${ROLES.join(', ')}, or an active agent`, () =>
          findMember(ctx, who),
        );
    if (step.page) step.page = await pageOf(ctx, step.page);
  }
  return given.desk ? { ...given, desk: (await findDesk(ctx.actor.company, given.desk)).id } : given;
}

async function named(path: string, what: string, looking: () => Promise<unknown>): Promise<void> {
  try {
    await looking();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw invalid('sla_policy.escalation', 'The escalation names what is not there.', [
      { path, message: `must be ${what} of this company` },
    ]);
  }
}

/** `slack:C1` in the only workspace of that surface, or `slack:T1:C1`. */
async function pageOf(ctx: Ctx, page: string): Promise<string> {
  const [surface, ...rest] = page.split(':');
  const known = (await workspaces(ctx)).filter((one) => one.surface === surface && one.state === 'active');
  const channel = rest.at(-1);
  const [only, ...others] = rest.length > 1 ? known.filter((one) => one.external === rest[0]) : known;
  if (only && channel && !others.length && rest.length <= 2) return `${only.id}:${channel}`;
  const path = 'escalation.page';
  const hint = 'such as slack:C0123, or slack:T0123:C0123 where there are several workspaces';
  throw invalid('sla_policy.page', `${page} is no channel of a workspace that is connected.`, [
    { path, message: `must be a channel of a connected workspace, ${hint}` },
  ]);
}
