// No list, no filter and no round of the workers looks through a whole collection: whatever Switchboard asks the store
// while every list of the API document is asked with every filter in every order, an index answers.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { sweepFiles } from '../../src/files/attachments.ts';
import { sweepInbox } from '../../src/inbox.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { contactByAddress } from '../../src/people/contacts.ts';
import { finishErasures } from '../../src/people/erasure.ts';
import { finishMerges } from '../../src/people/merging.ts';
import { editByOrigin } from '../../src/tickets/comments.ts';
import { ticketIn } from '../../src/tickets/conversations.ts';
import { type Contract, type Operation, readContract } from '../support/contract.ts';
import { openPeer, type Peer, peerChannel } from '../support/peer.ts';
import { complaintsAbout, type Ear, indexFor, listenToStore, multiply } from '../support/plans.ts';
import { hireStaff, type Person, type Staff } from '../support/staff.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

/** So many of each that a list of all, and of half the tickets, is too long to be sorted each time. */
const each = (collection: string): number => (collection === 'tickets' ? 2_200 : 1_100);
/** One of each there is, or of one company. */
const SINGLE = ['counters', 'sla', 'sla_rules', 'signing_keys', 'desks'];
const log = openLog('silent');
let world: World;
let staff: Staff;
let peer: Peer;
let contract: Contract;
let store: Ear;
/** Things that are there, by what stands before `{id}` in a path. */
const there: Record<string, string> = {};

beforeAll(async () => {
  peer = await openPeer();
  const uri = new URL(process.env.TEST_MONGODB_URI ?? '');
  uri.searchParams.set('monitorCommands', 'true');
  if (uri.pathname === '') uri.pathname = '/';
  world = await openWorld({ env: { MONGODB_URI: String(uri) }, channels: [peerChannel(peer.url)] });
  store = listenToStore();
  staff = await hireStaff(world);
  contract = await readContract(world);
  await settleIn();
  await world.drain();
  store.close();
  await multiply(SINGLE, each);
  store.open();
}, 120_000);
afterAll(async () => {
  store.close();
  await closeAll(world, peer);
});

const make = async (by: Person, name: string, at: string, body: unknown) => {
  const answer = await by.call('POST', at, body);
  expect([at, answer.status, answer.body.detail]).toEqual([at, 201, undefined]);
  there[name] ??= answer.body.id;
  return answer.body.id as string;
};

async function settleIn() {
  const { admin, agent, customer, manager } = staff;
  await make(manager, 'desks', 'desks', { key: 'OPS', name: 'Operations', preset: 'devops' });
  await make(manager, 'teams', 'teams', { name: 'Billing', description: 'Money', category: 'billing' });
  await make(agent, 'contacts', 'contacts', { name: 'Bob', email: 'bob@example.com' });
  await make(manager, 'macros', 'macros', { name: 'Thanks', body: 'Thank you' });
  await make(manager, 'calendars', 'calendars', { name: 'Days', time_zone: 'Europe/Berlin', hours: '24x7' });
  await make(manager, 'sla-policies', 'sla-policies', { name: 'Gold' });
  await make(admin, 'api-keys', 'api-keys', { name: 'A key', scopes: ['read'] });
  await make(admin, 'users', 'users', {
    ...{
      email: 'ida@example.com',
      username: 'ida',
      full_name: 'Ida',
      role: 'agent',
      password: 'a long password',
    },
  });
  for (const [nth, status] of ['new', 'open', 'in_progress', 'resolved'].entries()) {
    const by = nth % 2 ? customer : agent;
    const more =
      nth % 2
        ? {}
        : { external_ref: `E-${nth}`, requester: 'bob@example.com', due_date: '2026-01-01T00:00:00Z' };
    const id = await make(by, 'tickets', 'tickets', {
      ...{
        title: `Printer ${nth} burns`,
        tags: ['printer'],
        category: 'technical',
        environment: 'production',
        ...more,
      },
    });
    await make(agent, 'comments', `tickets/${id}/comments`, { content: 'A reply', is_internal: false });
    await agent.call('PUT', `tickets/${id}/watchers/${staff.lead.id}`);
    if (nth < 3)
      await manager.call('PUT', `tickets/${id}/assign`, { assignee_id: agent.id, team_id: staff.team });
    if (status !== 'new') await manager.call('PATCH', `tickets/${id}/status`, { status });
    const form = new FormData();
    form.set('file', new Blob(['a line of the log\n']), 'log.txt');
    there.attachments ??= (await agent.upload(`tickets/${id}/attachments`, form)).body.id;
  }
}

