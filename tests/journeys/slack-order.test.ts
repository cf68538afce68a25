import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import type { Message } from '../support/fake-slack-state.ts';
import { openSlackDesk, type SlackDesk } from '../support/slack-desk.ts';

let desk: SlackDesk;
beforeAll(async () => {
  desk = await openSlackDesk({ mode: 'auto' });
}, 60_000);
afterAll(() => desk?.close());

interface Seen {
  content: string;
  is_internal: boolean;
  deleted: boolean;
}
const commentsOf = async (key: string): Promise<Seen[]> =>
  (await desk.staff.mei.call('GET', `tickets/${key}/comments`)).body.items;
const ticketsCalled = async (title: string) => (await desk.tickets()).filter((one) => one.title === title);
const keyOf = async (title: string): Promise<string> => {
  const found = await ticketsCalled(title);
  expect(found).toHaveLength(1);
  return String(found[0]?.key);
};
const quietly = (text: string, thread?: string): Promise<Message> =>
  desk.people.say(desk.ana, desk.requests, text, { silent: true, ...(thread ? { thread } : {}) });

/** The event of a message as Slack sends it when it is written, whatever happened to it since. */
const written = (message: Message, text = message.text) => {
  const { edited: _, ...plain } = message;
  const isRoot = message.thread_ts === message.ts;
  return desk.people.event(desk.team, {
    ...plain,
    text,
    channel_type: 'channel',
    thread_ts: isRoot ? undefined : message.thread_ts,
  });
};
const changed = (message: Message, text: string, at: string) =>
  desk.people.event(desk.team, {
    type: 'message',
    subtype: 'message_changed',
    channel: desk.requests.id,
    channel_type: 'channel',
    message: { ...message, text, edited: { user: desk.ana.id, ts: at } },
    previous_message: { ...message, text: 'whatever it was' },
    ts: at,
  });
const removed = (message: Message) =>
  desk.people.event(desk.team, {
    type: 'message',
    subtype: 'message_deleted',
    channel: desk.requests.id,
    channel_type: 'channel',
    deleted_ts: message.ts,
    previous_message: message,
    ts: '1.9',
  });

