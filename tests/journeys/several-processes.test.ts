// Several processes of one Switchboard: each deadline, digest and message is seen to by one of them, and who listens at
// one hears what happens at another.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import type { Entry } from '../../src/history/entry.ts';
import { type MailSink, openMailSink } from '../support/mail-sink.ts';
import { openPeer, type Peer, peerChannel } from '../support/peer.ts';
import { type Desk, startDesk } from '../support/processes.ts';
import { bind, type Filed, file, say, until } from '../support/talk.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

const PROCESSES = Number(process.env.PROCESSES ?? 3);
let world: World;
let peer: Peer;
let mail: MailSink;
let admin: string;
let client: mongoose.mongo.MongoClient;
const desks: Desk[] = [];
const api = '/api/v1';
const CLOSE = { connection: 'close' };
const urlOf = (desk?: Desk) => /^ready (\S+)$/m.exec(desk?.said() ?? '')?.[1] ?? '';
const db = () => client.db(world.database);
beforeAll(async () => {
  [peer, mail] = await Promise.all([openPeer(), openMailSink()]);
  const env = {
    SMTP_URL: mail.url,
    MAIL_FROM: 'Support <support@desk.example>',
    MAIL_DOMAIN: 'desk.example',
    NOTIFICATIONS_ENABLED: 'true',
    NOTIFY_BUNDLE_SECONDS: '1',
  };
  world = await openWorld({ roles: 'api', channels: [peerChannel(peer.url)], env });
  const more = { PEER_URL: peer.url, PEER_CARDS: 'false', ROLES: 'api,worker', ...env };
  desks.push(...(await Promise.all(Array.from({ length: PROCESSES }, () => startDesk(world, more)))));
  admin = await world.admin();
  client = await mongoose.mongo.MongoClient.connect(world.config.MONGODB_URI);
}, 90_000);
afterAll(async () => {
  for (const desk of desks) {
    desk.child.kill('SIGKILL');
    await desk.ended;
  }
  await closeAll(client, world, mail, peer);
});

async function agent(name: string): Promise<{ id: string; email: string; token: string }> {
  const email = `${name}@desk.example`;
  const password = 'correct horse battery';
  const body = { email, username: name, password, role: 'agent' };
  const made = await world.call('POST', `${api}/users`, { as: admin, body });
  expect(made.status).toBe(201);
  const login = await world.call('POST', `${api}/auth/login`, { body: { email, password } });
  return { id: made.body.id, email, token: login.body.access_token };
}

test('a hundred deadlines at one instant fire once each, and each is told once', async () => {
  const tickets: Filed[] = [];
  for (let n = 0; n < 100; n += 5)
    tickets.push(
      ...(await Promise.all([0, 1, 2, 3, 4].map((m) => file(world, `Asleep ${n + m}`, { priority: 'low' })))),
    );
  const ids = tickets.map((one) => one.id);
  for (const [n, ticket] of tickets.entries()) if (n < 10) await bind(ticket, `asleep-${n}`, 'internal');
  const at = new Date(Date.now() + 2_000);
  // Each clock has just run out, as far as anybody can tell.
  await db()
    .collection<{ _id: string }>('tickets')
    .updateMany(
      { _id: { $in: ids } },
      { $set: { nextDeadlineAt: at, 'sla.clocks.0.nextAt': at, 'sla.clocks.0.owed': [at] } },
    );
  const fired = async () => {
    const found = db().collection<Entry>('history');
    return found.find({ ticket: { $in: ids }, action: 'sla_breach' }).toArray();
  };
  await until(async () => (await fired()).length >= ids.length, 30_000);
  const entries = await fired();
  expect(entries.map((one) => one.ticket).sort()).toEqual([...ids].sort());
  for (const entry of entries) expect(entry.at.getTime()).toBeGreaterThanOrEqual(at.getTime());
  const told = () => peer.heard.filter((one) => one.place.startsWith('asleep-')).map((one) => one.place);
  await until(() => told().length >= 10, 40_000);
  expect(told().sort()).toEqual(Array.from({ length: 10 }, (_, n) => `asleep-${n}`));
}, 90_000);