const VALUES: Record<string, () => string> = {
  status: () => 'open',
  status_kind: () => 'open',
  priority: () => 'medium',
  category: () => 'technical',
  desk: () => 'TKT',
  desk_id: () => 'TKT',
  company: () => FIRST_COMPANY,
  company_id: () => FIRST_COMPANY,
  team: () => staff.team,
  team_id: () => staff.team,
  assignee: () => staff.agent.id,
  assignee_id: () => staff.agent.id,
  requester: () => staff.customer.id,
  user_id: () => staff.agent.id,
  subject_id: () => staff.agent.id,
  actor_id: () => staff.agent.id,
  author_id: () => staff.agent.id,
  uploaded_by: () => staff.agent.id,
  ticket_id: () => there.tickets ?? '',
  role: () => 'agent',
  channel: () => 'api',
  tag: () => 'printer',
  environment: () => 'production',
  external_ref: () => 'E-0',
  email: () => 'bob@example.com',
  q: () => 'printer',
  action: () => 'created',
  page: () => '2',
  from: () => '2026-01-01T00:00:00Z',
  to: () => '2027-01-01T00:00:00Z',
};

type Json = Record<string, unknown>;
const choicesOf = (schema: Json): string[] =>
  (schema.enum as string[] | undefined) ??
  ((schema.anyOf ?? schema.oneOf ?? []) as Json[]).flatMap(choicesOf);

function valueFor(name: string, schema: Json): string | undefined {
  const [first] = choicesOf(schema);
  const given = VALUES[name]?.();
  if (given !== undefined) return given;
  if (first !== undefined) return first;
  return schema.format === 'date-time' || /_(after|before|since|until)$/.test(name)
    ? '2026-01-01T00:00:00Z'
    : undefined;
}

