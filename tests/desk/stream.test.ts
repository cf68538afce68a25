// The stream: what happens, as it happens, to those who may see it, across processes and reconnections.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Filed, file, say, until } from '../support/talk.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let admin: string;
beforeAll(async () => {
  world = await openWorld();
  admin = await world.admin();
});
afterAll(() => world?.close());

interface Told {
  id: string;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an event
  data: any;
}
interface Listening {
  told: Told[];
  status: number;
  close: () => void;
}
const open: Listening[] = [];
async function listenAs(as: string, last?: string): Promise<Listening> {
  const stop = new AbortController();
  const answer = await fetch(`${world.url}/api/v1/stream`, {
    headers: { authorization: `Bearer ${as}`, ...(last ? { 'last-event-id': last } : {}) },
    signal: stop.signal,
  });
  const told: Told[] = [];
  const reading = (async () => {
    let text = '';
    for await (const part of answer.body ?? []) {
      text += Buffer.from(part).toString('utf8');
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const lines = text.slice(0, end).split('\n');
        text = text.slice(end + 2);
        const field = (name: string) =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        const data = field('data');
        if (data) told.push({ id: field('id') ?? '', event: field('event') ?? '', data: JSON.parse(data) });
      }
    }
  })();
  reading.catch(() => undefined);
  const one = { told, status: answer.status, close: () => stop.abort() };
  open.push(one);
  return one;
}
afterAll(() => {
  for (const one of open) one.close();
});
async function customer(name: string): Promise<string> {
  const email = `${name}@stream.example`;
  const password = 'correct horse battery';
  await world.call('POST', '/api/v1/users', {
    as: admin,
    body: { email, username: name, password, role: 'customer' },
  });
  const { body } = await world.call('POST', '/api/v1/auth/login', { body: { email, password } });
  return body.access_token;
}
const about = (listening: Listening, ticket: Filed) =>
  listening.told.filter((one) => one.event === 'ticket' && one.data.ticket_id === ticket.id);

test('an agent is told of a change at once, a customer only of what is theirs and public', async () => {
  const cy = await customer('cy');
  const [agents, theirs] = [await listenAs(admin), await listenAs(cy)];
  const mine = await world.call('POST', '/api/v1/tickets', { as: cy, body: { title: 'Mine' } });
  const other = await file(world, 'Not theirs');
  await say(world, mine.body, 'Marker-9', true);
  await say(world, mine.body, 'We are looking');
  await until(() => about(agents, mine.body).length === 3 && about(agents, other).length === 1);
  await until(() => about(theirs, mine.body).length === 2);
  expect(about(agents, mine.body).map((one) => one.data.action)).toEqual([
    'created',
    'comment_added',
    'comment_added',
  ]);
  expect(about(theirs, other)).toEqual([]);
  expect(about(theirs, mine.body).every((one) => !one.data.is_internal)).toBe(true);
  expect(about(agents, mine.body)[0]?.data.ticket).toMatchObject({ key: mine.body.key, status: 'new' });
});

test('of a ticket that became part of theirs a customer is told nothing from before', async () => {
  const [ada, bo] = [await customer('ada'), await customer('bo')];
  const { body: mine } = await world.call('POST', '/api/v1/tickets', { as: ada, body: { title: 'Mine' } });
  const { body: other } = await world.call('POST', '/api/v1/tickets', {
    as: bo,
    body: { title: 'Marker-7 of Bo' },
  });
  await world.drain();
  await world.call('POST', `/api/v1/tickets/${other.id}/merge`, { as: admin, body: { into: mine.id } });
  await world.drain();
  await say(world, mine, 'Seen to');
  const again = await listenAs(ada, `${Date.now() - 5_000}-none`);
  await until(() => about(again, mine).some((one) => one.data.action === 'comment_added'));
  expect(JSON.stringify(again.told)).not.toContain('Marker-7');
  expect(about(again, other)).toEqual([]);
});

