import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { systemCtx } from '../../src/context.ts';
import { openDesk } from '../../src/desks/desks.ts';
import { openLog } from '../../src/log.ts';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { channels } from '../../src/places/channels.ts';
import { installWorkspace } from '../../src/places/workspaces.ts';
import { hire, openDeskOf, type Person } from '../support/staff.ts';
import { openWorld, type World } from '../support/world.ts';

const OTHER = 'c'.repeat(24);
let world: World;
let manager: Person;
let agent: Person;
let stranger: Person;
beforeAll(async () => {
  world = await openWorld();
  const at = new Date();
  await mongoose.connection.collection('companies').insertOne({
    ...{ _id: OTHER as never, name: 'Other', address: null, email: null, domains: [], root: false },
    ...{ autoPrioritize: false, autoCategorize: false, autoAssign: false, allowRegistration: true },
    ...{ active: true, createdAt: at, updatedAt: at },
  });
  const elsewhere = systemCtx({ log: openLog('silent') }, OTHER);
  await openDesk(elsewhere, { key: 'OTH', name: 'Others', preset: 'support', isDefault: true });
  await openDeskOf('OPS', 'devops');
  manager = await hire(world, 'Mona', 'manager');
  agent = await hire(world, 'Anna', 'agent');
  stranger = await hire(world, 'Stella', 'admin', { company: OTHER });
  await installWorkspace('slack', 'T0FIRST', 'First', { token: 'xoxb-secret' }, { company: FIRST_COMPANY });
}, 60_000);
afterAll(() => world?.close());

const first = 'workspaces/slack:T0FIRST';
const channel = `${first}/channels/C0HELP`;

describe('workspaces', () => {
  test('are listed for their own company, without their tokens', async () => {
    const { body } = await manager.call('GET', 'workspaces');
    expect(body).toMatchObject({
      total: 1,
      items: [{ id: 'slack:T0FIRST', surface: 'slack', name: 'First', state: 'active', desk_id: null }],
    });
    expect(JSON.stringify(body)).not.toContain('xoxb');
    expect((await stranger.call('GET', 'workspaces')).body).toMatchObject({ total: 0, items: [] });
  });

  test('that were installed later are claimed once, by the code of their installation', async () => {
    const { claim } = await installWorkspace('slack', 'T0NEXT', 'Next', {}, { company: FIRST_COMPANY });
    expect((await agent.call('POST', 'workspaces/claim', { code: claim })).status).toBe(403);
    expect((await stranger.call('POST', 'workspaces/claim', { code: 'a guess' })).status).toBe(404);
    const claimed = await stranger.call('POST', 'workspaces/claim', { code: claim, desk: 'OTH' });
    expect([claimed.status, claimed.body.state]).toEqual([200, 'active']);
    expect((await manager.call('POST', 'workspaces/claim', { code: claim })).status).toBe(404);
    expect((await manager.call('GET', 'workspaces')).body.total).toBe(1);
    expect((await stranger.call('GET', 'workspaces')).body.items).toMatchObject([{ id: 'slack:T0NEXT' }]);
  });
});

describe('channels', () => {
  test('are bound to a desk with all that is to be so there, changed and taken away again', async () => {
    const wish = {
      desk: 'OPS',
      role: 'requests',
      mode: 'nudge',
      escapes: [':loud:'],
      silent: true,
      emojis: { bug: { deed: 'file', who: 'agents' }, white_check_mark: { deed: 'resolve', who: 'all' } },
    };
    const bound = await manager.call('PUT', channel, wish);
    expect(bound.status).toBe(200);
    const { desk: _, ...rest } = wish;
    expect(bound.body).toMatchObject({ ...rest, workspace_id: 'slack:T0FIRST', external: 'C0HELP' });
    const [kept] = await channels(systemCtx({ log: openLog('silent') }, FIRST_COMPANY));
    expect(kept?.emojis).toEqual(wish.emojis);
    const again = await manager.call('PUT', channel, { desk: 'OPS', role: 'triage' });
    expect(again.body).toMatchObject({ role: 'triage', mode: 'manual', silent: false, emojis: null });
    expect((await agent.call('GET', 'channels')).body).toMatchObject({
      total: 1,
      items: [{ id: bound.body.id }],
    });
    expect((await manager.call('DELETE', channel)).status).toBe(204);
    expect((await manager.call('DELETE', channel)).status).toBe(404);
    expect((await manager.call('GET', 'channels')).body.total).toBe(0);
  });

  test('are bound by managers, in a workspace and to a desk of their own company', async () => {
    expect((await agent.call('PUT', channel, {})).status).toBe(403);
    expect((await stranger.call('PUT', channel, {})).status).toBe(404);
    expect((await manager.call('PUT', `workspaces/slack:T0NEXT/channels/C0HELP`, {})).status).toBe(404);
    expect((await manager.call('PUT', `workspaces/slack:T0NONE/channels/C0HELP`, {})).status).toBe(404);
    expect((await manager.call('PUT', channel, { desk: 'OTH' })).status).toBe(404);
    expect((await manager.call('GET', 'channels')).body.total).toBe(0);
  });

  test('of one company are nothing to another', async () => {
    await manager.call('PUT', channel, { role: 'triage' });
    expect((await stranger.call('GET', 'channels')).body).toMatchObject({ total: 0, items: [] });
    expect((await stranger.call('DELETE', channel)).status).toBe(404);
    expect((await manager.call('GET', 'channels')).body.total).toBe(1);
    await manager.call('DELETE', channel);
  });

  test.each([
    [{ role: 'kitchen' }],
    [{ mode: 'loud' }],
    [{ surprise: true }],
    [{ emojis: { x: { deed: 'delete', who: 'all' } } }],
    [{ emojis: { x: { deed: 'file', who: 'nobody' } } }],
    [{ escapes: Array.from({ length: 21 }, () => 'x') }],
  ])('are not bound by %j', async (body) => {
    const refused = await manager.call('PUT', channel, body);
    expect(refused.status).toBe(400);
    expect(refused.body.details.length).toBeGreaterThan(0);
  });
});
