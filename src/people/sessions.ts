// Sessions: signing in, staying signed in, signing out. A refresh token is good once; using an old one again ends its
// whole family, for the thief and the owner. The one exception: each refresh is answered after GRACE_MS at the
// earliest, and the same token arriving before that (two tabs at once) is the same refresh, with the same answer.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Actor, Ctx } from '../context.ts';
import { invalid, unauthorised } from '../errors.ts';
import { newId } from '../id.ts';
import { remembered } from '../memory.ts';
import { fingerprint, sameSecret, signFor } from '../secrets.ts';
import { userActor } from './actors.ts';
import { note } from './audit.ts';
import { inTurn } from './hashing.ts';
import { type Member, member } from './members.ts';
import { type StoredSession, sessionCollection, userCollection } from './model.ts';
import { passwordFits } from './passwords.ts';
import {
  countFailure,
  emptyBuckets,
  LOGIN_ACCOUNT,
  network,
  rememberPlace,
  welcomeToSignIn,
} from './throttle.ts';
import { signAccess, verifyAccess } from './tokens.ts';
import { drawUser, type ShownUser } from './user.ts';

const GRACE_MS = 100;

export interface TokenLife {
  accessMinutes: number;
  refreshDays: number;
}

export interface SignedIn {
  accessToken: string;
  refreshToken: string;
  tokenType: 'Bearer';
  expiresIn: number;
  user: ShownUser;
}

export const loginInput = z
  .strictObject({
    email: z.string().max(320).optional().meta({ example: 'mei@example.com' }),
    username: z.string().max(320).optional(),
    password: z.string().max(1_000).meta({ format: 'password', example: 'correct horse battery' }),
  })
  .refine((given) => given.email !== undefined || given.username !== undefined, {
    path: ['email'],
    message: 'is required (or username)',
  });

const wrongPair = () => unauthorised('auth.credentials', 'That account and password do not belong together.');
const slowDown = 'There were too many attempts to sign in. Wait a moment, then try again.';

/** `from` is the address that the request came from. */
export async function signIn(
  ctx: Ctx,
  input: z.output<typeof loginInput>,
  life: TokenLife,
  from: string | undefined,
): Promise<SignedIn> {
  const name = (input.email ?? input.username ?? '').trim().toLowerCase();
  const place = network(from);
  const { buckets, isKnown, hasFailures, stored, fits } = await inTurn(place, async () => {
    const [welcome, found] = await Promise.all([
      welcomeToSignIn(ctx, name, place, slowDown),
      name ? userCollection().findOne(calledSo(name)) : null,
    ]);
    const fits = await passwordFits(found?.password ?? null, input.password);
    return { ...welcome, stored: found, fits };
  });
  const user = stored && fits && stored.active ? await member(stored._id) : null;
  if (!user) {
    await countFailure(ctx, buckets);
    // Not waited for: the time of the answer must not tell whether there is such an account.
    if (stored)
      note(ctx, 'auth.login_failed', stored._id, {}, stored.company).catch((error) =>
        ctx.log.warn({ err: error }, 'a failed sign-in could not be noted'),
      );
    throw wrongPair();
  }
  await userActor(user);
  if (hasFailures) await emptyBuckets(buckets.filter(([bucket]) => bucket === LOGIN_ACCOUNT));
  if (!isKnown) await rememberPlace(ctx, name, place);
  return open(ctx, user, life);
}

/** An @ is in every address, and in no name but one that is its owner's address. */
const calledSo = (name: string) => (name.includes('@') ? { email: name } : { username: name });

async function open(ctx: Ctx, user: Member, life: TokenLife): Promise<SignedIn> {
  const now = ctx.now();
  const family = newId(now);
  const refreshToken = `${family}.${randomBytes(32).toString('base64url')}`;
  await sessionCollection().insertOne({
    _id: family,
    user: user.id,
    company: user.company,
    current: fingerprint(refreshToken),
    previous: null,
    graceUntil: null,
    revokedAt: null,
    reason: null,
    expiresAt: new Date(now.getTime() + life.refreshDays * 86_400_000),
    createdAt: now,
    usedAt: now,
  });
  return issue(user, refreshToken, life);
}

async function issue(user: Member, refreshToken: string, life: TokenLife): Promise<SignedIn> {
  const accessToken = await signAccess(
    {
      sub: user.id,
      username: user.username,
      email: user.email,
      role: user.role,
      company: user.company,
      jti: `${familyOf(refreshToken)}.${randomBytes(6).toString('hex')}`,
    },
    life.accessMinutes,
  );
  return {
    accessToken,
    refreshToken,
    tokenType: 'Bearer',
    expiresIn: life.accessMinutes * 60,
    user: drawUser(user),
  };
}

