// Signing in over HTTP: who gets a token, which tokens are believed, and when they stop being.
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let admin: string;
beforeAll(async () => {
  world = await openWorld({ env: { ALLOW_REGISTRATION: 'true' } });
  admin = await world.admin();
});
afterAll(() => world.close());

const PASSWORD = 'a rather long one';
let count = 0;
async function newUser(role = 'agent') {
  count += 1;
  const email = `user${count}@example.com`;
  const made = await world.call('POST', '/api/v1/users', {
    as: admin,
    body: { email, password: PASSWORD, role, full_name: `User ${count}` },
  });
  expect(made.status).toBe(201);
  return { id: String(made.body.id), email };
}
const login = (email: string, password = PASSWORD) =>
  world.call('POST', '/api/v1/auth/login', { body: { email, password } });
const me = (as?: string) => world.call('GET', '/api/v1/auth/me', as === undefined ? {} : { as });
const refresh = (refresh_token: string) =>
  world.call('POST', '/api/v1/auth/refresh', { body: { refresh_token } });

describe('signing in', () => {
  test('answers both tokens and the user, never the password', async () => {
    const { email, id } = await newUser();
    const { status, body } = await login(email);
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 900, user: { id, email, role: 'agent' } });
    expect(JSON.stringify(body)).not.toMatch(/argon2|tokens_since/);
    const claims = jwt.decode(body.access_token) as jwt.JwtPayload;
    expect(claims).toMatchObject({ sub: id, email, role: 'agent', type: 'access' });
    expect(Number(claims.exp) - Number(claims.iat)).toBe(900);
  });

  test('works by user name, in any letter case', async () => {
    await world.call('POST', '/api/v1/users', {
      as: admin,
      body: { email: 'kim@example.com', username: 'Kim.L', password: PASSWORD },
    });
    const answer = await world.call('POST', '/api/v1/auth/login', {
      body: { username: 'KIM.l', password: PASSWORD },
    });
    expect(answer.status).toBe(200);
  });

  test('says the same of a wrong password, an unknown account and a closed one', async () => {
    const { email, id } = await newUser();
    const wrong = await login(email, 'not the right one');
    await world.call('POST', `/api/v1/users/${id}/deactivate`, { as: admin, body: {} });
    const closed = await login(email);
    const unknown = await login('nobody@example.com');
    for (const { status, body } of [wrong, closed, unknown])
      expect({ status, detail: body.detail, code: body.error_code }).toEqual({
        status: 401,
        detail: wrong.body.detail,
        code: 'E_AUTH_CREDENTIALS',
      });
  });

  test('takes words only: operators, lists and numbers are refused before the database is asked', async () => {
    for (const email of [{ $gt: '' }, { $ne: null }, ['admin@company.com'], 1, null, { toString: 'x' }]) {
      const { status } = await world.call('POST', '/api/v1/auth/login', {
        body: { email, password: PASSWORD },
      });
      expect(status).toBe(400);
    }
    for (const password of [{ $gt: '' }, ['x'], 7, null]) {
      const body = { email: 'admin@company.com', password };
      expect((await world.call('POST', '/api/v1/auth/login', { body })).status).toBe(400);
    }
    const { status } = await world.call('POST', '/api/v1/auth/refresh', {
      body: { refresh_token: { $ne: 1 } },
    });
    expect(status).toBe(400);
  });
});

describe('guessing', () => {
  test('an account is slowed down after ten wrong passwords, known or not', async () => {
    const { email } = await newUser();
    for (const name of [email, 'ghost@example.com']) {
      const seen: number[] = [];
      let last = await login(name, 'wrong');
      while (last.status === 401 && seen.length < 40) {
        seen.push(last.status);
        last = await login(name, 'wrong');
      }
      expect(last.status).toBe(429);
      expect(seen.length).toBeGreaterThanOrEqual(10);
      expect(Number(last.headers.get('retry-after'))).toBeGreaterThan(0);
    }
  });

  test('a place from which one signs in has a bucket of its own', async () => {
    const { email } = await newUser();
    expect((await login(email)).status).toBe(200);
    const { signIn } = await import('../../src/people/sessions.ts');
    const { systemCtx } = await import('../../src/context.ts');
    const { openLog } = await import('../../src/log.ts');
    const at = new Date();
    const ctx = systemCtx({ log: openLog('silent'), now: () => at }, '');
    const life = { accessMinutes: 15, refreshDays: 30 };
    const guess = (password: string, from: string) => signIn(ctx, { email, password }, life, from);
    for (let i = 0; i < 12; i++) await guess('wrong', '203.0.113.9').catch(() => undefined);
    await expect(guess(PASSWORD, '203.0.113.9')).rejects.toMatchObject({ kind: 'busy' });
    expect((await login(email)).status).toBe(200);
  });
});

