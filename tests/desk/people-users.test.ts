// Users, companies and teams: who is changed by whom, and what each company sees of the others.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hireStaff, type Person, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
let operator: Pick<Person, 'call'>;
beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
  staff = await hireStaff(world);
  operator = await signedIn(world.config.ADMIN_EMAIL, world.config.ADMIN_PASSWORD);
});
afterAll(() => world.close());

const PASSWORD = 'a rather long one';
async function signedIn(email: string, password = PASSWORD): Promise<Pick<Person, 'call'>> {
  const { body } = await world.call('POST', '/api/v1/auth/login', { body: { email, password } });
  return {
    call: (method, path, body_, headers = {}) =>
      world.call(method, `/api/v1/${path}`, {
        as: body.access_token,
        headers,
        ...(body_ === undefined ? {} : { body: body_ }),
      }),
  };
}
let count = 0;
const newEmail = () => `p${++count}@example.com`;
const add = async (body: object = {}) =>
  (await staff.admin.call('POST', 'users', { email: newEmail(), ...body })).body;

describe('users', () => {
  test('are listed page by page, by number or by cursor, without a gap or a repeat', async () => {
    for (let i = 0; i < 7; i++) await add({ role: 'agent', full_name: `Paged ${i}` });
    const ids: string[] = [];
    let path = 'users?q=Paged&page_size=3';
    for (let page = 1; page <= 3; page++) {
      const { body } = await staff.agent.call('GET', path);
      expect(body).toMatchObject({ total: 7, page, page_size: 3 });
      ids.push(...body.items.map((one: { id: string }) => one.id));
      path = `users?q=Paged&page_size=3&cursor=${body.next_cursor}`;
    }
    expect(path).toContain('cursor=null');
    expect(new Set(ids).size).toBe(7);
    const second = await staff.agent.call('GET', 'users?q=Paged&page_size=3&page=2');
    expect(second.body.items.map((one: { id: string }) => one.id)).toEqual(ids.slice(3, 6));
  });

  test('are asked for within bounds: huge pages are cut, odd ones and foreign cursors refused', async () => {
    expect((await staff.agent.call('GET', 'users?page_size=1000000000')).body.page_size).toBe(100);
    const forged = Buffer.from(JSON.stringify(['createdAt', 'asc', 'string', { $gt: '' }, 'x', 1]));
    for (const odd of [
      'page=0',
      'page=-1',
      'page=1e9',
      'page=x',
      'page=1&page=2',
      'page_size=0',
      'cursor=nonsense',
      `cursor=${forged.toString('base64url')}`,
      'sort_by=password',
      'order=sideways',
      'role[$ne]=x',
      'password=x',
      'q[$regex]=.*',
    ])
      expect({ odd, status: (await staff.agent.call('GET', `users?${odd}`)).status }).toEqual({
        odd,
        status: 400,
      });
    const { body } = await staff.agent.call('GET', `users?q=${encodeURIComponent('(a+)+$')}`);
    expect(body.total).toBe(0);
  });

  test('are filtered by roles, any of them, in any letter case', async () => {
    const { body } = await staff.agent.call('GET', 'users?role=LEAD&role=manager');
    expect(body.items.map((one: { role: string }) => one.role).sort()).toEqual(['lead', 'manager']);
  });

  test('change what is theirs, and nothing that gives them more', async () => {
    const done = await staff.agent.call('PATCH', 'users/me', {
      full_name: 'Anna A.',
      time_zone: 'Europe/Berlin',
    });
    expect(done.body).toMatchObject({ full_name: 'Anna A.', time_zone: 'Europe/Berlin', role: 'agent' });
    for (const more of [
      { role: 'admin' },
      { active: true },
      { team_ids: [] },
      { company_id: 'x' },
      { id: 'x' },
      { created_at: '2020-01-01T00:00:00Z' },
      { tokens_since: 0 },
      { __v: 1 },
      { $set: { role: 'admin' } },
      { operator: true },
    ])
      expect({ more, status: (await staff.agent.call('PATCH', 'users/me', more)).status }).toEqual({
        more,
        status: 400,
      });
    expect((await staff.agent.call('PUT', `users/${staff.agent.id}`, { role: 'admin' })).status).toBe(403);
    expect((await staff.agent.call('PUT', `users/${staff.lead.id}`, { full_name: 'x' })).status).toBe(403);
    expect((await staff.customer.call('GET', `users/${staff.lead.id}`)).status).toBe(404);
    expect((await staff.customer.call('GET', `users/${staff.customer.id}`)).status).toBe(200);
    expect((await staff.agent.call('GET', 'users/me')).body.role).toBe('agent');
  });

  test('have names and addresses of their own, and a name is never another address', async () => {
    const { email, username } = await add({ username: 'kim' });
    for (const body of [{ email }, { email: email.toUpperCase() }, { email: newEmail(), username: 'KIM' }])
      expect((await staff.admin.call('POST', 'users', body)).status).toBe(409);
    expect(username).toBe('kim');
    expect((await staff.admin.call('POST', 'users', { email: newEmail(), username: email })).status).toBe(
      400,
    );
  });

  test('the last administrator can neither step down, nor be closed, nor go', async () => {
    const company = (await operator.call('POST', 'companies', { name: 'Lonely' })).body.id;
    const email = newEmail();
    const made = await operator.call('POST', 'users', {
      email,
      password: PASSWORD,
      role: 'admin',
      company_id: company,
    });
    const lonely = await signedIn(email);
    for (const [method, path, body] of [
      ['PATCH', `users/${made.body.id}`, { role: 'agent' }],
      ['DELETE', 'users/me', undefined],
      ['DELETE', `users/${made.body.id}`, undefined],
      ['POST', `users/${made.body.id}/deactivate`, {}],
    ] as const)
      expect((await lonely.call(method, path, body)).status).toBe(409);
  });

  test('of two administrators who put each other down at the same moment one stays', async () => {
    const company = (await operator.call('POST', 'companies', { name: 'Quarrel' })).body.id;
    for (const how of ['role', 'active', 'gone']) {
      const people = await Promise.all(
        [newEmail(), newEmail()].map(async (email) => {
          const body = { email, password: PASSWORD, role: 'admin', company_id: company };
          const { id } = (await operator.call('POST', 'users', body)).body;
          return { id, by: await signedIn(email) };
        }),
      );
      const others = (await people[0]?.by.call('GET', 'users?role=admin&page_size=100'))?.body.items ?? [];
      for (const { id } of others)
        if (!people.some((one) => one.id === id)) await people[0]?.by.call('DELETE', `users/${id}`);
      await Promise.all(
        people.map(({ by }, at) => {
          const path = `users/${people[1 - at]?.id}`;
          if (how === 'gone') return by.call('DELETE', path);
          return by.call('PATCH', path, how === 'role' ? { role: 'agent' } : { active: false });
        }),
      );
      const left = await Promise.all(people.map(async ({ by }) => (await by.call('GET', 'users/me')).body));
      expect([how, left.some(({ role, active }) => role === 'admin' && active)]).toEqual([how, true]);
    }
  });

  test('removed are gone at once, with their keys, and their address is free', async () => {
    const email = newEmail();
    const { id } = await add({ email, password: PASSWORD, role: 'agent', full_name: 'Leaver' });
    const leaver = await signedIn(email);
    const key = (await leaver.call('POST', 'api-keys', { name: 'mine' })).body.key;
    const ticket = (await staff.manager.call('POST', 'tickets', { title: 'In hand', assignee_id: id })).body;
    expect(ticket.assignee_id).toBe(id);
    expect((await staff.admin.call('DELETE', `users/${id}`)).status).toBe(204);
    expect((await staff.agent.call('GET', `tickets/${ticket.id}`)).body.assignee_id).toBeNull();
    expect((await leaver.call('GET', 'users/me')).status).toBe(401);
    const withKey = await world.call('GET', '/api/v1/users', { headers: { 'x-api-key': key } });
    expect(withKey.status).toBe(401);
    expect((await staff.admin.call('GET', `users/${id}`)).status).toBe(404);
    expect((await staff.admin.call('POST', 'users', { email })).status).toBe(201);
  });

  test('added twice with the same idempotency key are added once', async () => {
    const body = { email: newEmail(), full_name: 'Once' };
    const [one, two] = [
      await staff.admin.call('POST', 'users', body, { 'idempotency-key': 'add-once' }),
      await staff.admin.call('POST', 'users', body, { 'idempotency-key': 'add-once' }),
    ];
    expect(two.body).toEqual(one.body);
    expect(two.headers.get('idempotency-replayed')).toBe('true');
  });
});

