import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { addChannel, addPerson, type Channel, type Person } from '../support/fake-slack-state.ts';
import { openSlackDesk, type SlackDesk, until } from '../support/slack-desk.ts';
import { type Person as Colleague, hire } from '../support/staff.ts';

let desk: SlackDesk;
let admin: string;
beforeAll(async () => {
  desk = await openSlackDesk();
  admin = await desk.world.admin();
}, 60_000);
afterAll(() => desk?.close());

const channelPath = (channel: Channel): string =>
  `/api/v1/workspaces/slack:${desk.team.id}/channels/${channel.id}`;
const bindAs = (as: string, channel: Channel, body: object) =>
  desk.world.call('PUT', channelPath(channel), { as, body });
const roleOf = async (who: Colleague): Promise<string> => (await who.call('GET', 'users/me')).body.role;

/** A customer with an account here and one in Slack. */
async function colleague(name: string, more: Partial<Person> = {}) {
  const account = await hire(desk.world, name, 'customer');
  const person = addPerson(desk.slack.state, desk.team, name, {
    email: `${name.toLowerCase()}@company.example`,
    ...more,
  });
  return { account, person };
}
async function moves(who: Person, channel: Channel, to: 'joined' | 'left'): Promise<void> {
  if (to === 'joined') channel.members.add(who.id);
  else channel.members.delete(who.id);
  const type = `member_${to}_channel`;
  await desk.people.event(desk.team, { type, user: who.id, channel: channel.id, channel_type: 'G' });
  await desk.settle();
}

describe('agents by the channel that they belong to', () => {
  test('are none unless the desk wants it so', async () => {
    const { account, person } = await colleague('Nia');
    await moves(person, desk.triage, 'joined');
    await desk.people.slash(person, desk.triage, 'queue');
    await desk.settle();
    expect(await roleOf(account)).toBe('customer');
  });

  test('an administrator says so, of a triage channel; nobody less, and of no other', async () => {
    const manager = await hire(desk.world, 'Mona', 'manager');
    const wish = { role: 'triage', members_are_agents: true };
    const path = channelPath(desk.triage).replace('/api/v1/', '');
    expect((await manager.call('PUT', path, wish)).status).toBe(403);
    expect((await bindAs(admin, desk.requests, { role: 'requests', members_are_agents: true })).status).toBe(
      400,
    );
    const { status, body } = await bindAs(admin, desk.triage, wish);
    expect([status, body.members_are_agents]).toEqual([200, true]);
  });

  test('whoever joins is one, does an agent’s work, and is none after leaving', async () => {
    const { account, person } = await colleague('Oto');
    const { body: ticket } = await desk.world.call('POST', '/api/v1/tickets', {
      as: admin,
      body: { title: 'For whoever joins' },
    });
    await desk.settle();
    await desk.people.click(person, desk.card(ticket.key), 'ticket_claim');
    await desk.settle();
    expect((await desk.staff.mei.call('GET', `tickets/${ticket.id}`)).body.assignee_id).toBeNull();
    await moves(person, desk.triage, 'joined');
    expect(await roleOf(account)).toBe('agent');
    await desk.people.click(person, desk.card(ticket.key), 'ticket_claim');
    await desk.settle();
    expect((await desk.staff.mei.call('GET', `tickets/${ticket.id}`)).body.assignee_id).toBe(account.id);
    await moves(person, desk.triage, 'left');
    expect(await roleOf(account)).toBe('customer');
    expect((await desk.staff.mei.call('GET', `tickets/${ticket.id}`)).body.assignee_id).toBeNull();
    const trail = await mongoose.connection.collection('audit').find({ subject: account.id }).toArray();
    expect(trail.filter((one) => one.action === 'user.role_changed')).toHaveLength(2);
  });

  test('a large channel is read to its end', async () => {
    const { account, person } = await colleague('Pia');
    for (let at = 0; at < 250; at += 1) desk.triage.members.add(`U0CROWD${at}`);
    await moves(person, desk.triage, 'joined');
    expect(await roleOf(account)).toBe('agent');
    for (const id of [...desk.triage.members]) if (id.startsWith('U0CROWD')) desk.triage.members.delete(id);
  });

  test('no guest, nobody without an account, nobody of another workspace', async () => {
    const guest = await colleague('Gia', { guest: true });
    await moves(guest.person, desk.triage, 'joined');
    expect(await roleOf(guest.account)).toBe('customer');
    const other = desk.slack.team('Elsewhere');
    const stranger = addPerson(desk.slack.state, other, 'Zoe', { email: 'pia@company.example' });
    const shared = addChannel(desk.slack.state, desk.team, 'shared', [stranger], { shared: true });
    await moves(stranger, desk.triage, 'joined');
    const loner = addPerson(desk.slack.state, desk.team, 'Loner', { email: 'loner@company.example' });
    await moves(loner, desk.triage, 'joined');
    for (const who of [stranger, loner]) {
      const identity = await mongoose.connection.collection('identities').findOne({ externalId: who.id });
      expect(identity?.person.kind).toBe('contact');
    }
    expect(shared.members.has(stranger.id)).toBe(true);
  });

  test('a channel that is not private, or is shared, makes nobody an agent', async () => {
    const { account, person } = await colleague('Rua');
    const open = addChannel(desk.slack.state, desk.team, 'open-triage', []);
    const shared = addChannel(desk.slack.state, desk.team, 'shared-triage', [], {
      kind: 'private',
      shared: true,
    });
    for (const channel of [open, shared]) {
      await bindAs(admin, channel, { role: 'triage', members_are_agents: true });
      await moves(person, channel, 'joined');
      expect(await roleOf(account)).toBe('customer');
      await desk.world.call('DELETE', channelPath(channel), { as: admin });
    }
  });

  test('what an administrator gave stays, whatever the channel', async () => {
    const { account, person } = await colleague('Sia');
    await moves(person, desk.triage, 'joined');
    await desk.world.call('PUT', `/api/v1/users/${account.id}`, { as: admin, body: { role: 'agent' } });
    await moves(person, desk.triage, 'left');
    expect(await roleOf(account)).toBe('agent');
    await moves(desk.mei, desk.triage, 'left');
    expect(await roleOf(desk.staff.mei)).toBe('agent');
    await moves(desk.mei, desk.triage, 'joined');
  });

  test('ends for all when the setting ends', async () => {
    const { account, person } = await colleague('Tom');
    await moves(person, desk.triage, 'joined');
    expect(await roleOf(account)).toBe('agent');
    await bindAs(admin, desk.triage, { role: 'triage' });
    expect(await roleOf(account)).toBe('customer');
  });
});