test('what one of them has in hand, no other does again', async () => {
  const relayed = async (): Promise<number> => {
    const texts = await Promise.all(
      desks.map(async (desk) => (await fetch(`${urlOf(desk)}/metrics`, { headers: CLOSE })).text()),
    );
    const count = (text: string) => Number(/^switchboard_relayed_entries_total (\d+)/m.exec(text)?.[1]);
    return texts.map(count).reduce((sum, one) => sum + one, 0);
  };
  const waiting = { pendingAt: { $type: 'date' } } as const;
  const isQuiet = async () => (await db().collection('tickets').countDocuments(waiting)) === 0;
  // What was filed and told in the tests before is counted when it is over.
  let before = Number.NaN;
  await until(async () => {
    const last = before;
    before = await relayed();
    return before === last && (await isQuiet());
  }, 40_000);
  const some = Array.from({ length: 5 }, (_, n) => n);
  // At a process with a relay, and at one without: any of the others may see to those.
  for (const round of some)
    await Promise.all([
      ...some.map((n) => file(world, `Shared ${round}-${n}`)),
      ...some.map((n) =>
        fetch(`${urlOf(desks[n % desks.length])}${api}/tickets`, {
          method: 'POST',
          headers: { ...CLOSE, 'content-type': 'application/json', authorization: `Bearer ${admin}` },
          body: JSON.stringify({ title: `Own ${round}-${n}` }),
        }),
      ),
    ]);
  await until(isQuiet, 40_000);
  const done = (await relayed()) - before;
  expect(done).toBeGreaterThanOrEqual(50);
  expect(done).toBeLessThan(70);
}, 60_000);

test('what fell into quiet hours is one letter at their end, whoever of all sends it', async () => {
  const night = await Promise.all(['nora', 'nils', 'nele'].map(agent));
  const clock = (ms: number) => new Date(Date.now() + ms).toISOString().slice(11, 16);
  const quiet_hours = { from: clock(-3_600_000), to: clock(3_600_000), time_zone: 'UTC' };
  for (const { token } of night)
    await world.call('PUT', `${api}/notifications/preferences`, { as: token, body: { quiet_hours } });
  for (let n = 0; n < 12; n++) await file(world, `Night ${n}`, { assignee_id: night[n % 3]?.id });
  const notes = db().collection('notifications');
  const mine = { 'person.id': { $in: night.map((one) => one.id) }, digest: true };
  await until(async () => (await notes.countDocuments(mine)) === 12, 40_000);
  const letters = ({ email }: { email: string }) => mail.letters.filter((one) => one.to.includes(email));
  expect(night.flatMap(letters)).toEqual([]);
  // Morning comes.
  await notes.updateMany(mine, { $set: { due: new Date() } });
  await until(() => night.every((one) => letters(one).length > 0), 30_000);
  await until(async () => (await notes.countDocuments({ ...mine, due: { $type: 'date' } })) === 0, 40_000);
  await until(
    async () =>
      (await db().collection('deliveries').countDocuments({ settledAt: null, surface: 'email' })) === 0,
    20_000,
  );
  for (const one of night) {
    expect(letters(one)).toHaveLength(1);
    expect(letters(one)[0]?.header('Subject')).toContain('4 things happened on 4 tickets');
  }
}, 90_000);

interface Stream {
  ids: string[];
  keys: string[];
  close: () => void;
}
const streams: Stream[] = [];
afterAll(() => {
  for (const one of streams) one.close();
});
async function listenAt(url: string, last?: string): Promise<Stream> {
  const stop = new AbortController();
  const answer = await fetch(`${url}${api}/stream`, {
    headers: { authorization: `Bearer ${admin}`, ...(last ? { 'last-event-id': last } : {}) },
    signal: stop.signal,
  });
  expect(answer.status).toBe(200);
  const stream: Stream = { ids: [], keys: [], close: () => stop.abort() };
  const reading = (async () => {
    let text = '';
    for await (const part of answer.body ?? []) {
      text += Buffer.from(part).toString('utf8');
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        const data = /^data: (.*)$/m.exec(event)?.[1];
        const ticket = data && JSON.parse(data).ticket?.title;
        if (!ticket) continue;
        stream.ids.push(/^id: (.*)$/m.exec(event)?.[1] ?? '');
        stream.keys.push(ticket);
      }
    }
  })();
  reading.catch(() => undefined);
  streams.push(stream);
  return stream;
}