test('a role that is taken away counts for the very next event, and for what was told before', async () => {
  const email = 'former@stream.example';
  const password = 'correct horse battery';
  const { id } = (
    await world.call('POST', '/api/v1/users', {
      as: admin,
      body: { email, username: 'former', password, role: 'agent' },
    })
  ).body;
  const signIn = async () =>
    (await world.call('POST', '/api/v1/auth/login', { body: { email, password } })).body.access_token;
  const as = await signIn();
  const ticket = await file(world, 'Not for everybody');
  const [theirs, agents] = [await listenAs(as), await listenAs(admin)];
  await say(world, ticket, 'the former @former may read this', true);
  const notes = (one: Listening) => about(one, ticket).filter(({ data }) => data.is_internal);
  await until(() => notes(theirs).length === 1);
  await world.drain();
  expect((await world.call('GET', '/api/v1/notifications', { as })).body.total).toBe(1);
  await world.call('PATCH', `/api/v1/users/${id}`, { as: admin, body: { role: 'customer' } });
  await say(world, ticket, 'and not this', true);
  await until(() => notes(agents).length === 2);
  expect(notes(theirs)).toHaveLength(1);
  expect((await world.call('GET', '/api/v1/notifications', { as })).body.total).toBe(0);
});

test('whoever comes back is told what they missed, and nothing again', async () => {
  const first = await listenAs(admin);
  const before = await file(world, 'Before');
  const seen = await until(() => about(first, before)[0]);
  first.close();
  const missed = await file(world, 'Missed');
  await world.drain();
  const again = await listenAs(admin, seen.id);
  await until(() => about(again, missed).length === 1);
  expect(about(again, before)).toEqual([]);
});

test('nor is a customer, to whom nothing tells of what happened inside', async () => {
  const cy = await customer('cyd');
  const first = await listenAs(cy);
  const { body } = await world.call('POST', '/api/v1/tickets', { as: cy, body: { title: 'Mine' } });
  await say(world, body, 'psst', true);
  await say(world, body, 'We are looking');
  const seen = await until(() => about(first, body)[1]);
  first.close();
  expect([seen.data.seq, seen.id]).toEqual([2, expect.stringMatching(/^\d+-[0-9a-f]+-p2$/)]);
  await say(world, body, 'psst again', true);
  await say(world, body, 'It is done');
  await world.drain();
  const again = await listenAs(cy, seen.id);
  await until(() => about(again, body).length === 1);
  expect(about(again, body)[0]?.data).toMatchObject({ action: 'comment_added', seq: 3 });
});

test('whoever comes back from nowhere that we know is told to read again', async () => {
  const lost = await listenAs(admin, 'yesterday');
  expect(await until(() => lost.told[0])).toMatchObject({ event: 'reset' });
});

test('a notification comes to its reader alone', async () => {
  const made = await world.call('POST', '/api/v1/users', {
    as: admin,
    body: { email: 'gus@stream.example', username: 'gus', password: 'correct horse battery', role: 'agent' },
  });
  const { body } = await world.call('POST', '/api/v1/auth/login', {
    body: { email: 'gus@stream.example', password: 'correct horse battery' },
  });
  const [gus, boss] = [await listenAs(body.access_token), await listenAs(admin)];
  await file(world, 'For Gus', { assignee_id: made.body.id });
  const told = await until(() => gus.told.find((one) => one.event === 'notification'));
  expect(told.data).toMatchObject({ event: 'assigned', ticket_title: 'For Gus', read: false });
  expect(boss.told.filter((one) => one.event === 'notification')).toEqual([]);
});

test('without an account there is no stream', async () => {
  expect((await world.call('GET', '/api/v1/stream')).status).toBe(401);
});

test('the queue board is for administrators', async () => {
  const cy = await customer('cleo');
  expect((await world.call('GET', '/admin/queues', {})).status).toBe(401);
  expect((await world.call('GET', '/admin/queues', { as: cy })).status).toBe(403);
  const board = await world.call('GET', '/admin/queues/', { as: admin });
  expect(board.status).toBe(200);
  expect(board.headers.get('content-security-policy')).toContain("default-src 'self'");
  const queues = await world.call('GET', '/admin/queues/api/queues', { as: admin });
  expect(queues.body.queues.map((one: { name: string }) => one.name)).toContain('rounds');
});
