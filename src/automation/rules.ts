// Keeping the rules of a company. What a rule names (desks, states, people, templates) must be there when it is saved;
// what goes missing later is told by the run log. The rules that are on are read once and kept for a moment.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { findDesk } from '../desks/desks.ts';
import { conflict, forbidden, unknown } from '../errors.ts';
import { idFrom, newId } from '../id.ts';
import { list, type Page, pageQuery, yesOrNo } from '../lists.ts';
import { remembered } from '../memory.ts';
import { may } from '../people/access.ts';
import { isDuplicate } from '../store.ts';
import { warningsOf } from './loops.ts';
import { ruleCollection, type StoredRule, turnCollection } from './model.ts';
import { checkReferences } from './references.ts';
import { type Rule, type RuleInput, ruleInput, type rulePatch, ruleShape } from './rule.ts';

const MOST = 200;

export const ruleQuery = z.strictObject({
  ...pageQuery,
  desk: z.string().max(40).optional().meta({ description: 'Those of this desk, and those of all desks.' }),
  enabled: yesOrNo.optional(),
});
export const savedRuleShape = ruleShape
  .extend({
    warnings: z.array(z.string()).meta({ description: 'Rules that set each other off, in words.' }),
  })
  .meta({ id: 'SavedRule' });
export type SavedRule = z.output<typeof savedRuleShape>;

export const asRule = ({ _id, company, since: _, spread: __, ...rest }: StoredRule): Rule => ({
  id: _id,
  companyId: company,
  ...rest,
});

const ofCompany = remembered(
  'rule',
  async (company: string): Promise<StoredRule[]> =>
    inOrder(
      await ruleCollection()
        .find({ company, enabled: true })
        .sort({ position: 1, _id: 1 })
        .limit(MOST)
        .toArray(),
    ),
);
/** The rules that are on, in the order in which they look at what happens. */
export const rulesOn = (company: string): Promise<StoredRule[]> => ofCompany(company);

const inOrder = (rules: StoredRule[]): StoredRule[] =>
  rules.sort((a, b) => a.position - b.position || (a._id < b._id ? -1 : 1));

function need(ctx: Ctx, deed: 'rule.read' | 'rule.manage'): void {
  if (!may(ctx.actor, deed))
    throw forbidden(deed, deed === 'rule.read' ? 'Only leads see this.' : 'Only managers change this.');
}

export async function rules(ctx: Ctx, query: z.output<typeof ruleQuery>): Promise<Page<Rule>> {
  need(ctx, 'rule.read');
  const { company } = ctx.actor;
  const desk = query.desk === undefined ? null : await findDesk(company, query.desk);
  const filter = {
    company,
    ...(desk ? { desk: { $in: [desk.id, null] } } : {}),
    ...(query.enabled === undefined ? {} : { enabled: query.enabled }),
  };
  return list(
    ruleCollection(),
    filter,
    { field: 'position', direction: 'asc', nullable: false },
    query,
    asRule,
  );
}

export async function load(ctx: Ctx, id: string): Promise<StoredRule> {
  const found = await ruleCollection().findOne({ _id: id, company: ctx.actor.company });
  if (!found) throw unknown('workflow', 'There is no such automation rule.');
  return found;
}

export async function readRule(ctx: Ctx, id: string): Promise<Rule> {
  need(ctx, 'rule.read');
  return asRule(await load(ctx, id));
}

export async function addRule(ctx: Ctx, given: RuleInput): Promise<SavedRule> {
  need(ctx, 'rule.manage');
  const { company } = ctx.actor;
  const checked = await checkReferences(ctx, given);
  const at = ctx.now();
  const last = await ruleCollection().find({ company }).sort({ position: -1 }).limit(1).toArray();
  if ((await ruleCollection().countDocuments({ company }, { limit: MOST })) >= MOST)
    throw conflict('workflow.many', `There may be ${MOST} automation rules at most.`);
  const stored: StoredRule = {
    _id: ctx.cause ? idFrom('rule', company, ctx.cause) : newId(at),
    company,
    ...checked,
    position: checked.position ?? (last[0]?.position ?? 0) + 1,
    ...spreadFor(checked, at),
    since: at,
    version: 1,
    createdAt: at,
    updatedAt: at,
  };
  try {
    await ruleCollection().insertOne(stored);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
  return saved(ctx, stored);
}

export const replaceRule = (ctx: Ctx, id: string, given: RuleInput): Promise<SavedRule> =>
  edit(ctx, id, (before) => ({ ...given, position: given.position ?? before.position }));

export const changeRule = (ctx: Ctx, id: string, given: z.output<typeof rulePatch>): Promise<SavedRule> =>
  edit(ctx, id, (before) => {
    const kept = Object.entries(asRule(before)).filter(([name]) => Object.hasOwn(ruleInput.shape, name));
    const said = Object.entries(given).filter(([, value]) => value !== undefined);
    return Object.fromEntries([...kept, ...said]) as RuleInput;
  });

const ATTEMPTS = 5;
/** By its version: of two who save at the same time, the second decides anew on what the first left. */
async function edit(ctx: Ctx, id: string, decide: (before: StoredRule) => RuleInput): Promise<SavedRule> {
  need(ctx, 'rule.manage');
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await load(ctx, id);
    const checked = await checkReferences(ctx, decide(before));
    const at = ctx.now();
    const { spread: _, ...kept } = before;
    const after: StoredRule = {
      ...kept,
      ...checked,
      ...spreadFor(checked, at),
      position: checked.position ?? before.position,
      since: before.enabled || !checked.enabled ? before.since : at,
      version: before.version + 1,
      updatedAt: at,
    };
    const done = await ruleCollection().replaceOne({ _id: id, version: before.version }, after);
    if (done.matchedCount) return saved(ctx, after);
  }
  throw conflict('workflow.contended', 'Somebody else is changing this rule just now. Try again.');
}

/** A rule of time is to learn of the tickets that are there. */
const spreadFor = ({ when, enabled }: RuleInput, at: Date): Pick<StoredRule, 'spread'> =>
  enabled && !('events' in when) ? { spread: { at, after: null } } : {};

export async function removeRule(ctx: Ctx, id: string): Promise<void> {
  need(ctx, 'rule.manage');
  await load(ctx, id);
  await ruleCollection().deleteOne({ _id: id });
  await turnCollection().deleteMany({ rule: id });
  ofCompany.forget(ctx.actor.company);
}

async function saved(ctx: Ctx, stored: StoredRule): Promise<SavedRule> {
  const { company } = ctx.actor;
  ofCompany.forget(company);
  const on = (await ruleCollection().find({ company, enabled: true }).limit(MOST).toArray()).map(asRule);
  const rule = asRule(stored);
  return { ...rule, warnings: rule.enabled ? warningsOf(rule, on) : [] };
}
