// Companies: the tenants. Everybody sees their own; operators (administrators of the first company) open, list and close
// the others, without ever seeing their tickets.
import { z } from 'zod';
import { type Ctx, systemCtx } from '../context.ts';
import { openDesk } from '../desks/desks.ts';
import { conflict, forbidden, unknown } from '../errors.ts';
import { idFrom, newId } from '../id.ts';
import { list, type Page, pageQuery } from '../lists.ts';
import { isDuplicate } from '../store.ts';
import { forgetCompany } from './actors.ts';
import { note } from './audit.ts';
import { newCompany } from './companies.ts';
import { address, containing } from './contacts.ts';
import { companyCollection, type StoredCompany } from './model.ts';

export const TOGGLES = ['auto_prioritize', 'auto_categorize', 'auto_assign'] as const;
export type Toggle = (typeof TOGGLES)[number];
const TOGGLE_FIELDS = {
  auto_prioritize: 'autoPrioritize',
  auto_categorize: 'autoCategorize',
  auto_assign: 'autoAssign',
} as const satisfies Record<Toggle, keyof StoredCompany>;

const domain = z
  .string()
  .trim()
  .toLowerCase()
  .max(253)
  .regex(/^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+$/, 'must be a domain such as example.com');
export const companyInput = z.strictObject({
  name: z.string().trim().min(1).max(200),
  address: z.string().trim().max(1_000).nullish(),
  email: address.nullish(),
  domains: z.array(domain).max(100).optional(),
  autoPrioritize: z.boolean().optional(),
  autoCategorize: z.boolean().optional(),
  autoAssign: z.boolean().optional(),
  allowRegistration: z.boolean().optional(),
});
export const companyChange = companyInput.partial();

export const companyShape = z
  .object({
    id: z.string(),
    name: z.string(),
    address: z.string().nullable(),
    email: z.string().nullable(),
    domains: z.array(z.string()),
    autoPrioritize: z.boolean(),
    autoCategorize: z.boolean(),
    autoAssign: z.boolean(),
    allowRegistration: z.boolean(),
    active: z.boolean(),
    createdAt: z.date(),
    updatedAt: z.date(),
  })
  .meta({ id: 'Company' });
export type Company = z.output<typeof companyShape>;

const drawn = (stored: StoredCompany): Company => ({
  id: stored._id,
  name: stored.name,
  address: stored.address,
  email: stored.email,
  domains: stored.domains,
  autoPrioritize: stored.autoPrioritize,
  autoCategorize: stored.autoCategorize,
  autoAssign: stored.autoAssign,
  allowRegistration: stored.allowRegistration,
  active: stored.active,
  createdAt: stored.createdAt,
  updatedAt: stored.updatedAt,
});

export const companyQuery = z.strictObject({
  ...pageQuery,
  q: z.string().trim().max(100).optional().meta({ description: 'Part of the name.' }),
});

export function companies(ctx: Ctx, query: z.output<typeof companyQuery>): Promise<Page<Company>> {
  const filter = {
    ...(ctx.actor.operator ? {} : { _id: ctx.actor.company }),
    deletedAt: null,
    ...(query.q ? { name: containing(query.q) } : {}),
  };
  return list(companyCollection(), filter, { field: 'createdAt', direction: 'asc' }, query, drawn);
}

async function load(ctx: Ctx, id: string): Promise<StoredCompany> {
  const { actor } = ctx;
  const mine = id === actor.company || actor.operator === true;
  const found = mine ? await companyCollection().findOne({ _id: id, deletedAt: null }) : null;
  if (!found) throw unknown('company');
  return found;
}

export const readCompany = async (ctx: Ctx, id: string): Promise<Company> => drawn(await load(ctx, id));

const onlyOperators = (ctx: Ctx, deed: string) => {
  if (!ctx.actor.operator)
    throw forbidden('company.operator', `Only administrators of the first company may ${deed} companies.`);
};

const taken = () =>
  conflict('company.taken', 'There is a company of that name already.', {
    details: [{ path: 'name', message: 'is taken' }],
  });

/** A new company has a desk to begin with, and nobody in it yet. */
export async function openCompany(ctx: Ctx, given: z.output<typeof companyInput>): Promise<Company> {
  onlyOperators(ctx, 'open');
  const at = ctx.now();
  const _id = ctx.cause ? idFrom('company', ctx.actor.company, ctx.cause) : newId(at);
  const stored: StoredCompany = {
    ...newCompany(_id, given.name, at),
    address: given.address ?? null,
    email: given.email ?? null,
    domains: given.domains ?? [],
    autoPrioritize: given.autoPrioritize ?? false,
    autoCategorize: given.autoCategorize ?? false,
    autoAssign: given.autoAssign ?? false,
    allowRegistration: given.allowRegistration ?? false,
  };
  try {
    await companyCollection().insertOne(stored);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    if (!(ctx.redo && (await companyCollection().findOne({ _id })))) throw taken();
  }
  forgetCompany(_id);
  await openDesk(systemCtx(ctx, _id), { key: 'TKT', name: 'Support', preset: 'support', isDefault: true });
  await note(ctx, 'company.opened', _id, { name: given.name });
  return drawn(stored);
}

export async function changeCompany(
  ctx: Ctx,
  id: string,
  given: z.output<typeof companyChange>,
): Promise<Company> {
  const before = await load(ctx, id);
  const set: Partial<StoredCompany> = { updatedAt: ctx.now() };
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) Object.assign(set, { [name]: value });
  const after = await companyCollection()
    .findOneAndUpdate({ _id: before._id, deletedAt: null }, { $set: set }, { returnDocument: 'after' })
    .catch((error) => {
      throw isDuplicate(error) ? taken() : error;
    });
  forgetCompany(id);
  if (!after) throw unknown('company');
  return drawn(after);
}

/** Once more turns it back. */
export async function toggle(ctx: Ctx, id: string, which: Toggle): Promise<Company> {
  const field = TOGGLE_FIELDS[which];
  for (let attempt = 0; attempt < 20; attempt++) {
    const before = await load(ctx, id);
    const after = await companyCollection().findOneAndUpdate(
      { _id: id, [field]: before[field] },
      { $set: { [field]: !before[field], updatedAt: ctx.now() } },
      { returnDocument: 'after' },
    );
    forgetCompany(id);
    if (after) return drawn(after);
  }
  throw conflict('company.contended', 'Somebody else is changing this company. Try again.');
}

/** Closes it: its people cannot sign in any more, and its name is free again. What it has is kept. */
export async function closeCompany(ctx: Ctx, id: string): Promise<void> {
  const before = await load(ctx, id);
  onlyOperators(ctx, 'close');
  if (before.root) throw conflict('company.first', 'The first company cannot be closed.');
  const at = ctx.now();
  await companyCollection().updateOne(
    { _id: id },
    { $set: { active: false, deletedAt: at, updatedAt: at, name: `${before.name} (closed ${id})` } },
  );
  forgetCompany(id);
  await note(ctx, 'company.closed', id, { name: before.name });
}
