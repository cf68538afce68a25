// Signing in and being recognised. A refresh token is good once; using an old one again ends its whole family.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Actor } from '../context.ts';
import { unauthorised } from '../errors.ts';
import { newId } from '../id.ts';
import { fingerprint } from '../secrets.ts';
import { userActor } from './actors.ts';
import { type Member, member, type User } from './members.ts';
import { sessionCollection, userCollection } from './model.ts';
import { passwordFits } from './passwords.ts';
import { signAccess, verifyAccess } from './tokens.ts';

export interface TokenLife {
  accessMinutes: number;
  refreshDays: number;
}

export interface SignedIn {
  accessToken: string;
  refreshToken: string;
  tokenType: 'Bearer';
  expiresIn: number;
  user: User;
}

export const loginInput = z.strictObject({
  email: z.string().max(320).optional(),
  username: z.string().max(320).optional(),
  password: z.string().max(1_000),
});

export async function signIn(
  input: z.output<typeof loginInput>,
  life: TokenLife,
  now: Date,
): Promise<SignedIn> {
  const name = (input.email ?? input.username ?? '').trim().toLowerCase();
  const stored = name ? await userCollection().findOne({ $or: [{ email: name }, { username: name }] }) : null;
  const fits = await passwordFits(stored?.password ?? null, input.password);
  if (!stored || !fits || !stored.active)
    throw unauthorised('auth.credentials', 'That account and password do not belong together.');
  const found = await member(stored._id);
  if (!found) throw unauthorised('auth.credentials', 'That account and password do not belong together.');
  return issue(found, newId(now), life, now, true);
}

async function issue(
  user: Member,
  family: string,
  life: TokenLife,
  now: Date,
  isNew: boolean,
): Promise<SignedIn> {
  const refreshToken = `${family}.${randomBytes(32).toString('base64url')}`;
  const current = fingerprint(refreshToken);
  if (isNew)
    await sessionCollection().insertOne({
      _id: family,
      user: user.id,
      company: user.company,
      current,
      revokedAt: null,
      reason: null,
      expiresAt: new Date(now.getTime() + life.refreshDays * 86_400_000),
      createdAt: now,
      usedAt: now,
    });
  else await sessionCollection().updateOne({ _id: family }, { $set: { current, usedAt: now } });
  const { tokensSince: _, ...shown } = user;
  const accessToken = await signAccess(
    {
      sub: user.id,
      username: user.username,
      email: user.email,
      role: user.role,
      company: user.company,
      jti: `${family}.${randomBytes(6).toString('hex')}`,
    },
    life.accessMinutes,
  );
  return { accessToken, refreshToken, tokenType: 'Bearer', expiresIn: life.accessMinutes * 60, user: shown };
}

/** The person behind an access token, as they are now: a role taken away, or an account closed, counts at once. */
export async function recognise(token: string): Promise<Actor> {
  const claims = await verifyAccess(token);
  const user = await member(claims.sub);
  if (!user?.active || claims.iat * 1_000 < user.tokensSince.getTime() - 999)
    throw unauthorised('auth.token', 'This access token is not valid (any more). Sign in again.');
  return userActor(user);
}
