import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { openDesk } from '../../src/desks/desks.ts';
import { openLog } from '../../src/log.ts';
import { create, createInput } from '../../src/tickets/tickets.ts';
import { addPerson, type Json, type Message } from '../support/fake-slack-state.ts';
import { openSlackDesk, type SlackDesk } from '../support/slack-desk.ts';

const OTHER = 'c'.repeat(24);
let desk: SlackDesk;
/** A ticket of another company on the same installation. */
let theirs: { _id: string; key: string };
beforeAll(async () => {
  desk = await openSlackDesk();
  const at = new Date();
  await mongoose.connection.collection('companies').insertOne({
    ...{ _id: OTHER as never, name: 'Other', address: null, email: null, domains: [], root: false },
    ...{ autoPrioritize: false, autoCategorize: false, autoAssign: false, allowRegistration: true },
    ...{ active: true, createdAt: at, updatedAt: at },
  });
  const elsewhere = systemCtx({ log: openLog('silent') }, OTHER);
  await openDesk(elsewhere, { key: 'OTH', name: 'Others', preset: 'support', isDefault: true });
  theirs = await create(elsewhere, createInput.parse({ title: 'THEIR-SECRET' }));
}, 60_000);
afterAll(() => desk?.close());

async function filed(title: string, more: object = {}): Promise<{ id: string; key: string }> {
  const { body } = await desk.world.call('POST', '/api/v1/tickets', {
    as: await desk.world.admin(),
    body: { title, ...more },
  });
  await desk.settle();
  return body;
}
/** The card, as if somebody had written another ticket into it. */
const forged = (card: Message, from: string, to: string): Message => ({
  ...card,
  blocks: JSON.parse(JSON.stringify(card.blocks).replaceAll(from, to)) as Json[],
});
const PRESSES: [string, Json][] = [
  ['ticket_claim', {}],
  ['ticket_priority', { selected_option: { value: 'urgent' } }],
  ['ticket_status', { selected_option: { value: 'open' } }],
  ['ticket_more', { selected_option: { value: 'close' } }],
  ['ticket_resolve', {}],
  ['ticket_reply', {}],
  ['ticket_note', {}],
];

