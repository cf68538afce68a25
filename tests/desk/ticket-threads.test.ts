// What is said on a ticket: replies and notes, their revisions, and that an internal word has no way to a customer.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY, newCompany } from '../../src/people/companies.ts';
import { addComment, editByOrigin, removeByOrigin } from '../../src/tickets/comments.ts';
import { hire, hireStaff, openDeskOf, type Person, type Staff } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;

beforeAll(async () => {
  world = await openWorld();
  staff = await hireStaff(world);
  await openDeskOf('OPS', 'devops');
});
afterAll(() => world.close());

const filed = async (more: Record<string, unknown> = {}) =>
  (await staff.customer.call('POST', 'tickets', { title: 'No light', ...more })).body;
const say = (who: Person, ticket: string, content: string, is_internal?: boolean) =>
  who.call('POST', `tickets/${ticket}/comments`, { content, ...(is_internal ? { is_internal } : {}) });
const thread = async (who: Person, ticket: string) =>
  (await who.call('GET', `tickets/${ticket}/comments`)).body.items;
const status = async (ticket: string) => (await staff.admin.call('GET', `tickets/${ticket}`)).body.status;

describe('what happens inside', () => {
  test('changes nothing that a customer can notice: neither version nor age nor order', async () => {
    const { id } = await filed();
    const read = () => staff.customer.call('GET', `tickets/${id}`);
    const before = await read();
    await say(staff.agent, id, 'they are wrong', true);
    await staff.manager.call('PUT', `tickets/${id}/watchers/${staff.otherAgent.id}`);
    await staff.agent.call('POST', `tickets/${id}/links`, { kind: 'related', ticket_id: (await filed()).id });
    const after = await read();
    expect(after.body).toEqual(before.body);
    expect(after.headers.get('etag')).toBe(before.headers.get('etag'));
    const since = new Date(Date.parse(before.body.updated_at) + 1).toISOString();
    const changed = await staff.customer.call('GET', `tickets?updated_after=${since}`);
    expect(changed.body.items.map((one: { id: string }) => one.id)).not.toContain(id);
    const agents = await staff.agent.call('GET', `tickets/${id}`);
    expect(agents.body.version).toBeGreaterThan(before.body.version);
    const seen = { 'if-match': String(before.headers.get('etag')) };
    expect((await staff.customer.call('PATCH', `tickets/${id}`, { title: 'Light' }, seen)).status).toBe(200);
    expect((await staff.customer.call('PATCH', `tickets/${id}`, { title: 'Dark' }, seen)).status).toBe(412);
  });

  test('but what they may see does: another reference, a reply, an assignment', async () => {
    const { id } = await filed();
    const version = async () => (await staff.customer.call('GET', `tickets/${id}`)).body.version;
    const seen = [await version()];
    await staff.agent.call('PATCH', `tickets/${id}`, { external_ref: 'X-1' });
    seen.push(await version());
    await say(staff.agent, id, 'hello');
    seen.push(await version());
    await staff.agent.call('POST', `tickets/${id}/claim`);
    seen.push(await version());
    expect(seen).toEqual([1, 2, 3, 4]);
  });

  test('and leaves no gaps from which they could count it', async () => {
    const { id } = await filed();
    await say(staff.agent, id, 'they are wrong', true);
    await staff.manager.call('PUT', `tickets/${id}/watchers/${staff.otherAgent.id}`);
    await say(staff.agent, id, 'Hello.');
    await say(staff.agent, id, 'very wrong', true);
    await staff.agent.call('POST', `tickets/${id}/claim`);
    const read = await staff.customer.call('GET', `tickets/${id}?include=history`);
    expect([read.body.version, read.headers.get('etag')]).toEqual([3, '"3"']);
    expect(read.body.history.map((one: { seq: number }) => one.seq)).toEqual([1, 2, 3]);
    const { id: entry, comment_id } = read.body.history[1];
    expect(read.body.history.map((one: { id: string }) => one.id)).not.toContain(`${id}-4`);
    expect((await staff.customer.call('GET', `history/${entry}`)).body).toEqual(read.body.history[1]);
    for (const probe of [2, 4])
      expect((await staff.customer.call('GET', `history/${id}-${probe}`)).status).toBe(404);
    await world.drain();
    const news = (await staff.customer.call('GET', 'notifications')).body.items;
    const told = news.find(
      (one: { ticket_id: string; event: string }) => one.ticket_id === id && one.event === 'reply',
    );
    expect(told.entry_id).toBe(entry);
    const theirs = (await staff.agent.call('GET', `history/${entry}`)).body;
    expect(theirs).toMatchObject({ id: `${id}-4`, seq: 4, comment_id });
  });
});

