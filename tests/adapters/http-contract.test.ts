// The API and its document say the same: every documented route is served, every answer is one that the document
// allows, and nothing that anybody sends makes it fail.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Contract, type Operation, readContract } from '../support/contract.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let admin: string;
let contract: Contract;
/** Things that are there, by the collection they belong to. */
const there: Record<string, string> = {};

beforeAll(async () => {
  world = await openWorld();
  admin = await world.admin();
  contract = await readContract(world);
  const make = async (name: string, at: string, body: unknown) => {
    const answer = await world.call('POST', `/api/v1/${at}`, { as: admin, body });
    expect([name, answer.status]).toEqual([name, 201]);
    there[name] = answer.body.id;
    return answer.body;
  };
  await make('tickets', 'tickets', { title: 'A ticket' });
  await make('other', 'tickets', { title: 'Another ticket' });
  await make('comments', `tickets/${there.tickets}/comments`, { content: 'A reply', is_internal: false });
  await make('users', 'users', {
    email: 'ana@example.com',
    username: 'ana',
    full_name: 'Ana',
    role: 'agent',
    password: 'a long password',
  });
  await make('teams', 'teams', { name: 'Billing', description: 'Money', category: 'billing' });
  await make('contacts', 'contacts', { name: 'Bob', email: 'bob@example.com' });
  await make('workflows', 'workflows', {
    ...{ name: 'A rule', when: { events: ['created'] }, then: [{ do: 'add_tags', tags: ['new'] }] },
  });
  await make('desks', 'desks', { key: 'OPS', name: 'Operations', preset: 'devops' });
  there.companies =
    (await world.call('GET', '/api/v1/auth/me', { as: admin })).body.company_id ??
    (await world.call('GET', '/api/v1/companies', { as: admin })).body.items[0].id;
}, 60_000);
afterAll(() => world.close());

/** Some of what is asked signs out. */
async function signInAgain() {
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = world.config;
  admin = (await world.call('POST', '/api/v1/auth/login', { body: { email, password } })).body.access_token;
  expect((await world.call('GET', '/api/v1/auth/me', { as: admin })).status).toBe(200);
}

const idFor = (path: string, name: string): string => {
  const before =
    path
      .slice(0, path.indexOf(`{${name}}`))
      .split('/')
      .filter(Boolean)
      .at(-1) ?? '';
  if (name === 'user_id') return there.users ?? 'none';
  return there[before] ?? 'f'.repeat(24);
};

/** Deleting and signing out come last, streams end by themselves only when somebody hangs up. */
const order = (operation: Operation): number =>
  operation.method === 'DELETE' || /erase|logout|merge$/.test(operation.path)
    ? 2
    : operation.method === 'GET'
      ? 1
      : 0;
const isStream = (operation: Operation): boolean => operation.path === '/api/v1/stream';
const isForm = (operation: Operation): boolean =>
  operation.method !== 'GET' && operation.method !== 'DELETE' && operation.body === undefined;

async function ask(operation: Operation, body: unknown, query = '', id = idFor) {
  const at = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(id(operation.path, name)),
  );
  return world.call(operation.method, `${at}${query}`, { as: admin, ...(operation.body ? { body } : {}) });
}

describe('every documented route', () => {
  test('is served, and answers as the document says, for something that is there', async () => {
    const complaints: string[] = [];
    for (const operation of [...contract.operations].sort((a, b) => order(a) - order(b))) {
      if (isStream(operation) || /users\/me$|logout|companies\/\{id\}$/.test(operation.path)) continue;
      const answer = await ask(operation, operation.example);
      if (answer.body?.error_code === 'E_ROUTE_NOT_FOUND')
        complaints.push(`${operation.method} ${operation.path} is not served`);
      complaints.push(
        ...contract.judge(operation, answer.status, answer.headers.get('content-type') ?? '', answer.body),
      );
    }
    expect(complaints).toEqual([]);
  }, 120_000);

  test('answers as the document says for something that is not there, and to somebody unknown', async () => {
    const complaints: string[] = [];
    for (const operation of contract.operations) {
      if (isStream(operation) || !operation.path.startsWith('/api/v1')) continue;
      const answer = await ask(operation, operation.example, '', () => 'e'.repeat(24));
      complaints.push(
        ...contract.judge(operation, answer.status, answer.headers.get('content-type') ?? '', answer.body),
      );
      const stranger = await world.call(
        operation.method,
        operation.path.replaceAll(/\{\w+\}/g, 'x'),
        operation.body ? { body: {} } : {},
      );
      complaints.push(
        ...contract.judge(
          operation,
          stranger.status,
          stranger.headers.get('content-type') ?? '',
          stranger.body,
        ),
      );
    }
    expect(complaints).toEqual([]);
  }, 120_000);
});

