import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { openDesk } from '../../src/desks/desks.ts';
import { settleInbox } from '../../src/inbox.ts';
import { openLog } from '../../src/log.ts';
import { claimWorkspace } from '../../src/places/workspaces.ts';
import { type FakeSlack, startFakeSlack } from '../support/fake-slack.ts';
import { livePeople, type People } from '../support/fake-slack-people.ts';
import { addChannel, addPerson, type Channel, type Person, type Team } from '../support/fake-slack-state.ts';
import { openSlackDesk, SECRET, type SlackDesk, until } from '../support/slack-desk.ts';
import { openWorld, type World } from '../support/world.ts';

describe('many workspaces, installed by OAuth', () => {
  let slack: FakeSlack;
  let world: World;
  let people: People;
  beforeAll(async () => {
    slack = await startFakeSlack();
    world = await openWorld({
      roles: 'api,worker,slack',
      env: {
        SLACK_SIGNING_SECRET: SECRET,
        SLACK_CLIENT_ID: '1.2',
        SLACK_CLIENT_SECRET: 'client-secret',
        SLACK_API_URL: slack.apiUrl,
        PUBLIC_URL: 'https://desk.example',
      },
    });
    people = livePeople(slack, { door: `${world.url}/slack/events`, secret: SECRET });
  }, 60_000);
  afterAll(async () => {
    await settleInbox();
    await world?.close();
    await slack?.stop();
  });

  async function install(team: Team): Promise<string> {
    const begun = await fetch(`${world.url}/slack/install`, { redirect: 'manual' });
    expect(begun.status).toBe(302);
    const target = new URL(String(begun.headers.get('location')));
    expect(target.origin).toBe(slack.state.url);
    expect(target.searchParams.get('scope')).toContain('chat:write');
    slack.state.codes.set(`code-${team.id}`, team.id);
    const back = new URL(`${world.url}/slack/oauth_redirect`);
    back.searchParams.set('code', `code-${team.id}`);
    back.searchParams.set('state', String(target.searchParams.get('state')));
    const ended = await fetch(back, {
      headers: { cookie: String(begun.headers.get('set-cookie')).split(';')[0] ?? '' },
    });
    expect(ended.status).toBe(200);
    return ended.text();
  }
  function populate(team: Team): { who: Person; channel: Channel } {
    const who = addPerson(slack.state, team, 'Pat', { email: `pat@${team.domain}.example` });
    return { who, channel: addChannel(slack.state, team, 'general', [who]) };
  }
  const ticketsOf = (title: string) => mongoose.connection.collection('tickets').find({ title }).toArray();

  test('the first belongs to the first company; its token is kept sealed', async () => {
    const team = slack.team('First');
    const { who, channel } = populate(team);
    expect(await install(team)).toContain('installed');
    const kept = JSON.stringify(await mongoose.connection.collection('workspaces').find().toArray());
    expect(kept).toContain(team.id);
    expect(kept).not.toContain(team.token);
    const root = await people.say(who, channel, 'From the first workspace');
    await people.react(who, channel, root.ts, 'ticket');
    await settleInbox();
    expect(await ticketsOf('From the first workspace')).toHaveLength(1);
  });

  test('the next one is heard by nobody until an administrator claims it, and then by its own company only', async () => {
    const team = slack.team('Second');
    const { who, channel } = populate(team);
    const page = await install(team);
    const code = /<code>(.+)<\/code>/.exec(page)?.[1] ?? '';
    const before = await people.say(who, channel, 'Said before anybody claimed us');
    await people.react(who, channel, before.ts, 'ticket');
    await settleInbox();
    expect(await ticketsOf('Said before anybody claimed us')).toHaveLength(0);

    const other = 'c'.repeat(24);
    await mongoose.connection.collection('companies').insertOne({
      ...{
        _id: other as never,
        name: 'Other',
        address: null,
        email: null,
        domains: [],
        root: false,
        autoPrioritize: false,
      },
      ...{ autoCategorize: false, autoAssign: false, allowRegistration: true, active: true },
      ...{ createdAt: new Date(), updatedAt: new Date() },
    });
    const ctx = systemCtx({ log: openLog('silent') }, other);
    await openDesk(ctx, { key: 'OPS', name: 'Ops', preset: 'support', isDefault: true });
    await expect(claimWorkspace(ctx, 'guess')).rejects.toThrow('No workspace waits');
    await claimWorkspace(ctx, code);
    await expect(claimWorkspace(ctx, code)).rejects.toThrow('No workspace waits');
    const root = await people.say(who, channel, 'From the second workspace');
    await people.react(who, channel, root.ts, 'ticket');
    await settleInbox();
    const [ticket] = await ticketsOf('From the second workspace');
    expect(ticket).toMatchObject({ company: other, deskKey: 'OPS' });
  });

  test('a refused token makes the workspace wait for attention, once told; installing again mends it', async () => {
    const [team] = [...slack.state.teams.values()];
    if (!team) throw new Error('no team');
    const who = [...team.people.values()].find((one) => !one.bot) as Person;
    const channel = [...team.channels.values()][0] as Channel;
    team.revoked = true;
    for (const words of ['help', 'list']) {
      slack.state.answerDoors.clear();
      await people.slash(who, channel, words);
      for (const door of slack.state.answerDoors.values()) door.uses = 99;
      await people.home(who);
      await settleInbox();
    }
    const state = async () =>
      (await mongoose.connection.collection('workspaces').findOne({ external: team.id }))?.state;
    expect(await state()).toBe('needs_attention');
    expect(world.logged.filter((line) => String(line.msg).includes('install the app again'))).toHaveLength(1);
    const told = await ticketsOf('Slack workspace First needs attention');
    expect(told).toHaveLength(1);
    expect(told[0]?.assignee).not.toBeNull();
    // What should have gone there meanwhile goes as soon as it can.
    const [ticket] = await ticketsOf('From the first workspace');
    await world.call('POST', `/api/v1/tickets/${ticket?._id}/comments`, {
      as: await world.admin(),
      body: { content: 'said while we were away', is_internal: false },
    });
    await world.drain();
    const said = () => JSON.stringify(channel.messages).includes('said while we were away');
    expect(said()).toBe(false);
    await install(team);
    expect(await state()).toBe('active');
    await until('it is said', async () => {
      await world.drain();
      return said();
    });
  });

  test('a workspace that removed the app is acknowledged and no longer heard', async () => {
    const [team] = [...slack.state.teams.values()];
    if (!team) throw new Error('no team');
    const who = [...team.people.values()].find((one) => !one.bot) as Person;
    const channel = [...team.channels.values()][0] as Channel;
    await people.event(team, { type: 'app_uninstalled' });
    await settleInbox();
    const root = await people.say(who, channel, 'After the end');
    const answer = await people.react(who, channel, root.ts, 'ticket');
    await settleInbox();
    expect(answer.status).toBe(200);
    expect(await ticketsOf('After the end')).toHaveLength(0);
    const kept = await mongoose.connection.collection('workspaces').findOne({ external: team.id });
    expect(kept).toMatchObject({ state: 'gone', sealed: null });
  });
});

describe('Socket Mode', () => {
  let desk: SlackDesk;
  beforeAll(async () => {
    desk = await openSlackDesk({ socket: true });
  }, 60_000);
  afterAll(() => desk?.close());

  test('hears commands, events and forms without an address of its own, and comes back when it is cut off', async () => {
    const { people, ana, requests, slack } = desk;
    await until('connected', () => slack.socket.connected());
    expect(await people.slash(ana, requests, 'list')).toMatchObject({ status: 200 });
    const view = await desk.form(() => people.slash(ana, requests, 'By socket'));
    const wrong = await people.submit(ana, view, { title: ' ' });
    expect(wrong.json).toMatchObject({ response_action: 'errors' });
    await people.submit(ana, view, { title: 'By socket' });
    await desk.settle();
    expect(await desk.tickets()).toHaveLength(1);
    slack.socket.drop();
    await until('connected again', () => slack.socket.connected(), 40_000);
    const root = await people.say(ana, requests, 'After the cut');
    await people.react(ana, requests, root.ts, 'ticket');
    await desk.settle();
    expect(await desk.tickets()).toHaveLength(2);
  }, 40_000);
});
