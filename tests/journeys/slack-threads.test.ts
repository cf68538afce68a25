import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Message } from '../support/fake-slack-state.ts';
import { openSlackDesk, type SlackDesk } from '../support/slack-desk.ts';

let desk: SlackDesk;
beforeAll(async () => {
  desk = await openSlackDesk();
}, 60_000);
afterAll(() => desk?.close());

interface Seen {
  content: string;
  is_internal: boolean;
  deleted: boolean;
  author: { name: string };
}
const commentsOf = async (key: string): Promise<Seen[]> =>
  (await desk.staff.mei.call('GET', `tickets/${key}/comments`)).body.items;

async function filedFrom(text: string): Promise<{ root: Message; key: string }> {
  const root = await desk.people.say(desk.ana, desk.requests, text);
  await desk.people.react(desk.ana, desk.requests, root.ts, 'ticket');
  await desk.settle();
  const ticket = (await desk.tickets()).at(-1);
  return { root, key: String(ticket?.key) };
}

describe('a thread and its ticket', () => {
  test(':ticket: files a message once, with what was said below it, and says so in the thread', async () => {
    const { people, ana, sam, requests } = desk;
    const root = await people.say(ana, requests, 'VPN is *down*\nsince this morning');
    await people.say(sam, requests, 'same here', { thread: root.ts });
    await people.react(ana, requests, root.ts, 'ticket');
    await people.react(sam, requests, root.ts, 'ticket');
    await desk.settle();
    const all = await desk.tickets();
    expect(all).toHaveLength(1);
    expect(all[0]).toMatchObject({ title: 'VPN is down', channel: 'slack' });
    const key = String(all[0]?.key);
    expect(await commentsOf(key)).toMatchObject([{ content: 'same here', author: { name: 'Sam' } }]);
    const confirmed = desk.read(requests, root.ts).filter((one) => one.bot_id);
    expect(confirmed).toHaveLength(1);
    expect(JSON.stringify(confirmed[0]?.blocks)).toContain(key);
    expect(root.reactions?.find((one) => one.users.includes(desk.team.botUser))?.name).toBe('ticket');
    expect(desk.told(sam)).toContain('This thread is a ticket already');
  });

  test('words go both ways, edits and deletions too, and nobody hears anything twice', async () => {
    const { people, ana, requests } = desk;
    const { root, key } = await filedFrom('The door squeaks');
    const said = await people.say(ana, requests, 'it is _terrible_', { thread: root.ts });
    await desk.settle();
    await desk.staff.mei.call('POST', `tickets/${key}/comments`, {
      content: 'We oil it **now**',
      is_internal: false,
    });
    await desk.staff.mei.call('POST', `tickets/${key}/comments`, {
      content: 'SECRET-oil is cheap',
      is_internal: true,
    });
    await desk.settle();
    const thread = JSON.stringify(desk.read(requests, root.ts));
    expect(thread).toContain('We oil it *now*');
    expect(thread).not.toContain('SECRET');
    expect(thread.split('it is _terrible_')).toHaveLength(2);

    await people.edit(ana, requests, said.ts, 'it is unbearable');
    await desk.settle();
    expect((await commentsOf(key))[0]).toMatchObject({ content: 'it is unbearable' });
    await people.remove(ana, requests, said.ts);
    await desk.settle();
    expect((await commentsOf(key))[0]).toMatchObject({ deleted: true });
  });

  test('an agent’s edit and deletion reach the thread', async () => {
    const { requests } = desk;
    const { root, key } = await filedFrom('The lamp flickers');
    const { body } = await desk.staff.mei.call('POST', `tickets/${key}/comments`, {
      content: 'first words',
      is_internal: false,
    });
    await desk.settle();
    expect(JSON.stringify(desk.read(requests, root.ts))).toContain('first words');
    await desk.staff.mei.call('PUT', `comments/${body.id}`, { content: 'better words' });
    await desk.settle();
    expect(JSON.stringify(desk.read(requests, root.ts))).toContain('better words');
    expect(JSON.stringify(desk.read(requests, root.ts))).not.toContain('first words');
    await desk.staff.mei.call('DELETE', `comments/${body.id}`);
    await desk.settle();
    expect(JSON.stringify(desk.read(requests, root.ts))).not.toContain('better words');
  });

  test('an agent’s note: stays with agents', async () => {
    const { people, mei, requests } = desk;
    const { root, key } = await filedFrom('A question');
    await people.say(mei, requests, 'note: he asks this every week', { thread: root.ts });
    await desk.settle();
    expect(await commentsOf(key)).toMatchObject([{ content: 'he asks this every week', is_internal: true }]);
  });

  test('an edit or a deletion that comes before its message ends as if it had come after', async () => {
    const { people, ana, requests, team } = desk;
    const { root, key } = await filedFrom('Out of order');
    const late = await people.say(ana, requests, 'final text', { thread: root.ts, silent: true });
    const gone = await people.say(ana, requests, 'never mind', { thread: root.ts, silent: true });
    const base = {
      channel: requests.id,
      channel_type: 'channel',
      user: ana.id,
      type: 'message',
      thread_ts: root.ts,
    };
    await people.event(team, {
      ...base,
      user: undefined,
      subtype: 'message_changed',
      message: { ...late },
      previous_message: { ...late, text: 'draft' },
      ts: '1.1',
    });
    await people.event(team, {
      ...base,
      user: undefined,
      subtype: 'message_deleted',
      deleted_ts: gone.ts,
      previous_message: gone,
      ts: '1.2',
    });
    await people.event(team, { ...base, text: 'draft', ts: late.ts });
    await people.event(team, { ...base, text: 'never mind', ts: gone.ts });
    await desk.settle();
    const seen = await commentsOf(key);
    expect(seen.filter((one) => !one.deleted)).toHaveLength(1);
    expect(seen.filter((one) => one.deleted)).toHaveLength(1);
  });

  test('the same event four times at once is one comment', async () => {
    const { people, ana, requests, team } = desk;
    const { root, key } = await filedFrom('Storm');
    const event = {
      type: 'message',
      channel: requests.id,
      channel_type: 'channel',
      user: ana.id,
      text: 'once',
      ts: '1900000000.000100',
      thread_ts: root.ts,
    };
    const all = await Promise.all([1, 2, 3, 4].map(() => people.event(team, event, { id: 'Ev0STORM' })));
    expect(all.map((one) => one.status)).toEqual([200, 200, 200, 200]);
    await desk.settle();
    expect(await commentsOf(key)).toHaveLength(1);
  });

  test('apps are not talked to, and our own words are not taken for somebody’s', async () => {
    const { people, ana, requests, team, slack } = desk;
    const { root, key } = await filedFrom('Loop');
    const bot = { ...ana, id: 'U0BOT', bot: true };
    await people.say(bot, requests, 'I am an app', { thread: root.ts });
    await people.event(team, {
      type: 'message',
      channel: requests.id,
      user: team.botUser,
      bot_id: team.botId,
      text: 'own voice',
      ts: '1900000000.000200',
      thread_ts: root.ts,
    });
    await desk.settle();
    expect(await commentsOf(key)).toHaveLength(0);
    expect(slack.state.breaches).toHaveLength(0);
  });

  test('a private ticket out of an open thread leaves no trace there', async () => {
    const { people, ana, requests } = desk;
    const root = await people.say(ana, requests, 'Somebody reads my mail');
    await people.react(ana, requests, root.ts, 'shushing_face');
    await people.react(ana, requests, root.ts, 'shushing_face');
    await desk.settle();
    const found = (await desk.tickets()).filter((one) => one.title === 'Somebody reads my mail');
    expect(found).toMatchObject([{ private: true }]);
    await desk.staff.mei.call('POST', `tickets/${found[0]?.key}/comments`, {
      content: 'we look',
      is_internal: false,
    });
    await desk.settle();
    expect(desk.read(requests, root.ts)).toHaveLength(0);
    expect(root.reactions?.some((one) => one.users.includes(desk.team.botUser))).toBe(false);
    expect(desk.told(ana)).toContain('Filed privately');
  });

  test('eyes claim and a tick resolves, for agents only', async () => {
    const { people, ana, mei, requests } = desk;
    const { root, key } = await filedFrom('Emoji deeds');
    await people.react(ana, requests, root.ts, 'eyes');
    await desk.settle();
    expect((await desk.staff.mei.call('GET', `tickets/${key}`)).body.assignee_id).toBeNull();
    await people.react(mei, requests, root.ts, 'eyes');
    await desk.settle();
    await people.react(mei, requests, root.ts, 'white_check_mark');
    await desk.settle();
    expect((await desk.staff.mei.call('GET', `tickets/${key}`)).body).toMatchObject({
      status: 'resolved',
      assignee_id: desk.staff.mei.id,
    });
    const mark = root.reactions?.find((one) => one.users.includes(desk.team.botUser));
    expect(mark?.name).toBe('white_check_mark');
  });
});
