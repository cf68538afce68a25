// Signing in over HTTP, and whose request this is.
import type { Request } from 'express';
import { z } from 'zod';
import type { Config } from '../../src/config.ts';
import type { Actor } from '../../src/context.ts';
import { unauthorised } from '../../src/errors.ts';
import { loginInput, recognise, signIn } from '../../src/people/sessions.ts';
import { publicKeys } from '../../src/people/tokens.ts';
import { type Route, route } from './route.ts';

export async function identify(req: Request): Promise<Actor> {
  const [scheme, token] = (req.get('authorization') ?? '').split(' ');
  if (scheme?.toLowerCase() === 'bearer' && token) return recognise(token);
  throw unauthorised(
    'auth.missing',
    'Sign in first: send Authorization: Bearer <access token>, or X-API-Key.',
  );
}

const userShape = z
  .object({ id: z.string(), email: z.string(), username: z.string(), role: z.string() })
  .loose();

export function authRoutes(config: Config): Route[] {
  const life = {
    accessMinutes: config.ACCESS_TOKEN_EXPIRE_MINUTES,
    refreshDays: config.REFRESH_TOKEN_EXPIRE_DAYS,
  };
  return [
    route({
      method: 'post',
      path: '/api/v1/auth/login',
      tag: 'Auth',
      summary: 'Sign in',
      deed: 'anyone',
      noKey: true,
      body: loginInput,
      answer: z.object({
        accessToken: z.string(),
        refreshToken: z.string(),
        tokenType: z.string(),
        expiresIn: z.number(),
        user: userShape,
      }),
      run: ({ body, ctx }) => signIn(body, life, ctx.now()),
    }),
    route({
      method: 'get',
      path: '/.well-known/jwks.json',
      tag: 'Auth',
      summary: 'The keys that verify our access tokens',
      deed: 'anyone',
      answer: z.object({ keys: z.array(z.object({ kid: z.string() }).loose()) }),
      run: () => publicKeys(),
    }),
    route({
      method: 'get',
      path: '/api/v1/auth/me',
      tag: 'Auth',
      summary: 'Who am I',
      deed: 'self.read',
      answer: z.object({ id: z.string(), name: z.string(), role: z.string(), company: z.string() }).loose(),
      run: async ({ ctx }) => ctx.actor,
    }),
  ];
}
