// Identities: which Slack user, Discord user or address is which of our people. Linked only on proof: a verified
// address in the profile, or a one-time code that both sides knew; never by a name. Every link can be undone, and what
// was undone does not come back by itself.
import { randomInt } from 'node:crypto';
import { z } from 'zod';
import type { Actor, Ctx } from '../context.ts';
import { conflict, invalid, unknown } from '../errors.ts';
import { idFrom } from '../id.ts';
import { signFor } from '../secrets.ts';
import { isDuplicate } from '../store.ts';
import { contactActor, userActor } from './actors.ts';
import { note } from './audit.ts';
import { contactByAddress, contactOfIdentity } from './contacts.ts';
import { member } from './members.ts';
import {
  identityCollection,
  linkCodeCollection,
  type Person,
  type StoredIdentity,
  type StoredLinkCode,
  userCollection,
} from './model.ts';
import { CODE_PERSON, countFailure, notThrottled } from './throttle.ts';

/** An account elsewhere. `workspace` is the Slack team, the Discord guild, or '' where there is none. */
export interface External {
  provider: string;
  workspace: string;
  externalId: string;
  name: string;
}
/** What the provider says of the account just now. */
export interface Profile extends External {
  email?: string | null;
  /** The provider vouches that the address is theirs. */
  emailVerified?: boolean;
  /** From outside (a guest, another workspace): becomes a contact, never one of our users by address. */
  guest?: boolean;
}

const idOf = (company: string, one: Omit<External, 'name'>): string =>
  idFrom('identity', company, one.provider, one.workspace, one.externalId);

/** Who this account is to the company, if that is known. */
export async function personFor(
  company: string,
  provider: string,
  workspace: string,
  externalId: string,
): Promise<Actor | null> {
  const _id = idOf(company, { provider, workspace, externalId });
  const found = await identityCollection().findOne({ _id });
  return found?.person ? actorFor(company, found.person) : null;
}

async function actorFor(company: string, person: Person): Promise<Actor | null> {
  if (person.kind === 'contact') return contactActor(company, person.id);
  const user = await member(person.id);
  return user?.active && user.company === company ? userActor(user) : null;
}

/** Who this account is; when nobody knows yet, the user with that verified address, else a contact, made now. */
export async function meet(ctx: Ctx, profile: Profile): Promise<Actor> {
  const { company } = ctx.actor;
  const _id = idOf(company, profile);
  const known = await identityCollection().findOne({ _id });
  const linked = known?.person ? await actorFor(company, known.person) : null;
  if (linked) return linked;
  const undone = known?.undone ?? [];
  const email = known?.lapsed ? null : provenAddress(profile);
  const user =
    email && !profile.guest
      ? await userCollection().findOne({ email, company, active: true, addressProven: { $ne: false } })
      : null;
  if (user && !undone.includes(user._id)) {
    await link(ctx, profile, { kind: 'user', id: user._id }, 'profile_email');
    const actor = await actorFor(company, { kind: 'user', id: user._id });
    if (actor) return actor;
  }
  const byAddress = email && !user ? await contactByAddress(ctx, email, profile.name) : null;
  const contact =
    byAddress && !undone.includes(byAddress._id)
      ? byAddress
      : await contactOfIdentity(ctx, _id, profile.name);
  const proof = contact === byAddress ? 'profile_email' : 'none';
  await link(ctx, profile, { kind: 'contact', id: contact._id }, proof);
  return contactActor(company, contact._id);
}

const provenAddress = ({ email, emailVerified }: Profile): string | null =>
  emailVerified && email ? email.trim().toLowerCase() : null;

/**
 * The provider says that an account has changed. A link to a user that rested on its address ends with it, and does not
 * move to whoever has the new one. True when a link ended.
 */
export async function recheck(ctx: Ctx, external: External, ask: () => Promise<Profile>): Promise<boolean> {
  const _id = idOf(ctx.actor.company, external);
  const known = await identityCollection().findOne({ _id });
  if (known?.person?.kind !== 'user' || known.proof !== 'profile_email') return false;
  const { id } = known.person;
  const [user, now] = [await member(id), await ask()];
  if (user && !now.guest && provenAddress(now) === user.email) return false;
  const ended = await identityCollection().updateOne(
    { _id, 'person.id': id, proof: 'profile_email' },
    { $set: { person: null, proof: 'none', lapsed: true } },
  );
  if (!ended.modifiedCount) return false;
  await note(ctx, 'identity.lapsed', id, { identity: _id, provider: external.provider });
  return true;
}

/** Links on proof. What the account was linked to before is left, and told in the audit trail. */
export async function link(
  ctx: Ctx,
  external: External,
  person: Person,
  proof: StoredIdentity['proof'],
): Promise<void> {
  const { company } = ctx.actor;
  const _id = idOf(company, external);
  const { provider, workspace, externalId, name } = external;
  const set = { company, provider, workspace, externalId, name, person, proof, at: ctx.now() };
  const filter = proof === 'code' || proof === 'admin' ? { _id } : { _id, undone: { $ne: person.id } };
  const before = await upsert(filter, {
    $set: set,
    ...(proof === 'code' || proof === 'admin'
      ? { $pull: { undone: person.id }, $unset: { lapsed: '' } }
      : { $setOnInsert: { undone: [] } }),
  });
  if (person.kind === 'user' && before?.person?.id !== person.id)
    await note(ctx, 'identity.linked', person.id, {
      identity: _id,
      provider,
      proof,
      ...(before?.person ? { was: before.person.id } : {}),
    });
}

