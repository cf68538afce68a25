// Setting desks up: opening, changing and closing them, their workflow and their categories. A ticket is never left in a
// state that its desk does not know.
import { z } from 'zod';
import type { Actor, Ctx } from '../context.ts';
import { conflict } from '../errors.ts';
import { list, type Page, pageQuery, yesOrNo } from '../lists.ts';
import { atLeast } from '../people/access.ts';
import { statesInUse } from '../tickets/holdings.ts';
import { checkWorkflow, KINDS, stepsWorkflow, type Workflow, workflowShape } from '../tickets/workflow.ts';
import {
  categoryWord,
  customFieldShape,
  type Desk,
  PRIORITIES,
  presetWorkflow,
  priorityInput,
  readFields,
} from './desk.ts';
import { findDesk, forgetDesks, insertDesk } from './desks.ts';
import { deskCollection, hadTickets, type StoredDesk } from './model.ts';

export const presetInput = z
  .string()
  .max(40)
  .transform((word) => word.trim().toLowerCase())
  .pipe(z.enum(['support', 'devops', 'simple', 'project']));
export const categoryName = z
  .string()
  .trim()
  .min(1)
  .max(60)
  .refine((name) => categoryWord(name) !== '', 'needs a letter or digit');
const categoryList = z
  .array(categoryName)
  .max(200)
  .refine((names) => new Set(names.map(categoryWord)).size === names.length, 'has one of them twice');
const fieldList = z
  .array(customFieldShape.strict())
  .max(100)
  .refine((fields) => new Set(fields.map((one) => one.name)).size === fields.length, 'has a name twice')
  .refine(
    (fields) => fields.every((one) => !one.type.startsWith('choice') || one.options.length > 0),
    'has a choice without options',
  );

const settings = {
  description: z.string().trim().max(4_000).optional(),
  categories: categoryList.optional(),
  fields: fieldList.optional().meta({ description: 'The custom fields of its tickets.' }),
  defaultPriority: priorityInput.optional(),
  isDefault: z.boolean().optional().meta({ description: 'Where tickets go that name no desk.' }),
};
export const deskInput = z.strictObject({
  key: z
    .string()
    .trim()
    .toUpperCase()
    .regex(/^[A-Z][A-Z0-9]{1,9}$/, 'must be 2 to 10 letters or digits, a letter first')
    .meta({ example: 'OPS' }),
  name: z.string().trim().min(1).max(120),
  preset: presetInput.default('support'),
  ...settings,
});
export const deskChange = z.strictObject({
  name: z.string().trim().min(1).max(120).optional(),
  active: z.boolean().optional(),
  ...settings,
});

export const deskShape = z
  .object({
    id: z.string(),
    key: z.string(),
    name: z.string(),
    description: z.string(),
    companyId: z.string(),
    workflow: workflowShape,
    categories: z.array(z.string()),
    fields: z.array(customFieldShape),
    defaultPriority: z.enum(PRIORITIES),
    isDefault: z.boolean(),
    active: z.boolean(),
    createdAt: z.date(),
    updatedAt: z.date(),
  })
  .meta({ id: 'Desk' });
export type ShownDesk = z.output<typeof deskShape>;

const drawn = (actor: Actor, desk: Desk): ShownDesk => ({
  id: desk.id,
  key: desk.key,
  name: desk.name,
  description: desk.description,
  companyId: desk.company,
  workflow: desk.workflow,
  categories: desk.categories,
  fields: desk.customFields.filter((field) => !field.internal || atLeast(actor.role, 'agent')),
  defaultPriority: desk.defaultPriority,
  isDefault: desk.isDefault,
  active: desk.active,
  createdAt: desk.createdAt,
  updatedAt: desk.updatedAt,
});

export const deskQuery = z.strictObject({ ...pageQuery, active: yesOrNo.optional() });

export function desks(ctx: Ctx, query: z.output<typeof deskQuery>): Promise<Page<ShownDesk>> {
  const { company } = ctx.actor;
  const filter = { company, ...(query.active === undefined ? {} : { active: query.active }) };
  const draw = ({ _id, ...rest }: StoredDesk) => drawn(ctx.actor, { id: _id, ...rest });
  return list(deskCollection(), filter, { field: 'createdAt', direction: 'asc' }, query, draw);
}

export const readDesk = async (ctx: Ctx, ref: string): Promise<ShownDesk> =>
  drawn(ctx.actor, await findDesk(ctx.actor.company, ref));

export async function addDesk(ctx: Ctx, given: z.output<typeof deskInput>): Promise<ShownDesk> {
  const { id, isNew } = await insertDesk(ctx, given);
  if (!isNew && !ctx.redo)
    throw conflict('desk.taken', `There is a desk ${given.key} already.`, {
      details: [{ path: 'key', message: 'is taken' }],
    });
  if (given.isDefault) await makeDefault(ctx, id);
  return readDesk(ctx, id);
}

