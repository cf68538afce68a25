// Slack when the parts of Switchboard run apart, as in docker-compose.yml: one process listens, another one speaks.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { bindChannel } from '../../src/places/channels.ts';
import { channelInput } from '../../src/places/place.ts';
import { type FakeSlack, startFakeSlack } from '../support/fake-slack.ts';
import { livePeople } from '../support/fake-slack-people.ts';
import { addChannel, addPerson } from '../support/fake-slack-state.ts';
import { type Desk, startDesk } from '../support/processes.ts';
import { SECRET } from '../support/slack-desk.ts';
import { freePort } from '../support/started.ts';
import { until } from '../support/talk.ts';
import { openWorld, type World } from '../support/world.ts';

let slack: FakeSlack;
let world: World;
let worker: Desk;
beforeAll(async () => {
  slack = await startFakeSlack();
}, 60_000);
afterAll(async () => {
  worker?.child.kill('SIGTERM');
  await worker?.ended;
  await world?.close();
  await slack?.stop();
});

test('who only works says in Slack what an agent answered, and does what another process heard and left', async () => {
  const team = slack.team('Acme');
  const ana = addPerson(slack.state, team, 'Ana Lima', { email: 'ana@company.com' });
  const requests = addChannel(slack.state, team, 'help', [ana]);
  const env = {
    SLACK_SIGNING_SECRET: SECRET,
    SLACK_BOT_TOKEN: team.token,
    SLACK_API_URL: slack.apiUrl,
    PUBLIC_URL: 'https://desk.example',
  };
  world = await openWorld({ roles: 'api,slack', env });
  const port = String(await freePort());
  const apart = { ROLES: 'worker', HOST: '127.0.0.1', METRICS_PORT: port, PEER_URL: 'http://127.0.0.1:9' };
  worker = await startDesk(world, { ...apart, ...env });
  const ctx = systemCtx({ log: openLog('silent') }, FIRST_COMPANY);
  const settings = channelInput.parse({ role: 'requests', mode: 'auto' });
  await bindChannel(ctx, `slack:${team.id}`, requests.id, settings);
  const people = livePeople(slack, { door: `${world.url}/slack/events`, secret: SECRET });
  const root = await people.say(ana, requests, 'The door is stuck');
  const tickets = mongoose.connection.collection('tickets');
  const ticket = await until(() => tickets.findOne({ title: 'The door is stuck' }));

  await world.call('POST', `/api/v1/tickets/${ticket.key}/comments`, {
    as: await world.admin(),
    body: { content: 'Push it' },
  });
  const below = () => JSON.stringify(requests.messages.filter((one) => one.thread_ts === root.ts));
  await until(() => below().includes('Push it'));

  const ask = (path: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } }).then((answer) =>
      answer.text(),
    );
  await until(async () =>
    /deliveries_total\{surface="slack",outcome="sent"\} [1-9]/.test(await ask('/metrics')),
  );
  await until(async () => (await ask('/metrics')).includes('queue_depth{queue="deliver-slack"'));
  expect(await ask('/ready')).toContain('"ready"');
  expect(await ask('/api/v1/tickets')).toContain('E_ROUTE_NOT_FOUND');

  const inbox = mongoose.connection.collection('inbox');
  const heard = await until(() => inbox.findOne({ kind: /^slack/, state: { $ne: 'waiting' } }));
  await inbox.updateOne({ _id: heard._id }, { $set: { state: 'waiting', nextAt: new Date(0) } });
  await until(async () => (await inbox.findOne({ _id: heard._id }))?.state !== 'waiting');
  expect(await tickets.countDocuments({ title: 'The door is stuck' })).toBe(1);
}, 60_000);
