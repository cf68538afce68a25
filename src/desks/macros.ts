// Macros: a canned reply and what is done along with it. The text is a Liquid template over the ticket; one that cannot
// be read is refused when it is saved, not when somebody uses it.
import { Liquid } from 'liquidjs';
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { conflict, type Detail, invalid, Refusal, unknown } from '../errors.ts';
import { idFrom, newId } from '../id.ts';
import { list, type Page, pageQuery } from '../lists.ts';
import { findMember, teamOf } from '../people/members.ts';
import { isDuplicate } from '../store.ts';
import { readStatus } from '../tickets/workflow.ts';
import { categoryWord, type Desk, readPriority } from './desk.ts';
import { desksOf, findDesk } from './desks.ts';
import { macroCollection, type StoredMacro } from './model.ts';

export const MACRO_DEEDS = [
  'status',
  'priority',
  'category',
  'assignee',
  'team',
  'add_tag',
  'remove_tag',
  'note',
] as const;
const macroAction = z.strictObject({
  do: z.enum(MACRO_DEEDS),
  value: z.string().max(10_000).meta({
    description:
      'The status, priority, category, tag, text, team id or user id (`me`: who uses it); empty for none.',
  }),
});
export const macroInput = z.strictObject({
  name: z.string().trim().min(1).max(120),
  body: z.string().max(20_000).default('').meta({
    description: 'Liquid over `ticket`, `requester`, `agent`.',
    example: 'Hello {{ requester.name }},',
  }),
  actions: z.array(macroAction).max(20).default([]),
  desk: z.string().max(40).nullish().meta({ description: 'Only on this desk.' }),
});
export const macroChange = z.strictObject({
  name: macroInput.shape.name.optional(),
  body: z.string().max(20_000).optional(),
  actions: z.array(macroAction).max(20).optional(),
  desk: macroInput.shape.desk,
});

export const macroShape = z
  .object({
    id: z.string(),
    name: z.string(),
    body: z.string(),
    actions: z.array(macroAction),
    deskId: z.string().nullable(),
    createdAt: z.date(),
    updatedAt: z.date(),
  })
  .meta({ id: 'Macro' });
export type Macro = z.output<typeof macroShape>;

const drawn = ({ _id, company: _, desk, ...rest }: StoredMacro): Macro => ({
  id: _id,
  deskId: desk,
  ...rest,
});

/** No file of ours is ever part of a text: the engine has no folder to look into, and knows no tag that would look. */
const engine = new Liquid({
  outputEscape: (text: unknown) => String(text ?? ''),
  ownPropertyOnly: true,
  templates: {},
});
for (const tag of ['include', 'render', 'layout', 'block']) delete engine.tags[tag];
const LIMITS = { memoryLimit: 1_000_000, renderLimit: 200 };

/** What is wrong with a template, in words; null when it can be read. */
export function checkTemplate(text: string): string | null {
  try {
    engine.parse(text);
    return null;
  } catch (error) {
    return (String((error as Error).message).split('\n')[0] ?? '').slice(0, 200);
  }
}

function checkBody(body: string | undefined): void {
  const message = body ? checkTemplate(body) : null;
  if (message !== null)
    throw invalid('macro.body', 'The text is not a Liquid template that can be read.', [
      { path: 'body', message },
    ]);
}

/** What it names must be there, on its desk or, without one, on some desk; told all at once. */
async function checkActions(ctx: Ctx, actions: Macro['actions'], desk: Desk | null): Promise<void> {
  const desks = desk ? [desk] : (await desksOf(ctx.actor.company)).filter((one) => one.active);
  const details: Detail[] = [];
  for (const [at, action] of actions.entries()) {
    const message = await problemOf(ctx, action, desks);
    if (message !== null) details.push({ path: `actions.${at}.value`, message });
  }
  if (details.length) throw invalid('macro.names', 'The macro names what is not there.', details);
}

async function problemOf(
  ctx: Ctx,
  { do: deed, value }: Macro['actions'][number],
  desks: readonly Desk[],
): Promise<string | null> {
  switch (deed) {
    case 'status':
      return desks.some((desk) => readStatus(desk.workflow, value)) ? null : `"${value}" is no status here`;
    case 'priority':
      return readPriority(value) ? null : 'must be critical, urgent, high, medium or low (or P1 to P4)';
    case 'category': {
      const isIts = (name: string) => categoryWord(name) === categoryWord(value);
      return !value || desks.some((desk) => desk.categories.some(isIts))
        ? null
        : `"${value}" is no category here`;
    }
    case 'assignee':
      return !value || value === 'me' ? null : refusal(findMember(ctx, value));
    case 'team':
      return value ? refusal(teamOf(ctx, value)) : null;
    case 'add_tag':
    case 'remove_tag':
      return value.trim() ? null : 'must not be empty';
    case 'note':
      return checkTemplate(value);
    default:
      return deed satisfies never;
  }
}

