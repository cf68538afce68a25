import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import type { Message } from '../support/fake-slack-state.ts';
import { openSlackDesk, type SlackDesk, until } from '../support/slack-desk.ts';

let desk: SlackDesk;
beforeAll(async () => {
  desk = await openSlackDesk({ env: { NOTIFY_BUNDLE_SECONDS: '0' } });
}, 60_000);
afterAll(() => desk?.close());

async function filedFrom(text: string): Promise<{ root: Message; key: string }> {
  const root = await desk.people.say(desk.ana, desk.requests, text);
  await desk.people.react(desk.ana, desk.requests, root.ts, 'ticket');
  await desk.settle();
  return { root, key: String((await desk.tickets()).at(-1)?.key) };
}
const reply = (key: string, content: string) =>
  desk.staff.mei.call('POST', `tickets/${key}/comments`, { content, is_internal: false });
const thread = (root: Message): string => JSON.stringify(desk.read(desk.requests, root.ts));
/** Makes everything that waits for another try due now. */
const hurry = () =>
  mongoose.connection
    .collection('deliveries')
    .updateMany({ state: 'pending' }, { $set: { nextAttemptAt: new Date() } });

describe('words on their way to Slack', () => {
  test('an answer that got lost on its way back is not a second message', async () => {
    const { root, key } = await filedFrom('Lost answers');
    desk.slack.fail(/chat\.postMessage/, { lost: true, channel: desk.requests.id });
    await reply(key, 'exactly one of me');
    await desk.settle();
    await until('it is known to be there', async () => {
      await hurry();
      await desk.settle();
      const found = await mongoose.connection
        .collection('deliveries')
        .findOne({ 'message.text': 'exactly one of me' });
      return found?.state === 'sent';
    });
    expect(thread(root).split('"text":"Mei: exactly one of me"')).toHaveLength(2);
  });

  test('a fault is tried again and the order is kept', async () => {
    const { root, key } = await filedFrom('Faults');
    desk.slack.fail(/chat\.postMessage/, { status: 500, channel: desk.requests.id });
    for (const words of ['one', 'two', 'three']) await reply(key, words);
    await until('all are there', async () => {
      await hurry();
      await desk.settle();
      return thread(root).includes('Mei: three');
    });
    const texts = desk.read(desk.requests, root.ts).map((one) => one.text);
    expect(texts.filter((one) => /^Mei: (one|two|three)$/.test(one))).toEqual([
      'Mei: one',
      'Mei: two',
      'Mei: three',
    ]);
  });

  test('a channel that asks for patience is left alone, others go on, and nothing is lost', async () => {
    const { root, key } = await filedFrom('Slow down');
    desk.slack.pause(desk.requests.id, 3);
    const over = Date.now() / 1000 + 3;
    const before = desk.slack.state.breaches.length;
    for (const words of ['after the pause', 'and in order', 'as it was said']) await reply(key, words);
    await desk.settle();
    const { body: other } = await desk.world.call('POST', '/api/v1/tickets', {
      as: await desk.world.admin(),
      body: { title: 'Meanwhile elsewhere' },
    });
    await until('the other channel has its card', async () => {
      await desk.settle();
      return desk.triage.messages.some((one) => JSON.stringify(one.blocks ?? '').includes(other.key));
    });
    await until('the pause is over', async () => {
      await desk.settle();
      return thread(root).includes('as it was said');
    });
    const said = desk.read(desk.requests, root.ts).filter((one) => one.text.startsWith('Mei:'));
    expect(said.map((one) => one.text)).toEqual([
      'Mei: after the pause',
      'Mei: and in order',
      'Mei: as it was said',
    ]);
    expect(said.every((one) => Number(one.ts) >= over - 0.05)).toBe(true);
    expect(desk.slack.state.breaches.length).toBe(before);
  });

  test('what Slack refuses for good is not tried for ever', async () => {
    const { key } = await filedFrom('Archived');
    desk.slack.fail(/chat\.postMessage/, { error: 'is_archived', channel: desk.requests.id });
    await reply(key, 'nobody will read this');
    await desk.settle();
    const found = await mongoose.connection
      .collection('deliveries')
      .findOne({ surface: 'slack', 'message.text': 'nobody will read this', fallbackOf: null });
    expect(found).toMatchObject({ state: 'failed' });
    expect(String(found?.error)).toContain('is_archived');
    // The thread is gone, she is not: she is told directly, and may answer there.
    await until('she is told', async () => {
      await desk.settle();
      return desk.told(desk.ana).includes('nobody will read this');
    });
    const im = [...desk.team.channels.values()].find((one) => one.name === `im-${desk.ana.id}`);
    const told = im?.messages.findLast((one) => JSON.stringify(one).includes('nobody will read this'));
    await desk.people.say(desk.ana, im as never, 'I did', { thread: String(told?.ts) });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${key}/comments`);
    expect(body.items.at(-1)).toMatchObject({ content: 'I did', is_internal: false });
  });
});

describe('the one who asked', () => {
  test('hears in the thread that it is solved, confirms or rates it there', async () => {
    const { people, ana } = desk;
    const { root, key } = await filedFrom('Solve me');
    await desk.staff.mei.call('POST', `tickets/${key}/resolve`, { resolution_notes: 'Use the *other* door' });
    await desk.settle();
    const solved = desk
      .read(desk.requests, root.ts)
      .findLast((one) => JSON.stringify(one.blocks ?? '').includes('ticket_rate'));
    expect(JSON.stringify(solved?.blocks)).toContain('Use the _other_ door');
    await people.click(ana, solved as Message, 'ticket_rate', { selected_option: { value: '5' } });
    await people.click(ana, solved as Message, 'ticket_confirm');
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${key}`);
    expect(body).toMatchObject({ status: 'closed', satisfaction: { rating: 5 } });
  });

  test('without a thread hears by direct message, and may reopen from there', async () => {
    const { people, ana, requests } = desk;
    const view = await desk.form(() => people.slash(ana, requests, ''));
    await people.submit(ana, view, { title: 'By form, without a thread' });
    await desk.settle();
    const key = String((await desk.tickets()).at(-1)?.key);
    await desk.staff.mei.call('POST', `tickets/${key}/resolve`, { resolution_notes: 'Done' });
    await until('she is told directly', async () => {
      await desk.settle();
      return desk.told(ana).includes('ticket_reopen');
    });
    const im = [...desk.team.channels.values()].find((one) => one.name === `im-${ana.id}`);
    const notice = im?.messages.findLast((one) => JSON.stringify(one.blocks ?? '').includes('ticket_reopen'));
    await people.click(ana, notice as Message, 'ticket_reopen');
    await desk.settle();
    expect((await desk.staff.mei.call('GET', `tickets/${key}`)).body.status).toBe('reopened');
  });
});

