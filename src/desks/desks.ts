// Desks: opening and finding them. What is read often is kept for a moment, and dropped when somebody changes it.
import type { Ctx } from '../context.ts';
import { unknown } from '../errors.ts';
import { newId } from '../id.ts';
import { remembered } from '../memory.ts';
import { isDuplicate } from '../store.ts';
import type { Preset } from '../tickets/workflow.ts';
import { DEFAULT_CATEGORIES, type Desk, presetWorkflow } from './desk.ts';
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

/** For the first start, and for a new company: finding it there already is as good. */
export async function openDesk(
  ctx: Ctx,
  input: { key: string; name: string; preset: Preset; isDefault?: boolean },
): Promise<Desk> {
  const at = ctx.now();
  const stored: StoredDesk = {
    _id: newId(at),
    company: ctx.actor.company,
    key: input.key,
    name: input.name,
    description: '',
    workflow: presetWorkflow(input.preset),
    categories: DEFAULT_CATEGORIES[input.preset],
    customFields: [],
    defaultPriority: 'medium',
    isDefault: input.isDefault ?? false,
    active: true,
    createdAt: at,
    updatedAt: at,
  };
  try {
    await deskCollection().insertOne(stored);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
  forgetDesks(ctx.actor.company);
  return findDesk(ctx.actor.company, input.key);
}
