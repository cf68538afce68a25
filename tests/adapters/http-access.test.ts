// Every route for every role, for the other company, and for keys and tokens that are not good (any more): made from the
// table of routes, so that a new route is checked the day it is mounted.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { Registry } from 'prom-client';
import { Agent, fetch } from 'undici';
import type { Route } from '../../adapters/http/route.ts';
import { allRoutes } from '../../adapters/http/routes.ts';
import { openStreams } from '../../adapters/http/stream.ts';
import type { Config } from '../../src/config.ts';
import { openLog } from '../../src/log.ts';
import { type DEEDS, may, type Role, type Scope } from '../../src/people/access.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { signAccess } from '../../src/people/tokens.ts';
import { sampleOf } from '../support/samples.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

const streams = openStreams(openLog('silent'), () => Promise.reject(new Error('never asked')));
const operations = {
  config: { version: '0', BODY_LIMIT: 1_000_000, UPLOAD_MAX_FILE_SIZE: 1_000_000 } as Config,
  checks: {},
  registry: new Registry(),
  isDraining: () => false,
};
const routes = allRoutes(operations, [streams.route]);
const guarded = routes.filter((one) => one.deed !== 'anyone');
const named = (one: Route) => `${one.method.toUpperCase()} ${one.path}`;
const UNKNOWN = 'f'.repeat(24);

type Credentials = Record<string, string>;
let world: World;
let agent: Agent;
let other: string;
const callers = new Map<string, { credentials: Credentials; role?: Role; scopes?: Scope[] }>();
const seeded = new Map<string, string>();
let count = 0;

async function hired(role: Role, company = FIRST_COMPANY, minutes = 15): Promise<string> {
  count += 1;
  const id = count.toString(16).padStart(24, 'a');
  const email = `person${count}@example.com`;
  const at = new Date();
  await mongoose.connection.collection('users').insertOne({
    ...{ _id: id as never, company, email, username: email, fullName: `Person ${count}`, phoneNumber: null },
    ...{ role, teams: [], skills: [], timeZone: null, active: true, password: null },
    ...{ tokensSince: new Date(0), createdAt: at, updatedAt: at },
  });
  return signAccess({ sub: id, username: email, email, role, company, jti: `none.${count}` }, minutes);
}

const bearer = (token: string): Credentials => ({ authorization: `Bearer ${token}` });

interface Told {
  status: number;
  told: unknown;
}
async function ask(
  one: Pick<Route, 'method' | 'consumes' | 'body'>,
  path: string,
  who: Credentials,
): Promise<Told> {
  const sends = one.method !== 'get' && one.method !== 'delete';
  const body = one.consumes ? '' : JSON.stringify((one.body && sampleOf(one.body)) ?? {});
  const stop = new AbortController();
  const answer = await fetch(`${world.url}${path}`, {
    method: one.method.toUpperCase(),
    headers: { ...who, ...(sends ? { 'content-type': one.consumes ?? 'application/json' } : {}) },
    ...(sends ? { body } : {}),
    dispatcher: agent,
    signal: stop.signal,
  });
  const { status, headers } = answer;
  if (!/json/.test(headers.get('content-type') ?? '')) {
    stop.abort();
    return { status, told: null };
  }
  const { request_id: _, ...told } = JSON.parse((await answer.text()) || '{}');
  return { status, told };
}

/** The same path of nobody's things, or of the first company's. */
const filled = (path: string, ids: (name: string) => string) =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    name === 'which' ? 'auto_assign' : encodeURIComponent(ids(name)),
  );

beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
  agent = new Agent({ keepAliveTimeout: 1_000, connections: 8 });
  const admin = await world.admin();
  const call = (method: string, path: string, body?: object) =>
    world.call(method, `/api/v1/${path}`, { as: admin, ...(body ? { body } : {}) });
  other = (await call('POST', 'companies', { name: 'Other' })).body.id;
  for (const role of ['customer', 'agent', 'lead', 'manager', 'admin'] as const)
    callers.set(role, { credentials: bearer(await hired(role)), role });
  callers.set("another company's admin", { credentials: bearer(await hired('admin', other)), role: 'admin' });
  const key = async (scopes: Scope[]) => (await call('POST', 'api-keys', { name: 'a key', scopes })).body;
  const reading = await key(['read']);
  callers.set('a read-only key', {
    credentials: { 'x-api-key': reading.key },
    role: 'admin',
    scopes: ['read'],
  });
  const revoked = await key(['admin']);
  await call('DELETE', `api-keys/${revoked.id}`);
  callers.set('nobody', { credentials: {} });
  callers.set('a revoked key', { credentials: { 'x-api-key': revoked.key } });
  callers.set('an expired token', { credentials: bearer(await hired('admin', FIRST_COMPANY, -1)) });

  const ticket = (await call('POST', 'tickets', { title: 'Printer', category: 'technical' })).body;
  const said = { content: 'Hello', is_internal: true };
  const comment = (await call('POST', `tickets/${ticket.key}/comments`, said)).body;
  seeded.set('tickets', ticket.id).set('comments', comment.id);
  await call('POST', 'teams', { name: 'First line' });
  await call('POST', 'contacts', { name: 'Kim', email: 'kim@example.com' });
  await call('POST', 'workflows', {
    ...{ name: 'Printer rule', when: { events: ['created'] }, then: [{ do: 'escalate' }] },
  });
  await call('POST', 'macros', { name: 'Hello', body: 'Hello {{ requester.name }}' });
}, 60_000);
afterAll(async () => {
  await closeAll(agent, world);
});