const familyOf = (token: string): string => token.split('.', 1)[0] ?? '';
const staleToken = () =>
  unauthorised('auth.refresh', 'This refresh token is not valid (any more). Sign in again.');

export const refreshInput = z.strictObject({ refreshToken: z.string().min(1).max(500) });

export async function refresh(ctx: Ctx, token: string, life: TokenLife): Promise<SignedIn> {
  const arrived = ctx.now();
  const _id = familyOf(token);
  const graceUntil = new Date(arrived.getTime() + GRACE_MS);
  const next = `${_id}.${signFor('refresh', token)}`;
  const session = await sessionCollection().findOneAndUpdate(
    { _id, current: fingerprint(token), revokedAt: null, expiresAt: { $gt: arrived } },
    { $set: { current: fingerprint(next), previous: fingerprint(token), graceUntil, usedAt: arrived } },
    { returnDocument: 'after' },
  );
  if (!session) await sameRefreshOrTheft(ctx, _id, token, arrived);
  const user = await member(session?.user ?? (await ownerOf(_id)));
  if (!user?.active) throw staleToken();
  await userActor(user);
  const answer = await issue(user, next, life);
  const early = (session?.graceUntil?.getTime() ?? 0) - ctx.now().getTime();
  if (early >= 0) await new Promise((resolve) => setTimeout(resolve, early + 1));
  return answer;
}

const ownerOf = async (family: string): Promise<string> =>
  (await sessionCollection().findOne({ _id: family }))?.user ?? '';

async function sameRefreshOrTheft(ctx: Ctx, family: string, token: string, arrived: Date): Promise<void> {
  const session = await sessionCollection().findOne({ _id: family });
  if (!session || session.revokedAt || session.expiresAt <= arrived) throw staleToken();
  const isPrevious = session.previous !== null && sameSecret(session.previous, fingerprint(token));
  if (isPrevious && session.graceUntil && arrived < session.graceUntil) return;
  await revoke(ctx, { _id: family }, 'reuse');
  await note(ctx, 'session.reuse_detected', session.user, { family }, session.company);
  throw staleToken();
}

const isOpen = remembered('session', async (family: string) => {
  const session = await sessionCollection().findOne(
    { _id: family },
    { projection: { revokedAt: 1, expiresAt: 1 } },
  );
  return session === null || session.revokedAt === null;
});

type Which = Partial<Pick<StoredSession, '_id' | 'user' | 'company'>>;

async function revoke(ctx: Ctx, which: Which, reason: string): Promise<void> {
  const open = await sessionCollection()
    .find({ ...which, revokedAt: null }, { projection: { _id: 1 } })
    .toArray();
  await sessionCollection().updateMany(
    { ...which, revokedAt: null },
    { $set: { revokedAt: ctx.now(), reason } },
  );
  for (const { _id } of open) isOpen.forget(_id);
}

/** All sessions of a user end: the password changed, the account closed. */
export const endSessions = (ctx: Ctx, user: string, reason: string): Promise<void> =>
  revoke(ctx, { user }, reason);

export const logoutInput = z.strictObject({
  refreshToken: z.string().min(1).max(500).optional(),
  everywhere: z.boolean().default(false).meta({ description: 'End all sessions of this account.' }),
});

/** By access token, by refresh token, or both; the access token is void at once as well. */
export async function signOut(
  ctx: Ctx,
  { refreshToken, everywhere }: z.output<typeof logoutInput>,
  accessToken: string | undefined,
): Promise<void> {
  if (accessToken === undefined && refreshToken === undefined)
    throw unauthorised('auth.missing', 'Send the access token, or the refresh_token, of the session to end.');
  const claims = accessToken === undefined ? null : await verifyAccess(accessToken);
  if (claims && everywhere) await endSessions(ctx, claims.sub, 'logout');
  else if (claims) await revoke(ctx, { _id: familyOf(claims.jti) }, 'logout');
  else if (everywhere)
    throw invalid('auth.everywhere', 'To end all sessions, send an access token.', [
      { path: 'everywhere', message: 'needs an access token' },
    ]);
  if (refreshToken !== undefined) {
    const session = await sessionCollection().findOne({ _id: familyOf(refreshToken) });
    if (session && [session.current, session.previous].includes(fingerprint(refreshToken)))
      await revoke(ctx, { _id: session._id }, 'logout');
  }
}

/** The person behind an access token, as they are now. */
export async function recognise(token: string): Promise<Actor> {
  const claims = await verifyAccess(token);
  const [user, open] = await Promise.all([member(claims.sub), isOpen(familyOf(claims.jti))]);
  if (!user?.active || !open || claims.iat * 1_000 < user.tokensSince.getTime() - 999)
    throw unauthorised('auth.token', 'This access token is not valid (any more). Sign in again.');
  return userActor(user);
}
