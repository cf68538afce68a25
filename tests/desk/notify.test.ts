// Being told: the list, the mail, one message for several things, quiet hours, and leaving it all.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type MailSink, openMailSink } from '../support/mail-sink.ts';
import { openPeer, type Peer, peerChannel } from '../support/peer.ts';
import { bind, file, receipts, say, until } from '../support/talk.ts';
import { closeAll, openWorld, type World } from '../support/world.ts';

let world: World;
let mail: MailSink;
let peer: Peer;
let admin: string;
const api = '/api/v1';
beforeAll(async () => {
  [mail, peer] = await Promise.all([openMailSink(), openPeer()]);
  world = await openWorld({
    channels: [peerChannel(peer.url, { kinds: ['post'] })],
    env: {
      SMTP_URL: mail.url,
      MAIL_FROM: 'Support <support@desk.example>',
      MAIL_DOMAIN: 'desk.example',
      NOTIFY_BUNDLE_SECONDS: '2',
    },
  });
  admin = await world.admin();
});
afterAll(async () => {
  await closeAll(world, mail, peer);
});

interface Person {
  id: string;
  email: string;
  token: string;
}
async function person(name: string, role = 'agent'): Promise<Person> {
  const email = `${name}@desk.example`;
  const password = 'correct horse battery';
  const made = await world.call('POST', `${api}/users`, {
    as: admin,
    body: { email, username: name, password, role },
  });
  expect(made.status).toBe(201);
  const { body } = await world.call('POST', `${api}/auth/login`, { body: { email, password } });
  return { id: made.body.id, email, token: body.access_token };
}
const list = async ({ token }: Person) =>
  (await world.call('GET', `${api}/notifications`, { as: token })).body;
const lettersTo = ({ email }: { email: string }) => mail.letters.filter((one) => one.to.includes(email));
const plain = (raw: string) => raw.replaceAll(/=\r\n/g, '');

test('several things on one ticket become one letter, that threads and can be left', async () => {
  const ann = await person('ann');
  const ticket = await file(world, 'It\u2028burns', { assignee_id: ann.id });
  await say(world, ticket, 'Please **hurry**, @ann');
  const letter = await until(() => lettersTo(ann)[0], 40_000);
  await world.drain();
  expect(lettersTo(ann)).toHaveLength(1);
  expect(letter?.header('Subject')).toBe(`[${ticket.key}] It burns`);
  expect(letter?.header('Message-ID')).toMatch(/^<delivery\.[0-9a-f]{24}@desk\.example>$/);
  expect(letter?.header('References')).toContain(`<ticket.${ticket.id}@desk.example>`);
  expect(letter?.header('Auto-Submitted')).toBe('auto-generated');
  expect(letter?.header('List-Unsubscribe-Post')).toBe('List-Unsubscribe=One-Click');
  expect(plain(letter?.raw ?? '')).toContain('<strong>hurry</strong>');
  expect(plain(letter?.raw ?? '')).toContain('mentioned you');
  expect(plain(letter?.raw ?? '')).toContain('filed a ticket that is assigned to you');

  const link = /<(.*)>/.exec(letter?.header('List-Unsubscribe') ?? '')?.[1] ?? '';
  const { pathname } = new URL(link);
  expect((await world.call('GET', pathname)).status).toBe(200);
  expect(
    (await world.call('POST', `${pathname.slice(0, -1)}${pathname.endsWith('_') ? '-' : '_'}`)).status,
  ).toBe(404);
  expect((await world.call('POST', pathname)).status).toBe(200);
  const { body } = await world.call('GET', `${api}/notifications/preferences`, { as: ann.token });
  expect(body).toMatchObject({ unsubscribed: true, events: { assigned: { email: false, in_app: true } } });
}, 40_000);

test('an escalation that no lead and no manager can hear is heard by the administrators', async () => {
  const asks = await person('ulf');
  const { body } = await world.call('POST', `${api}/tickets`, { as: asks.token, body: { title: 'Up' } });
  await world.call('POST', `${api}/tickets/${body.id}/escalate`, { as: asks.token, body: {} });
  const heard = async () => {
    const { items } = await list({ token: admin, id: '', email: '' });
    return items
      .filter((one: { ticket_id: string }) => one.ticket_id === body.id)
      .map((one: { event: string }) => one.event);
  };
  await world.drain();
  // There is nobody who leads: of a ticket that is nobody's they hear as well.
  expect((await heard()).sort()).toEqual(['created', 'escalated']);
});

test('what is read in the list is not sent any more', async () => {
  const ben = await person('ben');
  await file(world, 'Read me', { assignee_id: ben.id });
  const [one] = (await until(async () => (await list(ben)).items.length > 0 && (await list(ben)), 40_000))
    .items;
  expect(one).toMatchObject({ event: 'assigned', ticket_title: 'Read me', read: false });
  const { body } = await world.call('POST', `${api}/notifications/${one.id}/read`, { as: ben.token });
  expect(body.read).toBe(true);
  expect((await list(ben)).unread).toBe(0);
  const after = await file(world, 'The next one', { assignee_id: ben.id });
  await until(() => lettersTo(ben).length > 0, 40_000);
  await world.drain();
  expect(lettersTo(ben).map((letter) => letter.header('Subject'))).toEqual([`[${after.key}] The next one`]);
  const all = await world.call('POST', `${api}/notifications/read-all`, { as: ben.token });
  expect(all.body).toEqual({ read: 1 });
}, 40_000);