describe('every route', () => {
  test.each(guarded.map((one) => [named(one), one] as const))('%s', async (_, one) => {
    const seen: Record<string, string> = {};
    const expected: Record<string, string> = {};
    const path = filled(one.path, () => UNKNOWN);
    const endsAnAccount = one.method === 'delete' && path === one.path;
    for (const [name, { credentials, role, scopes }] of callers) {
      const who = {
        kind: 'user',
        id: 'x',
        company: 'y',
        teams: [],
        role: role ?? 'customer',
        ...(scopes ? { scopes } : {}),
      } as const;
      const allowed = role !== undefined && may(who, one.deed as keyof typeof DEEDS);
      if (allowed && endsAnAccount) continue;
      expected[name] = role === undefined ? 'unauthorised' : allowed ? 'let in' : 'forbidden';
      const { status, told } = await ask(one, path, credentials);
      seen[name] =
        status === 401
          ? 'unauthorised'
          : status === 403 && (told as { error_code?: string }).error_code === 'E_ACCESS'
            ? 'forbidden'
            : status < 500
              ? 'let in'
              : `failed with ${status}`;
      if (allowed && path !== one.path && status < 300) seen[name] = `found what does not exist (${status})`;
    }
    expect(seen).toEqual(expected);
  });

  test('that is open to anybody is meant to be', () => {
    const open = routes.filter((one) => one.deed === 'anyone').map((one) => one.path);
    const known = [
      /^\/(health|ready|metrics|openapi\.json|docs.*)?$/,
      /^\/\.well-known\/jwks\.json$/,
      /^\/api\/v1\/auth\/(login|register|refresh|logout)$/,
      /^\/hooks\//,
      /^\/api\/v1\/(unsubscribe|notifications\/unsubscribe|attachments\/upload|attachments\/download)/,
      /unsubscribe|signed|uploads?/,
    ];
    expect(open.filter((path) => !known.some((one) => one.test(path)))).toEqual([]);
  });
});

describe("another company's things are answered like things that do not exist", () => {
  const withIds = guarded.filter((one) => one.path.includes('{'));
  const found = new Map<string, string>();
  beforeAll(async () => {
    for (const room of new Set(withIds.map((one) => one.path.split('/')[3] ?? ''))) {
      const list = await world.call('GET', `/api/v1/${room}`, { as: await world.admin() });
      const ids: string[] = (list.body?.items ?? []).map((item: { id: unknown }) => String(item.id));
      const id = ids.find((one) => /^[0-9a-f]{24}/.test(one));
      if (id) found.set(room, id);
    }
    for (const [room, id] of seeded) found.set(room, id);
  }, 60_000);

  test.each(withIds.map((one) => [named(one), one] as const))('%s', async (_, one) => {
    const theirs = callers.get("another company's admin")?.credentials ?? {};
    const room = one.path.split('/')[3] ?? '';
    const id = found.get(room) ?? found.get('tickets') ?? '';
    const real = await ask(
      one,
      filled(one.path, (name) => (name === 'id' ? id : (found.get('users') ?? ''))),
      theirs,
    );
    const unknown = await ask(
      one,
      filled(one.path, () => UNKNOWN),
      theirs,
    );
    expect(real).toEqual(unknown);
    expect([400, 403, 404, 415]).toContain(real.status);
  });

  test('and lists, searches and counts never show them', async () => {
    const theirs = callers.get("another company's admin")?.credentials ?? {};
    for (const one of guarded.filter(
      (one) => one.method === 'get' && !one.path.includes('{') && !one.produces,
    )) {
      const { told } = await ask(one, one.path, theirs);
      const text = JSON.stringify(told);
      expect({
        path: one.path,
        found: text.match(/Printer|kim@example|First line|admin@company/)?.[0],
      }).toEqual({
        path: one.path,
      });
    }
  });
});

describe('the same door by another name', () => {
  test('is the same decision: letter case, slashes, encodings, methods that pretend', async () => {
    const customer = callers.get('customer')?.credentials ?? {};
    const get = { method: 'get' } as const;
    for (const path of [
      '/api/v1/USERS',
      '/api/v1/Users',
      '/API/v1/users',
      '/api/v1//users',
      '//api/v1/users',
      '/api/v1/users/',
      '/api/v1/users//',
      '/api/v1/%75sers',
      '/api/v1/users%2f',
      '/api/v1/./users',
      '/api/v1/teams/../users',
      '/api/v1/teams/%2e%2e/users',
      '/api/v1/users;x=1',
      '/api/v1/users.json',
      '/api/v1/users/me/../',
    ]) {
      const { status } = await ask(get, path, customer);
      expect({ path, let: [401, 403, 404].includes(status) }).toEqual({ path, let: true });
    }
    const pretences: Credentials[] = [
      { 'x-http-method-override': 'DELETE' },
      { 'x-method-override': 'DELETE' },
      { 'x-original-url': '/health' },
      { 'x-rewrite-url': '/health' },
      { 'x-forwarded-for': '127.0.0.1' },
      { 'x-role': 'admin', 'x-user': 'admin@company.com' },
    ];
    for (const headers of pretences)
      expect((await ask(get, '/api/v1/users', { ...customer, ...headers })).status).toBe(403);
    expect((await ask(get, '/api/v1/users?_method=DELETE', customer)).status).toBe(403);
    const head = await fetch(`${world.url}/api/v1/users`, {
      method: 'HEAD',
      headers: customer,
      dispatcher: agent,
    });
    expect(head.status).toBe(403);
  });
});