const refusal = (looking: Promise<unknown>): Promise<string | null> =>
  looking.then(
    () => null,
    (error) => {
      if (error instanceof Refusal) return error.message;
      throw error;
    },
  );

/** The text for this ticket. What it names and is not there is left out. */
export async function fillIn({ body }: Pick<Macro, 'body'>, words: Record<string, unknown>): Promise<string> {
  try {
    return await engine.parseAndRender(body, words, LIMITS);
  } catch (error) {
    const [first = ''] = String((error as Error).message).split('\n');
    throw conflict('macro.template', `The template could not be filled in: ${first.slice(0, 200)}`);
  }
}

export const macroQuery = z.strictObject({
  ...pageQuery,
  desk: z.string().max(40).optional().meta({ description: 'Those of this desk, and those of all desks.' }),
});

export async function macros(ctx: Ctx, query: z.output<typeof macroQuery>): Promise<Page<Macro>> {
  const { company } = ctx.actor;
  const desk = query.desk === undefined ? null : await findDesk(company, query.desk);
  const filter = { company, ...(desk ? { desk: { $in: [desk.id, null] } } : {}) };
  return list(macroCollection(), filter, { field: 'name', direction: 'asc', unique: true }, query, drawn);
}

/** By id or name. */
export async function readMacro(ctx: Ctx, ref: string): Promise<Macro> {
  const { company } = ctx.actor;
  const found =
    (await macroCollection().findOne({ _id: ref, company })) ??
    (await macroCollection().findOne({ company, name: ref }));
  if (!found) throw unknown('macro');
  return drawn(found);
}

const taken = () =>
  conflict('macro.taken', 'There is a macro of that name already.', {
    details: [{ path: 'name', message: 'is taken' }],
  });

export async function addMacro(ctx: Ctx, given: z.output<typeof macroInput>): Promise<Macro> {
  checkBody(given.body);
  const { company } = ctx.actor;
  const desk = given.desk == null ? null : await findDesk(company, given.desk);
  await checkActions(ctx, given.actions, desk);
  const at = ctx.now();
  const stored: StoredMacro = {
    _id: ctx.cause ? idFrom('macro', company, ctx.cause) : newId(at),
    company,
    name: given.name,
    body: given.body,
    actions: given.actions,
    desk: desk?.id ?? null,
    createdAt: at,
    updatedAt: at,
  };
  try {
    await macroCollection().insertOne(stored);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    if (!(ctx.redo && (await macroCollection().findOne({ _id: stored._id })))) throw taken();
  }
  return drawn(stored);
}

export async function changeMacro(
  ctx: Ctx,
  id: string,
  { desk, ...plain }: z.output<typeof macroChange>,
): Promise<Macro> {
  checkBody(plain.body);
  const { company } = ctx.actor;
  const set: Partial<StoredMacro> = { updatedAt: ctx.now() };
  for (const [name, value] of Object.entries(plain))
    if (value !== undefined) Object.assign(set, { [name]: value });
  if (desk !== undefined) set.desk = desk === null ? null : (await findDesk(company, desk)).id;
  if (plain.actions || set.desk) {
    const before = await macroCollection().findOne({ _id: id, company });
    if (!before) throw unknown('macro');
    const { actions, desk: at } = { ...before, ...set };
    await checkActions(ctx, actions, at === null ? null : await findDesk(company, at));
  }
  const after = await macroCollection()
    .findOneAndUpdate({ _id: id, company }, { $set: set }, { returnDocument: 'after' })
    .catch((error) => {
      throw isDuplicate(error) ? taken() : error;
    });
  if (!after) throw unknown('macro');
  return drawn(after);
}

export async function removeMacro(ctx: Ctx, id: string): Promise<void> {
  const gone = await macroCollection().deleteOne({ _id: id, company: ctx.actor.company });
  if (!gone.deletedCount) throw unknown('macro');
}

/** The desk's own macros go on meaning the category that got another name. */
export async function renameInMacros(desk: Desk, from: string, to: string): Promise<void> {
  await macroCollection().updateMany(
    { company: desk.company, desk: desk.id, actions: { $elemMatch: { do: 'category', value: from } } },
    { $set: { 'actions.$[one].value': to } },
    { arrayFilters: [{ 'one.do': 'category', 'one.value': from }] },
  );
}
