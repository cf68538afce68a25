// Two processes with a door to Slack each, over one database: events that come several times at once, or days later,
// and processes that are killed between any two steps. Each event has its effect, and has it once.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { bindChannel } from '../../src/places/channels.ts';
import { channelInput } from '../../src/places/place.ts';
import { type FakeSlack, startFakeSlack } from '../support/fake-slack.ts';
import { livePeople, type People } from '../support/fake-slack-people.ts';
import {
  addChannel,
  addPerson,
  type Channel,
  type Message,
  type Person,
} from '../support/fake-slack-state.ts';
import { type Desk, startDesk } from '../support/processes.ts';
import { SECRET } from '../support/slack-desk.ts';
import { until } from '../support/talk.ts';
import { openWorld, type World } from '../support/world.ts';

let slack: FakeSlack;
let world: World;
let ana: Person;
let requests: Channel;
let team: ReturnType<FakeSlack['team']>;
const desks: { desk: Desk; people: People }[] = [];

async function open(): Promise<void> {
  const desk = await startDesk(world, {
    ROLES: 'api,worker,slack',
    HOST: '127.0.0.1',
    SLACK_SIGNING_SECRET: SECRET,
    SLACK_BOT_TOKEN: team.token,
    SLACK_API_URL: slack.apiUrl,
    PUBLIC_URL: 'https://desk.example',
    PEER_URL: 'http://127.0.0.1:9',
  });
  const url = /^ready (\S+)/m.exec(desk.said())?.[1];
  desks.push({ desk, people: livePeople(slack, { door: `${url}/slack/events`, secret: SECRET }) });
}
/** As the power does; and what it left is due at once, instead of after the half minute that others wait. */
async function kill(at = 0): Promise<void> {
  const [victim] = desks.splice(at, 1);
  victim?.desk.child.kill('SIGKILL');
  await victim?.desk.ended;
}
const hasten = () => inbox().updateMany({ state: 'waiting' }, { $set: { nextAt: new Date(0) } });
const inbox = () => mongoose.connection.collection('inbox');

beforeAll(async () => {
  slack = await startFakeSlack();
  team = slack.team('Acme');
  ana = addPerson(slack.state, team, 'Ana Lima', { email: 'ana@company.com' });
  requests = addChannel(slack.state, team, 'help', [ana]);
  world = await openWorld({ roles: 'api' });
  await Promise.all([open(), open()]);
  const ctx = systemCtx({ log: openLog('silent') }, FIRST_COMPANY);
  const settings = channelInput.parse({ role: 'requests', mode: 'auto' });
  await bindChannel(ctx, `slack:${team.id}`, requests.id, settings);
}, 120_000);
afterEach(() => {
  slack.state.faults.length = 0;
});
afterAll(async () => {
  while (desks.length) await kill();
  await world?.close();
  await slack?.stop();
});

let count = 0;
/** A message that stands in the channel, and the event that tells of it. */
function written(text: string, more: Partial<Message> = {}) {
  count += 1;
  const ts = `${1_900_000_000 + count}.000100`;
  const message = { type: 'message', ts, channel: requests.id, user: ana.id, text, ...more } as Message;
  requests.messages.push(message);
  return { message, event: { ...message, channel_type: 'channel' }, id: `Ev0FAULT${count}` };
}
const people = (at: number): People => desks[at % desks.length]?.people as People;
const ticketsCalled = (title: string) => mongoose.connection.collection('tickets').find({ title }).toArray();
const saidBelow = ({ ts }: Message) =>
  requests.messages.filter((one) => one.thread_ts === ts && one.ts !== ts && one.bot_id && one.blocks);
const commentsOn = async (title: string): Promise<string[]> => {
  const [ticket] = await ticketsCalled(title);
  const as = await world.admin();
  const { body } = await world.call('GET', `/api/v1/tickets/${ticket?.key}/comments`, { as });
  return body.items.map((one: { content: string }) => one.content);
};

