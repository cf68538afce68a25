// Signing in over HTTP, and whose request this is.
import type { Request } from 'express';
import { z } from 'zod';
import type { Config } from '../../src/config.ts';
import type { Actor, Ctx } from '../../src/context.ts';
import { forbidden, unauthorised, unknown } from '../../src/errors.ts';
import { pageOf } from '../../src/lists.ts';
import { DEEDS, type Deed, may, permissions, ROLES, SCOPES } from '../../src/people/access.ts';
import { auditQuery, auditTrail, note } from '../../src/people/audit.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { recogniseKey } from '../../src/people/keys.ts';
import {
  loginInput,
  logoutInput,
  recognise,
  refresh,
  refreshInput,
  signIn,
  signOut,
} from '../../src/people/sessions.ts';
import { publicKeys, rotateSigningKey } from '../../src/people/tokens.ts';
import { userShape } from '../../src/people/user.ts';
import { readUser, register, registerInput } from '../../src/people/users.ts';
import { type Route, route } from './route.ts';

const bearer = (req: Request): string | undefined =>
  /^bearer +([\w.~+/=-]+) *$/i.exec(req.get('authorization') ?? '')?.[1];

/** By access token or by API key; a key is also taken where a token stands. */
export const identifier =
  (at: Pick<Ctx, 'now' | 'log'>) =>
  async (req: Request): Promise<Actor> => {
    const token = bearer(req);
    const key = req.get('x-api-key') ?? (token?.startsWith('sb_') ? token : undefined);
    if (key !== undefined) return recogniseKey(at, key, req.ip);
    if (token !== undefined) return recognise(token);
    throw unauthorised(
      'auth.missing',
      'Sign in first: send Authorization: Bearer <access token>, or X-API-Key.',
    );
  };

const signedIn = z
  .object({
    accessToken: z.string(),
    refreshToken: z.string(),
    tokenType: z.literal('Bearer'),
    expiresIn: z.int(),
    user: userShape,
  })
  .meta({ id: 'SignedIn' });

const jwk = z.object({
  kid: z.string(),
  kty: z.literal('RSA'),
  alg: z.literal('RS256'),
  use: z.literal('sig'),
  n: z.string(),
  e: z.string(),
});

export function authRoutes(config: Config): Route[] {
  const life = {
    accessMinutes: config.ACCESS_TOKEN_EXPIRE_MINUTES,
    refreshDays: config.REFRESH_TOKEN_EXPIRE_DAYS,
  };
  const rules = { allowed: config.ALLOW_REGISTRATION, firstCompany: FIRST_COMPANY };
  return [
    route({
      method: 'post',
      path: '/api/v1/auth/register',
      tag: 'Auth',
      summary: 'Register as a customer',
      description: 'Where the installation and the company allow it (ALLOW_REGISTRATION).',
      deed: 'anyone',
      noKey: true,
      status: 201,
      body: registerInput,
      answer: userShape,
      refuses: [403, 409, 429],
      run: ({ ctx, body, req }) => register(ctx, body, rules, req.ip),
    }),
    route({
      method: 'post',
      path: '/api/v1/auth/login',
      tag: 'Auth',
      summary: 'Sign in',
      description: 'Too many wrong passwords, for one account or from one address, are answered by 429.',
      deed: 'anyone',
      noKey: true,
      body: loginInput,
      answer: signedIn,
      refuses: [401, 429],
      run: ({ ctx, body, req }) => signIn(ctx, body, life, req.ip),
    }),
    route({
      method: 'post',
      path: '/api/v1/auth/refresh',
      tag: 'Auth',
      summary: 'Stay signed in',
      description:
        'A refresh token is good once. Using an old one again ends its whole family. The same token arriving ' +
        'again before the first answer was given (two tabs at once) is the same refresh, with the same answer.',
      deed: 'anyone',
      noKey: true,
      body: refreshInput,
      answer: signedIn,
      refuses: [401],
      run: ({ ctx, body }) => refresh(ctx, body.refreshToken, life),
    }),
    route({
      method: 'post',
      path: '/api/v1/auth/logout',
      tag: 'Auth',
      summary: 'Sign out',
      description: 'Ends the session of the access token, of the refresh token, or of both.',
      deed: 'anyone',
      noKey: true,
      body: logoutInput,
      refuses: [401],
      run: ({ ctx, body, req }) => signOut(ctx, body, bearer(req)),
    }),
    route({
      method: 'get',
      path: '/api/v1/auth/me',
      tag: 'Auth',
      summary: 'Who am I, and what may I do',
      deed: 'self.read',
      answer: userShape.extend({
        operator: z.boolean(),
        scopes: z.array(z.enum(SCOPES)).nullable(),
        permissions: z.array(z.string()),
      }),
      run: async ({ ctx: { actor }, ctx }) => {
        if (actor.kind !== 'user') throw unknown('user');
        return {
          ...(await readUser(ctx, actor.id)),
          operator: actor.operator ?? false,
          scopes: actor.scopes ?? null,
          permissions: (Object.keys(DEEDS) as Deed[]).filter((deed) => may(actor, deed)),
        };
      },
    }),
    route({
      method: 'get',
      path: '/.well-known/jwks.json',
      tag: 'Auth',
      summary: 'The keys that verify our access tokens',
      deed: 'anyone',
      answer: z.object({ keys: z.array(jwk) }),
      run: () => publicKeys(),
    }),
    route({
      method: 'post',
      path: '/api/v1/auth/rotate-signing-key',
      tag: 'Auth',
      summary: 'Sign access tokens with a new key from now on',
      description: 'Tokens signed before stay good until they expire. Operators only.',
      deed: 'company.manage',
      body: z.strictObject({}),
      answer: z.object({ keys: z.array(jwk) }),
      refuses: [403],
      run: async ({ ctx }) => {
        if (!ctx.actor.operator)
          throw forbidden(
            'auth.operator',
            'Only administrators of the first company rotate the signing key.',
          );
        await rotateSigningKey(ctx.now());
        await note(ctx, 'auth.signing_key_rotated', null);
        return publicKeys();
      },
    }),
    route({
      method: 'get',
      path: '/api/v1/permissions',
      tag: 'Auth',
      summary: 'Which role may do what',
      deed: 'self.read',
      answer: z.object({
        items: z.array(z.object({ deed: z.string(), says: z.string(), roles: z.array(z.enum(ROLES)) })),
      }),
      run: async () => ({ items: permissions() }),
    }),
    route({
      method: 'get',
      path: '/api/v1/audit',
      tag: 'Auth',
      summary: 'What was done to people: roles, keys, sessions, links',
      deed: 'people.manage',
      query: auditQuery,
      answer: pageOf(
        z.object({
          id: z.string(),
          at: z.date(),
          action: z.string(),
          by: z.object({ kind: z.string(), id: z.string(), name: z.string() }),
          via: z.string(),
          request: z.string(),
          subjectId: z.string().nullable(),
          facts: z.record(z.string(), z.unknown()),
        }),
      ),
      run: ({ ctx, query }) => auditTrail(ctx, query),
    }),
  ];
}