/** Every filter and every order alone; in the list of tickets, every filter with every order. */
function questionsOf({ path, parameters }: Operation): string[] {
  const query = parameters.filter((one) => one.in === 'query' && one.name !== 'cursor');
  const sorts = choicesOf(query.find((one) => one.name === 'sort_by')?.schema ?? {}).map(
    (sort) => `sort_by=${sort}`,
  );
  // How much is shown is not how it is found.
  const short = query.some((one) => one.name === 'page_size') ? '&page_size=5' : '';
  const filters = query
    .filter((one) => !['sort_by', 'order', 'page_size'].includes(one.name))
    .flatMap(({ name, schema }) => {
      const value = valueFor(name, schema);
      return value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`];
    });
  const pairs =
    path === '/api/v1/tickets' ? filters.flatMap((one) => sorts.map((sort) => `${one}&${sort}`)) : [];
  return ['', ...filters, ...sorts, ...sorts.map((sort) => `${sort}&order=desc`), ...pairs].map(
    (one) => `${one}${short}`,
  );
}

const pathOf = (path: string): string =>
  path.replaceAll(/([\w-]+)\/\{(\w+)\}/g, (_, before: string, name: string) =>
    name === 'user_id' ? `${before}/${staff.agent.id}` : `${before}/${there[before] ?? 'f'.repeat(24)}`,
  );

/** How a list of everything begins says how it is looked for: whoever has seen that hangs up. */
async function beginning(at: string): Promise<void> {
  const hangUp = new AbortController();
  const headers = { authorization: `Bearer ${await world.admin()}`, connection: 'close' };
  const answer = await fetch(`${world.url}/api/v1/${at}`, { headers, signal: hangUp.signal });
  expect([at, answer.status]).toEqual([at, 200]);
  await answer.body?.getReader().read();
  hangUp.abort();
}

test('whatever is listed, searched, counted or swept is found by an index', async () => {
  const lists = contract.operations.filter(
    ({ method, path }) =>
      method === 'GET' &&
      path.startsWith('/api/v1/') &&
      path !== '/api/v1/stream' &&
      !path.includes('{token}'),
  );
  const asked: [Person, string][] = lists.flatMap((one) =>
    questionsOf(one).flatMap((query, nth): [Person, string][] => {
      const at = `${pathOf(one.path).slice('/api/v1/'.length)}?${query}`;
      return nth
        ? [[nth % 2 ? staff.admin : staff.customer, at]]
        : [staff.admin, staff.agent, staff.customer].map((by) => [by, at]);
    }),
  );
  const refused: string[] = [];
  const hand = async () => {
    for (let next = asked.shift(); next; next = asked.shift()) {
      const [by, at] = next;
      if (at.startsWith('tickets/export')) {
        await beginning(at);
        continue;
      }
      const { status, body } = await by.call('GET', at);
      if (status >= 400 && ![403, 404].includes(status)) refused.push(`${at} ${status} ${body.detail}`);
      if (body.next_cursor) {
        const further = `${at.replace(/page=2&?/, '')}&cursor=${body.next_cursor}`;
        const second = await by.call('GET', further);
        if (second.status >= 400) refused.push(`${further} ${second.status} ${second.body.detail}`);
      }
    }
  };
  await Promise.all([hand(), hand(), hand(), hand()]);
  expect(refused).toEqual([]);

  const system = systemCtx({ log }, FIRST_COMPANY);
  await sweepFiles(system);
  await finishErasures(log);
  await finishMerges(log);
  await sweepInbox(log);
  await staff.agent.call('POST', `tickets/${there.tickets}/comments`, {
    content: 'Late',
    is_internal: false,
  });
  await world.drain();

  store.close();
  const heard = store.heard();
  const kinds = new Set(heard.map((one) => one.what));
  expect([...kinds]).toEqual(
    expect.arrayContaining(['find tickets', 'find deliveries', 'find notifications']),
  );
  const complaints = new Set<string>();
  const left = [...heard];
  const judge = async () => {
    for (let one = left.shift(); one; one = left.shift())
      for (const said of await complaintsAbout(one)) complaints.add(said);
  };
  await Promise.all([judge(), judge()]);
  expect([...complaints].sort()).toEqual([]);
}, 240_000);

test('what is looked for by a name of its own is found by an index of its own', async () => {
  const system = systemCtx({ log }, FIRST_COMPANY);
  const own: [string, string, () => Promise<unknown>][] = [
    ['tickets', 'externalRef', () => staff.agent.call('GET', 'tickets?external_ref=NOWHERE')],
    [
      'tickets',
      'externalRef',
      () => staff.agent.call('GET', 'tickets?external_ref=A&external_ref=B&sort_by=priority'),
    ],
    ['tickets', 'conversations.id', () => ticketIn(FIRST_COMPANY, 'slack:C1:1.2')],
    ['tickets', 'pendingAt', () => editByOrigin(system, 'slack:C1:1.3', 'text')],
    ['history', 'comment.origin', () => editByOrigin(system, 'slack:C1:1.3', 'text')],
    ['contacts', 'emails', () => contactByAddress(system, 'nobody@example.com')],
    ['contacts', 'emails', () => staff.agent.call('GET', 'contacts?email=nobody@example.com')],
    ['tickets', 'requester.id', () => staff.agent.call('GET', 'tickets?requester=nobody&sort_by=due_at')],
    ['tickets', 'requester.id', () => staff.otherCustomer.call('GET', 'tickets')],
    ['tickets', 'requester.id', () => staff.otherCustomer.call('GET', 'tickets?sort_by=updated_at')],
    ['tickets', 'requester.id', () => staff.otherCustomer.call('GET', 'tickets/statistics')],
    ['attachments', 'uploadedBy.id', () => staff.agent.call('GET', 'attachments?uploaded_by=nobody')],
    ['tickets', 'tags', () => staff.agent.call('GET', 'tickets?tag=none-such&sort_by=updated_at')],
    ['tickets', 'team', () => staff.agent.call('GET', 'tickets?team=nobody&sort_by=priority')],
  ];
  const found: unknown[] = [];
  for (const [collection, field, ask] of own) {
    const ear = listenToStore();
    await ask();
    ear.close();
    const asked = ear
      .heard()
      .filter(
        ({ what, command }) =>
          what.endsWith(` ${collection}`) && JSON.stringify(command).includes(`"${field}"`),
      );
    expect([field, asked.length > 0]).toEqual([field, true]);
    for (const one of asked) found.push([field, (await indexFor(one))?.includes(field)]);
  }
  expect(found).toEqual(found.map((one) => [(one as string[])[0], true]));
});

test('the judge of plans tells a walk over everything, and a sort of many', async () => {
  const ask = (command: Record<string, unknown>) => complaintsAbout({ what: 'find tickets', command });
  const company = FIRST_COMPANY;
  expect(await ask({ find: 'tickets', filter: { title: 'x' } })).toEqual([
    expect.stringContaining('looks at everything'),
  ]);
  expect(await ask({ find: 'tickets', filter: { company }, sort: { title: 1 }, limit: 5 })).toEqual([
    expect.stringContaining('in memory'),
  ]);
  expect(
    await ask({ find: 'tickets', filter: { company }, sort: { createdAt: -1, _id: -1 }, limit: 5 }),
  ).toEqual([]);
  expect(mongoose.connection.readyState).toBe(1);
});
