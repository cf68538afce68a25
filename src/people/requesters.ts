// Who asks: the actor, or, when an agent files on behalf of somebody, the user or contact that is meant.
import type { Ctx } from '../context.ts';
import { forbidden, invalid, Refusal } from '../errors.ts';
import { isId } from '../id.ts';
import type { Requester } from '../tickets/ticket.ts';
import { atLeast } from './access.ts';
import { findContact } from './actors.ts';
import { address, contactByAddress, contactsByAddress } from './contacts.ts';
import { member } from './members.ts';
import { contactCollection, type StoredUser, userCollection } from './model.ts';

export async function requesterFor(ctx: Ctx, who?: string): Promise<Requester> {
  const { actor } = ctx;
  if (who === undefined || who === actor.id)
    return actor.kind === 'contact' ? ofContact(ctx, actor.id) : ofUser(ctx, actor.id);
  if (actor.kind !== 'system' && !atLeast(actor.role, 'agent'))
    throw forbidden('ticket.on_behalf', 'Only agents file tickets on behalf of somebody else.');
  if (isId(who)) return (await userById(ctx, who)) ?? ofContact(ctx, who);
  const email = address.safeParse(who);
  if (!email.success) throw nobody();
  return byAddress(ctx, email.data);
}

const nobody = () =>
  invalid('ticket.requester_unknown', 'There is no such person.', [
    { path: 'requester', message: 'is no user, contact or address' },
  ]);

async function userById(ctx: Ctx, id: string): Promise<Requester | null> {
  const user = await member(id);
  if (!user || user.company !== ctx.actor.company) return null;
  return { kind: 'user', id, name: user.fullName ?? user.username, email: user.email };
}

async function ofUser(ctx: Ctx, id: string): Promise<Requester> {
  return (await userById(ctx, id)) ?? { kind: 'user', id, name: ctx.actor.name, email: null };
}

async function ofContact(ctx: Ctx, id: string): Promise<Requester> {
  const contact = await findContact(ctx.actor.company, id);
  if (!contact || contact.erasedAt) throw nobody();
  return { kind: 'contact', id: contact._id, name: contact.name, email: contact.emails[0] ?? null };
}

/** Whoever registered with an address that nobody vouches for is not taken for its owner, and sees no ticket of theirs. */
const PROVEN = { addressProven: { $ne: false } };

/** A user with this address, else the contact, who is made if nobody has it yet. */
async function byAddress(ctx: Ctx, email: string): Promise<Requester> {
  const user = await userCollection().findOne({ email, company: ctx.actor.company, ...PROVEN });
  if (user) return { kind: 'user', id: user._id, name: user.fullName ?? user.username, email };
  const contact = await contactByAddress(ctx, email);
  return { kind: 'contact', id: contact._id, name: contact.name, email };
}

/** The same for many at once, in as many trips; who cannot be found is refused, and holds up none of the others. */
export async function requestersFor(
  ctx: Ctx,
  whos: readonly string[],
): Promise<Map<string, Requester | Refusal>> {
  const found = new Map<string, Requester | Refusal>();
  const addresses = new Map<string, string>();
  for (const who of new Set(whos)) {
    const email = who.includes('@') ? address.safeParse(who) : null;
    if (email?.success) addresses.set(who, email.data);
    else found.set(who, await requesterFor(ctx, who).catch(refused));
  }
  const known = await byAddresses(ctx, [...new Set(addresses.values())]);
  for (const [who, email] of addresses) found.set(who, known.get(email) ?? nobody());
  return found;
}

const refused = (error: unknown): Refusal => {
  if (error instanceof Refusal) return error;
  throw error;
};

/** A user with the address, else the contact, who is made if nobody has it yet. */
async function byAddresses(ctx: Ctx, emails: readonly string[]): Promise<Map<string, Requester>> {
  const { company } = ctx.actor;
  const users = emails.length
    ? await userCollection()
        .find({ company, email: { $in: [...emails] }, ...PROVEN })
        .toArray()
    : [];
  const found = new Map(users.map((user) => [user.email, ofStored(user)]));
  const others = emails.filter((email) => !found.has(email));
  for (const [email, contact] of await contactsByAddress(ctx, others))
    found.set(email, { kind: 'contact', id: contact._id, name: contact.name, email });
  return found;
}

const ofStored = (user: StoredUser): Requester => ({
  ...{ kind: 'user', id: user._id, name: user.fullName ?? user.username, email: user.email },
});

/** Those who are meant: ids as they are, `me`, and whoever has an address; an address that nobody has is nobody. */
export async function idsOf({ company, id }: Ctx['actor'], whoever: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    whoever.map(async (who) => {
      if (who === 'me') return [id];
      const email = who.includes('@') ? address.safeParse(who) : null;
      if (!email?.success) return [who];
      const [user, contact] = await Promise.all([
        userCollection().findOne({ email: email.data, company }, { projection: { _id: 1 } }),
        contactCollection().findOne({ company, emails: email.data }, { projection: { _id: 1 } }),
      ]);
      const ids = [user, contact].flatMap((one) => one?._id ?? []);
      return ids.length ? ids : [who];
    }),
  );
  return [...new Set(found.flat())];
}
