// The routing rules of desks: read, set and taken back. A desk without one does what its company's `auto_assign` says.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { type Desk, readCategory } from '../desks/desk.ts';
import { desksOf, findDesk } from '../desks/desks.ts';
import { invalid } from '../errors.ts';
import { remembered } from '../memory.ts';
import { assignsByItself, companiesThatAssign } from '../people/companies.ts';
import { activeTeams, colleagues } from '../people/members.ts';
import { signal } from '../signals.ts';
import { fence } from './book.ts';
import { ruleCollection } from './model.ts';
import { isAutomatic, type Rule, ruleShape, withoutRule } from './rule.ts';

export const routingShape = ruleShape
  .extend({
    deskId: z.string(),
    desk: z.string().meta({ description: "The desk's key.", example: 'TKT' }),
    automatic: z.boolean().meta({ description: 'Whether its tickets are given out by themselves.' }),
    source: z.enum(['desk', 'company']).meta({
      description: "company: the desk has no rule of its own, and goes by the company's auto_assign.",
    }),
  })
  .meta({ id: 'Routing' });
export type Routing = z.output<typeof routingShape>;

export async function readRouting(ctx: Ctx, ref: string): Promise<Routing> {
  const { id, key, company } = await findDesk(ctx.actor.company, ref);
  const stored = await ruleCollection().findOne({ _id: id, company });
  const rule = stored?.rule ?? withoutRule(await assignsByItself(company));
  const source = stored ? 'desk' : 'company';
  return { deskId: id, desk: key, automatic: isAutomatic(rule), source, ...rule };
}

export async function setRouting(ctx: Ctx, ref: string, given: Rule): Promise<Routing> {
  const desk = await findDesk(ctx.actor.company, ref);
  const { id, company } = desk;
  await checkPeople(company, given);
  const categories = given.categories.map((one) => ({ ...one, category: readCategory(desk, one.category) }));
  const rule: Rule = { ...given, categories };
  const set = { company, rule, automatic: isAutomatic(rule), updatedAt: ctx.now() };
  await ruleCollection().updateOne({ _id: id }, { $set: set }, { upsert: true });
  await changed(ctx);
  return readRouting(ctx, id);
}

/** The rule goes on meaning the category that got another name. */
export async function renameInRouting(
  { id, company }: Pick<Desk, 'id' | 'company'>,
  from: string,
  to: string,
): Promise<void> {
  await ruleCollection().updateMany(
    { _id: id, company, 'rule.categories.category': from },
    { $set: { 'rule.categories.$[one].category': to } },
    { arrayFilters: [{ 'one.category': from }] },
  );
}

/** Back to what the company says. */
export async function dropRouting(ctx: Ctx, ref: string): Promise<void> {
  const { id, company } = await findDesk(ctx.actor.company, ref);
  await ruleCollection().deleteOne({ _id: id, company });
  await changed(ctx);
}

async function changed({ actor: { company }, log }: Ctx): Promise<void> {
  automatic.forget(company);
  await fence(company, log);
  signal('inbound', { kind: 'routing' });
}

async function checkPeople(company: string, rule: Rule): Promise<void> {
  const [teams, people] = await Promise.all([activeTeams(company), colleagues(company)]);
  const problems: { path: string; message: string }[] = [];
  const checkTeam = (team: string | null, path: string) => {
    if (team !== null && !teams.some(({ _id }) => _id === team))
      problems.push({ path, message: 'is not an active team of this company' });
  };
  checkTeam(rule.teamId, 'team_id');
  rule.categories.forEach(({ teamId, userId }, at) => {
    checkTeam(teamId, `categories.${at}.team_id`);
    if (userId !== null && !people.some(({ id }) => id === userId))
      problems.push({ path: `categories.${at}.user_id`, message: 'is not an active agent of this company' });
  });
  const needsTeam = rule.strategy === 'on_call' && rule.teamId === null;
  if (needsTeam) problems.push({ path: 'team_id', message: 'on_call needs the team whose rota it is' });
  if (problems.length) throw invalid('routing.people', 'This rule cannot work as it is.', problems);
}

/** The rules of all open desks of a company, by desk, those that are given out by hand left out. */
export async function automaticRules(company: string): Promise<Map<string, Rule>> {
  const [desks, stored, autoAssign] = await Promise.all([
    desksOf(company),
    ruleCollection().find({ company }).toArray(),
    assignsByItself(company),
  ]);
  const own = new Map(stored.map(({ _id, rule }) => [_id, rule]));
  const open = desks.filter(({ active }) => active);
  const rules = open.map(({ id }) => [id, own.get(id) ?? withoutRule(autoAssign)] as const);
  return new Map(rules.filter(([, rule]) => isAutomatic(rule)));
}

const automatic = remembered('routing', async (company: string) => (await automaticRules(company)).size > 0);
/** Whether anything is given out by itself there: an answer of a moment ago will do. */
export const routesByItself = (company: string): Promise<boolean> => automatic(company);

export async function companiesRouting(): Promise<string[]> {
  const [rules, toggled] = await Promise.all([
    ruleCollection()
      .find({ automatic: true }, { projection: { company: 1 } })
      .toArray(),
    companiesThatAssign(),
  ]);
  return [...new Set([...rules.map(({ company }) => company), ...toggled])];
}