describe('a press is somebody’s word, not a right', () => {
  test.each(PRESSES)('%s with a ticket of another company in it', async (action, value) => {
    const { id, key } = await filed('Ours');
    const before = desk.slack.state.views.size;
    await desk.people.click(desk.mei, forged(desk.card(key), id, theirs._id), action, value);
    await desk.settle();
    const stored = await mongoose.connection.collection('tickets').findOne({ key: theirs.key });
    expect(stored).toMatchObject({ assignee: null, seq: 1 });
    expect(desk.slack.state.views.size).toBe(before);
    expect(desk.told(desk.mei)).not.toContain('THEIR-SECRET');
  });

  test.each(PRESSES)('%s by a customer on the card of somebody else', async (action, value) => {
    const { id, key } = await filed('Not for Ana');
    const before = desk.slack.state.views.size;
    await desk.people.click(desk.ana, desk.card(key), action, value);
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${id}`);
    expect(body).toMatchObject({ assignee_id: null, status: 'new', priority: 'medium' });
    expect(desk.slack.state.views.size).toBe(before);
  });

  test('a form that was opened for one ticket and sent for another is refused at its field', async () => {
    const { key } = await filed('A form');
    const view = await desk.form(() => desk.people.click(desk.mei, desk.card(key), 'ticket_note'));
    const answer = await desk.people.submit(
      desk.mei,
      { ...view, private_metadata: JSON.stringify({ ticket: theirs._id }) },
      { text: 'an inner word' },
    );
    expect(answer.json).toMatchObject({ response_action: 'errors' });
    expect(JSON.stringify(answer.json)).not.toContain('THEIR');
  });

  test('a card that was left standing tells what is so now, and does nothing twice', async () => {
    const { id, key } = await filed('Left standing');
    const stale = structuredClone(desk.card(key));
    await desk.staff.sam.call('POST', `tickets/${id}/claim`);
    await desk.staff.sam.call('POST', `tickets/${id}/resolve`, { resolution_notes: 'Long done' });
    await desk.staff.sam.call('POST', `tickets/${id}/close`, {});
    await desk.settle();
    await desk.people.click(desk.mei, stale, 'ticket_claim');
    await desk.people.click(desk.mei, stale, 'ticket_status', { selected_option: { value: 'in_progress' } });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${id}`);
    expect(body).toMatchObject({ status: 'closed', assignee_id: desk.staff.sam.id });
    expect(desk.told(desk.mei)).toContain('Sam claimed');
    const drawn = JSON.stringify(desk.card(key).blocks);
    expect(drawn).toContain('Long done');
    expect(drawn).not.toContain('ticket_claim');
  });

  test('no command reaches what is another company’s or another customer’s', async () => {
    const { key } = await filed('OUR-SECRET');
    for (const words of [`show ${theirs.key}`, `show ${theirs._id}`, `reply ${theirs.key} hello`])
      await desk.people.slash(desk.mei, desk.requests, words);
    for (const words of [`show ${key}`, `reply ${key} hello`, `close ${key}`, 'search SECRET', 'list'])
      await desk.people.slash(desk.ana, desk.requests, words);
    await desk.settle();
    expect(desk.told(desk.mei)).not.toContain('THEIR-SECRET');
    expect(desk.told(desk.ana)).not.toContain('OUR-SECRET');
  });

  test('words of another workspace reach nobody, whatever ids they name', async () => {
    const { id, key } = await filed('Across the street');
    const other = desk.slack.team('Elsewhere');
    const eve = addPerson(desk.slack.state, other, 'Eve', { email: 'mei@company.example' });
    const before = await mongoose.connection.collection('inbox').countDocuments();
    const card = desk.card(key);
    const press = {
      type: 'block_actions',
      team: { id: other.id },
      user: { id: eve.id, team_id: other.id },
      trigger_id: '1.2.3',
      actions: [{ action_id: 'ticket_claim', block_id: `card:${id}`, value: id, type: 'button' }],
      container: { channel_id: desk.triage.id, message_ts: card.ts },
      channel: { id: desk.triage.id },
    };
    const form = new URLSearchParams({ payload: JSON.stringify(press) }).toString();
    expect((await desk.people.post('form', form)).status).toBe(200);
    await desk.people.event(other, {
      ...{ type: 'reaction_added', user: eve.id, reaction: 'eyes' },
      item: { type: 'message', channel: desk.triage.id, ts: card.ts },
    });
    await desk.settle();
    expect((await desk.staff.mei.call('GET', `tickets/${id}`)).body.assignee_id).toBeNull();
    expect(await mongoose.connection.collection('inbox').countDocuments()).toBe(before);
  });
});

describe('apps', () => {
  test('do not talk each other into tickets: our own words, another app’s, and Slackbot’s', async () => {
    const { people, team, requests } = desk;
    await desk.world.call('PUT', `/api/v1/workspaces/slack:${team.id}/channels/${requests.id}`, {
      as: await desk.world.admin(),
      body: { role: 'requests', mode: 'auto' },
    });
    const before = (await desk.tickets()).length;
    const ids = async () => mongoose.connection.collection('inbox').countDocuments();
    const inbox = await ids();
    const said = {
      type: 'message',
      channel: requests.id,
      channel_type: 'channel',
      text: 'please help me with this',
    };
    const voices = [
      { user: team.botUser, bot_id: team.botId, ts: '1.1' },
      { user: 'U0ELSE', bot_id: 'B0ELSE', ts: '1.2' },
      { subtype: 'bot_message', bot_id: 'B0ELSE', ts: '1.3' },
      { user: 'USLACKBOT', ts: '1.4' },
      { subtype: 'channel_join', user: desk.ana.id, ts: '1.5' },
      {
        subtype: 'message_changed',
        message: { user: team.botUser, bot_id: team.botId, ts: '1.1', text: 'x' },
        ts: '1.6',
      },
      { subtype: 'message_deleted', previous_message: { bot_id: 'B0ELSE', ts: '1.2', text: 'x' }, ts: '1.7' },
    ];
    for (const voice of voices) expect((await people.event(team, { ...said, ...voice })).status).toBe(200);
    await people.event(team, {
      ...{ type: 'reaction_added', user: team.botUser, reaction: 'ticket' },
      item: { type: 'message', channel: requests.id, ts: '1.2' },
    });
    await desk.settle();
    expect(await desk.tickets()).toHaveLength(before);
    expect(await ids()).toBe(inbox);
  });
});