describe('files', () => {
  test('come from Slack through the attachment rules, and go there with what is said', async () => {
    const { people, ana, requests } = desk;
    const { root, key } = await filedFrom('With files');
    await people.say(ana, requests, 'here', {
      thread: root.ts,
      files: [
        { name: 'trace.txt', mimetype: 'text/plain', bytes: Buffer.from('a trace of what happened') },
        { name: 'virus.exe', mimetype: 'application/octet-stream', bytes: Buffer.from('MZ not welcome') },
      ],
    });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${key}/attachments`);
    expect(body.items.map((one: { name: string }) => one.name)).toEqual(['trace.txt']);
    const { body: comments } = await desk.staff.mei.call('GET', `tickets/${key}/comments`);
    expect(comments.items.at(-1)).toMatchObject({ content: 'here' });
  });

  test('a sign-in page is never taken for the file', async () => {
    const { people, ana, requests, slack } = desk;
    const { root, key } = await filedFrom('Signed out');
    const other = slack.team('Elsewhere');
    const said = await people.say(ana, requests, 'look', {
      thread: root.ts,
      silent: true,
      files: [{ name: 'note.txt', mimetype: 'text/plain', bytes: Buffer.from('hello') }],
    });
    for (const file of slack.state.files.values()) if (file.name === 'note.txt') file.team = other.id;
    await people.event(desk.team, {
      type: 'message',
      subtype: 'file_share',
      channel: requests.id,
      user: ana.id,
      text: said.text,
      ts: said.ts,
      thread_ts: root.ts,
      files: said.files,
    });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${key}/attachments`);
    expect(body.items).toHaveLength(0);
  });
});

describe('linking accounts', () => {
  test('a code that the signed-in user was given makes the Slack account theirs', async () => {
    const { people, guest, requests } = desk;
    const { body } = await desk.staff.sam.call('POST', 'users/me/identities', {});
    await people.slash(guest, requests, 'link WRONG-CODE');
    await desk.settle();
    expect(desk.told(guest)).toContain('not right');
    await people.slash(guest, requests, `link ${body.code}`);
    await desk.settle();
    expect(desk.told(guest)).toContain('yours now, Sam');
    await people.slash(guest, requests, 'queue');
    await desk.settle();
    expect(desk.told(guest)).toContain('Waiting to be taken');
  });
});
