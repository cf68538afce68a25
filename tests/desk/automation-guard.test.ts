// What rules may not do: set each other off for ever, answer machines, say the same thing again and again.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { FIRST_COMPANY } from '../../src/people/companies.ts';
import { change } from '../../src/tickets/change.ts';
import { addComment } from '../../src/tickets/comments.ts';
import { check } from '../support/checker.ts';
import { ADD, byRules, relayed, rulesOf } from '../support/rules.ts';
import { formTeam, hire, hireStaff, openDeskOf, type Staff } from '../support/staff.ts';
import { system } from '../support/talk.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let staff: Staff;
let rules: ReturnType<typeof rulesOf>;
beforeAll(async () => {
  world = await openWorld({ roles: 'api' });
  staff = await hireStaff(world);
  rules = rulesOf(staff);
  await openDeskOf('OPS', 'devops');
}, 60_000);
afterEach(async () => {
  await relayed();
  await rules.clear();
});
afterAll(async () => {
  expect((await check(world.config.MONGODB_URI, world.database)).problems).toEqual([]);
  await world.close();
}, 60_000);

describe('rules that set each other off', () => {
  test('are stopped, with one line that says why, in the log and on the ticket', async () => {
    const when = { events: ['priority_change'] };
    const set = (from: string, to: string) => ({
      ...{ when, if: { field: 'priority', op: 'equals', value: from }, then: [{ do: 'set', priority: to }] },
    });
    const ping = await rules.make({ name: 'Ping', ...set('high', 'low') });
    const { body } = await staff.manager.call('POST', 'workflows', { name: 'Pong', ...set('low', 'high') });
    expect(body.warnings).toEqual([expect.stringContaining('“Pong” → “Ping” → “Pong”')]);
    // Two relays may go round from either rule: it is one circle all the same.
    const ids = await Promise.all([1, 2, 3, 4, 5, 6].map(() => rules.file()));
    await Promise.all(ids.map((id) => staff.agent.call('PATCH', `tickets/${id}`, { priority: 'high' })));
    await relayed(2);
    for (const id of ids) {
      const lines = (await byRules(id)).filter((entry) => entry.facts?.stopped);
      expect(lines).toHaveLength(1);
      expect(lines[0]?.notes).toMatch(
        /^Stopped: it was set off by its own effect \((Ping|Pong) → (Pong|Ping) → \1\)\.$/,
      );
      const stopped = await Promise.all(
        [ping, body.id].map((rule) => rules.runs(rule, `&outcome=stopped&ticket=${id}`)),
      );
      expect(stopped.flat()).toMatchObject([{ problems: [lines[0]?.notes] }]);
    }
    await staff.manager.call('DELETE', `workflows/${body.id}`);
  });

  test('in a long chain are stopped at a stated depth', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 7; n++)
      ids.push(
        await rules.make({
          ...{
            name: `Link ${n}`,
            position: 100 - n,
            when: { events: n ? ['update'] : ['created'] },
            then: [ADD(`t${n + 1}`)],
          },
          if: n ? { field: 'tags', op: 'has', value: `t${n}` } : { all: [] },
        }),
      );
    const id = await rules.file();
    await relayed();
    expect((await rules.ticket(id)).tags).toEqual(['t1', 't2', 't3', 't4', 't5']);
    const lines = (await byRules(id)).filter((entry) => entry.facts?.stopped);
    expect(lines.map((entry) => entry.notes)).toEqual([
      'Stopped: more than 5 rules set each other off (Link 0 → Link 1 → Link 2 → Link 3 → Link 4 → Link 5).',
    ]);
    expect(await rules.runs(ids[5] ?? '', '&outcome=stopped')).toHaveLength(1);
  });
});

test('a circle that leads through others is cut too, with one line, and a new hour begins anew', async () => {
  const rule = await rules.make({
    when: { events: ['priority_change'] },
    if: { field: 'priority', op: 'equals', value: 'high' },
    then: [{ do: 'set', priority: 'low' }],
  });
  const id = await rules.file({ priority: 'low' });
  const somebodyElse = async () => {
    await change(system(), id, () => ({ action: 'priority_change', set: { priority: 'high' } }));
    await relayed();
  };
  await somebodyElse();
  const count = (count: number, since = new Date()) =>
    change(system(), id, () => ({ action: 'update', set: { ruleFirings: { since, count } } }));
  await count(59);
  for (let n = 0; n < 4; n++) await somebodyElse();
  expect((await byRules(id)).filter((entry) => entry.facts?.stopped)).toHaveLength(1);
  expect((await rules.ticket(id)).priority).toBe('high');
  const outcomes = (await rules.runs(rule, '&outcome=fired&outcome=stopped')).map((run) => run.outcome);
  expect(outcomes.sort()).toEqual(['fired', 'fired', 'stopped', 'stopped', 'stopped']);
  await count(99, new Date(Date.now() - 2 * 3_600_000));
  await change(system(), id, () => ({ action: 'priority_change', set: { priority: 'medium' } }));
  await somebodyElse();
  expect((await rules.ticket(id)).priority).toBe('low');
});