describe('companies', () => {
  test('are opened by operators only, who add the first people and never see the tickets', async () => {
    const opened = await operator.call('POST', 'companies', {
      name: 'Acme',
      address: '123 Main St',
      email: 'ops@acme.com',
    });
    expect(opened).toMatchObject({ status: 201, body: { name: 'Acme', auto_assign: false, active: true } });
    const company = opened.body.id;
    const email = newEmail();
    const made = await operator.call('POST', 'users', {
      email,
      password: PASSWORD,
      role: 'admin',
      company_id: company,
    });
    expect(made.body).toMatchObject({ company_id: company, role: 'admin' });
    const acme = await signedIn(email);
    expect((await acme.call('GET', 'desks')).body.items).toMatchObject([{ key: 'TKT', is_default: true }]);
    const ticket = (await acme.call('POST', 'tickets', { title: 'Secret plans' })).body;
    expect(ticket.key).toBe('TKT-000001');
    expect((await operator.call('GET', `tickets/${ticket.id}`)).status).toBe(404);
    expect((await operator.call('GET', 'tickets?q=secret')).body.total).toBe(0);

    expect((await acme.call('POST', 'companies', { name: 'Mine too' })).status).toBe(403);
    expect((await acme.call('GET', 'companies')).body.items.map((one: { id: string }) => one.id)).toEqual([
      company,
    ]);
    expect((await acme.call('DELETE', `companies/${company}`)).status).toBe(403);
    expect((await operator.call('GET', 'companies?q=acme')).body.total).toBe(1);
    expect((await operator.call('GET', `users?company_id=${company}`)).body.total).toBe(1);
    const home = (await operator.call('GET', 'users/me')).body.company_id;
    expect((await acme.call('GET', `users?company_id=${home}`)).status).toBe(404);
    expect((await acme.call('POST', 'users', { email: newEmail(), company_id: home })).status).toBe(404);
    expect((await acme.call('PATCH', `companies/${home}`, { name: 'Ours' })).status).toBe(404);
  });

  test('have switches that turn with each pull', async () => {
    const id = (await operator.call('GET', 'users/me')).body.company_id;
    for (const which of ['auto_prioritize', 'auto_categorize', 'auto_assign'])
      for (const on of [true, false])
        expect((await staff.admin.call('POST', `companies/${id}/toggle/${which}`, {})).body[which]).toBe(on);
    expect((await staff.admin.call('POST', `companies/${id}/toggle/root`, {})).status).toBe(400);
    expect((await staff.manager.call('POST', `companies/${id}/toggle/auto_assign`, {})).status).toBe(403);
  });

  test('closed lock their people out at once', async () => {
    const company = (await operator.call('POST', 'companies', { name: 'Closing' })).body.id;
    const email = newEmail();
    await operator.call('POST', 'users', { email, password: PASSWORD, role: 'admin', company_id: company });
    const last = await signedIn(email);
    expect((await operator.call('DELETE', `companies/${company}`)).status).toBe(204);
    expect((await last.call('GET', 'users/me')).status).toBe(401);
    expect((await operator.call('GET', `companies/${company}`)).status).toBe(404);
    expect((await operator.call('POST', 'companies', { name: 'Closing' })).status).toBe(201);
    const first = (await operator.call('GET', 'users/me')).body.company_id;
    expect((await operator.call('DELETE', `companies/${first}`)).status).toBe(409);
  });
});