test('who does something on a ticket has read what was told of it, and gets no letter about it', async () => {
  const hal = await person('hal');
  const ticket = await file(world, 'Seen to', { assignee_id: hal.id });
  const other = await file(world, 'Not yet', { assignee_id: hal.id });
  await until(async () => (await list(hal)).unread === 2, 40_000);
  const as = hal.token;
  await world.call('POST', `${api}/tickets/${ticket.id}/comments`, { as, body: { content: 'On it.' } });
  await until(async () => (await list(hal)).unread === 1, 40_000);
  const items: { read: boolean; ticket_key: string }[] = (await list(hal)).items;
  expect(items.filter((one) => !one.read).map((one) => one.ticket_key)).toEqual([other.key]);
  await until(() => lettersTo(hal).length > 0, 40_000);
  await world.drain();
  expect(lettersTo(hal).map((one) => one.header('Subject'))).toEqual([`[${other.key}] Not yet`]);
}, 40_000);

test('in quiet hours nothing is sent, but for a breach', async () => {
  const cas = await person('cas');
  const clock = (ms: number) => new Date(Date.now() + ms).toISOString().slice(11, 16);
  const quietHours = { from: clock(-3_600_000), to: clock(3_600_000), time_zone: 'UTC' };
  const set = await world.call('PUT', `${api}/notifications/preferences`, {
    as: cas.token,
    body: { quiet_hours: quietHours, events: { note: { email: true }, delivery_failed: { in_app: false } } },
  });
  expect(set.body).toMatchObject({
    quiet_hours: quietHours,
    events: { note: { email: true, in_app: true }, delivery_failed: { in_app: false } },
  });
  const ticket = await file(world, 'At night', { assignee_id: cas.id });
  await say(world, ticket, 'psst', true);
  await until(async () => (await list(cas)).items.length === 2, 40_000);
  const loud = await file(world, 'The canary', { assignee_id: (await person('dee')).id });
  await until(() => mail.letters.some((one) => one.header('Subject').includes(loud.key)), 40_000);
  await world.drain();
  expect(lettersTo(cas)).toEqual([]);
}, 40_000);

test("nobody reads another's notifications", async () => {
  const [eve, fay] = [await person('eve'), await person('fay')];
  await file(world, 'Mine', { assignee_id: eve.id });
  const [one] = (await until(async () => (await list(eve)).items.length > 0 && (await list(eve)), 40_000))
    .items;
  const read = await world.call('POST', `${api}/notifications/${one.id}/read`, { as: fay.token });
  expect(read.status).toBe(404);
  expect((await list(fay)).items).toEqual([]);
});

test('a mailbox that is gone is final and stands in the receipts', async () => {
  const gone = await person('gone');
  const ticket = await file(world, 'To nowhere', { assignee_id: gone.id });
  const failed = await until(async () => {
    const { body } = await world.call('GET', `${api}/tickets/${ticket.id}/deliveries`, { as: admin });
    return body.items.find((one: { state: string }) => one.state === 'failed');
  }, 20_000);
  expect(failed).toMatchObject({ surface: 'email', kind: 'notice', attempts: [{}] });
  expect(failed.error).toContain('no such mailbox');
}, 40_000);

test('a reply whose place is gone reaches the one who asked by mail, once, however often it is tried again', async () => {
  const gil = await person('gil', 'customer');
  const made = await world.call('POST', `${api}/tickets`, { as: gil.token, body: { title: 'Anybody?' } });
  await bind(made.body, 'closed', 'public');
  peer.manner = (one, _, res) => {
    res.statusCode = one.place === 'closed' ? 410 : 200;
    res.end();
    return true;
  };
  await say(world, made.body, 'Here we are.');
  const answers = () => lettersTo(gil).filter((letter) => plain(letter.raw).includes('Here we are.'));
  await until(() => answers().length > 0, 40_000);
  const failed = (await receipts(world, made.body)).find((one) => one.surface === 'peer');
  expect(failed).toMatchObject({ state: 'failed', error: 'The place is gone.' });
  const again = await world.call('POST', `${api}/deliveries/${failed?.id}/retry`, { as: admin });
  expect(again.status).toBe(200);
  await until(async () => {
    const now = (await receipts(world, made.body)).find((one) => one.id === failed?.id);
    return now?.state === 'failed' && now.attempts.length === 2;
  }, 20_000);
  await world.drain();
  peer.manner = null;
  expect(answers()).toHaveLength(1);
  const all = await receipts(world, made.body);
  expect(all.filter((one) => one.fallback_of_id === failed?.id)).toMatchObject([
    { surface: 'email', state: 'sent' },
  ]);
  const history = await world.call('GET', `${api}/tickets/${made.body.id}/history?action=delivery_failed`, {
    as: admin,
  });
  expect(history.body.items).toHaveLength(1);
}, 60_000);

test('words that were taken back are in nobody’s list any more, and what was put right is put right there', async () => {
  const rita = await person('rita');
  const ticket = await file(world, 'It leaks', { assignee_id: rita.id });
  const [wrong, secret] = [
    await say(world, ticket, 'the pin is 1234'),
    await say(world, ticket, 'the key is 42'),
  ];
  await world.drain();
  const texts = async () => (await list(rita)).items.map((one: { text: string }) => one.text);
  expect(await texts()).toEqual(expect.arrayContaining(['the pin is 1234', 'the key is 42']));
  await world.call('PUT', `${api}/comments/${wrong}`, { as: admin, body: { content: 'ask me for it' } });
  await world.call('DELETE', `${api}/comments/${secret}`, { as: admin });
  await world.drain();
  const now = await texts();
  expect(now).toEqual(expect.arrayContaining(['ask me for it', '']));
  expect(now.join()).not.toMatch(/1234|42/);
});
