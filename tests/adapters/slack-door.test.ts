import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { openLog } from '../../src/log.ts';
import { connectStore } from '../../src/store.ts';
import { sign } from '../support/fake-slack-people.ts';
import { openSlackDesk, SECRET, type SlackDesk } from '../support/slack-desk.ts';

let desk: SlackDesk;
beforeAll(async () => {
  desk = await openSlackDesk({ mode: 'auto' });
}, 60_000);
afterAll(() => desk?.close());

const now = (): number => Math.floor(Date.now() / 1000);
let count = 0;
/** A message event in the request channel, which becomes a ticket by itself. */
function messageBody(text: string, more: object = {}): string {
  count += 1;
  return JSON.stringify({
    type: 'event_callback',
    team_id: desk.team.id,
    api_app_id: 'A0SWITCH',
    event_id: `Ev0DOOR${count}`,
    event: { type: 'hello_noise', text },
    ...more,
  });
}

describe('who may come in', () => {
  test.each([
    ['no signature', { signature: '' }],
    ['a cut one', { signature: 'v0=ab' }],
    ['one without a version', { signature: 'a'.repeat(64) }],
    ['only a version', { signature: 'v0=' }],
    ['another algorithm', { signature: `v9=${'a'.repeat(64)}` }],
    ['far too long', { signature: `v0=${'a'.repeat(5000)}` }],
    ['another secret', { secret: 'somebody else' }],
    ['a time that is none', { headers: { 'x-slack-request-timestamp': 'NaN' } }],
    ['a time in hexadecimal', { headers: { 'x-slack-request-timestamp': '0x10' } }],
  ])('%s: 401, never 500', async (_name, posting) => {
    const answer = await desk.people.post('json', messageBody('x'), posting);
    expect(answer.status).toBe(401);
  });

  test('a signature in capital letters, or over another body, is none', async () => {
    const body = messageBody('x');
    const upper = await desk.people.post('json', body, {
      signature: sign(SECRET, now(), body).toUpperCase(),
    });
    const other = await desk.people.post('json', body, { signature: sign(SECRET, now(), `${body} `) });
    expect([upper.status, other.status]).toEqual([401, 401]);
  });

  test.each([
    [-301, 401],
    [301, 401],
    [-298, 200],
    [298, 200],
  ])('a time %d seconds off: %d', async (off, status) => {
    const answer = await desk.people.post('json', messageBody('x'), { at: now() + off });
    expect(answer.status).toBe(status);
  });

  test('Slack’s own example verifies', () => {
    const body =
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c';
    expect(sign(SECRET, 1531420618, body)).toBe(
      'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    );
  });

  test('the address is proven by its challenge', async () => {
    const answer = await desk.people.post(
      'json',
      JSON.stringify({ type: 'url_verification', challenge: 'abc' }),
    );
    expect(answer.json).toEqual({ challenge: 'abc' });
  });

  test.each([
    [
      'nested ten thousand deep',
      `{"type":"event_callback","event":${'['.repeat(10_000)}${']'.repeat(10_000)}}`,
    ],
    [
      'a prototype',
      '{"type":"event_callback","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    ],
    ['no JSON', '{"type":'],
    ['nothing', ''],
    ['a list', '[]'],
    ['null', 'null'],
  ])('%s does no harm', async (_name, body) => {
    const answer = await desk.people.post('json', body);
    expect([200, 400, 503]).toContain(answer.status);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect((await desk.people.post('json', messageBody('still there'))).status).toBe(200);
  });

  test('what another workspace says is acknowledged and forgotten', async () => {
    const before = await mongoose.connection.collection('inbox').countDocuments();
    const answer = await desk.people.post(
      'json',
      JSON.stringify({
        type: 'event_callback',
        team_id: 'T0STRANGER',
        event_id: 'Ev0STRANGER',
        event: {
          type: 'message',
          channel: desk.requests.id,
          user: 'U0X',
          text: 'open a ticket for me please',
          ts: '1.2',
        },
      }),
    );
    expect(answer.status).toBe(200);
    expect(await mongoose.connection.collection('inbox').countDocuments()).toBe(before);
  });
});

describe('while the store is away', () => {
  test('events are refused so that Slack sends them again, people are told, and nothing is lost', async () => {
    const { people, ana, requests, team, world } = desk;
    const message = await people.say(ana, requests, 'My screen stays black since Monday', { silent: true });
    const event = {
      type: 'message',
      channel: requests.id,
      channel_type: 'channel',
      user: ana.id,
      text: message.text,
      ts: message.ts,
    };
    await desk.settle();
    await mongoose.disconnect();
    const refused = await people.event(team, event, { id: 'Ev0AWAY' });
    const command = await people.slash(ana, requests, 'list');
    expect(refused.status).toBe(503);
    expect(command).toMatchObject({ status: 200, late: false });
    expect(command.text).toContain('Nothing was changed');
    await connectStore({ uri: world.config.MONGODB_URI, database: world.database, log: openLog('silent') });
    const again = await people.event(team, event, { id: 'Ev0AWAY' });
    const twice = await people.event(team, event, { id: 'Ev0AWAY' });
    expect([again.status, twice.status]).toEqual([200, 200]);
    await desk.settle();
    const found = (await desk.tickets()).filter((one) => one.title === message.text);
    expect(found).toHaveLength(1);
  });
});

describe('what is acknowledged', () => {
  test('is done even when its first try fails', async () => {
    const { people, ana, requests, slack } = desk;
    const filed = async () => (await desk.tickets()).filter((one) => one.title === message.text);
    const comments = async () => {
      const key = String((await filed())[0]?.key);
      return (await desk.staff.mei.call('GET', `tickets/${key}/comments`)).body.items;
    };
    slack.fail(/conversations\.replies/, { status: 500 });
    const message = await people.say(ana, requests, 'The fridge hums loudly', { silent: true });
    await people.say(ana, requests, 'very loudly', { thread: message.ts, silent: true });
    await people.event(desk.team, { ...message, channel_type: 'channel', thread_ts: undefined });
    await desk.settle();
    expect(await comments()).toHaveLength(0);
    await mongoose.connection
      .collection('inbox')
      .updateMany({ state: 'waiting' }, { $set: { nextAt: new Date(0) } });
    const { sweepInbox } = await import('../../src/inbox.ts');
    await sweepInbox(openLog('silent'));
    await desk.settle();
    expect(await filed()).toHaveLength(1);
    expect(await comments()).toMatchObject([{ content: 'very loudly' }]);
  });

  test('greetings, agents and marked messages are not filed in a channel that files by itself', async () => {
    const { people, ana, mei, requests } = desk;
    const before = (await desk.tickets()).length;
    for (const words of [
      'good morning everyone!',
      'thanks a lot',
      ':megaphone: the office is closed tomorrow',
    ])
      await people.say(ana, requests, words);
    await people.say(mei, requests, 'I will restart the server tonight');
    await desk.settle();
    expect(await desk.tickets()).toHaveLength(before);
    const hello = requests.messages.find((one) => one.text.startsWith('good morning'));
    await people.shortcut(ana, 'ticket_why', { channel: requests, message: hello as never });
    await desk.settle();
    const { until } = await import('../support/slack-desk.ts');
    await until('the reason is told', () => desk.told(ana).includes('greeting'));
  });
});