describe('tokens that are not ours', () => {
  const forged = async () => {
    const { email } = await newUser('admin');
    const { body } = await login(email);
    const claims = jwt.decode(body.access_token) as jwt.JwtPayload;
    const { kid } = (jwt.decode(body.access_token, { complete: true }) as jwt.Jwt).header;
    const keys = (await world.call('GET', '/.well-known/jwks.json')).body.keys;
    return {
      good: String(body.access_token),
      refreshToken: String(body.refresh_token),
      claims,
      kid: String(kid),
      keys,
    };
  };
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

  test('are refused: none, HS256 with the public key, other keys, kid tricks, other issuer or audience, expired', async () => {
    const { good, refreshToken, claims, kid, keys } = await forged();
    expect((await me(good)).status).toBe(200);
    const { createPublicKey } = await import('node:crypto');
    const pem = createPublicKey({ key: keys[0], format: 'jwk' }).export({ type: 'spki', format: 'pem' });
    const mine = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const hs = (header: object) => {
      const head = `${encode(header)}.${encode(claims)}`;
      return `${head}.${createHmac('sha256', pem).update(head).digest('base64url')}`;
    };
    const rs = (header: object, change: object = {}) =>
      jwt.sign({ ...claims, ...change }, mine, { algorithm: 'RS256', header: { alg: 'RS256', ...header } });
    const [head, body, signature] = good.split('.');
    const tokens = {
      none: `${encode({ alg: 'none', kid })}.${encode(claims)}.`,
      None: `${encode({ alg: 'None', kid })}.${body}.${signature}`,
      'HS256 with the public key': hs({ alg: 'HS256', kid, typ: 'JWT' }),
      'another key, our kid': rs({ kid }),
      'kid is a path': rs({ kid: '../../../../dev/null' }),
      'kid is an operator': rs({ kid: { $ne: null } as unknown as string }),
      'kid is a prototype key': rs({ kid: '__proto__' }),
      'no kid': rs({}),
      'its own jwk': rs({ kid, jwk: mine.export({ format: 'jwk' }) }),
      'its own jku': rs({ kid: 'x', jku: `${world.url}/.well-known/jwks.json` }),
      'another body': `${head}.${encode({ ...claims, role: 'admin', sub: 'x' })}.${signature}`,
      'no signature': `${head}.${body}.`,
      'the refresh token': refreshToken,
      nonsense: 'nonsense',
      'two dots': '..',
      long: 'a'.repeat(8_000),
    };
    for (const [name, token] of Object.entries(tokens)) {
      const answer = await me(token);
      expect({ name, status: answer.status }).toEqual({ name, status: 401 });
    }
    expect((await me()).status).toBe(401);
  });

  test('are refused with our own key as well: expired, other issuer, other audience, not an access token', async () => {
    const { claims } = await forged();
    const { unseal } = await import('../../src/secrets.ts');
    const mongoose = (await import('mongoose')).default;
    const stored = await mongoose.connection.collection('signing_keys').findOne({ retiredAt: null });
    const pem = unseal('signing key', String(stored?.sealed));
    const signed = (change: object) =>
      jwt.sign(JSON.parse(JSON.stringify({ ...claims, ...change })), pem, {
        algorithm: 'RS256',
        keyid: String(stored?._id),
      });
    const now = Math.floor(Date.now() / 1_000);
    expect((await me(signed({}))).status).toBe(200);
    for (const change of [
      { exp: now - 1 },
      { exp: undefined },
      { iss: 'somebody' },
      { iss: undefined },
      { aud: 'another' },
      { aud: undefined },
      { type: 'refresh' },
      { type: undefined },
      { nbf: now + 600 },
      { sub: 'nobody' },
      { sub: { $ne: null } },
      { jti: undefined },
    ])
      expect({
        change,
        status: (await me(signed(change))).status,
      }).toEqual({
        change,
        status: 401,
      });
  });

  test('a rotated key signs, the one before still verifies, and both are published', async () => {
    const { email } = await newUser();
    const before = (await login(email)).body.access_token;
    const rotated = await world.call('POST', '/api/v1/auth/rotate-signing-key', { as: admin, body: {} });
    expect(rotated.status).toBe(200);
    const after = (await login(email)).body.access_token;
    const kid = (token: string) => (jwt.decode(token, { complete: true }) as jwt.Jwt).header.kid;
    expect(kid(after)).not.toBe(kid(before));
    const published = (await world.call('GET', '/.well-known/jwks.json')).body.keys.map(
      (key: { kid: string }) => key.kid,
    );
    expect(published).toEqual(expect.arrayContaining([kid(before), kid(after)]));
    expect([(await me(before)).status, (await me(after)).status]).toEqual([200, 200]);
  });
});

