// Contacts: people who write in and never sign in. One address belongs to one of them in a company.
import { z } from 'zod';
import type { Ctx } from '../context.ts';
import { conflict, unknown } from '../errors.ts';
import { idFrom, newId } from '../id.ts';
import { insertRows } from '../inserts.ts';
import { list, type Page, pageQuery } from '../lists.ts';
import { isDuplicate } from '../store.ts';
import { findContact } from './actors.ts';
import { contactCollection, type StoredContact, userCollection } from './model.ts';

export const address = z
  .string()
  .trim()
  .toLowerCase()
  .max(320)
  .pipe(z.email('must be an e-mail address'))
  .meta({ format: 'email', example: 'mei@example.com' });
export const phone = z
  .string()
  .trim()
  .max(40)
  .regex(/^[+\d][\d\s().\-/]*$/, 'must be a telephone number')
  .meta({ example: '+49 30 123456' });
const personName = z.string().trim().min(1).max(200);

export const contactInput = z.strictObject({
  name: personName,
  email: address.optional().meta({ description: 'The same as one of `emails`.' }),
  emails: z.array(address).max(20).optional(),
  phoneNumber: phone.nullish(),
  notes: z.string().max(10_000).nullish(),
});
export const contactChange = contactInput.partial();

export const contactShape = z
  .object({
    id: z.string(),
    name: z.string(),
    emails: z.array(z.string()),
    phoneNumber: z.string().nullable(),
    notes: z.string().nullable(),
    mergedIntoId: z.string().nullable(),
    erasedAt: z.date().nullable(),
    createdAt: z.date(),
    updatedAt: z.date(),
  })
  .meta({ id: 'Contact' });
export type Contact = z.output<typeof contactShape>;

export const drawContact = (stored: StoredContact): Contact => ({
  id: stored._id,
  name: stored.name,
  emails: stored.emails,
  phoneNumber: stored.phoneNumber,
  notes: stored.notes,
  mergedIntoId: stored.mergedInto,
  erasedAt: stored.erasedAt,
  createdAt: stored.createdAt,
  updatedAt: stored.updatedAt,
});

const blank = (_id: string, company: string, name: string, at: Date): StoredContact => ({
  _id,
  company,
  name: name.trim().slice(0, 200) || 'Somebody',
  emails: [],
  phoneNumber: null,
  notes: null,
  mergedInto: null,
  erasedAt: null,
  createdAt: at,
  updatedAt: at,
});

/** The contact with this address, who is made if nobody has it yet. The address must be proven to be the writer's. */
export async function contactByAddress(ctx: Ctx, email: string, name?: string): Promise<StoredContact> {
  const { company } = ctx.actor;
  const at = ctx.now();
  const { emails: _, ...rest } = blank(newId(at), company, name ?? email.split('@')[0] ?? email, at);
  const write = () =>
    contactCollection().findOneAndUpdate(
      { company, emails: email },
      { $setOnInsert: { ...rest, emails: [email] } },
      { upsert: true, returnDocument: 'after' },
    );
  const contact = await write().catch((error) => {
    if (!isDuplicate(error)) throw error;
    return contactCollection().findOne({ company, emails: email });
  });
  if (!contact) throw unknown('contact');
  return contact;
}

/** The same for many addresses at once. */
export async function contactsByAddress(
  ctx: Ctx,
  emails: readonly string[],
): Promise<Map<string, StoredContact>> {
  const { company } = ctx.actor;
  const at = ctx.now();
  const found = new Map<string, StoredContact>();
  const look = async (some: readonly string[]) => {
    if (!some.length) return;
    const contacts = contactCollection().find({ company, emails: { $in: [...some] } });
    for await (const contact of contacts) for (const email of contact.emails) found.set(email, contact);
  };
  await look(emails);
  const fresh = emails
    .filter((email) => !found.has(email))
    .map((email) => ({ ...blank(newId(at), company, email.split('@')[0] ?? email, at), emails: [email] }));
  const outcomes = await insertRows(contactCollection(), fresh);
  for (const [nth, contact] of fresh.entries()) {
    const outcome = outcomes[nth];
    if (outcome === true) for (const email of contact.emails) found.set(email, contact);
    else if (!isDuplicate(outcome)) throw outcome;
  }
  await look(emails.filter((email) => !found.has(email)));
  return found;
}

