// The categories of a desk: what its tickets are about. A ticket never keeps a name that its category had before.
import { z } from 'zod';
import { renameInRules } from '../automation/renaming.ts';
import type { Ctx } from '../context.ts';
import { conflict, invalid, unknown } from '../errors.ts';
import { renameInRouting } from '../routing/rules.ts';
import { categoryWord, type Desk } from './desk.ts';
import { findDesk, forgetDesks } from './desks.ts';
import { categoryName } from './editing.ts';
import { renameInMacros } from './macros.ts';
import { deskCollection, type StoredDesk } from './model.ts';

export const categoryShape = z
  .object({ id: z.string(), name: z.string(), deskId: z.string(), desk: z.string() })
  .meta({ id: 'Category' });
export type Category = z.output<typeof categoryShape>;
export const categoryInput = z.strictObject({ name: categoryName, desk: z.string().max(40).optional() });
export const categoryChange = z.strictObject({ name: categoryName });

const drawCategory = (desk: Desk, name: string): Category => ({
  id: `${desk.id}.${categoryWord(name)}`,
  name,
  deskId: desk.id,
  desk: desk.key,
});
export const categoriesOf = (desk: Desk): Category[] =>
  desk.categories.map((name) => drawCategory(desk, name));

async function load(ctx: Ctx, id: string): Promise<{ desk: Desk; name: string }> {
  const [deskId = '', word = ''] = id.split('.', 2);
  const desk = await findDesk(ctx.actor.company, deskId).catch(() => undefined);
  const name = desk?.categories.find((one) => categoryWord(one) === word);
  if (!desk || name === undefined) throw unknown('category');
  return { desk, name };
}
export async function readCategoryById(ctx: Ctx, id: string): Promise<Category> {
  const { desk, name } = await load(ctx, id);
  return drawCategory(desk, name);
}

const notTwice = (desk: Desk, name: string, except?: string) => {
  if (desk.categories.some((one) => one !== except && categoryWord(one) === categoryWord(name)))
    throw conflict('category.taken', `The desk ${desk.key} has a category ${name} already.`);
  if (desk.categories.length >= 200)
    throw invalid('category.too_many', 'A desk has at most 200 categories.', [{ message: 'are too many' }]);
  if (desk.renames?.some((one) => categoryWord(one.from) === categoryWord(name)))
    throw conflict(
      'category.renaming',
      `Tickets with the category ${name} are just getting its new name. Try again in a minute.`,
      { retryAfter: 30 },
    );
};

const ATTEMPTS = 40;

/** Of the list as it is then: somebody else's change of it is not lost. */
async function edit(ctx: Ctx, ref: string, decide: (desk: Desk) => Partial<StoredDesk>): Promise<Desk> {
  const { company } = ctx.actor;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const desk = await findDesk(company, ref);
    const { renames, ...set } = decide(desk);
    const done = await deskCollection().updateOne(
      { _id: desk.id, company, categories: desk.categories },
      {
        $set: { ...set, updatedAt: ctx.now() },
        ...(renames ? { $push: { renames: { $each: renames } } } : {}),
      },
    );
    forgetDesks(company);
    if (done.matchedCount) return desk;
  }
  throw conflict('desk.contended', 'Too many people are changing this desk at once. Try again.');
}

export async function addCategory(ctx: Ctx, given: z.output<typeof categoryInput>): Promise<Category> {
  const { id } = await findDesk(ctx.actor.company, given.desk);
  const desk = await edit(ctx, id, (now) => {
    notTwice(now, given.name);
    return { categories: [...now.categories, given.name] };
  });
  return drawCategory(desk, given.name);
}

/**
 * Its tickets follow, by a change of ours that tells nobody: begun at once, and gone on with by whoever sweeps (see
 * renaming.ts). Fields that are required for the category, the desk's macros, and rules follow with the name itself.
 */
export async function renameCategory(ctx: Ctx, id: string, to: string): Promise<Category> {
  const { desk, name } = await load(ctx, id);
  if (to === name) return drawCategory(desk, name);
  const follow = (one: string) => (one === name ? to : one);
  const renamed = await edit(ctx, desk.id, (now) => {
    if (!now.categories.includes(name)) throw unknown('category');
    notTwice(now, to, name);
    return {
      categories: now.categories.map(follow),
      customFields: now.customFields.map((field) => ({
        ...field,
        requiredFor: field.requiredFor.map(follow),
      })),
      renamingSince: ctx.now(),
      renames: [{ from: name, to, at: ctx.now() }],
    };
  });
  await renameInMacros(renamed, name, to);
  await renameInRouting(renamed, name, to);
  await renameInRules(renamed, name, to);
  return drawCategory(renamed, to);
}

export async function removeCategory(ctx: Ctx, id: string): Promise<void> {
  const { desk, name } = await load(ctx, id);
  await edit(ctx, desk.id, (now) => ({ categories: now.categories.filter((one) => one !== name) }));
}