/** Two at once: the second finds what the first made. */
async function upsert(
  filter: { _id: string },
  update: Record<string, unknown>,
): Promise<StoredIdentity | null> {
  const write = () =>
    identityCollection().findOneAndUpdate(filter, update, { upsert: true, returnDocument: 'before' });
  try {
    return await write();
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    return write().catch((again) => {
      if (isDuplicate(again)) return null;
      throw again;
    });
  }
}

const LETTERS = 'ABCDEFGHJKMNPQRSTVWXYZ23456789';
const CODE_MINUTES = 10;
export interface LinkCode {
  /** Eight characters; read without regard to case, spaces or dashes. */
  code: string;
  expiresAt: Date;
}

async function newCode(ctx: Ctx, half: Pick<StoredLinkCode, 'user' | 'external'>): Promise<LinkCode> {
  const letters = Array.from({ length: 8 }, () => LETTERS[randomInt(LETTERS.length)]).join('');
  const expiresAt = new Date(ctx.now().getTime() + CODE_MINUTES * 60_000);
  await linkCodeCollection().insertOne({
    _id: signFor('link code', `${ctx.actor.company}:${letters}`),
    company: ctx.actor.company,
    ...half,
    expiresAt,
  });
  return { code: `${letters.slice(0, 4)}-${letters.slice(4)}`, expiresAt };
}

/** In the chat: a code for this account, to be shown to nobody else, and entered where one is signed in. */
export const startLink = (ctx: Ctx, { provider, workspace, externalId, name }: External): Promise<LinkCode> =>
  newCode(ctx, { user: null, external: { provider, workspace, externalId, name } });

/** Signed in: a code for this user, to be said in the chat. */
export const startLinkOfUser = (ctx: Ctx): Promise<LinkCode> =>
  newCode(ctx, { user: ctx.actor.id, external: null });

/** A code is good once, whoever takes it. */
async function takeCode(
  ctx: Ctx,
  code: string,
  side: 'user' | 'external',
  guesser: string,
): Promise<StoredLinkCode> {
  const buckets = [[CODE_PERSON, guesser]] as const;
  await notThrottled(ctx, buckets, 'There were too many wrong codes. Wait a moment, then ask for a new one.');
  const letters = code.toUpperCase().replaceAll(/[^A-Z0-9]/g, '');
  const found = await linkCodeCollection().findOneAndDelete({
    _id: signFor('link code', `${ctx.actor.company}:${letters}`),
    company: ctx.actor.company,
    expiresAt: { $gt: ctx.now() },
    [side]: { $ne: null },
  });
  if (!found) {
    await countFailure(ctx, buckets);
    throw invalid(
      'identity.code',
      'That code is not right, was used already, or is too old. Ask for a new one.',
      [{ path: 'code', message: 'is not a code that waits to be used' }],
    );
  }
  return found;
}

/** In the chat: the person said the code that they were given where they are signed in. */
export async function confirmLink(ctx: Ctx, external: External, code: string): Promise<Actor> {
  const { user } = await takeCode(ctx, code, 'user', idOf(ctx.actor.company, external));
  const found = user ? await member(user) : null;
  if (!found?.active) throw conflict('identity.account_closed', 'That account is closed.');
  await link(ctx, external, { kind: 'user', id: found.id }, 'code');
  return userActor(found);
}

/** Signed in: the person entered the code that the chat gave them. */
export async function confirmLinkOfUser(ctx: Ctx, code: string): Promise<Identity> {
  const { external } = await takeCode(ctx, code, 'external', ctx.actor.id);
  if (!external) throw unknown('identity');
  await link(ctx, external, { kind: 'user', id: ctx.actor.id }, 'code');
  const made = await identityCollection().findOne({ _id: idOf(ctx.actor.company, external) });
  if (!made) throw unknown('identity');
  return drawn(made);
}

export const identityShape = z
  .object({
    id: z.string(),
    provider: z.string(),
    workspace: z.string(),
    externalId: z.string(),
    name: z.string(),
    proof: z.enum(['profile_email', 'code', 'mail', 'admin', 'none']),
    linkedAt: z.date(),
  })
  .meta({ id: 'Identity' });
export type Identity = z.output<typeof identityShape>;
const drawn = ({ _id, provider, workspace, externalId, name, proof, at }: StoredIdentity): Identity => ({
  id: _id,
  provider,
  workspace,
  externalId,
  name,
  proof,
  linkedAt: at,
});

export const identitiesOf = async (ctx: Ctx, person: string): Promise<Identity[]> =>
  (
    await identityCollection()
      .find({ company: ctx.actor.company, 'person.id': person })
      .sort({ at: 1, _id: 1 })
      .limit(100)
      .toArray()
  ).map(drawn);

/** Undoes a link of this person, for good: only a code or an administrator brings it back. */
export async function unlink(ctx: Ctx, person: string, id: string): Promise<void> {
  const undone = await identityCollection().updateOne(
    { _id: id, company: ctx.actor.company, 'person.id': person },
    { $set: { person: null, proof: 'none' }, $addToSet: { undone: person } },
  );
  if (!undone.matchedCount) throw unknown('identity');
  await note(ctx, 'identity.unlinked', person, { identity: id });
}