describe('a reply', () => {
  test('by an agent in public is the first response; a note and the requester’s own words are not', async () => {
    const { id } = await filed();
    const responded = async () => (await staff.agent.call('GET', `tickets/${id}`)).body.first_responded_at;
    await say(staff.customer, id, 'anybody?');
    await say(staff.agent, id, 'looking', true);
    expect(await responded()).toBeNull();
    await say(staff.agent, id, 'We are on it.');
    const first = await responded();
    expect(first).toEqual(expect.any(String));
    await say(staff.agent, id, 'Still on it.');
    expect(await responded()).toBe(first);
    const { metrics } = (await staff.agent.call('GET', `tickets/${id}?include=metrics`)).body;
    expect(metrics).toMatchObject({ overdue: false, resolution_time_seconds: null });
    expect(metrics.response_time_seconds).toBeGreaterThan(0);
  });

  test('by the requester reopens a resolved ticket; an agent’s does not', async () => {
    const { id } = await filed();
    await staff.agent.call('POST', `tickets/${id}/resolve`, { resolution_notes: 'new bulb' });
    await say(staff.agent, id, 'Tell us if it fails again.');
    expect(await status(id)).toBe('resolved');
    await say(staff.customer, id, 'It failed again.');
    expect(await status(id)).toBe('reopened');
    const { body } = await staff.customer.call('GET', `tickets/${id}/history?action=reopened`);
    expect(body.items).toMatchObject([{ actor: { id: staff.customer.id } }]);
  });

  test('by the requester moves a pending ticket on', async () => {
    const { id } = await filed({ desk: 'OPS' });
    for (const to of ['open', 'PENDING_INFO'])
      await staff.agent.call('PATCH', `tickets/${id}/status`, { status: to });
    await say(staff.customer, id, 'The number is 7.');
    expect(await status(id)).toBe('open');
  });

  test('of somebody else’s ticket is not possible: it is not there', async () => {
    const { id } = await filed();
    expect((await say(staff.otherCustomer, id, 'hello')).status).toBe(404);
  });

  test.each(['', '   \n'])('of nothing (%j) is refused', async (content) => {
    const { id } = await filed();
    expect((await say(staff.agent, id, content)).status).toBe(400);
  });
});

describe('the type of a comment', () => {
  test.each([
    [{ comment_type: 'COMMENT', is_internal: false }, 'reply'],
    [{ comment_type: 'comment' }, 'reply'],
    [{ comment_type: 'Reply' }, 'reply'],
    [{ comment_type: 'comment', is_internal: true }, 'note'],
    [{ comment_type: 'INTERNAL NOTE' }, 'note'],
    [{ comment_type: 'note', is_internal: true }, 'note'],
    [{ is_internal: true }, 'note'],
  ])('%j makes a %s', async (more, comment_type) => {
    const { id } = await filed();
    const { status: code, body } = await staff.agent.call('POST', `tickets/${id}/comments`, {
      content: 'hello',
      ...more,
    });
    expect([code, body.comment_type, body.is_internal]).toEqual([201, comment_type, comment_type === 'note']);
  });

  test.each([
    [{ comment_type: 'note', is_internal: false }, 'contradicts is_internal'],
    [{ comment_type: 'reply', is_internal: true }, 'contradicts is_internal'],
    [{ comment_type: 'shout' }, 'must be one of comment, reply, note, internal_note'],
  ])('%j is refused', async (more, message) => {
    const { id } = await filed();
    const refused = await staff.agent.call('POST', `tickets/${id}/comments`, { content: 'hello', ...more });
    expect([refused.status, refused.body.details]).toEqual([400, [{ path: 'comment_type', message }]]);
    const bulk = { ids: [id], action: 'comment', content: 'hello', ...more };
    const { body } = await staff.agent.call('POST', 'tickets/bulk', bulk);
    expect([body.status ?? body.results[0].status]).toEqual([400]);
    expect(await thread(staff.agent, id)).toEqual([]);
  });

  test('note is not for customers to write', async () => {
    const { id } = await filed();
    const note = { content: 'psst', comment_type: 'note' };
    expect((await staff.customer.call('POST', `tickets/${id}/comments`, note)).status).toBe(403);
  });
});

