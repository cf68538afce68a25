// The log: what happened and what was said across all tickets, for agents.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { hireStaff, type Person, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
let first: { id: string; key: string };
let second: { id: string; key: string };

beforeAll(async () => {
  world = await openWorld();
  staff = await hireStaff(world);
  first = (await staff.customer.call('POST', 'tickets', { title: 'First' })).body;
  second = (await staff.customer.call('POST', 'tickets', { title: 'Second' })).body;
  await staff.agent.call('POST', `tickets/${first.id}/claim`);
  await staff.agent.call('POST', `tickets/${first.id}/comments`, { content: 'On it', is_internal: false });
  await staff.agent.call('POST', `tickets/${second.id}/comments`, { content: 'Careful', is_internal: true });
  await staff.customer.call('POST', `tickets/${second.id}/comments`, {
    content: 'And me?',
    is_internal: false,
  });
  await world.drain();
});
afterAll(() => world.close());

const items = async (path: string) => {
  const { status, body } = await staff.agent.call('GET', path);
  expect([path, status]).toEqual([path, 200]);
  return body.items as Record<string, unknown>[];
};

test('tells what happened on all tickets, newest first, by ticket, action, person and time', async () => {
  const all = await items('history');
  expect(all).toHaveLength(6);
  expect(all[0]).toMatchObject({ action: 'comment_added', ticket_id: second.id });
  expect((await items(`history?ticket_id=${first.key}&order=asc`)).map((one) => one.action)).toEqual([
    ...['created', 'assignment_change', 'comment_added'],
  ]);
  expect(await items('history?action=CREATED')).toHaveLength(2);
  expect(await items(`history?actor_id=me&action=comment_added`)).toHaveLength(2);
  expect(await items('history?since=2999-01-01')).toEqual([]);
  const [page, rest] = [await staff.agent.call('GET', 'history?page_size=4'), 'history?page_size=4&cursor='];
  expect([page.body.total, (await items(`${rest}${page.body.next_cursor}`)).length]).toEqual([6, 2]);
  expect((await staff.customer.call('GET', 'history')).status).toBe(403);
});

test('gives one entry by its id, to whoever may read it', async () => {
  const [note] = await items('history?action=comment_added&actor_id=me');
  expect((await staff.agent.call('GET', `history/${note?.id}`)).body).toEqual(note);
  expect((await staff.customer.call('GET', `history/${note?.id}`)).status).toBe(404);
  const [birth] = (await staff.customer.call('GET', `tickets/${first.id}/history`)).body.items;
  expect((await staff.customer.call('GET', `history/${birth?.id}`)).status).toBe(200);
  expect((await staff.otherCustomer.call('GET', `history/${birth?.id}`)).status).toBe(404);
  expect((await staff.agent.call('GET', 'history/nothing-7')).status).toBe(404);
});

test('is written into by agents, by hand: it changes nothing, and customers do not notice', async () => {
  const { id, version } = (await staff.customer.call('POST', 'tickets', { title: 'A call' })).body;
  const at = `tickets/${id}/history`;
  const notes = 'Called her: she sends the invoice tomorrow.';
  const written = await staff.agent.call('POST', at, { notes }, { 'idempotency-key': `call-${id}` });
  expect([written.status, written.headers.get('etag')]).toEqual([201, '"2"']);
  const entry = { action: 'update', notes, changes: [], actor: { id: staff.agent.id }, ticket_id: id };
  expect(written.body).toMatchObject(entry);
  const again = await staff.agent.call('POST', at, { notes }, { 'idempotency-key': `call-${id}` });
  expect(again.body).toEqual(written.body);
  expect((await staff.agent.call('GET', at)).body.items).toMatchObject([{ action: 'created' }, entry]);
  expect((await staff.agent.call('GET', `history/${written.body.id}`)).body).toEqual(written.body);
  await staff.otherAgent.call('POST', `tickets/${id}/claim`);
  await staff.agent.call('POST', at, { notes: 'Called again.' });
  await world.drain();
  const news = (await staff.otherAgent.call('GET', 'notifications')).body.items;
  expect(news).toContainEqual(
    expect.objectContaining({ ticket_id: id, title: 'Anna wrote down what happened', text: 'Called again.' }),
  );
  await staff.otherAgent.call('POST', `tickets/${id}/release`);
  const seen = (await staff.customer.call('GET', `tickets/${id}?include=history`)).body;
  expect([seen.version, seen.history.length]).toEqual([version + 2, 3]);
  expect((await staff.customer.call('POST', at, { notes })).status).toBe(403);
  expect((await staff.agent.call('POST', at, { notes: ' ' })).status).toBe(400);
  expect((await staff.agent.call('POST', at, { notes }, { 'if-match': '"1"' })).status).toBe(412);
  await staff.admin.call('DELETE', `tickets/${id}`);
});

