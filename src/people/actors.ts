// A stored person as the one who acts, as they are now: a role taken away or an account closed counts at once.
import type { Actor } from '../context.ts';
import { unauthorised } from '../errors.ts';
import { remembered } from '../memory.ts';
import type { Scope } from './access.ts';
import type { Member } from './members.ts';
import { companyCollection, contactCollection, type StoredContact } from './model.ts';

const company = remembered('company', async (id: string) => {
  const found = await companyCollection().findOne({ _id: id });
  return found ? { root: found.root, active: found.active } : null;
});
export const forgetCompany = (id: string): void => company.forget(id);

export async function userActor(user: Member, scopes?: readonly Scope[]): Promise<Actor> {
  const facts = await company(user.company);
  if (!facts?.active) throw unauthorised('auth.company', 'This company is closed.');
  return {
    kind: 'user',
    id: user.id,
    name: user.fullName ?? user.username,
    company: user.company,
    role: user.role,
    teams: user.teams,
    ...(scopes ? { scopes } : {}),
    ...(facts.root && user.role === 'admin' ? { operator: true } : {}),
  };
}

/** The contact, or the one it was merged into. */
export async function findContact(companyId: string, id: string): Promise<StoredContact | null> {
  let contact = await contactCollection().findOne({ _id: id, company: companyId });
  for (let hops = 0; contact?.mergedInto && hops < 10; hops++)
    contact = await contactCollection().findOne({ _id: contact.mergedInto, company: companyId });
  return contact;
}

export async function contactActor(companyId: string, id: string): Promise<Actor> {
  const contact = await findContact(companyId, id);
  return {
    kind: 'contact',
    id: contact?._id ?? id,
    name: contact?.name ?? 'Somebody',
    company: companyId,
    role: 'customer',
    teams: [],
  };
}
