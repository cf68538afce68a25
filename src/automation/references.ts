// What a rule names must be there: its desk, states, categories, fields, people, macros; and its templates can be read.
// Told all at once, each at its place in the rule.
import type { Ctx } from '../context.ts';
import { categoryWord, type Desk } from '../desks/desk.ts';
import { desksOf, findDesk } from '../desks/desks.ts';
import { checkTemplate, readMacro } from '../desks/macros.ts';
import { type Detail, invalid, Refusal } from '../errors.ts';
import { findMember, teamOf } from '../people/members.ts';
import { readStatus } from '../tickets/workflow.ts';
import type { RuleAction, RuleInput } from './rule.ts';

export const ROLES = ['assignee', 'team', 'lead', 'on_call', 'managers'];

/** The rule with its desk by id. */
export async function checkReferences<T extends RuleInput>(ctx: Ctx, given: T): Promise<T> {
  const { company } = ctx.actor;
  const desk = given.desk === null ? null : await findDesk(company, given.desk);
  const desks = desk ? [desk] : (await desksOf(company)).filter((one) => one.active);
  const details: Detail[] = [];
  for (const [at, action] of given.then.entries())
    for (const { path, message } of await problemsOf(ctx, action, desks))
      details.push({ path: `then.${at}.${path}`, message });
  if (details.length) throw invalid('workflow.names', 'The rule names what is not there.', details);
  return { ...given, desk: desk?.id ?? null };
}

interface Problem {
  path: string;
  message: string;
}

async function problemsOf(ctx: Ctx, action: RuleAction, desks: readonly Desk[]): Promise<Problem[]> {
  switch (action.do) {
    case 'set':
      return settable(action, desks);
    case 'assign': {
      const { assigneeId, teamId, onCallOf } = action;
      if (assigneeId === undefined && teamId === undefined && onCallOf === undefined)
        return [{ path: 'assignee_id', message: 'or team_id or on_call_of is required' }];
      if (assigneeId !== undefined && onCallOf !== undefined)
        return [{ path: 'on_call_of', message: 'must be left out where assignee_id is said' }];
      return [
        ...(await refused('assignee_id', assigneeId, (id) => findMember(ctx, id))),
        ...(await refused('team_id', teamId, (id) => teamOf(ctx, id))),
        ...(await refused('on_call_of', onCallOf, (id) => teamOf(ctx, id))),
      ];
    }
    case 'reply':
    case 'note':
      return readable(action.text);
    case 'notify': {
      const problems: Problem[] = readable(action.text);
      for (const who of action.to)
        if (!ROLES.includes(who))
          problems.push(
            ...(await refused('to', who, (id) =>
              /^(team|on_call):/.test(id) ? teamOf(ctx, id.slice(id.indexOf(':') + 1)) : findMember(ctx, id),
            )),
          );
      return problems;
    }
    case 'macro':
      return refused('macro_id', action.macroId, (id) => readMacro(ctx, id));
    case 'add_tags':
    case 'remove_tags':
    case 'escalate':
    case 'resolve':
    case 'close':
    case 'snooze':
      return [];
    default:
      return action satisfies never;
  }
}

function settable(action: Extract<RuleAction, { do: 'set' }>, desks: readonly Desk[]): Problem[] {
  const { do: _, status, category, customFields = {}, ...rest } = action;
  const problems: Problem[] = [];
  const given = [status, category, ...Object.values(rest), ...Object.keys(customFields)];
  if (given.every((one) => one === undefined))
    problems.push({ path: 'do', message: 'needs something to set' });
  if (status !== undefined && !desks.some((desk) => readStatus(desk.workflow, status)))
    problems.push({ path: 'status', message: `"${status}" is no status of ${namesOf(desks)}` });
  if (
    category &&
    !desks.some((desk) => desk.categories.some((one) => categoryWord(one) === categoryWord(category)))
  )
    problems.push({ path: 'category', message: `"${category}" is no category of ${namesOf(desks)}` });
  for (const name of Object.keys(customFields))
    if (!desks.some((desk) => desk.customFields.some((field) => field.name === name)))
      problems.push({ path: `custom_fields.${name}`, message: `is no field of ${namesOf(desks)}` });
  return problems;
}

const namesOf = (desks: readonly Desk[]): string =>
  desks.length === 1 ? `the desk ${desks[0]?.key}` : `any desk (${desks.map((desk) => desk.key).join(', ')})`;

function readable(text: string): Problem[] {
  const message = checkTemplate(text);
  return message === null ? [] : [{ path: 'text', message: `cannot be read as Liquid: ${message}` }];
}

async function refused(
  path: string,
  id: string | null | undefined,
  find: (id: string) => Promise<unknown>,
): Promise<Problem[]> {
  if (!id) return [];
  try {
    await find(id);
    return [];
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return [{ path, message: error.message }];
  }
}