describe('an account in Slack that changes', () => {
  test('does not become somebody else by a new address, until they prove it', async () => {
    const { people, team, requests } = desk;
    const { account, person } = await colleague('Uwe');
    await people.slash(person, requests, 'mine');
    await desk.settle();
    const changed = () =>
      people.event(team, { type: 'user_change', user: { id: person.id, team_id: team.id, profile: {} } });
    const identity = () => mongoose.connection.collection('identities').findOne({ externalId: person.id });
    await changed();
    await desk.settle();
    expect(await identity()).toMatchObject({ person: { kind: 'user', id: account.id } });
    person.email = 'mei@company.example';
    await changed();
    await desk.settle();
    expect(desk.told(person)).toContain('no longer linked');
    await people.slash(person, requests, 'mine');
    await desk.settle();
    expect((await identity())?.person.kind).toBe('contact');
    const { body } = await account.call('POST', 'users/me/identities', {});
    await people.slash(person, requests, `link ${body.code}`);
    await desk.settle();
    expect(await identity()).toMatchObject({ proof: 'code', person: { kind: 'user', id: account.id } });
  });
});

describe('a link while it is being written', () => {
  test('is shown to nobody: who will read it is not known yet', async () => {
    const { body: ticket } = await desk.world.call('POST', '/api/v1/tickets', {
      as: admin,
      body: { title: 'Composed' },
    });
    const share = (channel: string, source = 'conversations_history') =>
      desk.people.event(desk.team, {
        ...{ type: 'link_shared', user: desk.mei.id, channel, message_ts: '1.1', source },
        links: [{ domain: 'desk.example', url: `https://desk.example/tickets/${ticket.key}` }],
      });
    await share('COMPOSER', 'composer');
    await share(desk.requests.id, 'composer');
    await desk.settle();
    expect(desk.slack.state.unfurls).toHaveLength(0);
    desk.slack.fail(/chat\.unfurl/, { error: 'cannot_unfurl_url' });
    await share(desk.requests.id);
    await desk.settle();
    expect(desk.told(desk.mei)).not.toContain('went wrong');
    expect(desk.world.logged.some((line) => line.msg === 'something in slack went wrong')).toBe(false);
  });
});

describe('a token that is taken away', () => {
  const workspace = async () =>
    (await desk.world.call('GET', '/api/v1/workspaces', { as: admin })).body.items[0];

  test('by somebody of their own is none of ours; ours makes the workspace wait and tells an administrator', async () => {
    const { people, team } = desk;
    await people.event(team, { type: 'tokens_revoked', tokens: { oauth: [desk.mei.id], bot: [] } });
    await desk.settle();
    expect((await workspace()).state).toBe('active');
    await people.event(team, { type: 'tokens_revoked', tokens: { oauth: [], bot: [team.botUser] } });
    await until('it waits', async () => {
      await desk.settle();
      return (await workspace()).state === 'needs_attention';
    });
    const told = (await desk.tickets()).filter((one) => String(one.title).includes('needs attention'));
    expect(told).toHaveLength(1);
    await people.event(team, { type: 'app_uninstalled' });
    await desk.settle();
    expect((await workspace()).state).toBe('gone');
    // What was to go there has failed for good, and is not tried for ever.
    const waiting = { surface: 'slack', state: { $in: ['pending', 'sending'] } };
    expect(await mongoose.connection.collection('deliveries').countDocuments(waiting)).toBe(0);
  });
});