describe('words of a rule', () => {
  const REPLY = { do: 'reply', text: 'We have it.' };
  const replies = async (id: string) =>
    (await byRules(id)).filter((one) => one.comment?.audience === 'public').length;

  test('do not come again and again, and answer no machine', async () => {
    const rule = await rules.make({
      when: { events: ['comment_added'] },
      if: { field: 'by', op: 'equals', value: 'requester' },
      then: [REPLY],
    });
    const id = await rules.file({}, staff.customer);
    for (const content of ['Hello?', 'Anybody?']) {
      await staff.customer.call('POST', `tickets/${id}/comments`, { content });
      await relayed();
    }
    expect(await replies(id)).toBe(1);
    expect(await rules.runs(rule, '&outcome=fired&outcome=failed')).toMatchObject([
      { outcome: 'failed', problems: [expect.stringContaining('less than 60 minutes')] },
      { outcome: 'fired' },
    ]);
    const machine = await rules.file({}, staff.customer);
    const { id: carla, name } = staff.customer;
    const actor = {
      kind: 'user',
      id: carla,
      name,
      company: FIRST_COMPANY,
      role: 'customer',
      teams: [],
    } as const;
    await addComment({ ...system(), actor }, machine, {
      content: 'Away',
      isInternal: false,
      automatic: true,
    });
    await relayed();
    expect(await replies(machine)).toBe(0);
    expect(await rules.runs(rule, `&ticket=${machine}`)).toMatchObject([
      { outcome: 'failed', problems: [expect.stringContaining('sent by a machine')] },
    ]);
  });

  test('are not said when what they tell of could not be done', async () => {
    const close = (then: object[]) => rules.make({ then: [{ do: 'reply', text: 'Closed.' }, ...then] });
    const rule = await close([{ do: 'set', status: 'reopened' }, ADD('tried')]);
    const id = await rules.file({}, staff.customer);
    await relayed();
    expect([await replies(id), (await rules.ticket(id)).tags]).toEqual([0, ['tried']]);
    expect(await rules.runs(rule)).toMatchObject([
      {
        did: ['tags: nothing → tried'],
        problems: [expect.stringContaining('new'), expect.stringContaining('No reply')],
      },
    ]);
    await rules.clear();
    await close([{ do: 'close' }]);
    const closed = await rules.file({}, staff.customer);
    await relayed();
    expect([await replies(closed), (await rules.ticket(closed)).status]).toEqual([1, 'closed']);
  });

  test('reach those whom it names, and nobody who is no agent', async () => {
    const friends = await formTeam('Friends');
    const friend = await hire(world, 'Fred', 'agent', { teams: [friends] });
    await rules.make({
      then: [
        { do: 'assign', team_id: staff.team },
        {
          do: 'notify',
          to: ['lead', `team:${friends}`, staff.otherAgent.id],
          text: '{{ ticket.title }}: look!',
        },
      ],
    });
    const id = await rules.file({ title: 'Alarm' }, staff.customer);
    await relayed();
    const heard = async (who: Staff['lead']) =>
      (await who.call('GET', 'notifications')).body.items
        .filter((one: { ticket_id: string; event: string }) => one.ticket_id === id && one.event === 'alert')
        .map((one: { text: string }) => one.text);
    for (const who of [staff.lead, friend, staff.otherAgent])
      expect(await heard(who)).toEqual(['Alarm: look!']);
    for (const who of [staff.agent, staff.manager, staff.customer]) expect(await heard(who)).toEqual([]);
  });

  test('and whoever is on call, to whom the ticket may be given as well', async () => {
    const night = await formTeam('Night');
    const nora = await hire(world, 'Nora', 'agent', { teams: [night] });
    const rule = await rules.make({
      then: [
        { do: 'assign', on_call_of: night },
        { do: 'notify', to: [`on_call:${night}`], text: 'Yours' },
      ],
    });
    const early = await rules.file();
    await relayed();
    const rota = { time_zone: 'UTC', member_ids: [nora.id], starts_on: '2026-01-01' };
    expect((await staff.manager.call('PUT', `teams/${night}/rota`, rota)).status).toBe(200);
    const late = await rules.file();
    await relayed();
    expect([(await rules.ticket(early)).assignee_id, (await rules.ticket(late)).assignee_id]).toEqual([
      ...[null, nora.id],
    ]);
    const outcomes = (await rules.runs(rule)).map(({ outcome, problems }) => [outcome, problems.length]);
    expect(outcomes).toEqual([
      ['fired', 0],
      ['failed', 2],
    ]);
  });

  test('and a macro of the desk does what it always does, in the same change', async () => {
    const macro = (
      await staff.admin.call('POST', 'macros', {
        name: 'Thanks',
        body: 'Thanks, {{ requester.name }}',
        actions: [
          { do: 'add_tag', value: 'thanked' },
          { do: 'status', value: 'pending' },
        ],
      })
    ).body;
    await rules.make({
      then: [
        { do: 'macro', macro_id: macro.id },
        { do: 'resolve', notes: 'done' },
      ],
    });
    const id = await rules.file({}, staff.customer);
    await relayed();
    expect(await rules.ticket(id)).toMatchObject({
      status: 'resolved',
      tags: ['thanked'],
      resolution_notes: 'done',
      replies: 1,
    });
  });
});
