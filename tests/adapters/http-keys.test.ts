// API keys over HTTP: what they may do, and when they stop.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hire } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let admin: string;
beforeAll(async () => {
  world = await openWorld();
  admin = await world.admin();
});
afterAll(() => world.close());

describe('API keys', () => {
  const makeKey = (as: string, body: object) => world.call('POST', '/api/v1/api-keys', { as, body });

  test('are shown once, kept as a hash, act within their scopes, and are void the moment they are revoked', async () => {
    const made = await makeKey(admin, { name: 'reader', scopes: ['read'] });
    expect(made.status).toBe(201);
    const key = String(made.body.key);
    expect(key).toMatch(/^sb_[0-9a-f]{24}_[\w-]{43}$/);
    const mongoose = (await import('mongoose')).default;
    const stored = JSON.stringify(await mongoose.connection.collection('api_keys').find().toArray());
    expect(stored).not.toContain(key.slice(-43));
    const listed = await world.call('GET', '/api/v1/api-keys', { as: admin });
    expect(JSON.stringify(listed.body)).not.toContain(key.slice(-43));
    const use = (method: string, path: string, body?: object) =>
      world.call(method, path, { headers: { 'x-api-key': key }, ...(body ? { body } : {}) });
    expect((await use('GET', '/api/v1/users')).status).toBe(200);
    expect((await use('POST', '/api/v1/users', { email: 'x@example.com' })).status).toBe(403);
    expect((await use('POST', '/api/v1/api-keys', { name: 'more' })).status).toBe(403);
    expect((await world.call('DELETE', `/api/v1/api-keys/${made.body.id}`, { as: admin })).status).toBe(204);
    expect((await use('GET', '/api/v1/users')).status).toBe(401);
  });

  test('that only read cannot change a ticket by a macro', async () => {
    const made = (path: string, body: object) => world.call('POST', `/api/v1/${path}`, { as: admin, body });
    const { key } = (await made('api-keys', { name: 'reader', scopes: ['read'] })).body;
    const ticket = (await made('tickets', { title: 'Not to be touched' })).body.id;
    const macro = (await made('macros', { name: 'Thanks', body: 'Thank you.' })).body.id;
    const used = await world.call('POST', `/api/v1/tickets/${ticket}/macro`, { as: key, body: { macro } });
    expect(used.status).toBe(403);
  });

  test('expire, and are refused when altered in any way', async () => {
    const { body } = await makeKey(admin, {
      name: 'short',
      expires_at: new Date(Date.now() + 400).toISOString(),
    });
    const key = String(body.key);
    const use = async (text: string) =>
      (await world.call('GET', '/api/v1/users', { headers: { 'x-api-key': text } })).status;
    expect(await use(key)).toBe(200);
    for (const other of [
      `${key}a`,
      key.slice(0, -1),
      key.toUpperCase(),
      `sb_${body.id}_`,
      'sb_',
      'x',
      `sb_${'0'.repeat(24)}_${key.slice(-43)}`,
    ])
      expect(await use(other)).toBe(401);
    let status = 200;
    for (const until = Date.now() + 3_000; status === 200 && Date.now() < until; ) status = await use(key);
    expect(status).toBe(401);
  });

  test('of others are not there for an agent', async () => {
    const agent = await hire(world, 'Anna', 'agent');
    const { id, user_id } = (await makeKey(admin, { name: 'theirs' })).body;
    expect((await agent.call('DELETE', `api-keys/${id}`)).status).toBe(404);
    expect((await agent.call('POST', 'api-keys', { name: 'as admin', user_id })).status).toBe(403);
    const own = await agent.call('POST', 'api-keys', { name: 'own', scopes: ['admin'] });
    expect((await world.call('GET', '/api/v1/audit', { as: own.body.key })).status).toBe(403);
  });
});