describe('an internal note', () => {
  test('has no way to a customer', async () => {
    const { id } = await filed();
    const secret = 'canary-7781';
    const { body: note } = await say(staff.agent, id, secret, true);
    await say(staff.agent, id, 'Hello.');
    await staff.agent.call('PUT', `comments/${note.id}`, { content: `${secret} edited` });
    await staff.agent.call('PATCH', `tickets/${id}/status`, { status: 'open', notes: secret });
    await world.drain();
    for (const path of [
      `tickets/${id}?include=comments,history,metrics`,
      `tickets/${id}/comments?is_internal=true`,
      `tickets/${id}/history`,
      'tickets?q=canary',
      'tickets',
    ]) {
      const { status: code, body } = await staff.customer.call('GET', path);
      expect(code).toBe(200);
      expect(JSON.stringify(body)).not.toContain('canary');
      expect(JSON.stringify(body)).not.toContain(note.id);
    }
    for (const path of [`comments/${note.id}`, `comments/${note.id}/revisions`])
      expect((await staff.customer.call('GET', path)).status).toBe(404);
    expect((await thread(staff.agent, id)).map((one: { is_internal: boolean }) => one.is_internal)).toEqual([
      ...[true, false],
    ]);
  });

  test('is not for customers to write, and never becomes public', async () => {
    const { id } = await filed();
    expect((await say(staff.customer, id, 'psst', true)).status).toBe(403);
    const { body: note } = await say(staff.agent, id, 'psst', true);
    const widened = await staff.agent.call('PUT', `comments/${note.id}`, {
      content: 'x',
      is_internal: false,
    });
    expect(widened.status).toBe(400);
    expect((await staff.agent.call('GET', `comments/${note.id}`)).body.is_internal).toBe(true);
  });
});

