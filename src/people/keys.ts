// API keys: `sb_<id>_<secret>`. The secret is shown once and kept as a hash; a key acts as its owner, within its scopes,
// and is void the moment it is revoked, has expired, or its owner is gone.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Actor, Ctx } from '../context.ts';
import { instant } from '../dates.ts';
import { forbidden, invalid, unauthorised, unknown } from '../errors.ts';
import { isId, newId } from '../id.ts';
import { list, type Page, pageQuery } from '../lists.ts';
import { remembered } from '../memory.ts';
import { fingerprint, sameSecret } from '../secrets.ts';
import { atLeast, SCOPES } from './access.ts';
import { userActor } from './actors.ts';
import { note } from './audit.ts';
import { member } from './members.ts';
import { apiKeyCollection, type StoredApiKey } from './model.ts';
import { countFailure, KEY_ADDRESS, type Moment, network, notThrottled } from './throttle.ts';

const USED_EVERY_MS = 60_000;

export const keyInput = z.strictObject({
  name: z.string().trim().min(1).max(100),
  scopes: z
    .array(z.enum(SCOPES))
    .min(1)
    .max(3)
    .default(['read'])
    .meta({ description: 'Each has what the one before it has: read, write, admin.' }),
  expiresAt: instant.nullish(),
  expiresInDays: z.number().int().min(1).max(3_650).optional(),
  userId: z.string().max(64).optional().meta({ description: 'Whom the key acts as. Admins only.' }),
  companyId: z.string().max(64).optional().meta({ description: 'The own company, if it is said at all.' }),
});

export const keyShape = z
  .object({
    id: z.string(),
    name: z.string(),
    prefix: z.string(),
    userId: z.string(),
    companyId: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    expiresAt: z.date().nullable(),
    lastUsedAt: z.date().nullable(),
    revokedAt: z.date().nullable(),
    createdAt: z.date(),
  })
  .meta({ id: 'ApiKey' });
export type ApiKey = z.output<typeof keyShape>;

const drawn = (key: StoredApiKey): ApiKey => ({
  id: key._id,
  name: key.name,
  prefix: `sb_${key._id}_`,
  userId: key.user,
  companyId: key.company,
  scopes: key.scopes,
  expiresAt: key.expiresAt,
  lastUsedAt: key.lastUsedAt,
  revokedAt: key.revokedAt,
  createdAt: key.createdAt,
});

export async function makeKey(ctx: Ctx, given: z.output<typeof keyInput>): Promise<ApiKey & { key: string }> {
  const { actor } = ctx;
  if (given.companyId !== undefined && given.companyId !== actor.company) throw unknown('company');
  const owner = await member(given.userId ?? actor.id);
  if (!owner?.active || owner.company !== actor.company) throw unknown('user');
  if (owner.id !== actor.id && !atLeast(actor.role, 'admin'))
    throw forbidden('key.owner', 'Only admins make keys that act as somebody else.');
  const at = ctx.now();
  const expiresAt =
    given.expiresAt ??
    (given.expiresInDays === undefined ? null : new Date(at.getTime() + given.expiresInDays * 86_400_000));
  if (expiresAt && expiresAt <= at)
    throw invalid('key.expired', 'A key that has expired already is of no use.', [
      { path: 'expires_at', message: 'must be in the future' },
    ]);
  const secret = randomBytes(32).toString('base64url');
  const made: StoredApiKey = {
    _id: newId(at),
    company: actor.company,
    user: owner.id,
    name: given.name,
    hash: fingerprint(secret),
    scopes: [...new Set(given.scopes)],
    expiresAt,
    lastUsedAt: null,
    revokedAt: null,
    createdAt: at,
  };
  await apiKeyCollection().insertOne(made);
  await note(ctx, 'key.made', owner.id, { key: made._id, scopes: made.scopes });
  return { ...drawn(made), key: `sb_${made._id}_${secret}` };
}

export const keyQuery = z.strictObject({
  ...pageQuery,
  userId: z.string().max(64).optional().meta({ description: 'Whose keys. Admins see all of the company.' }),
});

/** One's own; admins those of the company. Revoked ones are not listed. */
export function keys(ctx: Ctx, query: z.output<typeof keyQuery>): Promise<Page<ApiKey>> {
  const { actor } = ctx;
  const all = atLeast(actor.role, 'admin');
  const filter = {
    company: actor.company,
    revokedAt: null,
    ...(all ? (query.userId ? { user: query.userId } : {}) : { user: actor.id }),
  };
  return list(apiKeyCollection(), filter, { field: 'createdAt', direction: 'desc' }, query, drawn);
}

async function ownKey(ctx: Ctx, id: string): Promise<StoredApiKey> {
  const { actor } = ctx;
  const found = await apiKeyCollection().findOne({ _id: id, company: actor.company });
  if (!found || (found.user !== actor.id && !atLeast(actor.role, 'admin'))) throw unknown('api_key');
  return found;
}

export const readKey = async (ctx: Ctx, id: string): Promise<ApiKey> => drawn(await ownKey(ctx, id));

export async function revokeKey(ctx: Ctx, id: string): Promise<void> {
  const key = await ownKey(ctx, id);
  await apiKeyCollection().updateOne({ _id: id, revokedAt: null }, { $set: { revokedAt: ctx.now() } });
  byId.forget(id);
  if (!key.revokedAt) await note(ctx, 'key.revoked', key.user, { key: id });
}

/** All keys that act as a user: the account is closed for good. */
export async function revokeKeysOf(ctx: Ctx, user: string): Promise<void> {
  const theirs = await apiKeyCollection().find({ user, revokedAt: null }).toArray();
  await apiKeyCollection().updateMany({ user, revokedAt: null }, { $set: { revokedAt: ctx.now() } });
  for (const { _id } of theirs) byId.forget(_id);
}

const byId = remembered('key', (id: string) => apiKeyCollection().findOne({ _id: id }));
const usedAt = new Map<string, number>();

/** Written once a minute at most, and not waited for. */
function markUsed(id: string, at: Date, log: Ctx['log']): void {
  if (at.getTime() - (usedAt.get(id) ?? 0) < USED_EVERY_MS) return;
  if (usedAt.size > 10_000) usedAt.clear();
  usedAt.set(id, at.getTime());
  apiKeyCollection()
    .updateOne({ _id: id }, { $set: { lastUsedAt: at } })
    .catch((error) => log.warn({ err: error }, 'the last use of a key could not be noted'));
}

const notGood = () => unauthorised('auth.key', 'This API key is not valid (any more).');
const NOBODY = fingerprint('no such key');

/** Whoever the key acts as. Guesses are counted by address; a real key is never slowed down by them. */
export async function recogniseKey(
  ctx: Moment & Pick<Ctx, 'log'>,
  text: string,
  from: string | undefined,
): Promise<Actor> {
  const [, id = '', secret = ''] = /^sb_([0-9a-f]{24})_([\w-]{20,100})$/.exec(text) ?? [];
  const found = isId(id) ? await byId(id) : null;
  if (!sameSecret(found?.hash ?? NOBODY, fingerprint(secret)) || !found) {
    const bucket = [[KEY_ADDRESS, network(from)]] as const;
    await notThrottled(ctx, bucket, 'There were too many wrong API keys from there. Wait a moment.');
    await countFailure(ctx, bucket);
    throw notGood();
  }
  const now = ctx.now();
  if (found.revokedAt || (found.expiresAt && found.expiresAt <= now)) throw notGood();
  const owner = await member(found.user);
  if (!owner?.active) throw notGood();
  markUsed(id, now, ctx.log);
  return userActor(owner, found.scopes);
}
