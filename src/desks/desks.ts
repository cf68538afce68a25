// Desks: opening and finding them. What is read often is kept for a moment, and dropped when somebody changes it.
import type { Ctx } from '../context.ts';
import { unknown } from '../errors.ts';
import { newId } from '../id.ts';
import { remembered } from '../memory.ts';
import { isDuplicate } from '../store.ts';
import type { Preset } from '../tickets/workflow.ts';
import {
  type CustomField,
  DEFAULT_CATEGORIES,
  type Desk,
  type Priority,
  presetWorkflow,
  readFields,
} from './desk.ts';
import { deskCollection, type StoredDesk } from './model.ts';

const asDesk = ({ _id, ...rest }: StoredDesk): Desk => ({ id: _id, ...rest });

const ofCompany = remembered('desk', async (company: string) =>
  (await deskCollection().find({ company }).sort({ createdAt: 1 }).toArray()).map(asDesk),
);

export const forgetDesks = (company: string): void => ofCompany.forget(company);
export const desksOf = (company: string): Promise<Desk[]> => ofCompany(company);

/** By id or key; without either, the company's default desk. */
export async function findDesk(company: string, ref?: string): Promise<Desk> {
  const desks = await ofCompany(company);
  const wanted = ref?.trim().toUpperCase();
  const desk =
    ref === undefined
      ? (desks.find((one) => one.isDefault) ?? desks[0])
      : desks.find((one) => one.id === ref || one.key === wanted);
  if (!desk) throw unknown('desk');
  return desk;
}

/** What a desk needs to be opened; the rest has its beginning. */
export interface NewDesk {
  key: string;
  name: string;
  preset: Preset;
  description?: string | undefined;
  categories?: string[] | undefined;
  fields?: CustomField[] | undefined;
  defaultPriority?: Priority | undefined;
}

/** Opens a desk, unless its key is taken. */
export async function insertDesk(
  ctx: Ctx,
  given: NewDesk,
  isDefault = false,
): Promise<{ id: string; isNew: boolean }> {
  const { company } = ctx.actor;
  const at = ctx.now();
  const _id = newId(at);
  const categories = given.categories ?? DEFAULT_CATEGORIES[given.preset];
  const customFields = readFields(given.fields ?? [], categories);
  try {
    await deskCollection().insertOne({
      _id,
      company,
      key: given.key,
      name: given.name,
      description: given.description ?? '',
      workflow: presetWorkflow(given.preset),
      categories,
      customFields,
      defaultPriority: given.defaultPriority ?? 'medium',
      isDefault,
      active: true,
      createdAt: at,
      updatedAt: at,
    });
    forgetDesks(company);
    return { id: _id, isNew: true };
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    forgetDesks(company);
    return { id: (await findDesk(company, given.key)).id, isNew: false };
  }
}

/** For the first start, and for a new company: finding it there already is as good. */
export async function openDesk(ctx: Ctx, given: NewDesk & { isDefault?: boolean }): Promise<Desk> {
  const { id } = await insertDesk(ctx, given, given.isDefault);
  return findDesk(ctx.actor.company, id);
}