describe('staying signed in', () => {
  test('a refresh token is good once, and using it again ends the family for both', async () => {
    const { email, id } = await newUser();
    const first = (await login(email)).body;
    const second = await refresh(first.refresh_token);
    expect(second.status).toBe(200);
    expect(second.body.refresh_token).not.toBe(first.refresh_token);
    expect((await refresh(first.refresh_token)).status).toBe(401);
    expect((await refresh(second.body.refresh_token)).status).toBe(401);
    expect((await me(second.body.access_token)).status).toBe(401);
    const audit = await world.call('GET', `/api/v1/audit?subject_id=${id}&action=session.reuse_detected`, {
      as: admin,
    });
    expect(audit.body.total).toBe(1);
  });

  test('two tabs that refresh at the same moment get the same answer', async () => {
    const { email } = await newUser();
    const first = (await login(email)).body;
    const both = await Promise.all([refresh(first.refresh_token), refresh(first.refresh_token)]);
    expect(both.map((one) => one.status)).toEqual([200, 200]);
    expect(both[0]?.body.refresh_token).toBe(both[1]?.body.refresh_token);
    const next = await refresh(both[0]?.body.refresh_token);
    expect(next.status).toBe(200);
  });

  test('signing out ends the session at once, and no other', async () => {
    const { email } = await newUser();
    const [here, there] = [(await login(email)).body, (await login(email)).body];
    expect(
      (await world.call('POST', '/api/v1/auth/logout', { as: here.access_token, body: {} })).status,
    ).toBe(204);
    expect((await me(here.access_token)).status).toBe(401);
    expect((await refresh(here.refresh_token)).status).toBe(401);
    expect((await me(there.access_token)).status).toBe(200);
    const out = await world.call('POST', '/api/v1/auth/logout', {
      body: { refresh_token: there.refresh_token },
    });
    expect(out.status).toBe(204);
    expect((await me(there.access_token)).status).toBe(401);
  });

  test('a new password ends all sessions, and needs the old one', async () => {
    const { email } = await newUser();
    const [here, there] = [(await login(email)).body, (await login(email)).body];
    const change = (body: object) => world.call('PATCH', '/api/v1/users/me', { as: here.access_token, body });
    expect((await change({ password: 'another long one' })).status).toBe(400);
    expect((await change({ password: 'another long one', current_password: 'wrong' })).status).toBe(400);
    const done = await change({ password: 'another long one', current_password: PASSWORD });
    expect(done.status).toBe(200);
    for (const token of [here, there]) {
      expect((await me(token.access_token)).status).toBe(401);
      expect((await refresh(token.refresh_token)).status).toBe(401);
    }
    expect((await login(email)).status).toBe(401);
    expect((await login(email, 'another long one')).status).toBe(200);
  });

  test('whoever has a session but not the password is slowed down in guessing it', async () => {
    const { email } = await newUser();
    const as = (await login(email)).body.access_token;
    const guess = (current_password: string) =>
      world.call('PATCH', '/api/v1/users/me', {
        as,
        body: { password: 'another long one', current_password },
      });
    const guesses = [];
    for (let count = 0; count < 11; count++) guesses.push((await guess(`guess ${count}`)).status);
    expect(guesses).toEqual([...Array.from({ length: 10 }, () => 400), 429]);
    expect((await guess(PASSWORD)).headers.get('retry-after')).not.toBeNull();
  });

  test('a role taken away, and an account closed, count at the next request', async () => {
    const { email, id } = await newUser('manager');
    const token = (await login(email)).body.access_token;
    const list = () => world.call('GET', '/api/v1/users', { as: token });
    expect((await list()).status).toBe(200);
    await world.call('PATCH', `/api/v1/users/${id}`, { as: admin, body: { role: 'customer' } });
    expect((await list()).status).toBe(403);
    await world.call('POST', `/api/v1/users/${id}/deactivate`, { as: admin, body: {} });
    expect((await list()).status).toBe(401);
  });
});

describe('registering', () => {
  const register = (body: object) => world.call('POST', '/api/v1/auth/register', { body });

  test('makes a customer, who can sign in', async () => {
    const email = 'New.Person@Example.com';
    const { status, body } = await register({
      email,
      username: 'newbie',
      password: PASSWORD,
      phone_number: '1234567890',
    });
    expect(status).toBe(201);
    expect(body).toMatchObject({ email: 'new.person@example.com', username: 'newbie', role: 'customer' });
    expect((await login(email)).status).toBe(200);
    expect((await register({ email, password: PASSWORD })).status).toBe(409);
  });

  test('takes no field that is not for oneself', async () => {
    for (const more of [
      { role: 'admin' },
      { company: 'x' },
      { active: true },
      { team_ids: [] },
      { __v: 1 },
      { id: 'x' },
    ]) {
      const { status, body } = await register({
        email: `m${randomBytes(3).toString('hex')}@example.com`,
        password: PASSWORD,
        ...more,
      });
      expect({ more, status }).toEqual({ more, status: 400 });
      expect(body.details[0].message).toBe('is not a known field');
    }
  });

  test('is refused where the company does not allow it, and short passwords are', async () => {
    const closed = await register({ email: 'a@example.com', password: PASSWORD, company_id: 'f'.repeat(24) });
    expect(closed.status).toBe(403);
    expect((await register({ email: 'a@example.com', password: 'short' })).status).toBe(400);
  });
});