async function write(ctx: Ctx, ref: string, set: Partial<StoredDesk>): Promise<ShownDesk> {
  const { company } = ctx.actor;
  const before = await findDesk(company, ref);
  await deskCollection().updateOne({ _id: before.id, company }, { $set: { ...set, updatedAt: ctx.now() } });
  forgetDesks(company);
  return readDesk(ctx, before.id);
}

/** The new one first: for a moment there may be two, never none. Who was made it last takes it from the others. */
async function makeDefault(ctx: Ctx, id: string): Promise<void> {
  const { company } = ctx.actor;
  const [latest] = await deskCollection()
    .find({ company, isDefault: true, defaultSince: { $type: 'date' } })
    .sort({ defaultSince: -1 })
    .limit(1)
    .toArray();
  const since = new Date(Math.max(ctx.now().getTime(), (latest?.defaultSince?.getTime() ?? 0) + 1));
  await deskCollection().updateOne(
    { _id: id, company },
    { $set: { isDefault: true, defaultSince: since, active: true } },
  );
  const earlier = [{ defaultSince: null }, { defaultSince: { $lt: since } }];
  await deskCollection().updateMany(
    { company, isDefault: true, $or: [...earlier, { defaultSince: since, _id: { $lt: id } }] },
    { $set: { isDefault: false } },
  );
  forgetDesks(company);
}

export async function changeDesk(
  ctx: Ctx,
  ref: string,
  { isDefault, fields, ...plain }: z.output<typeof deskChange>,
): Promise<ShownDesk> {
  const before = await findDesk(ctx.actor.company, ref);
  if (before.isDefault && (plain.active === false || isDefault === false)) throw lastResort();
  const set: Partial<StoredDesk> = fields
    ? { customFields: readFields(fields, plain.categories ?? before.categories) }
    : {};
  for (const [name, value] of Object.entries(plain))
    if (value !== undefined) Object.assign(set, { [name]: value });
  if (isDefault) await makeDefault(ctx, before.id);
  return write(ctx, before.id, set);
}

const lastResort = () =>
  conflict('desk.default', 'This is the default desk. Make another one the default first.');

/** A desk that had tickets is closed, and they stay; one that never had any is gone. */
export async function removeDesk(ctx: Ctx, ref: string): Promise<void> {
  const { company } = ctx.actor;
  const before = await findDesk(company, ref);
  if (before.isDefault) throw lastResort();
  if (await hadTickets(before.id)) await write(ctx, before.id, { active: false });
  else {
    await deskCollection().deleteOne({ _id: before.id, company });
    forgetDesks(company);
  }
}

export const workflowInput = z
  .strictObject({
    preset: presetInput.optional().meta({ description: 'One of the presets, as it is.' }),
    steps: z
      .array(z.strictObject({ name: z.string().trim().min(1).max(60), kind: z.enum(KINDS).optional() }))
      .min(2)
      .max(40)
      .optional()
      .meta({ description: 'Ordered steps of your own; the last one closes. See `advance`.' }),
    initial: workflowShape.shape.initial.optional(),
    states: workflowShape.shape.states.optional(),
    moves: workflowShape.shape.moves
      .optional()
      .meta({ description: 'From each state to those that may follow.' }),
  })
  .refine(
    ({ preset, steps, states }) => [preset, steps, states].filter((one) => one !== undefined).length === 1,
    { path: ['preset'], message: 'give either preset, or steps, or initial with states and moves' },
  )
  .meta({ example: { preset: 'support' } });

function asWorkflow({ preset, steps, initial, states, moves }: z.output<typeof workflowInput>): Workflow {
  if (preset) return presetWorkflow(preset);
  if (steps) return checkWorkflow(stepsWorkflow(steps));
  const first = initial ?? states?.[0]?.name ?? '';
  return checkWorkflow({ preset: 'steps', initial: first, states: states ?? [], moves: moves ?? {} });
}

/** Refused while tickets stand in a state that would be lost or mean something else. */
export async function setWorkflow(
  ctx: Ctx,
  ref: string,
  given: z.output<typeof workflowInput>,
): Promise<Workflow> {
  const workflow = asWorkflow(given);
  const desk = await findDesk(ctx.actor.company, ref);
  const lost = desk.workflow.states
    .filter((was) => !workflow.states.some((now) => now.name === was.name && now.kind === was.kind))
    .map((state) => state.name);
  const refuseIfUsed = async () => {
    const used = await statesInUse(ctx.actor.company, desk.id, lost);
    if (used.length)
      throw conflict('workflow.in_use', `Tickets stand in ${used.join(', ')}. Move them first.`, {
        details: used.map((name) => ({ path: 'states', message: name })),
      });
  };
  await refuseIfUsed();
  const after = await write(ctx, desk.id, { workflow });
  // Somebody may have moved a ticket there meanwhile, by the workflow as it was.
  await refuseIfUsed().catch(async (error) => {
    await write(ctx, desk.id, { workflow: desk.workflow });
    throw error;
  });
  return after.workflow;
}