describe('whatever the order in which Slack tells of it, it ends as if told in order', () => {
  test('an edit before its message, and two edits the wrong way round', async () => {
    const root = await desk.people.say(desk.ana, desk.requests, 'The coffee is cold');
    await desk.settle();
    const key = await keyOf('The coffee is cold');
    const said = await quietly('draft', root.ts);
    await changed(said, 'third wording', '2000000003.000000');
    await changed(said, 'second wording', '2000000002.000000');
    await written(said, 'draft');
    await desk.settle();
    expect(await commentsOf(key)).toMatchObject([{ content: 'third wording' }]);
    const { body } = await desk.staff.mei.call('GET', `tickets/${key}/history`);
    expect(JSON.stringify(body)).not.toContain('draft');
    await changed(said, 'fourth wording', '2000000004.000000');
    await desk.settle();
    expect(await commentsOf(key)).toMatchObject([{ content: 'fourth wording' }]);
  });

  test('a deletion before its message', async () => {
    const root = await desk.people.say(desk.ana, desk.requests, 'The tea is cold');
    await desk.settle();
    const said = await quietly('never mind', root.ts);
    await removed(said);
    await written(said);
    await changed(said, 'never mind!', '2000000002.000000');
    await desk.settle();
    expect((await commentsOf(await keyOf('The tea is cold'))).filter((one) => !one.deleted)).toEqual([]);
  });

  test('a reply before the message that it answers', async () => {
    const root = await quietly('The soup is cold');
    const reply = await quietly('and the bread is stale', root.ts);
    await written(reply);
    await desk.settle();
    await written(root);
    await desk.settle();
    expect(await commentsOf(await keyOf('The soup is cold'))).toMatchObject([
      { content: 'and the bread is stale' },
    ]);
  });

  test('a reply that is told while its ticket is being filed', async () => {
    const root = await quietly('The rice is cold');
    const reply = await quietly('said at the same moment', root.ts);
    await Promise.all([written(root), written(reply), written(root), written(reply)]);
    await desk.settle();
    expect(await commentsOf(await keyOf('The rice is cold'))).toMatchObject([
      { content: 'said at the same moment' },
    ]);
  });

  test('the first message edited before its ticket is there', async () => {
    const root = await quietly('The pie is cold');
    root.text = 'The pie is cold\nand so am I';
    await changed(root, root.text, '2000000002.000000');
    await written(root, 'The pie is cold');
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${await keyOf('The pie is cold')}`);
    expect(body.description).toContain('and so am I');
  });
});

describe('what is no change', () => {
  test('a preview, or a count of answers, makes no revision', async () => {
    const root = await desk.people.say(desk.ana, desk.requests, 'Look at https://example.com please');
    await desk.settle();
    const [ticket] = (await desk.tickets()).slice(-1);
    const message = { ...root, attachments: [{ fallback: 'Example', title: 'A preview' }], reply_count: 3 };
    await desk.people.event(desk.team, {
      type: 'message',
      subtype: 'message_changed',
      channel: desk.requests.id,
      message,
      previous_message: root,
      ts: '1.8',
    });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${ticket?.key}/history`);
    expect(body.items.filter((one: { action: string }) => one.action === 'update')).toEqual([]);
  });

  test('what Slack leaves in the place of a deleted first message is not its new text', async () => {
    const root = await desk.people.say(desk.ana, desk.requests, 'I change my mind about this');
    await desk.settle();
    const key = await keyOf('I change my mind about this');
    const tombstone = {
      ...{ type: 'message', subtype: 'tombstone', hidden: true, user: 'USLACKBOT', channel: root.channel },
      ...{ text: 'This message was deleted.', ts: root.ts, thread_ts: root.ts },
    };
    await desk.people.event(desk.team, {
      ...{ type: 'message', subtype: 'message_changed', hidden: true, channel: desk.requests.id },
      ...{ message: tombstone, previous_message: root, ts: '1.7' },
    });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${key}`);
    expect(body.description).toBe('I change my mind about this');
    const before = (await desk.tickets()).length;
    const gone = await quietly('This will be gone');
    Object.assign(gone, tombstone, { ts: gone.ts, thread_ts: gone.ts });
    await desk.people.react(desk.ana, desk.requests, gone.ts, 'ticket');
    await desk.settle();
    expect(await desk.tickets()).toHaveLength(before);
    expect(desk.told(desk.ana)).toContain('That message is gone');
  });

  test('an answer that is also sent to the channel is one comment, and no ticket of its own', async () => {
    const root = await desk.people.say(desk.ana, desk.requests, 'The window is open');
    await desk.settle();
    const said = await quietly('also to the channel', root.ts);
    said.subtype = 'thread_broadcast';
    await written(said);
    await desk.settle();
    expect(await commentsOf(await keyOf('The window is open'))).toMatchObject([
      { content: 'also to the channel' },
    ]);
    expect(await ticketsCalled('also to the channel')).toEqual([]);
  });
});

describe('a thread with hundreds of answers', () => {
  test('becomes a ticket with all of them', async () => {
    const quietChannel = desk.requests;
    const root = await desk.people.say(desk.mei, quietChannel, 'We discuss this for long');
    for (let at = 0; at < 205; at += 1) await quietly(`word ${at}`, root.ts);
    await desk.people.react(desk.ana, quietChannel, root.ts, 'ticket');
    await desk.settle();
    const key = await keyOf('We discuss this for long');
    const ticket = await mongoose.connection.collection('tickets').findOne({ key });
    expect(ticket?.replies).toBe(205);
  }, 120_000);
});

describe('the title of a ticket from a message', () => {
  test.each([
    ['*VPN* is ~slow~ down, see <https://status.example|the page>', 'VPN is slow down, see the page'],
    ['&gt; quoted\nsecond line', 'quoted'],
    ['my_var_name is 2*3 `big`', 'my_var_name is 2*3 big'],
    ['• first of a list', 'first of a list'],
  ])('%s', async (text, title) => {
    await desk.people.say(desk.ana, desk.requests, text);
    await desk.settle();
    await keyOf(title);
  });
});

describe('a word to the bot', () => {
  test('below its own greeting is the request, not the greeting', async () => {
    const { people, ana, team } = desk;
    await people.dm(ana, 'hello');
    await desk.settle();
    const im = [...team.channels.values()].find((one) => one.name === `im-${ana.id}`);
    const greeting = im?.messages.findLast((one) => one.bot_id) as Message;
    await people.say(ana, im as never, 'My badge was stolen', { thread: greeting.ts });
    await desk.settle();
    const key = await keyOf('My badge was stolen');
    await people.say(ana, im as never, 'at the station', { thread: greeting.ts });
    await desk.settle();
    expect(await commentsOf(key)).toMatchObject([{ content: 'at the station' }]);
  });

  test('by name in a channel that files by itself is heard once', async () => {
    const { people, ana, requests, team } = desk;
    await people.say(ana, requests, `<@${team.botUser}> the roof leaks`);
    await desk.settle();
    expect((await desk.tickets()).filter((one) => String(one.title).includes('the roof leaks'))).toHaveLength(
      1,
    );
    expect(desk.told(ana)).not.toContain('ticket already');
  });
});

describe('what agents share among themselves', () => {
  test('stays there: the files of a note are files of the desk', async () => {
    const { people, mei, ana, requests } = desk;
    const root = await people.say(ana, requests, 'The vault is open');
    await desk.settle();
    const key = await keyOf('The vault is open');
    const file = (name: string) => ({ name, mimetype: 'text/plain', bytes: Buffer.from(name) });
    await people.say(mei, requests, 'note: who was it', { thread: root.ts, files: [file('inner-a.txt')] });
    await people.say(mei, desk.triage, 'see this', {
      thread: desk.card(key).ts,
      files: [file('inner-b.txt')],
    });
    await desk.settle();
    const { body } = await desk.staff.mei.call('GET', `tickets/${key}/attachments`);
    expect(
      body.items.map((one: { name: string; is_internal: boolean }) => [one.name, one.is_internal]).sort(),
    ).toEqual([
      ['inner-a.txt', true],
      ['inner-b.txt', true],
    ]);
    expect(JSON.stringify(desk.read(requests, root.ts).filter((one) => one.bot_id))).not.toContain('inner');
  });
});
