import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openSlackDesk, type SlackDesk } from '../support/slack-desk.ts';

let desk: SlackDesk;
beforeAll(async () => {
  desk = await openSlackDesk();
}, 60_000);
afterAll(() => desk?.close());

async function filed(title: string): Promise<{ id: string; key: string }> {
  const { body } = await desk.world.call('POST', '/api/v1/tickets', {
    as: await desk.world.admin(),
    body: { title },
  });
  await desk.settle();
  return body;
}

describe('the card in the triage channel', () => {
  test('stands there for a ticket from anywhere, and is drawn again in place on every change from anywhere', async () => {
    const { key, id } = await filed('From REST <!channel>');
    const card = desk.card(key);
    expect(JSON.stringify(card.blocks)).toContain('ticket_claim');
    await desk.staff.mei.call('POST', `tickets/${id}/claim`);
    await desk.settle();
    const drawn = desk.card(key);
    expect(drawn.ts).toBe(card.ts);
    expect(JSON.stringify(drawn.blocks)).not.toContain('ticket_claim');
    expect(JSON.stringify(drawn.blocks)).toContain('Mei');
  });

  test('claim, priority, status and reopen by its buttons', async () => {
    const { key, id } = await filed('Buttons');
    const { people, mei } = desk;
    await people.click(mei, desk.card(key), 'ticket_claim');
    await desk.settle();
    await people.click(mei, desk.card(key), 'ticket_priority', { selected_option: { value: 'urgent' } });
    await desk.settle();
    await people.click(mei, desk.card(key), 'ticket_status', { selected_option: { value: 'in_progress' } });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${id}`);
    expect(body).toMatchObject({ priority: 'urgent', status: 'in_progress', assignee_id: desk.staff.mei.id });
    expect(JSON.stringify(desk.card(key).blocks)).toContain('In progress');
  });

  test('resolving asks for the solution first', async () => {
    const { key, id } = await filed('To be solved');
    const { people, mei } = desk;
    const view = await desk.form(() => people.click(mei, desk.card(key), 'ticket_resolve'));
    const empty = await people.submit(mei, view, { text: ' ' });
    expect(empty.json).toMatchObject({ response_action: 'errors' });
    const answered = await people.submit(mei, view, { text: 'Turn it off & on' });
    expect(answered).toMatchObject({ status: 200, text: '' });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${id}`);
    expect(body).toMatchObject({ status: 'resolved', resolution_notes: 'Turn it off & on' });
    await people.click(mei, desk.card(key), 'ticket_reopen');
    await desk.settle();
    expect((await desk.staff.mei.call('GET', `tickets/${id}`)).body.status).toBe('reopened');
  });

  test('assigning by mention of a colleague', async () => {
    const { key, id } = await filed('For a colleague');
    const { people, mei, sam, ana } = desk;
    await people.click(mei, desk.card(key), 'ticket_claim');
    await desk.settle();
    await people.click(mei, desk.card(key), 'ticket_assign', { selected_user: ana.id });
    await desk.settle();
    expect(desk.told(mei)).toContain('Ana Lima is not an agent here.');
    await people.click(sam, desk.card(key), 'ticket_assign', { selected_user: sam.id });
    await desk.settle();
    expect((await desk.staff.mei.call('GET', `tickets/${id}`)).body.assignee_id).toBeDefined();
  });

  test('fifty people press claim: one has it, each other is told alone who, and the card says so', async () => {
    const { key, id } = await filed('Everybody wants it');
    const { people, mei, sam } = desk;
    const card = desk.card(key);
    const before = desk.slack.state.answers.length;
    const presses = await Promise.all(
      Array.from({ length: 50 }, (_, at) => people.click(at % 2 ? mei : sam, card, 'ticket_claim')),
    );
    expect(presses.map((one) => one.status)).toEqual(presses.map(() => 200));
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${id}/history`);
    const claims = body.items.filter((one: { action: string }) => one.action === 'assignment_change');
    expect(claims).toHaveLength(1);
    const losers = desk.slack.state.answers
      .slice(before)
      .filter((one) => /claimed TKT/.test(JSON.stringify(one.body)));
    const { body: after } = await desk.staff.mei.call('GET', `tickets/${id}`);
    const winner = after.assignee_id === desk.staff.mei.id ? mei : sam;
    expect(losers.every((one) => one.user !== winner.id)).toBe(true);
    expect(losers.length).toBeGreaterThanOrEqual(25);
    expect(JSON.stringify(desk.card(key).blocks)).not.toContain('ticket_claim');
    expect(JSON.stringify(desk.card(key).blocks)).toContain('ticket_resolve');
  });

  test('a press by somebody who may not, or on a forged ticket, changes nothing', async () => {
    const { key, id } = await filed('Not yours');
    const { people, guest } = desk;
    desk.triage.members.add(guest.id);
    await people.click(guest, desk.card(key), 'ticket_claim');
    await people.click(guest, desk.card(key), 'ticket_claim', { value: 'f'.repeat(24) });
    await desk.settle();
    expect((await desk.staff.mei.call('GET', `tickets/${id}`)).body.assignee_id).toBeNull();
    expect(desk.told(guest)).toContain(':warning:');
  });

  test('what agents say below the card is a note, unless they reply', async () => {
    const { key, id } = await filed('Talk');
    const { people, mei } = desk;
    const { ts } = desk.card(key);
    await people.say(mei, desk.triage, 'between us: careful', { thread: ts });
    await people.say(mei, desk.triage, 'reply: we look into it', { thread: ts });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${id}/comments`);
    expect(
      body.items.map((one: { content: string; is_internal: boolean }) => [one.content, one.is_internal]),
    ).toEqual([
      ['between us: careful', true],
      ['we look into it', false],
    ]);
  });

  test('below the card a note bears a lock, and stays locked when it is edited; what the requester reads bears none', async () => {
    const { key, id } = await filed('Marks');
    const { body } = await desk.staff.sam.call('POST', `tickets/${id}/comments`, {
      content: 'an inner word',
      is_internal: true,
    });
    await desk.staff.sam.call('POST', `tickets/${id}/comments`, {
      content: 'an open word',
      is_internal: false,
    });
    await desk.settle();
    await desk.staff.sam.call('PUT', `comments/${body.id}`, { content: 'a better inner word' });
    await desk.settle();
    const below = desk.read(desk.triage, desk.card(key).ts).map((one) => JSON.stringify(one.blocks));
    expect(below.filter((one) => one.includes(':lock:'))).toEqual([
      expect.stringContaining('a better inner word'),
    ]);
    expect(below.some((one) => one.includes('an open word'))).toBe(true);
  });
});
