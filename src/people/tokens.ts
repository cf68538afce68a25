// Access tokens: RS256, 15 minutes, verifiable by anybody with our public keys. The signing key is made once, kept
// sealed in the store and shared by all processes; a retired key still verifies until its last token has expired.
import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import jwt from 'jsonwebtoken';
import { unauthorised } from '../errors.ts';
import { seal, unseal } from '../secrets.ts';
import { isDuplicate } from '../store.ts';
import type { Role } from './access.ts';
import { type StoredSigningKey, signingKeyCollection } from './model.ts';

export const ISSUER = 'switchboard';
export const AUDIENCE = 'switchboard';

export interface Claims {
  sub: string;
  username: string;
  email: string;
  role: Role;
  company: string;
  type: 'access';
  jti: string;
  iat: number;
  exp: number;
}

interface Keyring {
  kid: string;
  signing: KeyObject;
  known: Map<string, { key: KeyObject; publicPem: string }>;
}
/** Another process may have made a new key. */
const KEYRING_MS = 60_000;
/** A strange key id has us look again, but not for every one that somebody makes up. */
const STRANGE_MS = 2_000;
/** Longer than any access token lives. */
const RETIRED_MS = 25 * 3_600_000;
const KEY_DAYS = 90;
let keyring: Promise<Keyring> | undefined;
let readAt = 0;

async function readKeyring(): Promise<Keyring> {
  const since = new Date(Date.now() - RETIRED_MS);
  const stored = await signingKeyCollection()
    .find({ $or: [{ retiredAt: null }, { retiredAt: { $gt: since } }] })
    .sort({ createdAt: -1 })
    .toArray();
  const current = stored.find((one) => one.retiredAt === null);
  if (!current) {
    await addSigningKey();
    return readKeyring();
  }
  return {
    kid: current._id,
    signing: createPrivateKey(unseal('signing key', current.sealed)),
    known: new Map(
      stored.map((one) => [one._id, { key: createPublicKey(one.publicPem), publicPem: one.publicPem }]),
    ),
  };
}

async function addSigningKey(first = true): Promise<void> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const key: StoredSigningKey = {
    _id: first ? 'first' : createHash('sha256').update(publicPem).digest('base64url').slice(0, 16),
    sealed: seal('signing key', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
    publicPem,
    createdAt: new Date(),
    retiredAt: null,
  };
  try {
    await signingKeyCollection().insertOne(key);
  } catch (error) {
    if (!isDuplicate(error)) throw error;
  }
}

const ring = (atMostOld = KEYRING_MS): Promise<Keyring> => {
  if (performance.now() - readAt > atMostOld) keyring = undefined;
  if (!keyring) readAt = performance.now();
  keyring ??= readKeyring().catch((error) => {
    keyring = undefined;
    throw error;
  });
  return keyring;
};

/** A new key signs from now on; the others still verify what they signed. */
export async function rotateSigningKey(now: Date): Promise<void> {
  await addSigningKey(false);
  const newest = await signingKeyCollection()
    .find({ retiredAt: null })
    .sort({ createdAt: -1 })
    .limit(1)
    .next();
  if (newest)
    await signingKeyCollection().updateMany(
      { _id: { $ne: newest._id }, retiredAt: null },
      { $set: { retiredAt: now } },
    );
  keyring = undefined;
}

/** At each start: a key that has signed for a season is replaced, and long retired ones are forgotten. */
export async function tendSigningKeys(now: Date): Promise<void> {
  const before = new Date(now.getTime() - KEY_DAYS * 86_400_000);
  const current = await signingKeyCollection().findOne({ retiredAt: null }, { sort: { createdAt: -1 } });
  if (current && current.createdAt < before) await rotateSigningKey(now);
  await signingKeyCollection().deleteMany({ retiredAt: { $lt: new Date(now.getTime() - 2 * RETIRED_MS) } });
}

export async function signAccess(
  claims: Omit<Claims, 'iat' | 'exp' | 'type'>,
  minutes: number,
): Promise<string> {
  const { kid, signing } = await ring();
  return jwt.sign({ ...claims, type: 'access' }, signing, {
    algorithm: 'RS256',
    keyid: kid,
    issuer: ISSUER,
    audience: AUDIENCE,
    expiresIn: minutes * 60,
  });
}

const wrong = () => unauthorised('auth.token', 'This access token is not valid (any more). Sign in again.');

/** A token that was good stays good until it expires; whose it is, and whether they may still, is asked each time. */
const verified = new Map<string, Claims>();
const MOST_VERIFIED = 5_000;

/** Only our issuer, our audience, RS256, and a key of ours: never what the token itself says of how to check it. */
export async function verifyAccess(token: string): Promise<Claims> {
  const before = verified.get(token);
  if (before && before.exp * 1_000 > Date.now()) return before;
  const kid = jwt.decode(token, { complete: true })?.header.kid;
  if (!kid) throw wrong();
  const known = (await ring()).known.get(kid) ?? (await ring(STRANGE_MS)).known.get(kid);
  if (!known) throw wrong();
  try {
    const claims = jwt.verify(token, known.key, {
      algorithms: ['RS256'],
      issuer: ISSUER,
      audience: AUDIENCE,
    }) as Claims;
    const whole = [claims.sub, claims.jti].every((one) => typeof one === 'string') && claims.exp > 0;
    if (claims.type !== 'access' || !whole) throw wrong();
    if (verified.size >= MOST_VERIFIED) verified.clear();
    verified.set(token, claims);
    return claims;
  } catch {
    throw wrong();
  }
}

export async function publicKeys(): Promise<{ keys: Record<string, unknown>[] }> {
  const { known } = await ring();
  return {
    keys: [...known].map(([kid, { key }]) => ({
      ...key.export({ format: 'jwk' }),
      kid,
      alg: 'RS256',
      use: 'sig',
    })),
  };
}