test('who listens at one process hears what another did, and goes on at a third where it left off', async () => {
  const [one, other] = desks.map(urlOf);
  const first = await listenAt(one ?? '');
  await file(world, 'Heard');
  await until(() => first.keys.includes('Heard'), 40_000);
  const last = first.ids[first.keys.indexOf('Heard')];
  first.close();
  const missed = await file(world, 'Missed');
  await until(async () => {
    const found = db().collection<Entry>('history');
    return (await found.countDocuments({ ticket: missed.id })) > 0;
  }, 20_000);
  const second = await listenAt(other ?? '', last);
  await until(() => second.keys.includes('Missed'), 40_000);
  await file(world, 'After');
  await until(() => second.keys.includes('After'), 40_000);
  expect(second.keys.filter((title) => ['Heard', 'Missed', 'After'].includes(title))).toEqual([
    'Missed',
    'After',
  ]);
}, 90_000);

test('the same request at the same instant at all processes is one ticket, one reply, told once', async () => {
  const urls = desks.map(urlOf);
  const ask = async (url: string, at: string, key: string, body: object) => {
    for (;;) {
      const answer = await fetch(`${url}${api}${at}`, {
        method: 'POST',
        headers: {
          ...{ connection: 'close', 'content-type': 'application/json', 'idempotency-key': key },
          authorization: `Bearer ${admin}`,
        },
        body: JSON.stringify(body),
      });
      const said = (await answer.json()) as Filed & { error_code?: string };
      if (said.error_code !== 'E_IDEMPOTENCY_IN_FLIGHT') return { status: answer.status, body: said };
    }
  };
  const stormed = (at: string, key: string, body: object) =>
    Promise.all([0, 1, 2, 3].map((n) => ask(urls[n % urls.length] ?? '', at, key, body)));
  const storms = await Promise.all(
    Array.from({ length: 8 }, (_, n) => stormed('/tickets', `storm-${n}`, { title: `Storm ${n}` })),
  );
  for (const answers of storms) {
    expect(answers.map((one) => one.status)).toEqual([201, 201, 201, 201]);
    expect(new Set(answers.map((one) => one.body.id)).size).toBe(1);
  }
  const ticket = storms.flatMap((answers) => answers[0]?.body ?? [])[0];
  if (!ticket) throw new Error('no ticket');
  await bind(ticket, 'storm', 'public');
  await stormed(`/tickets/${ticket.id}/comments`, 'storm-reply', { content: 'Once.' });
  await say(world, ticket, 'Last.');
  const told = () => peer.heard.filter((one) => one.place === 'storm').map((one) => one.text);
  await until(() => told().includes('Last.'), 40_000);
  expect(told()).toEqual(['Once.', 'Last.']);
  const count = await db()
    .collection('tickets')
    .countDocuments({ title: /^Storm / });
  expect(count).toBe(8);
}, 90_000);

test('who signed out, and whose role was taken away, at one process is so at the next request to another', async () => {
  const other = `${urlOf(desks[0])}${api}`;
  const elsewhere = async (path: string, token: string) => {
    const headers = { authorization: `Bearer ${token}`, connection: 'close' };
    return (await fetch(`${other}/${path}`, { headers })).status;
  };
  for (let count = 0; count < 10; count++) {
    const { id, token } = await agent(`leaver${count}`);
    expect(await elsewhere('users', token)).toBe(200);
    await world.call('PATCH', `${api}/users/${id}`, { as: admin, body: { role: 'customer' } });
    expect(await elsewhere('users', token)).toBe(403);
    await world.call('POST', `${api}/auth/logout`, { as: token });
    expect(await elsewhere('auth/me', token)).toBe(401);
  }
}, 60_000);