describe('whoever names the version of a ticket that they read', () => {
  beforeAll(signInAgain);
  test('is refused when somebody was quicker, whatever they wanted to do to it', async () => {
    const make = async (path: string, body: unknown) =>
      (await world.call('POST', `/api/v1/${path}`, { as: admin, body })).body;
    const [{ id }, other] = [
      await make('tickets', { title: 'Stale' }),
      await make('tickets', { title: 'Other' }),
    ];
    const macro = await make('macros', { name: 'Thanks', body: 'Thank you' });
    const person = await make('users', { email: 'watcher@example.com', role: 'agent' });
    await make('desks', { key: 'ELSE', name: 'Elsewhere' });
    const bodies: Record<string, unknown> = {
      merge: { into: other.key },
      links: { ticket_id: other.key },
      move: { desk: 'ELSE' },
      macro: { macro_id: macro.id },
      snooze: { until: '2999-01-01T00:00:00Z' },
      assign: { assignee_id: null },
      '{id}': { title: 'Mine' },
      comments: { content: 'Hello' },
    };
    const at = (path: string) => path.replace('{id}', id).replace('{user_id}', person.id);
    const asked = contract.operations.filter(({ parameters }) =>
      parameters.some((one) => one.name === 'If-Match'),
    );
    expect(asked.length).toBeGreaterThan(20);
    for (const { method, path, example, body } of asked) {
      const deed = path.split('/').at(-1) ?? '';
      // Linked already, so that there is something to unlink; not merged, so that there is nothing to take apart.
      if ((method === 'DELETE' && deed === 'links') || deed === 'unmerge') continue;
      const answer = await world.call(method, at(path), {
        as: admin,
        headers: { 'if-match': '"999"' },
        ...(body ? { body: bodies[deed] ?? example } : {}),
      });
      expect([method, path, answer.status]).toEqual([method, path, 412]);
    }
    const { items } = (await world.call('GET', `/api/v1/tickets/${id}/history`, { as: admin })).body;
    const theirs = items.filter((one: { actor: { kind: string } }) => one.actor.kind === 'user');
    expect(theirs.map((one: { action: string }) => one.action)).toEqual(['created']);
  });
});

const NASTY: unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  -1e-308,
  2 ** 53 + 2,
  '',
  ' ',
  'x'.repeat(70_000),
  '\u0000',
  '\ud800',
  '\u202e',
  "'; DROP TABLE tickets; --",
  '{"$gt":""}',
  { $gt: '' },
  { $where: 'sleep(1000)' },
  { constructor: { prototype: { polluted: true } } },
  [],
  [[]],
  [null],
  {},
  { a: { b: { c: {} } } },
  '../../etc/passwd',
  '%00',
  '<!channel> <script>alert(1)</script>',
  '2026-02-30T99:99:99Z',
  'NaN',
  '0x10',
  'é'.normalize('NFD'),
  '(a+)+$',
  '🦄'.repeat(200),
  ['a', 'a', 'a'],
  { length: 1e9 },
  'me',
  '-0',
  '\r\nX-Injected: 1',
  '999999999999999999999999',
];
const REQUESTS = 5_000;

describe('whatever is sent', () => {
  beforeAll(signInAgain);
  test('it answers with a reason, and never fails', async () => {
    const answered = new Map<number, number>();
    let state = 42;
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const nasty = () => NASTY[random(NASTY.length)];
    const targets = contract.operations.filter(
      (operation) =>
        !isStream(operation) &&
        !isForm(operation) &&
        operation.path.startsWith('/api/v1') &&
        !/logout|auth\/(login|register)|export|users\/me$|companies/.test(operation.path),
    );
    const failures: string[] = [];
    let sent = 0;
    const one = async () => {
      const operation = targets[random(targets.length)];
      if (!operation) return;
      let body: unknown;
      if (operation.body) {
        const fields = { ...(operation.example as Record<string, unknown>) };
        const names = Object.keys((operation.body.properties ?? {}) as object);
        for (let times = 1 + random(3); times > 0; times--)
          fields[names[random(names.length)] ?? 'x'] = nasty();
        body =
          random(12) === 0 ? nasty() : random(12) === 1 ? { ...fields, [`__proto_${random(9)}`]: 1 } : fields;
      }
      const queries = operation.parameters.filter((parameter) => parameter.in === 'query');
      const words = Array.from(
        { length: random(3) },
        () => [queries[random(queries.length)]?.name ?? 'x', nasty()] as const,
      ).map(
        ([name, value]) =>
          `${name}${random(8) === 0 ? '[$ne]' : ''}=${encodeURIComponent((typeof value === 'object' ? JSON.stringify(value) : String(value)).toWellFormed().slice(0, 500))}`,
      );
      const id = (path: string, name: string) =>
        random(3) === 0 ? String(nasty()).toWellFormed().slice(0, 60) || 'x' : idFor(path, name);
      const answer = await ask(operation, body, words.length ? `?${words.join('&')}` : '', id);
      answered.set(answer.status, (answered.get(answer.status) ?? 0) + 1);
      if (
        answer.status >= 500 ||
        /at .*\.(ts|js):\d+|MongoServerError|BSON/.test(JSON.stringify(answer.body))
      )
        failures.push(
          `${operation.method} ${operation.path} ${answer.status} ${JSON.stringify(body)?.slice(0, 300)} ${words.join('&').slice(0, 200)}`,
        );
    };
    const hand = async () => {
      while (sent < REQUESTS) {
        sent++;
        await one();
      }
    };
    await Promise.all(Array.from({ length: 8 }, hand));
    expect([...new Set(failures)].slice(0, 20)).toEqual([]);
    // Whoever is not signed in would learn nothing of what a route does: only a refresh token may be wrong.
    expect(answered.get(401) ?? 0).toBeLessThan(REQUESTS / 50);
    expect(answered.get(200)).toBeGreaterThan(REQUESTS / 20);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect((await world.call('GET', '/ready')).status).toBe(200);
  }, 240_000);
});