describe('a comment', () => {
  test('says from which side it comes', async () => {
    const { id } = await filed();
    await say(staff.customer, id, 'hello?');
    await say(staff.manager, id, 'Hello.');
    await staff.agent.call('PUT', `tickets/${id}/watchers/${staff.otherCustomer.id}`);
    await say(staff.otherCustomer, id, 'me too');
    const sides = (await thread(staff.customer, id)).map((one: { author_role: string }) => one.author_role);
    expect(sides).toEqual(['customer', 'agent', 'customer']);
  });

  test('keeps every revision; only its author edits it', async () => {
    const { id } = await filed();
    const { body } = await say(staff.agent, id, 'one');
    expect((await staff.otherAgent.call('PUT', `comments/${body.id}`, { content: 'no' })).status).toBe(403);
    const edited = await staff.agent.call('PUT', `comments/${body.id}`, { content: 'two' });
    expect(edited.body).toMatchObject({ content: 'two', edited: true });
    const revisions = async (who: Person) =>
      (await who.call('GET', `comments/${body.id}/revisions`)).body.items.map(
        (one: { content: string }) => one.content,
      );
    expect(await revisions(staff.otherAgent)).toEqual(['one', 'two']);
    expect(await revisions(staff.customer)).toEqual(['two']);
    expect(await thread(staff.customer, id)).toMatchObject([{ content: 'two', edited: true }]);
  });

  test('deleted by its author or an administrator leaves a mark and no words', async () => {
    const { id } = await filed();
    const { body } = await say(staff.customer, id, 'my password is hunter2');
    expect((await staff.manager.call('DELETE', `comments/${body.id}`)).status).toBe(403);
    expect((await staff.admin.call('DELETE', `comments/${body.id}`)).status).toBe(204);
    const shown = (await staff.customer.call('GET', `tickets/${id}?include=comments,history`)).body;
    expect(shown.comments).toMatchObject([{ id: body.id, deleted: true, content: null, html: null }]);
    expect(JSON.stringify(shown)).not.toContain('hunter2');
    expect((await staff.customer.call('PUT', `comments/${body.id}`, { content: 'x' })).status).toBe(409);
    expect(shown.replies).toBe(0);
  });

  test('is Markdown; its HTML is harmless', async () => {
    const { id } = await filed();
    const wild = '**bold** <script>alert(1)</script> [x](javascript:alert(1)) ![i](https://evil/i.png)';
    const { html, content } = (await say(staff.customer, id, wild)).body;
    expect(content).toBe(wild);
    expect(html).toContain('<strong>bold</strong>');
    expect(html).not.toMatch(/<script|href="javascript|<img/i);
  });

  test('carries attachments of its ticket, and nothing internal in public', async () => {
    const { id } = await filed();
    const { id: other } = await filed();
    const upload = async (ticket: string, who: Person) => {
      const form = new FormData();
      form.append('file', new Blob(['it broke at nine']), 'notes.txt');
      const answer = await who.upload(`tickets/${ticket}/attachments`, form);
      return String(answer.body.id);
    };
    const mine = await upload(id, staff.customer);
    const elsewhere = await upload(other, staff.customer);
    const reply = (attachment_ids: string[]) =>
      staff.agent.call('POST', `tickets/${id}/comments`, { content: 'see', attachment_ids });
    expect((await reply([mine])).body.attachments).toEqual([mine]);
    expect((await reply([elsewhere])).status).toBe(400);
    const full = (await staff.customer.call('GET', `tickets/${id}?include=attachments`)).body;
    expect(full.attachments.map((one: { id: string }) => one.id)).toEqual([mine]);
  });

  test('that calls an agent by name makes them a watcher', async () => {
    const { id } = await filed();
    const { body } = await say(staff.agent, id, 'What do you think, @abel?', true);
    expect(body.mentions).toEqual([staff.otherAgent.id]);
    const { watchers } = (await staff.agent.call('GET', `tickets/${id}`)).body;
    expect(watchers).toEqual([staff.otherAgent.id]);
  });

  test('written twice with one key is written once', async () => {
    const { id } = await filed();
    const key = { 'idempotency-key': `k-${id}` };
    const post = () => staff.agent.call('POST', `tickets/${id}/comments`, { content: 'once' }, key);
    const [first, second] = [await post(), await post()];
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(second.body.id).toBe(first.body.id);
    expect(await thread(staff.agent, id)).toHaveLength(1);
  });

  test('the key of one request is not that of another: the same words on another ticket are refused', async () => {
    const [here, there] = [await filed(), await filed()];
    const key = { 'idempotency-key': `at-${here.id}` };
    const say = (id: string) =>
      staff.agent.call('POST', `tickets/${id}/comments`, { content: 'Said here.' }, key);
    expect((await say(here.id)).status).toBe(201);
    const refused = await say(there.id);
    expect([refused.status, refused.body.error_code]).toEqual([422, 'E_IDEMPOTENCY_KEY_REUSED']);
    expect((await staff.agent.call('GET', `tickets/${there.id}/comments`)).body.items).toEqual([]);
  });

  test('is found by where it came from, before and after it is filed', async () => {
    const { id } = await filed();
    const ctx = systemCtx({ log: openLog('silent') }, FIRST_COMPANY, 'slack');
    const origin = `slack:C1:${id}`;
    await addComment(ctx, id, { content: 'typo', isInternal: true, origin });
    expect((await editByOrigin(ctx, origin, 'fixed'))?.comment.text).toBe('fixed');
    await world.drain();
    expect((await editByOrigin(ctx, origin, 'fixed again'))?.comment.revisions).toHaveLength(3);
    expect((await removeByOrigin(ctx, origin))?.comment.deletedAt).toBeInstanceOf(Date);
    expect(await editByOrigin(ctx, 'slack:C1:nothing', 'x')).toBeNull();
  });

  test('of another company is not there', async () => {
    const { id } = await filed();
    const { body } = await say(staff.agent, id, 'ours');

    const company = 'e'.repeat(24);

    await mongoose.connection
      .collection('companies')
      .insertOne(newCompany(company, 'Other', new Date()) as never);
    const stranger = await hire(world, 'Stella', 'admin', { company });
    for (const path of [`comments/${body.id}`, `tickets/${id}`, `tickets/${id}/comments`])
      expect((await stranger.call('GET', path)).status).toBe(404);
    expect((await stranger.call('PUT', `comments/${body.id}`, { content: 'x' })).status).toBe(404);
    expect((await stranger.call('DELETE', `comments/${body.id}`)).status).toBe(404);
  });
});
