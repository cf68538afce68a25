import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Message, View } from '../support/fake-slack-state.ts';
import { type OwnRedis, openRedisServer } from '../support/processes.ts';
import { openSlackDesk, type SlackDesk, until } from '../support/slack-desk.ts';
import { openSlowStore, type SlowStore } from '../support/slow-store.ts';

let desk: SlackDesk;
let store: SlowStore;
let redis: OwnRedis;
/** Long enough for nothing to be there at once, short enough for Slack's three seconds on a busy machine. */
const SLOW_MS = 700;
const AWAY_MS = Number(process.env.AWAY_MS ?? 1_500);
beforeAll(async () => {
  [store, redis] = await Promise.all([openSlowStore(), openRedisServer()]);
  desk = await openSlackDesk({ env: { MONGODB_URI: store.uri, REDIS_URL: redis.url } });
}, 60_000);
beforeEach(async () => {
  store.delayMs = 0;
  await redis.start();
  desk.slack.state.views.clear();
});
afterAll(async () => {
  store.delayMs = 0;
  await desk?.close();
  await store?.close();
  await redis?.close();
});

const views = (): View[] => [...desk.slack.state.views.values()];
const said = (view: View | undefined): string => JSON.stringify(view?.blocks ?? '');

describe('while the database takes its time', () => {
  test('a form opens at once with an hourglass, and is the form when it is ready', async () => {
    const { people, ana, requests } = desk;
    store.delayMs = SLOW_MS;
    const answered = await people.slash(ana, requests, 'A slow day');
    expect(answered).toMatchObject({ status: 200, late: false });
    await until('a modal is there', () => views().length > 0, 2_900);
    expect(said(views()[0])).toContain('hourglass');
    await until('it is the form', () => views()[0]?.callback_id === 'ticket_form', 40_000);
    expect(said(views()[0])).toContain('A slow day');
    store.delayMs = SLOW_MS / 3;
    expect(await people.submit(ana, views()[0] as View, {})).toMatchObject({
      status: 200,
      late: false,
      text: '',
    });
    store.delayMs = 0;
    await desk.settle();
    expect(await desk.tickets()).toMatchObject([{ title: 'A slow day' }]);
  }, 40_000);

  test('a form that cannot be says why in its own place', async () => {
    const { people, mei } = desk;
    const [ticket] = await desk.tickets();
    const card = desk.card(String(ticket?.key));
    store.delayMs = SLOW_MS;
    const forged: Message = {
      ...card,
      blocks: JSON.parse(said(card as never).replaceAll(String(ticket?.id), 'f'.repeat(24))),
    };
    await people.click(mei, forged, 'ticket_resolve');
    await until('the modal says so', () => said(views()[0]).includes('no such'), 40_000);
    store.delayMs = 0;
    expect(views()).toHaveLength(1);
  }, 40_000);

  test('who comes too late for a form is told so alone, and not left with nothing', async () => {
    const { people, ana, requests, slack } = desk;
    slack.fail(/views\.open/, { error: 'expired_trigger_id' });
    await people.slash(ana, requests, 'Too late');
    await until('she is told', () => desk.told(ana).includes('longer than Slack waits'));
    expect(desk.world.logged.some((line) => line.msg === 'something in slack went wrong')).toBe(false);
  });

  test('an event, a command and a press are acknowledged in time, and done when it is quick again', async () => {
    const { people, ana, mei, requests } = desk;
    const [ticket] = await desk.tickets();
    const card = desk.card(String(ticket?.key));
    const root = await people.say(ana, requests, 'It was slow that day');
    await desk.settle();
    store.delayMs = SLOW_MS / 2;
    const answers = await Promise.all([
      people.react(ana, requests, root.ts, 'ticket'),
      people.slash(mei, requests, `priority ${ticket?.key} high`),
      people.click(mei, card, 'ticket_claim'),
    ]);
    expect(answers.map((one) => [one.status, one.late])).toEqual(answers.map(() => [200, false]));
    store.delayMs = 0;
    await until('all is done', async () => {
      await desk.settle();
      const { body } = await desk.staff.mei.call('GET', `tickets/${ticket?.key}`);
      return body.assignee_id && body.priority === 'high' && (await desk.tickets()).length === 2;
    });
  }, 40_000);
});

test('while Redis is away Slack is answered in time all the same, and each message is one ticket', async () => {
  const { people, ana, requests } = desk;
  const before = (await desk.tickets()).length;
  await redis.kill();
  const slowest = { status: 200, ms: 0 };
  let said = 0;
  for (const end = Date.now() + AWAY_MS; Date.now() < end; await pause(AWAY_MS / 60)) {
    const answers = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const { ts } = await people.say(ana, requests, `Without Redis ${said++}`);
        return people.react(ana, requests, ts, 'ticket');
      }),
    );
    for (const { status, ms } of answers) {
      slowest.ms = Math.max(slowest.ms, ms);
      if (status !== 200) slowest.status = status;
    }
  }
  await redis.start();
  expect(slowest.status).toBe(200);
  expect(slowest.ms).toBeLessThan(3_000);
  if (AWAY_MS > 10_000) console.log(said, slowest);
  await until(
    'all are tickets',
    async () => {
      await desk.settle();
      const there = desk.world.call('GET', '/api/v1/tickets?page_size=1', { as: await desk.world.admin() });
      return (await there).body.total === before + said;
    },
    60_000,
  );
}, 180_000);
