// The categories of a desk: what its tickets are about. A ticket never keeps a name that its category had before.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { conflict, invalid, unknown } from '../errors.ts';
import { renameInRouting } from '../routing/rules.ts';
import { categoryWord, type Desk } from './desk.ts';
import { findDesk, forgetDesks } from './desks.ts';
import { categoryName, write } from './editing.ts';
import { renameInMacros } from './macros.ts';
import { deskCollection } from './model.ts';

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

export async function addCategory(ctx: Ctx, given: z.output<typeof categoryInput>): Promise<Category> {
  const desk = await findDesk(ctx.actor.company, given.desk);
  notTwice(desk, given.name);
  await write(ctx, desk.id, { categories: [...desk.categories, given.name] });
  return drawCategory(desk, given.name);
}

/**
 * Its tickets follow, by a change of ours that tells nobody: begun at once, and gone on with by whoever sweeps (see
 * renaming.ts). Fields that are required for the category, and the desk's macros, follow with the name itself.
 */
export async function renameCategory(ctx: Ctx, id: string, to: string): Promise<Category> {
  const { desk, name } = await load(ctx, id);
  notTwice(desk, to, name);
  if (to === name) return drawCategory(desk, name);
  const follow = (one: string) => (one === name ? to : one);
  await deskCollection().updateOne(
    { _id: desk.id, company: desk.company },
    {
      $set: {
        categories: desk.categories.map(follow),
        customFields: desk.customFields.map((field) => ({
          ...field,
          requiredFor: field.requiredFor.map(follow),
        })),
        renamingSince: ctx.now(),
        updatedAt: ctx.now(),
      },
      $push: { renames: { from: name, to, at: ctx.now() } },
    },
  );
  forgetDesks(desk.company);
  await renameInMacros(desk, name, to);
  await renameInRouting(desk, name, to);
  return drawCategory(desk, to);
}

export async function removeCategory(ctx: Ctx, id: string): Promise<void> {
  const { desk, name } = await load(ctx, id);
  await write(ctx, desk.id, { categories: desk.categories.filter((one) => one !== name) });
}