/** The contact who stands for an account elsewhere of which nothing is proven. Always the same one. */
export async function contactOfIdentity(ctx: Ctx, identity: string, name: string): Promise<StoredContact> {
  const { company } = ctx.actor;
  const made = blank(idFrom('contact', identity), company, name, ctx.now());
  try {
    await contactCollection().insertOne(made);
    return made;
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return (await findContact(company, made._id)) ?? made;
  }
}

export const contactQuery = z.strictObject({
  ...pageQuery,
  email: z.string().trim().toLowerCase().max(320).optional(),
  q: z.string().trim().max(100).optional().meta({ description: 'Part of the name or address.' }),
  sortBy: z.enum(['created_at', 'updated_at', 'name']).default('created_at'),
  order: z.enum(['asc', 'desc']).default('asc'),
});
const SORTS = { created_at: 'createdAt', updated_at: 'updatedAt', name: 'name' } as const;

/** As text, never as a pattern. */
export const containing = (text: string) => ({
  $regex: text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&'),
  $options: 'i',
});

export function contacts(ctx: Ctx, query: z.output<typeof contactQuery>): Promise<Page<Contact>> {
  const filter = {
    company: ctx.actor.company,
    mergedInto: null,
    ...(query.email ? { emails: query.email } : {}),
    ...(query.q ? { $or: [{ name: containing(query.q) }, { emails: containing(query.q) }] } : {}),
  };
  const order = { field: SORTS[query.sortBy], direction: query.order };
  return list(contactCollection(), filter, order, query, drawContact);
}

/** As stored, merged and erased ones included. */
export async function loadContact(ctx: Ctx, id: string): Promise<StoredContact> {
  const contact = await contactCollection().findOne({ _id: id, company: ctx.actor.company });
  if (!contact) throw unknown('contact');
  return contact;
}

export const readContact = async (ctx: Ctx, id: string): Promise<Contact> =>
  drawContact(await loadContact(ctx, id));

const addressesOf = (given: {
  email?: string | undefined;
  emails?: string[] | undefined;
}): string[] | undefined =>
  given.email === undefined && given.emails === undefined
    ? undefined
    : [...new Set([...(given.email === undefined ? [] : [given.email]), ...(given.emails ?? [])])];

async function notUsers(ctx: Ctx, emails: readonly string[]): Promise<void> {
  if (!emails.length) return;
  const user = await userCollection().findOne({ email: { $in: [...emails] }, company: ctx.actor.company });
  if (user) throw taken(`${user.email} is the address of a user who signs in.`);
}
const taken = (sentence: string) =>
  conflict('contact.address_taken', sentence, {
    details: [{ path: 'emails', message: 'belongs to somebody else already' }],
  });

export async function addContact(ctx: Ctx, given: z.output<typeof contactInput>): Promise<Contact> {
  const at = ctx.now();
  const _id = ctx.cause ? idFrom('contact', ctx.actor.company, ctx.cause) : newId(at);
  const emails = addressesOf(given) ?? [];
  await notUsers(ctx, emails);
  const made: StoredContact = {
    ...blank(_id, ctx.actor.company, given.name, at),
    emails,
    phoneNumber: given.phoneNumber ?? null,
    notes: given.notes ?? null,
  };
  try {
    await contactCollection().insertOne(made);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    const there = await contactCollection().findOne({ _id });
    if (there) return drawContact(there);
    throw taken('Another contact has one of these addresses. Merge them instead.');
  }
  return drawContact(made);
}

export async function changeContact(
  ctx: Ctx,
  id: string,
  given: z.output<typeof contactChange>,
): Promise<Contact> {
  const before = await loadContact(ctx, id);
  if (before.mergedInto || before.erasedAt)
    throw conflict('contact.gone', 'This contact was merged or erased, and cannot be changed.');
  const emails = addressesOf(given);
  await notUsers(ctx, emails?.filter((one) => !before.emails.includes(one)) ?? []);
  const set = {
    ...(given.name === undefined ? {} : { name: given.name }),
    ...(emails === undefined ? {} : { emails }),
    ...(given.phoneNumber === undefined ? {} : { phoneNumber: given.phoneNumber }),
    ...(given.notes === undefined ? {} : { notes: given.notes }),
    updatedAt: ctx.now(),
  };
  try {
    const after = await contactCollection().findOneAndUpdate(
      { _id: id, company: ctx.actor.company, mergedInto: null, erasedAt: null },
      { $set: set },
      { returnDocument: 'after' },
    );
    if (!after) throw unknown('contact');
    return drawContact(after);
  } catch (error) {
    if (isDuplicate(error)) throw taken('Another contact has one of these addresses. Merge them instead.');
    throw error;
  }
}