describe('the same event again', () => {
  test('four times at the same instant over two processes: one ticket, one reply, and all are told it is safe', async () => {
    const stories = ['storm one', 'storm two', 'storm three'].map((title) => written(title));
    const answers = await Promise.all(
      stories.flatMap(({ event, id }) => [0, 1, 2, 3].map((at) => people(at).event(team, event, { id }))),
    );
    expect(answers.map((one) => one.status)).toEqual(answers.map(() => 200));
    await until(() => stories.every(({ message }) => saidBelow(message).length > 0), 30_000);
    const replies = stories.map(({ message }, nth) => written(`answer ${nth}`, { thread_ts: message.ts }));
    const more = await Promise.all(
      replies.flatMap(({ event, id }) => [0, 1, 2, 3].map((at) => people(at).event(team, event, { id }))),
    );
    expect(more.map((one) => one.status)).toEqual(more.map(() => 200));
    await until(async () => (await inbox().countDocuments({ state: 'waiting' })) === 0, 30_000);
    for (const [nth, { message }] of stories.entries()) {
      expect(await ticketsCalled(message.text)).toHaveLength(1);
      expect(await commentsOn(message.text)).toEqual([`answer ${nth}`]);
      expect(saidBelow(message)).toHaveLength(1);
    }
  }, 90_000);

  test('a message and its answers, told to different processes at once: the answers are not lost', async () => {
    const roots = Array.from({ length: 6 }, (_, nth) => written(`split ${nth}`));
    const answers = roots.map(({ message }, nth) => written(`below ${nth}`, { thread_ts: message.ts }));
    await Promise.all(
      roots.flatMap(({ event, id }, nth) => [
        people(nth).event(team, event, { id }),
        people(nth + 1).event(team, answers[nth]?.event ?? {}, { id: String(answers[nth]?.id) }),
      ]),
    );
    await until(async () => (await inbox().countDocuments({ state: 'waiting' })) === 0, 30_000);
    for (const [nth, { message }] of roots.entries())
      expect(await commentsOn(message.text)).toEqual([`below ${nth}`]);
  }, 60_000);

  test('after five minutes, a day, three days, a restart and an emptied Redis: nothing more', async () => {
    const { message, event, id } = written('told for days');
    const tell = async () => expect((await people(0).event(team, event, { id })).status).toBe(200);
    await tell();
    await until(() => saidBelow(message).length > 0, 30_000);
    const stored = { _id: `slack:${team.id}:${id}` as never };
    for (const minutes of [5, 24 * 60, 3 * 24 * 60]) {
      const at = new Date(Date.now() - minutes * 60_000);
      await inbox().updateOne(stored, { $set: { at, nextAt: at, doneAt: at } });
      await tell();
    }
    await kill();
    await open();
    await tell();
    const { Redis } = await import('ioredis');
    const redis = new Redis(world.config.REDIS_URL);
    const keys = await redis.keys(`${world.config.REDIS_PREFIX}*`);
    if (keys.length) await redis.del(...keys);
    redis.disconnect();
    await tell();
    const other = written('told after all that');
    await people(0).event(team, other.event, { id: other.id });
    await until(() => saidBelow(other.message).length > 0, 40_000);
    expect(await ticketsCalled('told for days')).toHaveLength(1);
    expect(saidBelow(message)).toHaveLength(1);
    const indexes = await inbox().indexes();
    const kept = indexes.find((one) => one.expireAfterSeconds !== undefined)?.expireAfterSeconds;
    expect(kept).toBeGreaterThanOrEqual(7 * 24 * 3600);
  }, 120_000);
});

describe('a process that is killed after it said that the event is safe', () => {
  const FILE = { id: 'F0TRACE', name: 'trace.txt' };
  /** It dies while Slack has not answered this call yet. */
  const STEPS = ['users.info', 'conversations.replies', 'files.info', 'chat.postMessage', 'reactions.add'];
  test.each(STEPS)(
    'while it waits for %s: the ticket is there once, with all that belongs to it',
    async (step) => {
      const nth = STEPS.indexOf(step);
      const bytes = Buffer.from('a trace');
      slack.state.files.set(FILE.id, { ...FILE, team: team.id, mimetype: 'text/plain', bytes, shared: true });
      // A new face each time, so that they are asked for; one process, so that it is the one that works.
      const who = addPerson(slack.state, team, `Face ${nth}`, { email: `face${nth}@company.com` });
      requests.members.add(who.id);
      while (desks.length > 1) await kill(1);
      const { message, event, id } = written(`killed at ${step}`, { user: who.id, files: [FILE] });
      written('said below', { user: who.id, thread_ts: message.ts });
      const before = slack.calls(step).length;
      slack.fail(new RegExp(`^${step.replace('.', '\\.')}$`), { waitMs: 2_000 });
      expect((await people(0).event(team, event, { id })).status).toBe(200);
      await until(() => slack.calls(step).length > before, 40_000);
      await kill();
      slack.state.faults.length = 0;
      await hasten();
      await open();
      await until(async () => {
        await hasten();
        return saidBelow(message).length > 0 && (await inbox().countDocuments({ state: 'waiting' })) === 0;
      }, 60_000);
      const filed = await ticketsCalled(message.text);
      expect(filed).toHaveLength(1);
      expect(await commentsOn(message.text)).toEqual(['said below']);
      const as = await world.admin();
      const { body } = await world.call('GET', `/api/v1/tickets/${filed[0]?.key}/attachments`, { as });
      expect(body.items.map((one: { name: string }) => one.name)).toEqual([FILE.name]);
      expect(saidBelow(message)).toHaveLength(1);
    },
    120_000,
  );

  test('at any moment, again and again: every acknowledged event is one ticket', async () => {
    const stories: ReturnType<typeof written>[] = [];
    for (let round = 0; round < 3; round += 1) {
      if (!desks.length) await open();
      const told = Array.from({ length: 8 }, (_, nth) => written(`any moment ${round}/${nth}`));
      const answers = await Promise.allSettled([
        ...told.map(({ event, id }) => people(0).event(team, event, { id })),
        new Promise((resolve) => setTimeout(resolve, 30 + Math.random() * 250)).then(() => kill()),
      ]);
      for (const [nth, one] of told.entries()) {
        const answer = answers[nth];
        const isSafe = answer?.status === 'fulfilled' && (answer.value as { status: number }).status === 200;
        if (isSafe) stories.push(one);
      }
    }
    await open();
    await until(async () => {
      await hasten();
      return (await inbox().countDocuments({ state: 'waiting' })) === 0;
    }, 60_000);
    for (const { message } of stories) {
      await until(() => saidBelow(message).length > 0, 60_000);
      expect(await ticketsCalled(message.text)).toHaveLength(1);
      expect(saidBelow(message)).toHaveLength(1);
    }
  }, 180_000);
});