test('tells what was said, as it reads now, by author and audience', async () => {
  const [latest, note, reply] = await items('comments');
  expect([latest?.content, note?.content, reply?.content]).toEqual(['And me?', 'Careful', 'On it']);
  expect(note).toMatchObject({ is_internal: true, ticket_key: second.key });
  await staff.agent.call('PATCH', `comments/${reply?.id}`, { content: 'On it now' });
  await staff.agent.call('PUT', `comments/${reply?.id}`, { content: 'On it now' });
  const mine = await items(`comments?author_id=${staff.agent.id}`);
  expect(mine.map((one) => one.content)).toEqual(['Careful', 'On it now']);
  expect((await items('comments?is_internal=true')).map((one) => one.content)).toEqual(['Careful']);
  expect(await items(`comments?ticket_id=${first.key}`)).toHaveLength(1);
  expect((await staff.customer.call('GET', 'comments')).status).toBe(403);
});

test('a comment that was carried to another ticket is told once, where it stands now', async () => {
  const whole = (await staff.customer.call('POST', 'tickets', { title: 'Two in one' })).body;
  const say = async (content: string) =>
    (await staff.agent.call('POST', `tickets/${whole.id}/comments`, { content })).body.id;
  const [, leaves] = [await say('Stays'), await say('Leaves')];
  const part = (await staff.agent.call('POST', `tickets/${whole.id}/split`, { comment_ids: [leaves] })).body;
  await world.drain();
  const words = async (path: string) => (await items(path)).map((one) => [one.content, one.ticket_key]);
  expect((await words('comments')).filter(([content]) => content === 'Leaves')).toEqual([
    ['Leaves', part.key],
  ]);
  expect(await words(`comments?ticket_id=${part.key}`)).toEqual([['Leaves', part.key]]);
  expect(await words(`comments?ticket_id=${whole.key}`)).toEqual([['Stays', whole.key]]);
  expect(await items(`comments?ticket_id=${part.key}&author_id=${staff.customer.id}`)).toEqual([]);
});

test('tells of attachments, by ticket and by who brought them', async () => {
  const upload = (who: Person, ticket: string, name: string) => {
    const form = new FormData();
    form.append('file', new Blob(['it broke']), name);
    return who.upload(`tickets/${ticket}/attachments`, form);
  };
  await upload(staff.customer, first.id, 'mine.txt');
  await upload(staff.agent, second.id, 'ours.txt');
  const gone = (await staff.customer.call('POST', 'tickets', { title: 'Gone' })).body;
  await upload(staff.customer, gone.id, 'gone.txt');
  await staff.admin.call('DELETE', `tickets/${gone.id}`);
  const names = async (query: string) => (await items(`attachments?${query}`)).map((one) => one.name);
  expect(await names('')).toEqual(['ours.txt', 'mine.txt']);
  expect(await names('order=asc')).toEqual(['mine.txt', 'ours.txt']);
  expect(await names(`ticket_id=${first.key}`)).toEqual(['mine.txt']);
  expect(await names('uploaded_by=me')).toEqual(['ours.txt']);
  expect((await staff.agent.call('GET', 'attachments?ticket_id=TKT-999999')).status).toBe(404);
  expect((await staff.customer.call('GET', 'attachments')).status).toBe(403);
});

test('of a ticket that was deleted nothing is told but that it was', async () => {
  const gone = (await staff.customer.call('POST', 'tickets', { title: 'Gone' })).body;
  await staff.agent.call('POST', `tickets/${gone.id}/comments`, { content: 'Secret', is_internal: true });
  await staff.admin.call('DELETE', `tickets/${gone.id}`);
  await world.drain();
  expect((await items('comments')).map((one) => one.content)).not.toContain('Secret');
});