describe('teams', () => {
  test('gain and lose members, who have the rights of it at the next request', async () => {
    const made = await staff.manager.call('POST', 'teams', {
      name: 'Billing',
      category: 'billing',
      member_ids: [staff.agent.id],
    });
    const { id } = made.body;
    expect(made.body).toMatchObject({ name: 'Billing', category: 'billing', active: true });
    expect((await staff.agent.call('GET', `teams/${id}/members`)).body.items).toMatchObject([
      { id: staff.agent.id },
    ]);
    expect((await staff.manager.call('PUT', `teams/${id}/members/${staff.lead.id}`, {})).status).toBe(200);
    expect((await staff.lead.call('GET', 'users/me')).body.team_ids).toContain(id);
    expect((await staff.agent.call('GET', `users?team=${id}`)).body.total).toBe(2);
    expect((await staff.manager.call('DELETE', `teams/${id}/members/${staff.lead.id}`)).status).toBe(204);
    expect((await staff.manager.call('DELETE', `teams/${id}/members/${staff.lead.id}`)).status).toBe(404);
    expect((await staff.lead.call('GET', 'users/me')).body.team_ids).not.toContain(id);
    for (const name of ['Billing', ' BILLING ', 'billing_'])
      expect((await staff.manager.call('POST', 'teams', { name })).body.error_code).toBe('E_TEAM_TAKEN');
    const rename = (name: string) => staff.manager.call('PATCH', `teams/${id}`, { name });
    expect([(await rename('first-line')).status, (await rename('BILLING')).status]).toEqual([409, 200]);
    await rename('Billing');
    expect((await staff.manager.call('POST', 'teams', { name: 'X', member_ids: ['nobody'] })).status).toBe(
      400,
    );
  });

  test('that are not active get no work; removed ones have no members left', async () => {
    const { id } = (
      await staff.manager.call('POST', 'teams', { name: 'Night', member_ids: [staff.agent.id] })
    ).body;
    expect((await staff.manager.call('POST', `teams/${id}/deactivate`, {})).body.active).toBe(false);
    const ticket = (await staff.manager.call('POST', 'tickets', { title: 'Late' })).body;
    expect((await staff.manager.call('PUT', `tickets/${ticket.id}/assign`, { team_id: id })).status).toBe(
      400,
    );
    expect((await staff.manager.call('POST', `teams/${id}/activate`, {})).body.active).toBe(true);
    expect((await staff.manager.call('PUT', `tickets/${ticket.id}/assign`, { team_id: id })).status).toBe(
      200,
    );
    expect((await staff.manager.call('DELETE', `teams/${id}`)).status).toBe(204);
    expect((await staff.agent.call('GET', 'users/me')).body.team_ids).not.toContain(id);
    expect((await staff.agent.call('GET', `teams/${id}`)).status).toBe(404);
  });
});

describe('the permission table', () => {
  test('is shown as it is enforced', async () => {
    const { body } = await staff.customer.call('GET', 'permissions');
    const row = body.items.find((one: { deed: string }) => one.deed === 'ticket.delete');
    expect(row.roles).toEqual(['admin']);
    const me = (await staff.customer.call('GET', 'auth/me')).body;
    expect(me.permissions).toContain('ticket.create');
    expect(me.permissions).not.toContain('ticket.note');
  });
});
